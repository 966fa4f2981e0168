//! Many writes to one second factor at once, by a seeded plan, and whether they fit into one order.
//!
//! Every write that a store says it has done rests on a revision and made the next one. So those
//! revisions are all different, without a gap, and to do the writes once more one after the other
//! in that order must end in what the store holds. Nothing else is asked of how they met.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use futures_util::future::join_all;
use vestibule_engine::budget::Gate;
use vestibule_engine::{GuessBudget, StepToClaim, TotpStep};

use super::cast::{Actor, Shared, add, at, step};
use super::checks::{claim, is_alive};
use crate::{SeedState, Settlement, Store, StoreError, Swap};

/// Who writes at once, and how often each.
const WRITERS: u64 = 6;
const WRITES: u64 = 6;
/// Sessions of a user, of which several writers may use one.
const SESSIONS: u64 = 3;

/// How much was tried.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried {
    /// Writes that were done.
    pub done: u64,
    /// Writes that were refused, because something moved.
    pub moved: u64,
}

/// Writes to these users, one after the other, through stores that share what they hold. Other
/// users may be written to meanwhile.
///
/// # Errors
/// What does not fit.
pub async fn stress(stores: &[Arc<dyn Store>], users: Range<u64>) -> Result<Tried, String> {
    let store = stores.first().ok_or("no store")?;
    let mut all = Tried::default();
    for round in users {
        let user = add(store, round + 1, &format!("user {round}")).await;
        let first = 10 * (round + 1);
        let enrolled = Actor::enrolled(store, user, first).await;
        let mut actors = Vec::new();
        for n in 1..=SESSIONS {
            actors.push(Actor::sign_in(store, user, first + n).await);
        }
        let witness = Actor::sign_in(store, user, first + SESSIONS + 1).await;
        let before = witness.bearer(store).await.factor;
        let tasks = (0..WRITERS).zip(stores.iter().cycle()).map(|(n, store)| {
            let plan = Plan(round << 8 | n);
            tokio::spawn(writes(store.clone(), actors.clone(), n, plan))
        });
        let mut done = BTreeMap::new();
        for answers in join_all(tasks).await {
            for (revision, write) in answers.unwrap().map_err(|error| error.to_string())? {
                let Some(write) = write else {
                    all.moved += 1;
                    continue;
                };
                all.done += 1;
                if let Some(other) = done.insert(revision, write.clone()) {
                    return Err(format!(
                        "round {round}: two writes rest on {revision}: {other:?}, {write:?}"
                    ));
                }
            }
        }
        let after = witness.bearer(store).await.factor;
        let mut one = InOrder::new(before.budget);
        for (n, (revision, write)) in (before.revision..).zip(&done) {
            if n != *revision {
                return Err(format!("round {round}: no write rests on {n}"));
            }
            one.apply(write)
                .map_err(|why| format!("round {round}, at {n}: {why}"))?;
        }
        let end = before.revision + u64::try_from(done.len()).unwrap();
        let last_step = after.seed.map(|seed| seed.state);
        let expected = SeedState::Verified {
            last_step: one.last_step,
        };
        if (after.revision, after.budget) != (end, one.budget) || last_step != Some(expected) {
            return Err(format!("round {round}: the end is not that of {done:?}"));
        }
        for actor in &actors {
            let ended = one.spent.contains(&actor.n);
            if is_alive(store, actor.partial()).await == ended {
                return Err(format!("round {round}: the token of {}", actor.n - first));
            }
        }
        let lives = is_alive(store, enrolled.hash(100)).await;
        assert!(lives, "nobody has touched the session that enrolled");
    }
    Ok(all)
}

/// A write that was done.
#[derive(Clone, Debug)]
enum Write {
    /// A wrong code, after which the token of the session has ended, or not.
    Guess { session: u64, ends: bool },
    /// A right code.
    Finish { session: u64, claim: StepToClaim },
    /// A push.
    Push { session: u64 },
}

/// What the writes so far leave, one after the other.
struct InOrder {
    budget: GuessBudget,
    last_step: TotpStep,
    /// Sessions without a partial token.
    spent: BTreeSet<u64>,
}

impl InOrder {
    fn new(budget: GuessBudget) -> Self {
        Self {
            budget,
            last_step: step(0),
            spent: BTreeSet::new(),
        }
    }

    fn apply(&mut self, write: &Write) -> Result<(), String> {
        let (Write::Guess { session, .. }
        | Write::Finish { session, .. }
        | Write::Push { session }) = write;
        if self.spent.contains(session) {
            return Err(format!("{write:?} with a token that has ended"));
        }
        match write {
            Write::Guess { session, ends } => {
                self.budget = self.budget.after_failure(at(0));
                if *ends {
                    self.spent.insert(*session);
                }
            }
            Write::Finish { session, claim } => {
                if claim.step() <= self.last_step {
                    return Err(format!("{write:?} claims a step that is spent"));
                }
                self.last_step = claim.step();
                self.budget = self.budget.after_success();
                self.spent.insert(*session);
            }
            Write::Push { .. } => {}
        }
        Ok(())
    }
}

/// Writes by a plan: for each, the revision that it rests on, and what was done if it was.
async fn writes(
    store: Shared,
    actors: Vec<Actor>,
    writer: u64,
    mut plan: Plan,
) -> Result<Vec<(u64, Option<Write>)>, StoreError> {
    let mut answers = Vec::new();
    for _ in 0..WRITES {
        let chosen = usize::try_from(plan.below(SESSIONS)).unwrap();
        let actor = *actors.get(chosen).unwrap();
        let Some(bearer) = store.bearer(&actor.partial()).await? else {
            continue;
        };
        for _ in 0..plan.below(4) {
            tokio::task::yield_now().await;
        }
        let (session, revision) = (actor.n, bearer.factor.revision);
        let (write, swap) = match plan.below(8) {
            kind @ 0..4 => {
                let guess = Settlement {
                    ends_token: kind == 0,
                    ..actor.guess(&bearer)
                };
                let ends = guess.ends_token;
                (
                    Write::Guess { session, ends },
                    store.settle(&guess, &[]).await?,
                )
            }
            // Who has to wait has no answer looked at, right or wrong.
            kind if kind < 6 || bearer.factor.budget.gate(at(1)) != Gate::Open => {
                let started = i64::try_from(revision).unwrap();
                let push = actor.push(10 * revision + writer, started, revision);
                (Write::Push { session }, store.start_push(&push, &[]).await?)
            }
            _ => {
                let finish = actor.finish(&bearer, 1 + plan.below(9));
                let swap = claim(&store, &finish).await?;
                let claim = finish.claim;
                (Write::Finish { session, claim }, swap)
            }
        };
        answers.push((revision, (swap == Swap::Done).then_some(write)));
    }
    Ok(answers)
}

/// Numbers that look random and are the same each time (the generator of `SplitMix64`).
struct Plan(u64);

impl Plan {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % end
    }
}
