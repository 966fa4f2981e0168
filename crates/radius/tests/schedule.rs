//! When requests are sent again: in step, inside the jitter, and never past the deadline.

use std::time::Duration;

use proptest::prelude::*;
use vestibule_radius::{Next, Pacing, Pattern, Schedule, share_per_server};

const NO_JITTER: u32 = u32::MAX / 2;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The sends after the first one, and the end.
fn run(
    pattern: Pattern,
    start: Duration,
    deadline: Duration,
    mut world: impl FnMut() -> (u32, usize),
) -> (Vec<Duration>, Duration) {
    let mut schedule = Schedule::new(pattern, start, deadline);
    let mut sends = Vec::new();
    loop {
        let (draw, pending) = world();
        match schedule.next(draw, pending) {
            Next::SendAt(at) => {
                schedule.sent(at);
                sends.push(at);
            }
            Next::GiveUpAt(at) => return (sends, at),
        }
    }
}

#[track_caller]
fn check(pattern: Pattern, timeout: u64, pending: usize, sends: &[u64], end: u64) {
    let start = ms(777);
    let (sent, ended) = run(pattern, start, start + ms(timeout), || (NO_JITTER, pending));
    let half = Duration::from_micros(500);
    let rounded = |at: Duration| (at.saturating_sub(start) + half).as_millis();
    let sent: Vec<_> = sent.into_iter().map(rounded).collect();
    let sends: Vec<_> = sends.iter().map(|at| u128::from(*at)).collect();
    assert_eq!((sent, rounded(ended)), (sends, u128::from(end)));
}

#[test]
fn short_requests() {
    check(Pattern::Short, 60_000, 0, &[2000, 6000], 10_000);
    check(Pattern::Short, 9000, 0, &[2000, 6000], 9000);
    check(Pattern::Short, 6000, 0, &[2000], 6000);
    check(Pattern::Short, 3000, 0, &[2000], 3000);
    check(Pattern::Short, 1000, 0, &[], 1000);
    check(Pattern::Short, 0, 0, &[], 0);
}

#[test]
fn pushes() {
    let sends = [2000, 4200, 6400, 8600];
    check(Pattern::Push, 10_000, 0, &sends, 10_000);
    check(Pattern::Push, 10_000, 7000, &sends, 10_000);
    check(Pattern::Push, 10_000, 14_000, &[2000, 6000], 10_000);
    check(Pattern::Push, 20_000, 99_000, &[2000, 11_000], 20_000);
}

/// The shortest time for which servers remember what they answered.
#[test]
fn two_repetitions_come_before_a_server_forgets() {
    let (sends, _) = run(Pattern::Push, ms(0), ms(90_000), || (u32::MAX, 7000));
    for window in sends.windows(3) {
        assert!(window[2] < window[0] + ms(5000), "{window:?}");
    }
}

#[test]
fn requests_that_are_sent_once() {
    check(Pattern::Once, 2000, 0, &[], 2000);
    check(Pattern::Once, 90_000, 5000, &[], 90_000);
}

/// How many datagrams a second 10,000 pending pushes cost.
#[test]
fn ten_thousand_pushes_stay_within_the_pace() {
    let (sends, _) = run(Pattern::Push, ms(0), ms(90_000), || (NO_JITTER, 10_000));
    let later = sends.iter().filter(|at| **at >= ms(2000)).count();
    let a_second = later * 10_000 / 88;
    assert!(
        a_second <= usize::try_from(Pacing::RATE).unwrap(),
        "{a_second}"
    );
}

#[test]
fn servers_share_a_timeout() {
    let share = |timeout, servers| share_per_server(ms(timeout), servers).as_millis();
    assert_eq!(share(6000, 1), 6000);
    assert_eq!(share(6000, 2), 3000);
    assert_eq!(share(300_000, 3), 10_000);
    assert_eq!(share(60_000, 0), 10_000);
    assert_eq!(share(1000, 3), 333);
}

fn pattern() -> impl Strategy<Value = Pattern> {
    prop_oneof![
        Just(Pattern::Short),
        Just(Pattern::Push),
        Just(Pattern::Once)
    ]
}

proptest! {
    #[test]
    fn sends_are_in_step(
        pattern in pattern(),
        start in 0..1_000_000_u64,
        timeout in 0..300_000_u64,
        draws in prop::collection::vec(any::<u32>(), 200),
        pending in 0..25_000_usize,
    ) {
        let (start, deadline) = (ms(start), ms(start + timeout));
        let mut draws = draws.into_iter();
        let world = || (draws.next().unwrap(), pending);
        let (sends, end) = run(pattern, start, deadline, world);
        prop_assert!(end <= deadline, "it ends by the deadline");
        prop_assert!(end >= start);
        let usual = (u64::try_from(pending).unwrap() * 1000 / 3500).clamp(2200, 9000);
        let gaps: Vec<u64> = match pattern {
            Pattern::Short => vec![2000, 4000],
            Pattern::Push => [2000].into_iter().chain([usual; 199]).collect(),
            Pattern::Once => vec![],
        };
        prop_assert!(sends.len() <= gaps.len());
        let mut last = start;
        for (send, gap) in sends.iter().zip(gaps) {
            prop_assert!(*send < deadline);
            let (least, most) = (last + ms(gap) * 9 / 10, last + ms(gap) * 11 / 10);
            prop_assert!(least <= *send && *send <= most, "{send:?} after {last:?}");
            last = *send;
        }
    }

    /// In any second there leave 10,000 and those that the bucket holds; none waits without need.
    #[test]
    fn the_pace_is_kept(asks in prop::collection::vec(0..600_u64, 1..2000)) {
        let mut pacing = Pacing::new();
        let mut now = ms(5000);
        let mut sends = Vec::new();
        for gap in asks {
            now += Duration::from_micros(gap);
            let at = pacing.reserve(now);
            prop_assert!(at >= now);
            prop_assert!(sends.last().is_none_or(|last| *last <= at), "first come, first served");
            sends.push(at);
        }
        for (n, from) in sends.iter().enumerate() {
            let window = sends[n..].iter().take_while(|at| **at < *from + ms(20)).count();
            prop_assert!(window <= 400, "{window} within 20 ms");
        }
    }
}

#[test]
fn a_burst_leaves_at_once_and_the_rest_in_step() {
    let mut pacing = Pacing::new();
    let now = ms(5000);
    let sends: Vec<_> = (0..204)
        .map(|_| pacing.reserve(now).saturating_sub(now))
        .collect();
    assert!(sends[..200].iter().all(Duration::is_zero));
    let micros: Vec<_> = sends[200..].iter().map(Duration::as_micros).collect();
    assert_eq!(micros, [100, 200, 300, 400]);
    // A second later the bucket is full again.
    assert!((0..200).all(|_| pacing.reserve(ms(6002)) == ms(6002)));
    assert!(pacing.reserve(ms(6002)) > ms(6002));
}

#[test]
fn who_asks_too_early_takes_no_token() {
    let mut pacing = Pacing::new();
    let now = ms(5000);
    assert!((0..200).all(|_| pacing.take(now).is_ok()));
    let later = now + Duration::from_micros(100);
    assert!((0..1000).all(|_| pacing.take(now) == Err(later)));
    assert_eq!(pacing.take(later), Ok(()));
}
