//! `--simulate`: what more servers and a larger database would do, by a model of how they work
//! together. `docs/SCALE.md` says what follows from it.
//!
//! Each replica reads bearers for all who wait in one statement, and writes their claims in another,
//! one of each kind at a time. The primary computes them on its cores and flushes its log once for
//! all that have come meanwhile. What each of these takes was measured; that this is all there is to
//! it is assumed. Locks, vacuum, checkpoints and the network's limits are not in it.

mod events;
mod measured;
mod plan;
mod station;
mod world;

use std::fmt::Write as _;
use std::path::Path;

use events::simulate;
use measured::{FLUSH, MOST, Measured, ROUND_TRIP, time};
use world::{Arrivals, Primary, Step, World};

use crate::arena::CONNECTIONS;
use crate::fault::Result;

pub(crate) use world::Figures;

type Nanoseconds = u64;

const MICROSECOND: Nanoseconds = 1_000;
const MILLISECOND: Nanoseconds = 1_000_000;
const SECOND: Nanoseconds = 1_000_000_000;

/// A million a minute.
const WANTED: f64 = 1_000_000.0 / 60.0;
/// Cores of a replica in the tables.
const CORES: usize = 4;
/// Who finish at each replica at once, as fast as answers come: enough that nothing is idle for want
/// of them.
const FINISHERS: usize = 128;
/// The same of whole sign-ins, most of which wait for a hash.
const VISITORS: usize = 16;

/// The model of what is measured on this machine.
pub(crate) struct Model(Measured);

impl Model {
    /// With the figures in a folder.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        Ok(Self(Measured::read(folder)?))
    }

    /// So many servers beside each other on these cores, together with the load generator.
    pub(crate) fn beside(&self, servers: usize, connections: usize, cores: usize) -> Figures {
        let servers = servers.max(1);
        let mut steps = vec![Step::Compute(time(self.0.ours))];
        steps.extend(self.0.finish());
        let world = World {
            replicas: servers,
            cores,
            primary: Primary::Beside,
            round_trip: 0,
            arrivals: Arrivals::Closed((connections / servers).max(1)),
            ..world(steps)
        };
        simulate(&world, 2 * SECOND)
    }

    /// What `--simulate` shows.
    pub(crate) fn tables(&self) -> String {
        let mut text = format!(
            "Servers beside each other on two cores, {CONNECTIONS} connections in all:\n\n\
             | servers | finishes a second | p99 |\n|---|---|---|\n"
        );
        for servers in [1, 2, 4] {
            let figures = self.beside(servers, CONNECTIONS, 2);
            let (rate, p99) = (figures.per_second, figures.p99 * 1e3);
            push(
                &mut text,
                format_args!("| {servers} | {rate:.0} | {p99:.1} ms |\n"),
            );
        }
        let mut table = |title: &str, world: &World, replicas: &[usize], cores: &[usize]| {
            push(
                &mut text,
                format_args!("\n{title}; replicas of {CORES} cores:\n\n"),
            );
            grow(&mut text, world, replicas, cores, 5 * SECOND);
        };
        let finishes = world(self.0.finish());
        let title = "Finishes of second factors";
        table(title, &finishes, &[1, 2, 4, 8, 16], &[2, 4, 8, 16]);
        let sign_ins = World {
            arrivals: Arrivals::Closed(VISITORS),
            ..world(self.0.sign_in())
        };
        let title = "Whole sign-ins with passwords";
        table(title, &sign_ins, &[32, 64, 128, 192], &[4, 8, 16, 32]);
        text
    }
}

/// What is the same in all worlds.
fn world(steps: Vec<Step>) -> World {
    World {
        replicas: 1,
        cores: CORES,
        primary: Primary::Apart(CORES),
        round_trip: ROUND_TRIP,
        flush: FLUSH,
        most: MOST,
        steps,
        arrivals: Arrivals::Closed(FINISHERS),
        wanders: true,
    }
}

/// A table over the number of replicas and the cores of the primary: as many as can be, and what
/// they take at half that pace.
fn grow(text: &mut String, world: &World, replicas: &[usize], cores: &[usize], time: Nanoseconds) {
    text.push_str(
        "| cores of the primary | replicas | a second | limit | its cores | its log | \
         mean and p99 at half | |\n|---|---|---|---|---|---|---|---|\n",
    );
    for cores in cores {
        for replicas in replicas {
            let full = World {
                replicas: *replicas,
                primary: Primary::Apart(*cores),
                ..world.clone()
            };
            let most = simulate(&full, time);
            let half = World {
                arrivals: Arrivals::Open(most.per_second / 2.0),
                ..full
            };
            let half = simulate(&half, time);
            let (rate, mean, p99) = (most.per_second, half.mean * 1e3, half.p99 * 1e3);
            let limit = limit(&most);
            let (busy, flushing) = (most.primary * 100.0, most.log * 100.0);
            let enough = if rate >= WANTED {
                "a million a minute"
            } else {
                ""
            };
            push(
                text,
                format_args!(
                    "| {cores} | {replicas} | {rate:.0} | {limit} | {busy:.0} % | {flushing:.0} % | \
                     {mean:.1} ms, {p99:.1} ms | {enough} |\n"
                ),
            );
        }
    }
}

/// What is busy nearly always: no more of anything else would help.
fn limit(figures: &Figures) -> &'static str {
    const BUSY: f64 = 0.95;
    match figures {
        Figures { primary, .. } if *primary >= BUSY => "the primary's cores",
        Figures { replicas, .. } if *replicas >= BUSY => "the replicas' cores",
        Figures { .. } => "one statement of a kind at a time",
    }
}

fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Texts grow without fail.
    let _ = text.write_fmt(what);
}

#[cfg(test)]
mod tests {
    use super::measured::Line;
    use super::*;

    fn model() -> Model {
        Model(Measured {
            server: Line {
                each: 50.0,
                statement: 40.0,
            },
            primary: Line {
                each: 60.0,
                statement: 240.0,
            },
            ours: 10.0,
            password: (90.0, 200.0),
            initialize: (30.0, 20.0),
        })
    }

    /// What all of them compute is the bound: 120 µs on two cores, if statements cost nothing.
    #[test]
    fn one_machine_does_not_more_than_its_cores_compute() {
        let bound = 2.0 / 120.0e-6;
        for servers in [1, 2, 4] {
            let figure = model().beside(servers, 64, 2).per_second;
            assert!(
                figure < bound && figure > bound / 2.0,
                "{servers}: {figure}"
            );
        }
    }

    #[test]
    fn the_limit_is_what_is_busy() {
        let busy = |primary, replicas| {
            limit(&Figures {
                primary,
                replicas,
                ..Figures::default()
            })
        };
        assert_eq!(busy(0.99, 0.3), "the primary's cores");
        assert_eq!(busy(0.3, 0.99), "the replicas' cores");
        assert_eq!(busy(0.3, 0.3), "one statement of a kind at a time");
    }

    #[test]
    fn a_table_has_a_line_for_each_world() {
        let mut text = String::new();
        let world = world(model().0.finish());
        grow(&mut text, &world, &[1, 2], &[2], SECOND / 20);
        assert_eq!(text.lines().count(), 4, "{text}");
    }
}
