//! What makes a server suspect, dead and alive again.

use std::time::Duration;

use proptest::prelude::*;
use vestibule_radius::{Candidate, Health, Observation, Order, Pattern, Standing, order};

use Observation::{
    Answered, ProbeAnswered, ProbeSent, ProbeUnanswered, PushUnanswered, Refused, ShortUnanswered,
    Tried,
};

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A server of which that was seen, at those seconds.
fn seen(has_probes: bool, events: &[(u64, Observation)]) -> Health {
    let mut health = Health::new(has_probes);
    for (seconds, observation) in events {
        health.see(*observation, at(*seconds));
    }
    health
}

#[track_caller]
fn check(has_probes: bool, events: &[(u64, Observation)], now: u64, expected: Standing) {
    let health = seen(has_probes, events);
    assert_eq!(health.standing(at(now)), expected, "after {events:?}");
}

const fn dead(until: u64) -> Standing {
    Standing::Dead {
        until: Duration::from_secs(until),
    }
}

#[test]
fn three_unanswered_requests_in_silence_make_a_suspect() {
    let miss = ShortUnanswered;
    check(false, &[], 0, Standing::Alive);
    check(false, &[(1, miss), (2, miss)], 2, Standing::Alive);
    check(
        false,
        &[(1, miss), (2, miss), (3, miss)],
        3,
        Standing::Suspect,
    );
    check(
        false,
        &[(1, miss), (2, miss), (3, Answered), (20, miss)],
        20,
        Standing::Alive,
    );
    // It was heard 9 seconds ago, and 10.
    let heard = [(1, Answered), (8, miss), (9, miss), (10, miss)];
    check(false, &heard, 10, Standing::Alive);
    let heard = [heard.as_slice(), &[(11, miss)]].concat();
    check(false, &heard, 11, Standing::Suspect);
}

#[test]
fn a_suspect_dies_of_three_more_where_it_cannot_be_probed() {
    let three = [
        (1, ShortUnanswered),
        (2, ShortUnanswered),
        (3, ShortUnanswered),
    ];
    let more = [(4, ShortUnanswered), (5, ShortUnanswered)];
    let five = [three.as_slice(), &more].concat();
    check(false, &five, 5, Standing::Suspect);
    let six = [five.as_slice(), &[(6, ShortUnanswered)]].concat();
    check(false, &six, 6, dead(66));
    check(true, &six, 6, Standing::Suspect);
}

#[test]
fn a_suspect_that_cannot_be_probed_is_tried_after_a_minute() {
    let three = [
        (1, ShortUnanswered),
        (2, ShortUnanswered),
        (3, ShortUnanswered),
    ];
    check(false, &three, 62, Standing::Suspect);
    check(false, &three, 63, Standing::HalfOpen);
    check(true, &three, 3600, Standing::Suspect);
}

#[test]
fn three_unanswered_probes_prove_death() {
    let probe = |second| [(second, ProbeSent), (second + 4, ProbeUnanswered)];
    let two = [probe(1), probe(5)].concat();
    check(true, &two, 9, Standing::Alive);
    let three = [probe(1), probe(5), probe(9)].concat();
    check(true, &three, 13, dead(73));
    let heard = [&probe(1)[..], &probe(5), &[(9, Answered)], &probe(9)].concat();
    check(true, &heard, 13, Standing::Alive);
    // What was sent before the standing changed is history.
    let stale = [(1, ProbeSent), (2, Answered), (5, ProbeUnanswered)].repeat(3);
    check(true, &stale, 13, Standing::Alive);
}

#[test]
fn an_answered_probe_clears_a_suspect() {
    let mut events = vec![(1, ShortUnanswered); 3];
    events.extend([(2, ProbeSent), (3, ProbeAnswered)]);
    check(true, &events, 3, Standing::Alive);
}

#[test]
fn two_refusals_within_a_second_prove_death() {
    check(false, &[(5, Refused)], 5, Standing::Alive);
    check(false, &[(5, Refused), (6, Refused)], 6, dead(66));
    check(false, &[(5, Refused), (7, Refused)], 7, Standing::Alive);
    check(
        false,
        &[(5, Refused), (5, Answered), (6, Refused)],
        6,
        Standing::Alive,
    );
    // More of them do not prolong it.
    let many = [(5, Refused), (6, Refused), (30, Refused), (30, Refused)];
    check(false, &many, 30, dead(66));
}

#[test]
fn pushes_prove_nothing() {
    check(false, &[(100, PushUnanswered); 50], 100, Standing::Alive);
    check(true, &[(100, PushUnanswered); 50], 100, Standing::Alive);
}

const REFUSED_TWICE: [(u64, Observation); 2] = [(0, Refused), (0, Refused)];

fn down(has_probes: bool, more: &[(u64, Observation)]) -> Health {
    seen(has_probes, &[&REFUSED_TWICE[..], more].concat())
}

#[test]
fn the_dead_come_back_by_one_request_where_there_are_no_probes() {
    let health = down(false, &[]);
    assert_eq!(health.standing(at(59)), dead(60));
    assert!(!health.admits(Pattern::Short, at(59)));
    assert_eq!(health.standing(at(60)), Standing::HalfOpen);
    assert!(health.admits(Pattern::Short, at(60)));
    assert!(!health.admits(Pattern::Push, at(60)));
    // One at a time; and whoever left without a word does not bar others for ever.
    let health = down(false, &[(60, Tried)]);
    assert!(!health.admits(Pattern::Short, at(69)));
    assert!(health.admits(Pattern::Short, at(70)));
    let health = down(false, &[(60, Tried), (61, Answered)]);
    assert_eq!(health.standing(at(61)), Standing::Alive);
    assert!(health.admits(Pattern::Push, at(61)));
    let health = down(false, &[(60, Tried), (70, ShortUnanswered)]);
    assert_eq!(health.standing(at(70)), dead(130));
    let health = down(false, &[(60, Tried), (61, Refused)]);
    assert_eq!(health.standing(at(61)), dead(121));
}

#[test]
fn the_dead_come_back_by_three_probes_where_there_are_some() {
    let health = down(true, &[]);
    assert!(!health.admits(Pattern::Short, at(60)));
    let one = [(60, ProbeSent), (61, ProbeAnswered)];
    let health = down(true, &one);
    assert_eq!(health.standing(at(61)), Standing::HalfOpen);
    assert!(health.admits(Pattern::Short, at(61)));
    assert!(!health.admits(Pattern::Push, at(61)));
    let two = [&one[..], &[(90, ProbeSent), (91, ProbeAnswered)]].concat();
    assert_eq!(down(true, &two).standing(at(91)), Standing::HalfOpen);
    let three = [&two[..], &[(120, ProbeSent), (121, ProbeAnswered)]].concat();
    assert_eq!(down(true, &three).standing(at(121)), Standing::Alive);
    let missed = [&two[..], &[(120, ProbeSent), (124, ProbeUnanswered)]].concat();
    assert_eq!(down(true, &missed).standing(at(124)), dead(184));
}

#[track_caller]
fn check_probe(health: &Health, waiting: Option<u64>, now: u64, expected: Option<(u64, u64)>) {
    let probe = health.probe(waiting.map(at), at(now), u32::MAX / 2);
    let rounded = |probe: vestibule_radius::Probe| {
        let at = probe.at + Duration::from_millis(1);
        (at.as_secs(), probe.patience.as_secs())
    };
    assert_eq!(probe.map(rounded), expected);
}

#[test]
fn probes_are_due() {
    // None without Status-Server, and none of a live server for its own sake.
    check_probe(&down(false, &[]), Some(0), 60, None);
    check_probe(&seen(true, &[]), None, 60, None);
    // While pushes wait, 5 seconds after the first of them or after the last sign of life.
    check_probe(&seen(true, &[]), Some(10), 11, Some((15, 2)));
    check_probe(&seen(true, &[(2, Answered)]), Some(10), 11, Some((15, 2)));
    check_probe(&seen(true, &[(12, Answered)]), Some(10), 13, Some((17, 2)));
    check_probe(&seen(true, &[(15, ProbeSent)]), Some(10), 16, None);
    let missed = [(15, ProbeSent), (17, ProbeUnanswered)];
    check_probe(&seen(true, &missed), Some(10), 17, Some((15, 2)));
    // Of a suspect, now; of a dead one, when it is half-open and every 30 seconds from then on.
    let suspect = [(1, ShortUnanswered); 3];
    check_probe(&seen(true, &suspect), None, 3, Some((3, 4)));
    check_probe(&down(true, &[]), None, 3, Some((60, 4)));
    check_probe(&down(true, &[(60, ProbeSent)]), None, 61, None);
    let answered = [(60, ProbeSent), (61, ProbeAnswered)];
    check_probe(&down(true, &answered), None, 61, Some((90, 4)));
}

#[test]
fn probes_of_a_returning_server_vary_by_two_seconds() {
    let health = down(true, &[(60, ProbeSent), (61, ProbeAnswered)]);
    let probe = |draw| health.probe(None, at(61), draw).unwrap().at;
    assert_eq!((probe(0), probe(u32::MAX)), (at(88), at(92)));
}

#[track_caller]
fn check_order(standings: &[Standing], draw: u32, expected: &Order) {
    let candidates: Vec<_> = standings
        .iter()
        .map(|standing| Candidate {
            standing: *standing,
            admits: !matches!(standing, Standing::Dead { .. }),
        })
        .collect();
    assert_eq!(&order(&candidates, draw), expected);
}

#[test]
fn servers_are_tried_in_order() {
    use Standing::{Alive, HalfOpen, Suspect};
    let tried = |places: &[usize]| Order::Try(places.to_vec());
    check_order(&[Alive], 9, &tried(&[0]));
    check_order(&[Alive, Alive, Alive], 0, &tried(&[0, 1, 2]));
    check_order(&[Alive, Alive, Alive], 4, &tried(&[1, 2, 0]));
    check_order(&[Suspect, Alive, dead(9), Alive], 1, &tried(&[3, 1, 0]));
    check_order(&[Alive, HalfOpen, HalfOpen], 0, &tried(&[1, 0]));
    check_order(&[dead(9), Suspect], 0, &tried(&[1]));
    check_order(&[dead(9), dead(8)], 7, &Order::LastResort(vec![0, 1]));
    check_order(&[], 7, &Order::LastResort(vec![]));
}

#[test]
fn a_server_that_does_not_admit_is_passed_over() {
    let of = |standing, admits| Candidate { standing, admits };
    let candidates = [of(Standing::HalfOpen, false), of(Standing::Alive, true)];
    assert_eq!(order(&candidates, 0), Order::Try(vec![1]));
    let candidates = [of(Standing::HalfOpen, false), of(dead(9), false)];
    assert_eq!(order(&candidates, 0), Order::LastResort(vec![0, 1]));
}

fn observation() -> impl Strategy<Value = Observation> {
    prop_oneof![
        1 => Just(Answered),
        6 => Just(ShortUnanswered),
        3 => Just(PushUnanswered),
        2 => Just(Refused),
        2 => Just(Tried),
        4 => Just(ProbeSent),
        2 => Just(ProbeAnswered),
        4 => Just(ProbeUnanswered),
    ]
}

proptest! {
    #[test]
    fn whatever_happens(
        has_probes in any::<bool>(),
        events in prop::collection::vec((observation(), 0..20_000_u64), 1..300),
    ) {
        let mut health = Health::new(has_probes);
        let mut now = Duration::ZERO;
        for (observation, gap) in events {
            now += Duration::from_millis(gap);
            let before = health.standing(now);
            health.see(observation, now);
            let after = health.standing(now);
            match observation {
                Answered => prop_assert_eq!(after, Standing::Alive),
                PushUnanswered | ProbeSent | Tried => prop_assert_eq!(before, after),
                ShortUnanswered | Refused | ProbeAnswered | ProbeUnanswered => {}
            }
            if let Standing::Dead { until } = after {
                prop_assert!(now < until && until <= now + at(60));
                prop_assert!(!health.admits(Pattern::Short, now));
                if let Standing::Dead { until: earlier } = before {
                    prop_assert_eq!(until, earlier, "it is not prolonged");
                }
            }
            if after == Standing::HalfOpen {
                prop_assert!(!health.admits(Pattern::Push, now));
            }
            // It is always known how a server that is down comes back.
            let mut later = health.clone();
            later.see(ProbeUnanswered, now);
            if has_probes && after != Standing::Alive {
                let again = later.probe(Some(now), now, 0);
                prop_assert!(again.is_some_and(|probe| probe.at <= now + at(60)));
            }
            let long_after = now + at(61);
            prop_assert!(has_probes || health.admits(Pattern::Short, long_after));
        }
    }
}
