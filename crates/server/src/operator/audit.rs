//! `vestibule audit …` and `vestibule explain …`

mod words;

use std::sync::Arc;

use clap::{Args, Subcommand};
use jiff::Timestamp as DateTime;
use uuid::Uuid;
use vestibule_engine::Timestamp;
use vestibule_engine::audit::{Entry, clean};
use vestibule_http::audit_event;
use vestibule_service::{AuditQuery, Clock, Head};
use vestibule_store::Store;

use super::{Form, OperatorError, conclude, open_service, show};
use crate::config::{Config, Flags};
use crate::exit::Exit;
use crate::{output, stores};

/// Arguments of `audit`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct AuditCommand {
    #[command(subcommand)]
    command: Option<AuditSubcommand>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, Subcommand)]
enum AuditSubcommand {
    /// Recompute the trail, and say what was changed, removed or inserted
    Verify(VerifyArgs),
}

/// Arguments of `audit verify`.
#[derive(Debug, Args)]
struct VerifyArgs {
    /// A head that was noted down; it must still be in the trail
    #[arg(long, value_name = "NUMBER:HASH", value_parser = head)]
    head: Option<Head>,
    #[command(flatten)]
    settings: Flags,
}

/// Arguments of `audit`.
#[derive(Debug, Args)]
struct ListArgs {
    /// Only what was done from then on, such as 2026-12-31T18:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime>,
    /// Only what this user did, or what was done to this user
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Only this event, such as signIn or secondFactor
    #[arg(long, value_name = "WORD")]
    event: Option<String>,
    /// Only this request
    #[arg(long, value_name = "ID")]
    request: Option<Uuid>,
    /// Only this outcome: success, failure, denied or error
    #[arg(long, value_name = "WORD")]
    outcome: Option<String>,
    /// Rows at most; the last ones are shown
    #[arg(long, default_value = "100")]
    limit: std::num::NonZeroU32,
    /// Form of the list
    #[arg(long, value_enum, default_value = "text")]
    output: Form,
    #[command(flatten)]
    settings: Flags,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The X-Request-Id of an answer
    #[arg(value_name = "REQUEST-ID")]
    request: Uuid,
    #[command(flatten)]
    settings: Flags,
}

impl AuditCommand {
    pub(crate) fn flags(&self) -> &Flags {
        match &self.command {
            Some(AuditSubcommand::Verify(args)) => &args.settings,
            None => &self.list.settings,
        }
    }
}

impl ExplainArgs {
    pub(crate) fn flags(&self) -> &Flags {
        &self.settings
    }
}

/// A head as it was printed.
fn head(text: &str) -> Result<Head, &'static str> {
    let wrong = "must be a number, a colon and 64 hexadecimal digits";
    let (number, digits) = text.split_once(':').ok_or(wrong)?;
    if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(wrong);
    }
    let mut hash = [0; 32];
    for (octet, digits) in hash.iter_mut().zip(digits.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).map_err(|_| wrong)?;
        *octet = u8::from_str_radix(digits, 16).map_err(|_| wrong)?;
    }
    let number = number.parse().map_err(|_| wrong)?;
    Ok(Head { number, hash })
}

fn show_head(head: &Head) -> String {
    use std::fmt::Write as _;
    head.hash
        .iter()
        .fold(format!("{}:", head.number), |mut text, octet| {
            // A string takes whatever is written to it.
            let _ = write!(text, "{octet:02x}");
            text
        })
}

/// Runs a command.
pub(crate) async fn run(command: &AuditCommand, config: &Config, clock: Arc<dyn Clock>) -> Exit {
    let store = match stores::open_existing(&config.database).await {
        Ok(store) => store,
        Err(error) => return conclude(Err(error.into())),
    };
    let done = match &command.command {
        Some(AuditSubcommand::Verify(args)) => verify(args, config, &store, clock).await,
        None => list(&command.list, &*store).await,
    };
    store.close().await;
    conclude(done)
}

async fn verify(
    args: &VerifyArgs,
    config: &Config,
    store: &Arc<dyn Store>,
    clock: Arc<dyn Clock>,
) -> Result<String, OperatorError> {
    let service = open_service(config, store, clock).await?;
    let mut findings = 0_u64;
    let mut unsaid = None;
    let verified = service.verify_audit(args.head, |finding| {
        findings += 1;
        let at = show(Timestamp::from_micros(finding.at));
        let said = output::line(format_args!("{} ({at}) {}", finding.place, finding.what));
        unsaid = said.err().or(unsaid.take());
    });
    let verified = verified.await?;
    if let Some(error) = unsaid {
        return Err(error.into());
    }
    if verified.astray > 0 {
        findings += 1;
        let rows = verified.astray;
        output::line(format_args!(
            "{rows} rows are in no chain: they were inserted"
        ))?;
    }
    if !verified.has_noted {
        findings += 1;
        output::line(
            "the head that was noted down is not in the trail: its end was cut off, or \
            it is another trail",
        )?;
    }
    let head = verified.head.as_ref().map(show_head);
    let head = head.unwrap_or_else(|| "none yet".to_owned());
    let (sealed, young) = (verified.sealed, verified.young);
    let rows = format!("{sealed} rows are sealed, {young} are younger than the last seal.");
    if findings > 0 {
        return Err(OperatorError::Refused(format!(
            "the audit trail was changed in {findings} places. {rows} Head: {head}"
        )));
    }
    Ok(format!("The audit trail is whole. {rows}\nHead: {head}"))
}

async fn list(args: &ListArgs, store: &dyn Store) -> Result<String, OperatorError> {
    let since = args.since.map(DateTime::as_microsecond);
    let query = AuditQuery {
        range: Some((0, u64::from(args.limit.get()) - 1)),
        since: since.map(Timestamp::from_micros),
        event: args.event.clone(),
        outcome: args.outcome.clone(),
        request: args.request,
        name: args.user.clone(),
        ..AuditQuery::default()
    };
    let rows = store.audit_events(&query).await?.items;
    let entries = rows.into_iter().rev().map(|row| row.signed.entry);
    if args.output == Form::Json {
        let rows: Vec<_> = entries.map(audit_event).collect();
        return Ok(serde_json::to_string_pretty(&rows).map_err(std::io::Error::from)?);
    }
    let lines: Vec<String> = entries.map(|entry| line(&entry)).collect();
    Ok(lines.join("\n"))
}

/// Says how a request ended.
pub(crate) async fn explain(args: &ExplainArgs, config: &Config) -> Exit {
    let store = match stores::open_existing(&config.database).await {
        Ok(store) => store,
        Err(error) => return conclude(Err(error.into())),
    };
    let query = AuditQuery::of_request(args.request);
    let rows = store.audit_events(&query);
    let rows = rows.await.map(|rows| rows.items);
    store.close().await;
    conclude(match rows {
        Err(error) => Err(error.into()),
        Ok(rows) if rows.is_empty() => Err(OperatorError::Refused(format!(
            "nothing is written down of a request {}: it decided nothing, or there was none",
            args.request
        ))),
        Ok(rows) => {
            let rows = rows.iter().map(|row| words::explain(&row.signed.entry));
            Ok(rows.collect::<Vec<_>>().join("\n"))
        }
    })
}

/// A row as one line. A database may hold what was never written there by us.
fn line(entry: &Entry) -> String {
    let mut line = format!(
        "{} {} {} {} from {} ({})",
        show(Timestamp::from_micros(entry.at)),
        clean(&entry.event),
        clean(&entry.outcome),
        clean(&entry.actor),
        clean(&entry.address),
        entry.request
    );
    for (what, text) in [(" on ", &entry.object), (": ", &entry.reason)] {
        if let Some(text) = text {
            line.push_str(what);
            line.push_str(&clean(text));
        }
    }
    for (word, value) in entry.details() {
        for part in [" ", &clean(word), "=", &clean(value)] {
            line.push_str(part);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_printed() {
        let noted = Head {
            number: 17,
            hash: [0xa7; 32],
        };
        assert_eq!(head(&show_head(&noted)), Ok(noted));
        for wrong in ["", "17", "17:", "x:00", &format!("1:{}", "é".repeat(32))] {
            assert!(head(wrong).is_err(), "{wrong}");
        }
    }
}
