//! Tries that are counted before anybody knows: whatever is given back, in whatever order, was
//! never counted, and nothing is open that would have been shut without it.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::FileFailurePersistence;
use vestibule_engine::budget::{Gate, RecentFailures};
use vestibule_engine::{GuessBudget, Timestamp};

/// One thing that happens to a budget.
#[derive(Clone, Debug)]
enum Event {
    /// A try is counted, if the gate is open.
    Reserve,
    /// A wrong answer is counted, if the gate is open.
    Fail,
    /// A try that is open turns out wrong.
    Wrong(Index),
    /// A try that is open is given back.
    GiveBack(Index),
    /// A try that is open turns out right.
    Right(Index),
    /// Another second factor was right.
    Succeed,
    /// An administrator gives a full budget.
    Reset,
    /// So many seconds pass.
    Pass(u32),
    /// Time passes until the gate is open.
    Await,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        20 => Just(Event::Reserve),
        8 => Just(Event::Fail),
        8 => any::<Index>().prop_map(Event::Wrong),
        12 => any::<Index>().prop_map(Event::GiveBack),
        3 => any::<Index>().prop_map(Event::Right),
        3 => Just(Event::Succeed),
        1 => Just(Event::Reset),
        4 => (0..100_u32).prop_map(Event::Pass),
        1 => (0..200_000_u32).prop_map(Event::Pass),
        8 => Just(Event::Await),
    ]
}

/// Many tries within a month, over many rows.
fn month() -> impl Strategy<Value = Event> {
    prop_oneof![
        20 => Just(Event::Reserve),
        20 => Just(Event::Fail),
        4 => any::<Index>().prop_map(Event::GiveBack),
        12 => Just(Event::Succeed),
        1 => (0..40_000_u32).prop_map(Event::Pass),
    ]
}

/// What happened to the budget without what was given back.
#[derive(Clone, Copy)]
enum Past {
    Failed { at: Timestamp, id: u32 },
    Succeeded,
    Reset,
}

/// The budget after what is left of its past.
fn remaining(past: &[Past]) -> GuessBudget {
    let budget = GuessBudget::default();
    past.iter().fold(budget, |budget, event| match event {
        Past::Failed { at, .. } => budget.after_failure(*at),
        Past::Succeeded => budget.after_success(),
        Past::Reset => budget.reset(),
    })
}

fn is_open(budget: &GuessBudget, now: Timestamp) -> bool {
    budget.gate(now) == Gate::Open
}

/// Lets all of it happen, and compares after each event.
fn run(events: &[Event]) -> Result<(), TestCaseError> {
    let mut now = Timestamp::from_unix_seconds(1_700_000_000);
    let (mut budget, mut past, mut open) = (GuessBudget::default(), Vec::new(), Vec::new());
    let mut ids = 0_u32..;
    for event in events {
        match event {
            Event::Reserve | Event::Fail if !is_open(&budget, now) => {}
            Event::Reserve => {
                let (reserved, reservation) = budget.reserve(now);
                let id = ids.next().unwrap_or_default();
                past.push(Past::Failed { at: now, id });
                open.push((id, reservation));
                budget = reserved;
            }
            Event::Fail => {
                let id = ids.next().unwrap_or_default();
                past.push(Past::Failed { at: now, id });
                budget = budget.after_failure(now);
            }
            Event::Wrong(at) if !open.is_empty() => {
                open.swap_remove(at.index(open.len()));
            }
            Event::GiveBack(at) | Event::Right(at) if !open.is_empty() => {
                let (id, reservation) = open.swap_remove(at.index(open.len()));
                past.retain(|event| !matches!(event, Past::Failed { id: n, .. } if *n == id));
                budget = budget.give_back(&reservation);
                if matches!(event, Event::Right(_)) {
                    past.push(Past::Succeeded);
                    budget = budget.after_success();
                }
            }
            Event::Wrong(_) | Event::GiveBack(_) | Event::Right(_) => {}
            Event::Succeed => {
                past.push(Past::Succeeded);
                budget = budget.after_success();
            }
            Event::Reset => {
                past.push(Past::Reset);
                budget = budget.reset();
            }
            Event::Pass(seconds) => now = now.after(Duration::from_secs((*seconds).into())),
            Event::Await => now = now.max(budget.waiting_until().unwrap_or(now)),
        }
        let exact = remaining(&past);
        prop_assert_eq!(budget.streak(), exact.streak());
        prop_assert_eq!(budget.recent().count(), exact.recent().count());
        prop_assert_eq!(budget.is_closed(), exact.is_closed());
        prop_assert_eq!(budget.row(), exact.row());
        prop_assert!(
            budget.waiting_until() >= exact.waiting_until(),
            "{:?}",
            event
        );
        prop_assert!(is_open(&exact, now) || !is_open(&budget, now));
        // Whoever has waited is let in, whatever was given back.
        let waited = exact.streak() < 5 || now >= budget.waiting_until().unwrap_or(now);
        prop_assert!(!waited || exact.is_closed() || is_open(&budget, now));
        // A try that is given back as the next thing leaves no trace at all.
        if is_open(&budget, now) {
            let (reserved, reservation) = budget.reserve(now);
            let back = reserved.give_back(&reservation);
            prop_assert_eq!(back.waiting_until(), budget.waiting_until());
            prop_assert_eq!(back.gate(now), budget.gate(now));
        }
    }
    Ok(())
}

fn stored() -> impl Strategy<Value = GuessBudget> {
    let recent = vec(any::<u8>(), RecentFailures::LENGTH);
    let until = proptest::option::of((0..4_000_000_000_i64).prop_map(Timestamp::from_unix_seconds));
    let rest = (any::<u64>(), any::<u32>(), until, any::<bool>());
    (rest, recent).prop_filter_map("its form", |((row, streak, until, closed), recent)| {
        let recent = RecentFailures::from_bytes(&recent)?;
        Some(GuessBudget::restore(row, streak, until, recent, closed))
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("proptest-regressions"))),
        cases: 200,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_given_back_was_never_counted(events in vec(event(), 1..120)) {
        run(&events)?;
    }

    #[test]
    fn what_is_given_back_does_not_close(events in vec(month(), 1..400)) {
        run(&events)?;
    }

    #[test]
    fn a_try_that_is_given_back_opens_nothing(
        budget in stored(), seconds in 0..4_000_000_000_i64,
    ) {
        let now = Timestamp::from_unix_seconds(seconds);
        let (reserved, reservation) = budget.reserve(now);
        let back = reserved.give_back(&reservation);
        prop_assert!(back.is_closed() || !budget.is_closed());
        prop_assert!(reserved.reset().give_back(&reservation) == reserved.reset());
        let next = reserved.after_success();
        prop_assert_eq!(next.give_back(&reservation).streak(), 0);
    }
}
