//! The simulation against what is known in closed form.

use super::*;

const MICROSECOND: Nanoseconds = 1_000;
const MILLISECOND: Nanoseconds = 1_000_000;
const SECOND: Nanoseconds = 1_000_000_000;

/// One replica with one core, nothing wanders, and nobody asks a primary.
fn world(steps: &[Step], arrivals: Arrivals) -> World {
    World {
        replicas: 1,
        cores: 1,
        primary: Primary::Apart(1),
        round_trip: 0,
        flush: 0,
        most: 128,
        steps: steps.to_vec(),
        arrivals,
        wanders: false,
    }
}

fn claim(statement: Nanoseconds, each: Nanoseconds) -> Step {
    let kind = Kind::Claim;
    Step::Together {
        kind,
        statement,
        each,
        answer: 0,
    }
}

#[track_caller]
fn check(found: f64, expected: f64, within: f64) {
    let off = (found / expected - 1.0).abs();
    assert!(off <= within, "{found} instead of {expected}");
}

/// Pollaczek and Khinchine: with one core and requests that all take as long (M/D/1), the mean time
/// is D (1 + r / 2 (1 - r)), where r is how busy the core is.
#[test]
fn one_core_is_as_slow_as_is_known() {
    for busy in [0.3, 0.5, 0.8] {
        let each = 100.0e-6;
        let steps = [Step::Compute(100 * MICROSECOND)];
        let figures = simulate(&world(&steps, Arrivals::Open(busy / each)), 60 * SECOND);
        check(figures.per_second, busy / each, 0.01);
        check(figures.replicas, busy, 0.01);
        check(
            figures.mean,
            each * (1.0 + busy / (2.0 * (1.0 - busy))),
            0.02,
        );
    }
}

/// Nobody is faster than the one who is asked by all.
#[test]
fn what_is_asked_by_all_is_the_limit() {
    let steps = [
        Step::Compute(10 * MICROSECOND),
        Step::Alone {
            cost: 100 * MICROSECOND,
            commits: false,
        },
    ];
    for (replicas, cores) in [(1, 1), (4, 1), (8, 4)] {
        let mut world = world(&steps, Arrivals::Closed(64));
        (world.replicas, world.primary) = (replicas, Primary::Apart(cores));
        let figures = simulate(&world, 2 * SECOND);
        let limit = (f64::from(u32::try_from(replicas).unwrap()) * 1e5).min(number(cores) * 1e4);
        check(figures.per_second, limit, 0.01);
    }
}

/// Whoever is alone waits for a statement, a flush and the way; of many, as many as fit share them.
#[test]
fn a_statement_and_a_flush_are_shared() {
    let mut world = world(&[claim(200 * MICROSECOND, 0)], Arrivals::Closed(1));
    world.flush = 500 * MICROSECOND;
    world.round_trip = 300 * MICROSECOND;
    let alone = simulate(&world, 2 * SECOND);
    check(alone.per_second, 1000.0, 0.01);
    check(alone.log, 0.5, 0.01);
    world.arrivals = Arrivals::Closed(100);
    check(simulate(&world, 2 * SECOND).per_second, 100_000.0, 0.02);
    world.most = 10;
    check(simulate(&world, 2 * SECOND).per_second, 10_000.0, 0.01);
}

/// The first one who comes again after a flush begins the next, and all others share the one after
/// that: of K who do nothing else there are K in two flushes, and nobody waits for more than two.
#[test]
fn commits_of_several_replicas_share_a_flush() {
    let mut world = world(&[claim(0, 0)], Arrivals::Closed(1));
    (world.replicas, world.flush) = (50, MILLISECOND);
    let figures = simulate(&world, 2 * SECOND);
    check(figures.per_second, 25_000.0, 0.02);
    assert!(figures.p99 <= 2e-3, "{figures:?}");
}

/// On one machine everybody shares its cores.
#[test]
fn beside_each_other_they_share_the_cores() {
    let steps = [
        Step::Compute(30 * MICROSECOND),
        Step::Alone {
            cost: 70 * MICROSECOND,
            commits: false,
        },
    ];
    let mut world = world(&steps, Arrivals::Closed(16));
    (world.replicas, world.cores) = (4, 2);
    world.primary = Primary::Beside;
    check(simulate(&world, 2 * SECOND).per_second, 20_000.0, 0.01);
}

#[test]
fn when_nobody_comes_nothing_happens() {
    let figures = simulate(&world(&[Step::Compute(1)], Arrivals::Open(0.0)), SECOND);
    assert!(figures.per_second < 2.0, "{figures:?}");
}

#[test]
fn each_run_is_the_same() {
    let steps = [Step::Compute(100 * MICROSECOND), claim(MICROSECOND, 0)];
    let mut world = world(&steps, Arrivals::Open(5_000.0));
    world.wanders = true;
    let run = || {
        let Figures { mean, p99, .. } = simulate(&world, SECOND);
        (mean.to_bits(), p99.to_bits())
    };
    assert_eq!(run(), run());
}
