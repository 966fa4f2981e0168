//! The log: to stderr, as text on a terminal and as JSON elsewhere.

use std::fmt;
use std::io::{self, IsTerminal as _};

use tracing::span::Record;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FormatFields, FormattedFields};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use vestibule_service::TRACE;

use crate::telemetry::TraceLayer;

/// The variable that says what is logged, such as `debug` or `vestibule_service=debug,info`.
pub const VARIABLE: &str = "VESTIBULE_LOG";

/// The variable does not hold a filter.
#[derive(Debug, thiserror::Error)]
#[error("{VARIABLE}: {0}; write a level such as `info` or `debug`, or `target=level,…`")]
pub struct BadFilter(#[from] tracing_subscriber::filter::ParseError);

/// Starts the log of this process, with a filter or else with the default, and what turns its spans
/// into traces, if there is something. The one who started a log earlier keeps it.
///
/// # Errors
/// The filter is none.
pub fn start(
    filter: Option<&str>,
    default: &str,
    traces: Option<TraceLayer>,
) -> Result<(), BadFilter> {
    let filter = EnvFilter::try_new(filter.filter(|text| !text.is_empty()).unwrap_or(default))?;
    // Spans for traces are too many for a log.
    let filter = filter.add_directive(format!("{TRACE}=off").parse()?);
    let on_terminal = io::stderr().is_terminal();
    let Some(traces) = traces else {
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(io::stderr);
        let _ = if on_terminal {
            log.with_target(false).try_init()
        } else {
            let log = log.with_ansi(false).json().flatten_event(true);
            // A request is one span: a list of them would say it again.
            let log = log.with_span_list(false);
            log.fmt_fields(TightFields(JsonFields::new())).try_init()
        };
        return Ok(());
    };
    // Each has a filter of its own: traces do not depend on how much is logged.
    let log = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let all = tracing_subscriber::registry().with(traces);
    let _ = if on_terminal {
        let log = log.with_target(false).with_filter(filter);
        all.with(log).try_init()
    } else {
        let log = log.with_ansi(false).json().flatten_event(true);
        let log = log
            .with_span_list(false)
            .fmt_fields(TightFields(JsonFields::new()));
        all.with(log.with_filter(filter)).try_init()
    };
    Ok(())
}

/// The fields of spans as JSON, written at once: a text that grows takes up to twice the room, and
/// thousands of spans may be open.
struct TightFields(JsonFields);

impl TightFields {
    fn text(&self, fields: impl RecordFields) -> Result<String, fmt::Error> {
        let mut text = String::new();
        self.0.format_fields(Writer::new(&mut text), fields)?;
        Ok(text)
    }
}

impl<'writer> FormatFields<'writer> for TightFields {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        writer.write_str(&self.text(fields)?)
    }

    fn add_fields(
        &self,
        current: &'writer mut FormattedFields<Self>,
        fields: &Record<'_>,
    ) -> fmt::Result {
        let more = self.text(fields)?;
        match (current.strip_suffix('}'), more.strip_prefix('{')) {
            (Some(known @ "{"), Some(more)) => current.fields = format!("{known}{more}"),
            (Some(known), Some(more)) if more != "}" => current.fields = format!("{known},{more}"),
            (Some(_), Some(_)) => {}
            (None, _) | (_, None) => current.fields = more,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};
    use tracing::field::Empty;
    use tracing::subscriber::with_default;
    use tracing::{info, info_span};

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn spans_have_their_fields_in_each_line() {
        let written = Log::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .fmt_fields(TightFields(JsonFields::new()))
            .with_writer(move || writer.clone())
            .finish();
        with_default(subscriber, || {
            let span = info_span!("request", id = "a \"b\"", later = Empty);
            let none = info_span!(parent: &span, "none", later = Empty);
            span.record("later", 7);
            none.record("later", true);
            none.in_scope(|| info!("Said"));
        });
        let line: Value = serde_json::from_slice(&written.0.lock().unwrap()).unwrap();
        let spans = json!([
            { "name": "request", "id": "a \"b\"", "later": 7 },
            { "name": "none", "later": true },
        ]);
        assert_eq!(line["spans"], spans);
    }
}
