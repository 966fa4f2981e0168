//! The command line.

use std::path::PathBuf;

use crate::rows::Row;

pub(crate) const USAGE: &str = "\
vestibule-loadgen --server PATH [ROW …] [--json] [--rounds N] [--sessions N]

  ROW           P1 to P10; all of them if none is named
  --server      the program `vestibule`, of a release build
  --json        the result as JSON
  --rounds      how often subject and reference take turns (3)
  --sessions    users who sign in, in a round of most rows (20000)";

/// What is to be done.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Args {
    pub(crate) server: PathBuf,
    pub(crate) rows: Vec<Row>,
    pub(crate) json: bool,
    pub(crate) rounds: usize,
    pub(crate) sessions: usize,
}

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
        };
        let number = |word: Option<String>| word?.parse().ok().filter(|number| *number > 0);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--server" => server = Some(words.next()?.into()),
                "--json" => args.json = true,
                "--rounds" => args.rounds = number(words.next())?,
                "--sessions" => args.sessions = number(words.next())?,
                row => args.rows.push(Row::named(row)?),
            }
        }
        if args.rows.is_empty() {
            args.rows.extend(Row::ALL);
        }
        args.server = server?;
        Some(args)
    }
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
    }
}
