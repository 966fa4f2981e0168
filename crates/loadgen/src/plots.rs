//! `--plot`: runs over something that grows. Each ends as a picture, and as a file of the figures
//! in it, so that the picture can be checked.

mod connections;
mod meter;
mod pending;
mod picture;
mod record;
mod requests;
mod servers;
mod soak;
mod users;

use std::fs;

use crate::args::Args;
use crate::fault::{OrFault as _, Result};
use crate::report::Line;
use crate::site::Postgres;

pub(crate) use connections::COLUMNS as CONNECTION_COLUMNS;
pub(crate) use record::Record;
pub(crate) use requests::COLUMNS as REQUEST_COLUMNS;

use picture::Picture;

/// A run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Run {
    /// Finishes over the number of users.
    Users,
    /// Finishes over the number of connections.
    Connections,
    /// What each request of a sign-in costs.
    Requests,
    /// Finishes over the number of servers.
    Servers,
    /// Memory over the number of pending pushes.
    Pushes,
    /// All of a sign-in, for a long time.
    Soak,
}

/// What a run gives.
struct Outcome {
    lines: Vec<Line>,
    record: Record,
    /// None of a run that grows with nothing.
    picture: Option<Picture>,
}

impl Run {
    pub(crate) const ALL: [Self; 6] = [
        Self::Users,
        Self::Connections,
        Self::Requests,
        Self::Servers,
        Self::Pushes,
        Self::Soak,
    ];

    /// The run of this name, in upper or lower case.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|run| run.name().eq_ignore_ascii_case(name))
    }

    /// Also of its files.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Connections => "connections",
            Self::Requests => "requests",
            Self::Servers => "servers",
            Self::Pushes => "pushes",
            Self::Soak => "soak",
        }
    }
}

/// Measures and draws all that is asked for. What is done is written at once, whatever comes after
/// it.
pub(crate) async fn run(args: &Args, postgres: &Postgres, machine: &str) -> Result<Vec<Line>> {
    if args.plots.is_empty() {
        return Ok(Vec::new());
    }
    fs::create_dir_all(&args.into).or_fault("no folder for the figures")?;
    let mut lines = Vec::new();
    for run in &args.plots {
        let outcome = match run {
            Run::Users => users::run(args, postgres).await,
            Run::Connections => connections::run(args, postgres).await,
            Run::Requests => requests::run(args, postgres).await,
            Run::Servers => servers::run(args, postgres).await,
            Run::Pushes => pending::run(args, postgres).await,
            Run::Soak => soak::run(args, postgres).await,
        };
        let outcome = outcome?;
        outcome.record.write(&args.into, run.name(), machine)?;
        if let Some(picture) = &outcome.picture {
            picture.write(&args.into, run.name())?;
        }
        lines.extend(outcome.lines);
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_have_names() {
        for run in Run::ALL {
            assert_eq!(Run::named(&run.name().to_uppercase()), Some(run));
        }
        assert_eq!(Run::named("P1"), None);
    }
}
