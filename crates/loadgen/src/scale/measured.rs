//! What the model is made of: figures that `--plot` has written, and a few that it cannot know.

use std::path::Path;

use super::world::{Kind, Step};
use super::{MICROSECOND, MILLISECOND, Nanoseconds};
use crate::arena::CONNECTIONS;
use crate::fault::{OrFault as _, Result};
use crate::plots::{CONNECTION_COLUMNS, REQUEST_COLUMNS, Record, Run};

/// A flush of the log: what one writer's `fdatasync` takes here, 4,600 to 7,500 of them a second.
pub(super) const FLUSH: Nanoseconds = 180 * MICROSECOND;
/// Between machines of one data centre; on one machine it is next to nothing.
pub(super) const ROUND_TRIP: Nanoseconds = 300 * MICROSECOND;
/// Argon2id as the server hashes: on a core of its replica.
pub(super) const HASH: Nanoseconds = 25 * MILLISECOND;
/// How many a server combines at most.
pub(super) const MOST: usize = 128;
/// Of the primary's work for a finish, the part that reads the bearer: 17 of 51 µs that both
/// statements were seen to run.
const READS: f64 = 1.0 / 3.0;
/// Of its work for a sign-in with a password, the part that reads.
const STANDING: f64 = 0.25;

/// What requests cost, in microseconds of a core.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    /// Of the server for a finish, besides what each statement costs it.
    pub(super) server: Line,
    /// Of the primary for a finish.
    pub(super) primary: Line,
    /// Of the load generator.
    pub(super) ours: f64,
    /// A sign-in with a password, and the start of a second factor: server and primary.
    pub(super) password: (f64, f64),
    pub(super) initialize: (f64, f64),
}

/// What something costs: so much for each, and so much for each statement that they share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    pub(super) each: f64,
    pub(super) statement: f64,
}

impl Line {
    /// The line that is nearest to these points, by least squares: statements for each, and cost.
    /// Neither part is less than nothing.
    fn through(points: &[(f64, f64)]) -> Option<Self> {
        let count = f64::from(u32::try_from(points.len()).ok()?);
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (x, y) = (mean(|point| point.0), mean(|point| point.1));
        let varies: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
        let together: f64 = points
            .iter()
            .map(|point| (point.0 - x) * (point.1 - y))
            .sum();
        if varies <= 0.0 || points.is_empty() {
            return None;
        }
        let statement = (together / varies).max(0.0);
        let each = (y - statement * x).max(0.0);
        Some(Self { each, statement })
    }
}

impl Measured {
    /// What was written into a folder.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let connections = Record::read(&CONNECTION_COLUMNS, folder, Run::Connections.name())?;
        let requests = Record::read(&REQUEST_COLUMNS, folder, Run::Requests.name())?;
        Self::of(&connections, &requests).or_fault("figures are missing")
    }

    fn of(connections: &Record, requests: &Record) -> Option<Self> {
        let line = |column| Line::through(&connections.points("commits_each", column));
        let many = f64::from(u32::try_from(CONNECTIONS).ok()?);
        let ours = connections.points("connections", "load_generator_us_each");
        let ours = ours
            .into_iter()
            .find(|(connections, _)| *connections >= many)?;
        let mut requests = requests
            .points("server_us_each", "postgres_us_each")
            .into_iter();
        Some(Self {
            server: line("server_us_each")?,
            primary: line("postgres_us_each")?,
            ours: ours.1,
            password: requests.next()?,
            initialize: requests.next()?,
        })
    }

    /// The end of a second factor.
    pub(super) fn finish(&self) -> Vec<Step> {
        let half = Step::Compute(time(self.server.each / 2.0));
        vec![half, self.read_bearers(), self.claim(), half]
    }

    fn read_bearers(&self) -> Step {
        self.together(Kind::Read, READS)
    }

    fn claim(&self) -> Step {
        self.together(Kind::Claim, 1.0 - READS)
    }

    fn together(&self, kind: Kind, part: f64) -> Step {
        Step::Together {
            kind,
            statement: time(self.primary.statement * part),
            each: time(self.primary.each * part),
            answer: time(self.server.statement * part),
        }
    }

    /// A password, the start of the second factor, and its end.
    pub(super) fn sign_in(&self) -> Vec<Step> {
        let alone = |cost, commits| Step::Alone {
            cost: time(cost),
            commits,
        };
        let (server, primary) = self.password;
        let password = Step::Compute(time(server / 2.0));
        let initialize = Step::Compute(time(self.initialize.0 / 2.0));
        let mut steps = vec![
            password,
            alone(primary * STANDING, false),
            Step::Compute(HASH),
            alone(primary * (1.0 - STANDING), true),
            password,
            initialize,
            self.read_bearers(),
            initialize,
        ];
        steps.extend(self.finish());
        steps
    }
}

/// From microseconds.
pub(super) fn time(microseconds: f64) -> Nanoseconds {
    let time = std::time::Duration::try_from_secs_f64(microseconds / 1e6).unwrap_or_default();
    Nanoseconds::try_from(time.as_nanos()).unwrap_or(Nanoseconds::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(points: &[(f64, f64)], expected: Option<(f64, f64)>) {
        let line = Line::through(points).map(|line| (line.each, line.statement));
        assert_eq!(line, expected);
    }

    #[test]
    fn a_line_goes_through_what_was_measured() {
        check(
            &[(1.0, 500.0), (0.5, 300.0), (0.0, 100.0)],
            Some((100.0, 400.0)),
        );
        check(&[(1.0, 100.0), (0.5, 200.0)], Some((150.0, 0.0)));
        check(&[(1.0, 100.0)], None);
        check(&[], None);
    }
}
