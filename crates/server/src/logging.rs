//! The log: to stderr, as text on a terminal and as JSON elsewhere.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

/// The variable that says what is logged, such as `debug` or `vestibule_service=debug,info`.
pub const VARIABLE: &str = "VESTIBULE_LOG";

/// The variable does not hold a filter.
#[derive(Debug, thiserror::Error)]
#[error("{VARIABLE}: {0}; write a level such as `info` or `debug`, or `target=level,…`")]
pub struct BadFilter(#[from] tracing_subscriber::filter::ParseError);

/// Starts the log of this process, with a filter or else with the default.
///
/// # Errors
/// The filter is none.
pub fn start(filter: Option<&str>, default: &str) -> Result<(), BadFilter> {
    let filter = EnvFilter::try_new(filter.filter(|text| !text.is_empty()).unwrap_or(default))?;
    let on_terminal = io::stderr().is_terminal();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    // The one who started a log earlier keeps it.
    let _ = if on_terminal {
        log.with_target(false).try_init()
    } else {
        log.with_ansi(false).json().flatten_event(true).try_init()
    };
    Ok(())
}
