//! What master keys have sealed: found, sealed anew, and needed no more.

use std::sync::Arc;

use uuid::Uuid;
use vestibule_engine::Secret;
use vestibule_engine::audit::{AuditKey, Seal};

use super::audit::{row, rows};
use super::cast::{Actor, Shared, add, sealed};
use super::checks::at_once;
use super::keys::{key, rotate, state};
use super::radius_cast::{add_provider, provider};
use crate::{
    DialogueChange, Finish, KeyRetirement, KeyStanding, ProposedSeed, Resealed, Retirement, Sealed,
    SealedAt, SealedCount, SealedKind, SealedThing, SeedState, Settlement, Store, StoreError,
    StoredProvider, Swap,
};

/// Something that the n-th key has sealed, unlike all else that it has.
fn by(n: u64, what: u64) -> Sealed {
    Sealed {
        key_id: key(n),
        bytes: format!("{what}").into_bytes(),
    }
}

/// What the first key leaves behind.
fn retirement(last_seal: u64) -> KeyRetirement {
    KeyRetirement {
        key: key(1),
        audit: by(2, 77),
        last_seal,
    }
}

async fn retire(store: &Shared) -> Retirement {
    store.retire_key(&retirement(0), &[row(1)]).await.unwrap()
}

/// How much each key has sealed, in all.
async fn counts(store: &Shared) -> Vec<(SealedKind, Uuid, u64)> {
    let counts = store.sealed_counts().await.unwrap();
    let counts = counts.into_iter();
    counts
        .map(|SealedCount { kind, key, count }| (kind, key, count))
        .collect()
}

#[track_caller]
fn is_refused<T: std::fmt::Debug>(answer: Result<T, StoreError>) {
    let error = answer.unwrap_err();
    let reason = match &error {
        StoreError::Unavailable { reason, .. } => *reason,
        StoreError::Inconsistent { .. } | StoreError::SchemaTooNew { .. } | StoreError::Bug(_) => {
            ""
        }
    };
    assert_eq!(reason, crate::RETIRED_KEY, "{error:?}");
}

/// Three seeds, a dialogue and three secrets of two providers, sealed with the first key.
async fn seal_things(store: &Shared) -> (Vec<Actor>, StoredProvider) {
    let mut actors = Vec::new();
    for n in 1..4 {
        let user = add(store, n, &format!("user {n}")).await;
        let actor = Actor::sign_in(store, user, n).await;
        let proposal = ProposedSeed {
            sealed: by(1, n),
            ..actor.proposal(0)
        };
        assert_eq!(
            store.propose_seed(&proposal, &[]).await.unwrap(),
            Swap::Done
        );
        actors.push(actor);
    }
    let [one, two, _] = actors.as_slice() else {
        unreachable!("there are three")
    };
    let finish = one.finish(&one.bearer(store).await, 0);
    assert!(matches!(
        store.finish(&finish, &[]).await.unwrap(),
        crate::Claim::Fresh(_)
    ));
    assert_eq!(talk(store, *two, by(1, 10)).await.unwrap(), Swap::Done);
    let mut both = provider(2, "both");
    both.shared_secret = Some(by(1, 20));
    both.challenge_secret = Some(by(1, 21));
    let _ = store.add_provider(&both, &[]).await.unwrap();
    add_provider(store, 1).await;
    (actors, both)
}

async fn talk(store: &Shared, actor: Actor, dialogue: Sealed) -> Result<Swap, StoreError> {
    let settlement = Settlement {
        dialogue: DialogueChange::Store(dialogue),
        ..actor.guess(&actor.bearer(store).await)
    };
    store.settle(&settlement, &[]).await
}

/// All that another key has sealed, two things at a time.
async fn all_but(store: &Shared, kind: SealedKind, except: Uuid) -> Vec<SealedThing> {
    let mut all: Vec<SealedThing> = Vec::new();
    loop {
        let after = all.last().map(SealedThing::id);
        let things = store.sealed_things(kind, except, after.as_deref(), 2);
        let things = things.await.unwrap();
        assert!(things.len() <= 2);
        if things.is_empty() {
            return all;
        }
        all.extend(things);
    }
}

/// All that is sealed is found, and counted by its key.
pub async fn what_a_key_has_sealed_is_found(store: Arc<dyn Store>) {
    let (actors, both) = seal_things(&store).await;
    let expected = [
        (SealedKind::Seeds, key(1), 3),
        (SealedKind::RadiusSecrets, key(1), 3),
        (SealedKind::Dialogues, key(1), 1),
    ];
    assert_eq!(counts(&store).await, expected);
    let seeds = all_but(&store, SealedKind::Seeds, key(2)).await;
    let expected = actors.iter().zip(1..).map(|(actor, n)| SealedThing::Seed {
        user: actor.user,
        seed: actor.seed_id(),
        verified: n == 1,
        sealed: by(1, n),
    });
    assert_eq!(seeds, expected.collect::<Vec<_>>());
    let providers = all_but(&store, SealedKind::RadiusSecrets, key(2)).await;
    let expected = [provider(1, "RADIUS 1"), both];
    assert_eq!(
        providers,
        expected.map(|stored| SealedThing::Provider(Box::new(stored)))
    );
    let dialogues = all_but(&store, SealedKind::Dialogues, key(2)).await;
    let two = actors.get(1).unwrap();
    let expected = SealedThing::Dialogue {
        token: two.partial(),
        session: two.session(),
        user: two.user,
        sealed: by(1, 10),
    };
    assert_eq!(dialogues, [expected]);
    for kind in SealedKind::ALL {
        assert_eq!(all_but(&store, kind, key(1)).await, [], "{kind:?}");
    }
}

/// The secrets of things that another key than the n-th has sealed, sealed anew with that.
fn anew(things: &[SealedThing], n: u64) -> Vec<Resealed> {
    let mut secrets = Vec::new();
    for thing in things {
        match thing {
            SealedThing::Seed { user, sealed, .. } => {
                secrets.push((SealedAt::Seed(*user), sealed.clone()));
            }
            SealedThing::Provider(stored) => {
                let id = stored.provider.id;
                let shared = stored.shared_secret.clone();
                secrets.extend(shared.map(|it| (SealedAt::SharedSecret(id), it)));
                let challenge = stored.challenge_secret.clone();
                secrets.extend(challenge.map(|it| (SealedAt::ChallengeSecret(id), it)));
            }
            SealedThing::Dialogue { token, sealed, .. } => {
                secrets.push((SealedAt::Dialogue(*token), sealed.clone()));
            }
            SealedThing::AuditKey { key, sealed } => {
                secrets.push((SealedAt::AuditKey(*key), sealed.clone()));
            }
        }
    }
    let secrets = secrets.into_iter().zip(100..);
    secrets
        .filter(|((_, old), _)| old.key_id != key(n))
        .map(|((at, old), what)| Resealed {
            at,
            old,
            new: by(n, what),
        })
        .collect()
}

/// Seals anew all that another key than the second has sealed.
async fn reseal_all(store: &Shared) -> u64 {
    reseal_all_but(store, 2).await
}

/// Seals anew all that another key than the n-th has sealed.
async fn reseal_all_but(store: &Shared, n: u64) -> u64 {
    let mut count = 0;
    for kind in SealedKind::ALL {
        let secrets = anew(&all_but(store, kind, key(n)).await, n);
        count += store.reseal(&secrets).await.unwrap();
    }
    count
}

/// What is sealed anew lies where it lay, and nothing else changes: no verdict that is under way
/// moves.
pub async fn secrets_are_sealed_anew_in_their_places(store: Arc<dyn Store>) {
    let (actors, _) = seal_things(&store).await;
    let three = actors.get(2).unwrap();
    let before = three.bearer(&store).await;
    let finish = three.finish(&before, 0);
    assert_eq!(reseal_all(&store).await, 7);
    let expected = [
        (SealedKind::Seeds, key(2), 3),
        (SealedKind::RadiusSecrets, key(2), 3),
        (SealedKind::Dialogues, key(2), 1),
    ];
    assert_eq!(counts(&store).await, expected);
    let after = three.bearer(&store).await;
    assert_eq!(after.factor.revision, before.factor.revision);
    let seed = after.factor.seed.unwrap();
    assert_eq!(seed.sealed, by(2, 102));
    assert!(matches!(seed.state, SeedState::Unverified { .. }));
    assert!(matches!(
        store.finish(&finish, &[]).await.unwrap(),
        crate::Claim::Fresh(_)
    ));
    assert_eq!(reseal_all(&store).await, 0);
    assert_eq!(counts(&store).await, expected);
}

/// Whoever wrote meanwhile wins.
pub async fn what_changed_meanwhile_is_not_sealed_anew(store: Arc<dyn Store>) {
    let (actors, both) = seal_things(&store).await;
    let mut read = Vec::new();
    for kind in SealedKind::ALL {
        read.extend(anew(&all_but(&store, kind, key(2)).await, 2));
    }
    let [one, two, three] = actors.as_slice() else {
        unreachable!("there are three")
    };
    let _ = store.reset_factor(one.user, None, &[]).await.unwrap();
    super::checks::remove(&store, two.user).await;
    let verified = Finish {
        verified_seed: Some(by(1, 50)),
        ..three.finish(&three.bearer(&store).await, 0)
    };
    let _ = store.finish(&verified, &[]).await.unwrap();
    let mut replaced = super::radius_cast::replaced(&both);
    replaced.shared_secret = Some(by(1, 51));
    let _ = store.replace_provider(&replaced, &[]).await.unwrap();
    // The challenge secret of the one provider, and the shared secret of the other.
    assert_eq!(store.reseal(&read).await.unwrap(), 2);
    let expected = [
        (SealedKind::Seeds, key(1), 1),
        (SealedKind::RadiusSecrets, key(1), 1),
        (SealedKind::RadiusSecrets, key(2), 2),
    ];
    assert_eq!(counts(&store).await, expected);
    let seeds = all_but(&store, SealedKind::Seeds, key(2)).await;
    assert!(matches!(seeds.as_slice(), [SealedThing::Seed { sealed, .. }] if *sealed == by(1, 50)));
    assert_eq!(reseal_all(&store).await, 2);
}

/// A key is retired when it has sealed nothing any more, and then nothing comes in that it sealed.
pub async fn a_key_is_retired_when_nothing_needs_it(store: Arc<dyn Store>) {
    let (actors, both) = seal_things(&store).await;
    assert_eq!(retire(&store).await, Retirement::Needed(7));
    rotate(&store).await;
    assert_eq!(retire(&store).await, Retirement::Needed(7));
    assert_eq!(reseal_all(&store).await, 7);
    let in_use = KeyRetirement {
        key: key(2),
        ..retirement(0)
    };
    let used = store.retire_key(&in_use, &[row(1)]).await.unwrap();
    // All that was sealed anew, and what the audit trail needs of the first key.
    assert_eq!(used, Retirement::Needed(8));
    assert_eq!(rows(&store).await, Vec::<u32>::new());
    assert_eq!(retire(&store).await, Retirement::Done);
    assert_eq!(rows(&store).await, [1]);
    assert_eq!(retire(&store).await, Retirement::Moved);
    let retired = (key(1), KeyStanding::Retired(by(2, 77)));
    assert_eq!(state(&store).await.others, [retired]);
    assert_eq!(store.announce_key(key(1)).await.unwrap(), Swap::Moved);

    let three = *actors.get(2).unwrap();
    let bearer = three.bearer(&store).await;
    let proposal = ProposedSeed {
        sealed: by(1, 60),
        ..three.proposal(bearer.factor.revision)
    };
    is_refused(store.propose_seed(&proposal, &[]).await);
    let four = Actor::sign_in(&store, add(&store, 4, "user 4").await, 4).await;
    let first = ProposedSeed {
        sealed: by(1, 60),
        ..four.proposal(0)
    };
    is_refused(store.propose_seed(&first, &[]).await);
    let verified = Finish {
        verified_seed: Some(by(1, 61)),
        ..three.finish(&bearer, 0)
    };
    is_refused(store.finish(&verified, &[]).await);
    is_refused(talk(&store, three, by(1, 62)).await);
    let mut replaced = super::radius_cast::replaced(&both);
    replaced.shared_secret = Some(by(2, 63));
    replaced.challenge_secret = Some(by(1, 64));
    is_refused(store.replace_provider(&replaced, &[]).await);
    let mut new = provider(9, "new");
    new.shared_secret = Some(by(1, 65));
    is_refused(store.add_provider(&new, &[]).await);
    let back = Resealed {
        at: SealedAt::Seed(three.user),
        old: bearer.factor.seed.unwrap().sealed,
        new: by(1, 66),
    };
    is_refused(store.reseal(&[back]).await);

    // Nothing of it was written, and with the key in use all of it is taken.
    let with_new = Finish {
        verified_seed: Some(by(2, 61)),
        ..verified
    };
    assert_eq!(talk(&store, four, by(2, 62)).await.unwrap(), Swap::Done);
    assert!(matches!(
        store.finish(&with_new, &[]).await.unwrap(),
        crate::Claim::Fresh(_)
    ));
    replaced.challenge_secret = None;
    let _ = store.replace_provider(&replaced, &[]).await.unwrap();
    let expected = [
        (SealedKind::Seeds, key(2), 3),
        (SealedKind::RadiusSecrets, key(2), 2),
        (SealedKind::Dialogues, key(2), 2),
        (SealedKind::AuditKeys, key(2), 1),
    ];
    assert_eq!(counts(&store).await, expected);
}

/// What the audit trail needs of a retired key is sealed anew like all else.
pub async fn what_a_retired_key_leaves_is_sealed_anew(store: Arc<dyn Store>) {
    rotate(&store).await;
    assert_eq!(retire(&store).await, Retirement::Done);
    assert_eq!(store.announce_key(key(3)).await.unwrap(), Swap::Done);
    let begun = store.begin_key(key(2), &sealed(3), &by(3, 79), &[]).await;
    assert_eq!(begun.unwrap(), Swap::Done);
    let second = KeyRetirement {
        key: key(2),
        audit: by(3, 78),
        last_seal: 0,
    };
    let needed = store.retire_key(&second, &[]).await.unwrap();
    assert_eq!(needed, Retirement::Needed(1));
    let things = all_but(&store, SealedKind::AuditKeys, key(3)).await;
    let secrets = anew(&things, 3);
    assert_eq!(store.reseal(&secrets).await.unwrap(), 1);
    let done = store.retire_key(&second, &[]).await.unwrap();
    assert_eq!(done, Retirement::Done);
    let expected = [
        (key(1), KeyStanding::Retired(by(3, 100))),
        (key(2), KeyStanding::Retired(by(3, 78))),
    ];
    assert_eq!(state(&store).await.others, expected);
}

/// A seal over the row of this number, of the n-th key.
async fn seal(store: &Shared, n: u64) -> Seal {
    let open = store.open_chains().await.unwrap();
    let open = open.first().unwrap();
    let last = store.last_seal().await.unwrap();
    let master = Secret::new([u8::try_from(n).unwrap(); 32]);
    let draft = Seal::next(last.as_ref(), open.chain, (open.sealed, open.last), 1);
    AuditKey::of_master_key(key(n), &master)
        .seal(draft)
        .finish()
}

/// No seal of a key comes after the last one that was noted when it was retired.
pub async fn no_seal_of_a_retired_key_comes_later(store: Arc<dyn Store>) {
    rotate(&store).await;
    store.record(&[row(2)]).await.unwrap();
    let first = seal(&store, 1).await;
    assert_eq!(store.add_seal(&first).await.unwrap(), Swap::Done);
    assert_eq!(store.last_seal().await.unwrap(), Some(first));
    assert_eq!(retire(&store).await, Retirement::Moved);
    let noted = store.retire_key(&retirement(1), &[]).await.unwrap();
    assert_eq!(noted, Retirement::Done);
    store.record(&[row(3)]).await.unwrap();
    is_refused(store.add_seal(&seal(&store, 1).await).await);
    let second = seal(&store, 2).await;
    assert_eq!(store.add_seal(&second).await.unwrap(), Swap::Done);
}

/// Rounds after which both outcomes must have been seen.
const MOST_ROUNDS: u64 = 200;
/// Users who enrol in each round.
const CROWD: u64 = 6;

/// However many write while a key is retired, nothing is left that it sealed: either it is retired
/// and they are refused, or they are taken and it is needed.
pub async fn nothing_passes_the_retirement_of_a_key(store: Arc<dyn Store>) {
    store.canary(&sealed(1)).await.unwrap();
    let (mut refused, mut needed) = (0, 0);
    for round in 1..=MOST_ROUNDS {
        let outcome = retire_while_others_write(&store, round).await;
        refused += u32::from(outcome.refused > 0);
        needed += u32::from(outcome.needed);
        if refused > 0 && needed > 0 {
            return;
        }
    }
    panic!("of {MOST_ROUNDS} rounds {refused} refused a writer, and {needed} the retirement");
}

#[derive(Clone, Copy, Debug, Default)]
struct Round {
    /// How many came too late.
    refused: usize,
    /// Whether the key was needed.
    needed: bool,
}

/// What somebody did in a round.
#[derive(Debug)]
enum Did {
    Retire(Retirement),
    Write(Result<Swap, StoreError>),
}

/// Puts a key in the place of the one of this round, and retires that while others write.
async fn retire_while_others_write(store: &Shared, round: u64) -> Round {
    let (old, new) = (round, round + 1);
    assert_eq!(store.announce_key(key(new)).await.unwrap(), Swap::Done);
    let begun = store
        .begin_key(key(old), &sealed(new), &by(new, 1), &[])
        .await;
    assert_eq!(begun.unwrap(), Swap::Done);
    reseal_all_but(store, new).await;
    let retirement = KeyRetirement {
        key: key(old),
        audit: by(new, 2),
        last_seal: 0,
    };
    let mut actors = Vec::new();
    for n in (round - 1) * CROWD..round * CROWD {
        let user = add(store, n + 1, &format!("user {n}")).await;
        actors.push(Some(Actor::sign_in(store, user, n + 1).await));
    }
    // Now the first, now among the others.
    let place = usize::try_from(round % CROWD).unwrap();
    actors.insert(place, None);
    let working = actors.into_iter().map(|actor| {
        let (store, retirement) = (Arc::clone(store), retirement.clone());
        async move {
            let Some(actor) = actor else {
                return Did::Retire(store.retire_key(&retirement, &[]).await.unwrap());
            };
            let proposal = ProposedSeed {
                sealed: by(old, actor.n),
                ..actor.proposal(0)
            };
            Did::Write(store.propose_seed(&proposal, &[]).await)
        }
    });
    let (mut retired, mut taken, mut refused) = (None, 0, 0);
    for did in at_once(working).await {
        match did {
            Did::Retire(outcome) => retired = Some(outcome),
            Did::Write(Ok(Swap::Done)) => taken += 1,
            Did::Write(other) => {
                is_refused(other);
                refused += 1;
            }
        }
    }
    let left = all_but(store, SealedKind::Seeds, key(new)).await.len();
    assert_eq!(left, taken, "what was taken is there");
    let is_retired = state(store).await.retired().any(|id| id == key(old));
    assert_eq!(is_retired, retired == Some(Retirement::Done));
    if is_retired {
        assert_eq!(left, 0, "they are lost");
        return Round {
            refused,
            needed: false,
        };
    }
    assert_eq!(refused, 0, "the key is not retired");
    assert!(
        matches!(retired, Some(Retirement::Needed(_))),
        "{retired:?}"
    );
    reseal_all_but(store, new).await;
    let done = store.retire_key(&retirement, &[]).await.unwrap();
    assert_eq!(done, Retirement::Done);
    Round {
        refused: 0,
        needed: true,
    }
}
