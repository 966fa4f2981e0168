//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::plots::Run;
use crate::rows::Row;

pub(crate) const USAGE: &str = "\
vestibule-loadgen --server PATH [ROW …] [--json] [--rounds N] [--sessions N]
vestibule-loadgen --server PATH --plot [RUN …] [--soak TIME] [--into FOLDER]
vestibule-loadgen --simulate

  ROW           P1 to P10; all of them if none is named
  --server      the program `vestibule`, of a release build
  --json        the result as JSON
  --rounds      how often subject and reference take turns (3)
  --sessions    users who sign in, in a round of most rows (20000)
  --plot        growth, as pictures; RUN is users, connections, requests, servers, pushes or soak
  --soak        how long the mixed load lasts, such as 90s, 30m or 2h (2m); alone, it is the only run
  --into        where pictures and figures go (docs/performance)
  --simulate    what more servers and a larger database would do, by a model";

/// What is to be done.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Args {
    pub(crate) server: PathBuf,
    pub(crate) rows: Vec<Row>,
    pub(crate) json: bool,
    pub(crate) rounds: usize,
    pub(crate) sessions: usize,
    /// Runs that are drawn; then there are no rows.
    pub(crate) plots: Vec<Run>,
    pub(crate) soak: Duration,
    pub(crate) into: PathBuf,
    /// Nothing is measured.
    pub(crate) simulate: bool,
}

/// How long a soak is unless a time is given.
const SHORT_SOAK: Duration = Duration::from_mins(2);

impl Args {
    /// Reads a command line; none if it is wrong.
    pub(crate) fn read(words: impl IntoIterator<Item = String>) -> Option<Self> {
        let mut words = words.into_iter();
        let mut server = None;
        let mut args = Self {
            server: PathBuf::new(),
            rows: Vec::new(),
            json: false,
            rounds: 3,
            sessions: 20_000,
            plots: Vec::new(),
            soak: SHORT_SOAK,
            into: "docs/performance".into(),
            simulate: false,
        };
        let (mut plot, mut soak) = (false, None);
        let number = |word: Option<String>| word?.parse().ok().filter(|number| *number > 0);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--server" => server = Some(words.next()?.into()),
                "--json" => args.json = true,
                "--rounds" => args.rounds = number(words.next())?,
                "--sessions" => args.sessions = number(words.next())?,
                "--plot" => plot = true,
                "--soak" => soak = Some(duration(&words.next()?)?),
                "--into" => args.into = words.next()?.into(),
                "--simulate" => args.simulate = true,
                name => match (Row::named(name), Run::named(name)) {
                    (Some(row), _) => args.rows.push(row),
                    (None, Some(run)) if plot => args.plots.push(run),
                    (None, _) => return None,
                },
            }
        }
        if let Some(time) = soak {
            args.soak = time;
            if !plot {
                args.plots.push(Run::Soak);
            }
        }
        if plot && args.plots.is_empty() {
            args.plots.extend(Run::ALL);
        }
        let runs = [!args.rows.is_empty(), !args.plots.is_empty(), args.simulate];
        if runs.iter().filter(|asked| **asked).count() > 1 {
            return None;
        }
        if !runs.contains(&true) {
            args.rows.extend(Row::ALL);
        }
        args.server = match server {
            Some(server) => server,
            None if args.simulate => PathBuf::new(),
            None => return None,
        };
        Some(args)
    }
}

/// A time such as `90s`, `30m` or `2h`, up to a week.
fn duration(text: &str) -> Option<Duration> {
    const LONGEST: Duration = Duration::from_hours(7 * 24);
    let unit = text.chars().next_back()?;
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => Some(1),
        'm' => Some(60),
        'h' => Some(60 * 60),
        _ => None,
    }?;
    let time = Duration::from_secs(number.checked_mul(seconds)?);
    (!time.is_zero() && time <= LONGEST).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<Args> {
        Args::read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn all_rows_unless_some_are_named() {
        let args = read("--server x").unwrap();
        assert_eq!((args.rows.as_slice(), args.rounds), (&Row::ALL[..], 3));
        let args = read("P5 p1 --json --rounds 7 --sessions 9 --server x").unwrap();
        assert_eq!(args.rows, [Row::P5, Row::P1]);
        assert_eq!((args.json, args.rounds, args.sessions), (true, 7, 9));
    }

    #[test]
    fn runs_are_drawn_when_they_are_asked_for() {
        let args = read("--server x --plot").unwrap();
        assert_eq!(
            (args.plots.as_slice(), args.soak),
            (&Run::ALL[..], SHORT_SOAK)
        );
        assert!(args.rows.is_empty());
        let args = read("--server x --plot users Servers --soak 90s --into y").unwrap();
        assert_eq!(args.plots, [Run::Users, Run::Servers]);
        assert_eq!((args.soak.as_secs(), args.into), (90, "y".into()));
    }

    #[test]
    fn a_soak_may_come_alone() {
        let args = read("--soak 1h --server x").unwrap();
        assert_eq!(
            (args.plots.as_slice(), args.soak.as_secs()),
            (&[Run::Soak][..], 3600)
        );
        assert!(args.rows.is_empty());
    }

    #[test]
    fn a_simulation_needs_no_server() {
        let args = read("--simulate").unwrap();
        assert!(args.simulate && args.rows.is_empty() && args.plots.is_empty());
        assert!(read("--server x --simulate").is_some_and(|args| args.simulate));
    }

    #[track_caller]
    fn check_wrong(line: &str) {
        assert_eq!(read(line), None, "{line}");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        check_wrong("");
        check_wrong("--server");
        check_wrong("--server x P0");
        check_wrong("--server x --rounds");
        check_wrong("--server x --rounds 0");
        check_wrong("--server x --jason");
        check_wrong("--server x users");
        check_wrong("--server x P1 --plot users");
        check_wrong("--server x --plot users --simulate");
        check_wrong("--simulate P1");
        check_wrong("--plot");
        check_wrong("--server x --plot crowds");
        check_wrong("--server x --soak");
        check_wrong("--server x --soak 0s");
        check_wrong("--server x --soak 5");
        check_wrong("--server x --soak 5µ");
        check_wrong("--server x --soak 169h");
        check_wrong("--server x --soak 99999999999999999999h");
    }
}
