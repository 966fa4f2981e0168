//! Identifiers and sockets against a model that does everything the slow way.

#![expect(
    clippy::indexing_slicing,
    reason = "the lint's exception for tests does not reach helpers; here a panic is the finding"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use vestibule_radius::{Identifiers, Slot, Sockets};

/// What a test does to the pool. Which one is meant by `nth` depends on what is pending.
#[derive(Clone, Debug)]
enum Action {
    Take,
    Answer { nth: usize },
    GiveUp { nth: usize, rest: u64 },
    Pass { milliseconds: u64 },
}

fn action() -> impl Strategy<Value = Action> {
    let nth = 0..256_usize;
    prop_oneof![
        8 => Just(Action::Take),
        2 => nth.clone().prop_map(|nth| Action::Answer { nth }),
        2 => (nth, 0..90_000_u64).prop_map(|(nth, rest)| Action::GiveUp { nth, rest }),
        1 => (0..40_000_u64).prop_map(|milliseconds| Action::Pass { milliseconds }),
    ]
}

/// When each identifier came free, and in which turn; or that it has not.
struct Model {
    now: Duration,
    turn: u64,
    free_since: [Option<(Duration, u64)>; 256],
    pending: Vec<u8>,
}

impl Model {
    fn new(first: u8) -> Self {
        let mut free_since = [None; 256];
        for n in 0..=255_u8 {
            free_since[usize::from(first.wrapping_add(n))] = Some((Duration::ZERO, u64::from(n)));
        }
        Self {
            now: Duration::ZERO,
            turn: 256,
            free_since,
            pending: Vec::new(),
        }
    }

    fn oldest(&self) -> Option<u8> {
        let free = (0..=255_u8).filter_map(|id| {
            let (since, turn) = self.free_since[usize::from(id)]?;
            (since <= self.now).then_some((since, turn, id))
        });
        free.min().map(|(_, _, id)| id)
    }

    /// Those that rest until the same time come free in the order of their numbers.
    fn release(&mut self, nth: usize, rest: Option<Duration>) -> Option<u8> {
        if self.pending.is_empty() {
            return None;
        }
        let id = self.pending.remove(nth % self.pending.len());
        self.turn += 1;
        let order = rest.map_or(self.turn, |_| u64::from(id));
        self.free_since[usize::from(id)] = Some((self.now + rest.unwrap_or_default(), order));
        Some(id)
    }

    fn resting(&self) -> usize {
        let since = self.free_since.iter().flatten();
        since.filter(|(since, _)| *since > self.now).count()
    }
}

proptest! {
    /// None is used again while it is pending or rests, and the one that was free longest is next.
    #[test]
    fn the_pool_is_as_the_model(
        first in any::<u8>(),
        actions in prop::collection::vec(action(), 1..900),
    ) {
        let mut model = Model::new(first);
        let mut pool = Identifiers::new(first);
        for action in actions {
            match action {
                Action::Take => {
                    let taken = pool.take(model.now);
                    prop_assert_eq!(taken.is_some(), model.oldest().is_some());
                    if let Some(id) = taken {
                        let (since, _) = model.free_since[usize::from(id)].take().unwrap();
                        prop_assert!(since <= model.now, "{id} is pending or rests");
                        let waited = model.oldest();
                        let waited = waited.and_then(|id| model.free_since[usize::from(id)]);
                        prop_assert!(waited.is_none_or(|(other, _)| since <= other), "not {id}");
                        model.pending.push(id);
                    }
                }
                Action::Answer { nth } => {
                    if let Some(id) = model.release(nth, None) {
                        pool.answered(id, model.now);
                    }
                }
                Action::GiveUp { nth, rest } => {
                    let rest = Duration::from_millis(rest);
                    if let Some(id) = model.release(nth, Some(rest)) {
                        pool.given_up(id, model.now, rest);
                    }
                }
                Action::Pass { milliseconds } => model.now += Duration::from_millis(milliseconds),
            }
            prop_assert_eq!(pool.pending(), model.pending.len());
            prop_assert_eq!(pool.resting(model.now), model.resting());
            let free = 256 - model.pending.len() - model.resting();
            prop_assert_eq!(pool.free(model.now), free);
        }
    }

    /// No place is given twice, the count adds up, and the ceiling is kept.
    #[test]
    fn no_slot_is_given_twice(
        ceiling in 1..5_usize,
        actions in prop::collection::vec(action(), 1..2000),
    ) {
        let mut sockets = Sockets::new(ceiling);
        let mut now = Duration::ZERO;
        let mut pending: Vec<Slot> = Vec::new();
        let mut rests: BTreeMap<(usize, u8), Duration> = BTreeMap::new();
        let mut ids = Vec::new();
        for action in actions {
            if sockets.wants_another(now) {
                ids.push(sockets.add(0, now).unwrap());
            }
            let place = |slot: Slot| {
                let socket = ids.iter().position(|id| *id == slot.socket).unwrap();
                (socket, slot.identifier)
            };
            match action {
                Action::Take => {
                    let Some(slot) = sockets.take(now) else {
                        prop_assert_eq!(sockets.free(now), 0);
                        continue;
                    };
                    prop_assert!(!pending.contains(&slot));
                    let rests = rests.get(&place(slot));
                    prop_assert!(rests.is_none_or(|until| *until <= now));
                    pending.push(slot);
                }
                Action::Answer { nth } if !pending.is_empty() => {
                    let slot = pending.remove(nth % pending.len());
                    sockets.answered(slot, now);
                }
                Action::GiveUp { nth, rest } if !pending.is_empty() => {
                    let slot = pending.remove(nth % pending.len());
                    let rest = Duration::from_millis(rest);
                    rests.insert(place(slot), now + rest);
                    sockets.given_up(slot, now, rest);
                }
                Action::Answer { .. } | Action::GiveUp { .. } => {}
                Action::Pass { milliseconds } => now += Duration::from_millis(milliseconds),
            }
            prop_assert!(sockets.len() <= ceiling);
            prop_assert_eq!(sockets.pending(), pending.len());
            let all = sockets.pending() + sockets.resting(now) + sockets.free(now);
            prop_assert_eq!(all, 256 * sockets.len());
        }
    }
}

#[test]
fn the_first_identifiers_follow_the_random_one() {
    let mut pool = Identifiers::new(254);
    let taken: Vec<_> = (0..4).filter_map(|_| pool.take(Duration::ZERO)).collect();
    assert_eq!(taken, [254, 255, 0, 1]);
}

#[test]
fn the_257th_finds_none_until_one_is_free() {
    let mut pool = Identifiers::new(0);
    let at = Duration::from_secs;
    assert_eq!((0..256).filter_map(|_| pool.take(at(0))).count(), 256);
    assert_eq!(pool.take(at(0)), None);
    pool.given_up(9, at(0), Identifiers::REST);
    pool.answered(200, at(1));
    assert_eq!(pool.take(at(1)), Some(200));
    assert_eq!(pool.take(at(59)), None);
    assert_eq!(pool.take(at(60)), Some(9));
}

#[test]
fn what_is_not_pending_is_left_alone() {
    let mut pool = Identifiers::new(0);
    let now = Duration::ZERO;
    let id = pool.take(now).unwrap();
    pool.answered(id, now);
    pool.answered(id, now);
    pool.given_up(id, now, Identifiers::REST);
    assert_eq!(
        (pool.free(now), pool.pending(), pool.resting(now)),
        (256, 0, 0)
    );
}

#[test]
fn a_socket_is_added_when_identifiers_run_short() {
    let now = Duration::ZERO;
    let mut sockets = Sockets::new(2);
    assert_eq!(sockets.take(now), None);
    assert!(sockets.wants_another(now));
    let first = sockets.add(0, now).unwrap();
    assert!(!sockets.wants_another(now));
    for _ in 0..224 {
        assert_eq!(sockets.take(now).unwrap().socket, first);
    }
    assert!(!sockets.wants_another(now), "32 are free");
    sockets.take(now).unwrap();
    assert!(sockets.wants_another(now), "31 are free");
    let second = sockets.add(0, now).unwrap();
    // In turn, as long as both have free ones; and then all 512.
    let taken: Vec<_> = (0..62).filter_map(|_| sockets.take(now)).collect();
    assert_eq!(
        taken.iter().filter(|slot| slot.socket == second).count(),
        31
    );
    assert_eq!((0..512).filter_map(|_| sockets.take(now)).count(), 225);
    assert!(!sockets.wants_another(now), "the ceiling is reached");
    assert_eq!(sockets.add(0, now), None);
}

#[test]
fn idle_sockets_are_closed_but_for_one() {
    let at = Duration::from_secs;
    let mut sockets = Sockets::new(8);
    for _ in 0..3 {
        sockets.add(0, at(0)).unwrap();
    }
    let slot = sockets.take(at(0)).unwrap();
    assert_eq!(sockets.close_idle(at(599)), []);
    let closed = sockets.close_idle(at(600));
    assert_eq!(closed.len(), 2);
    assert!(!closed.contains(&slot.socket), "a request is pending there");
    sockets.given_up(slot, at(600), Identifiers::REST);
    assert_eq!(sockets.close_idle(at(2000)), [], "one stays");
    assert_eq!(sockets.len(), 1);
    sockets.remove(slot.socket);
    assert!(sockets.is_empty());
    sockets.answered(slot, at(2000));
    assert_eq!(sockets.pending(), 0);
}
