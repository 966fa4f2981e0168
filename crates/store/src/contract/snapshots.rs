//! Snapshots: all that lasts is in one, and comes out of it as it was.

use std::collections::VecDeque;
use std::sync::Arc;

use vestibule_engine::TotpStep;

use super::audit::row;
use super::cast::{Actor, Shared, add, at, key, sealed, step};
use super::checks::{disable, set};
use super::identity_providers::local_provider;
use super::radius_cast::add_provider;
use crate::{
    About, AdminMfaChange, DialogueChange, Finish, KeyRetirement, LastingStore, Loading, Removal,
    Retirement, Rows, SealedKind, SeedState, Settlement, SnapshotError, SnapshotRows, Swap,
    TakeSnapshot,
};

type Lasting = Arc<dyn LastingStore>;

/// Rows in memory; an error comes after the last if it is said so.
#[derive(Clone)]
struct Kept {
    about: About,
    rows: VecDeque<(String, String)>,
    broken: bool,
}

impl SnapshotRows for Kept {
    fn schema(&self) -> i64 {
        self.about.schema
    }

    fn next(&mut self) -> Result<Option<Rows>, SnapshotError> {
        let Some((table, row)) = self.rows.pop_front() else {
            return if self.broken {
                Err("it is broken".into())
            } else {
                Ok(None)
            };
        };
        let rows = format!("[{row}]");
        Ok(Some(Rows { table, rows }))
    }
}

/// A snapshot under way.
#[derive(Default)]
struct Taking {
    about: Option<About>,
    rows: VecDeque<(String, String)>,
}

impl TakeSnapshot for Taking {
    fn begin(&mut self, about: &About) -> Result<(), SnapshotError> {
        assert!(
            self.about.is_none() && self.rows.is_empty(),
            "it comes first"
        );
        self.about = Some(about.clone());
        Ok(())
    }

    fn row(&mut self, table: &'static str, values: &str) -> Result<(), SnapshotError> {
        self.rows.push_back((table.to_owned(), values.to_owned()));
        Ok(())
    }
}

async fn dump(store: &Lasting) -> Kept {
    let mut taking = Taking::default();
    store.dump(&mut taking).await.unwrap().unwrap();
    Kept {
        about: taking.about.unwrap(),
        rows: taking.rows,
        broken: false,
    }
}

/// Something of everything.
async fn fill(store: &Shared) -> (Actor, Actor) {
    let alice = add(store, 1, "alice Ünïcode '\"\\").await;
    let one = Actor::sign_in(store, alice, 1).await;
    let revision = one.bearer(store).await.factor.revision;
    let proposal = one.proposal(revision);
    assert_eq!(
        store.propose_seed(&proposal, &[]).await.unwrap(),
        Swap::Done
    );
    let finish = Finish {
        device_completed: Some(at(2)),
        ..one.finish(&one.bearer(store).await, 3)
    };
    let _ = store.finish(&finish, &[row(1)]).await.unwrap();
    let bob = add(store, 2, "bob").await;
    let two = Actor::sign_in(store, bob, 2).await;
    let proposal = two.proposal(0);
    assert_eq!(
        store.propose_seed(&proposal, &[row(2)]).await.unwrap(),
        Swap::Done
    );
    let settlement = Settlement {
        dialogue: DialogueChange::Store(sealed(4)),
        ..two.guess(&two.bearer(store).await)
    };
    assert_eq!(store.settle(&settlement, &[]).await.unwrap(), Swap::Done);
    let carol = add(store, 3, "carol").await;
    disable(store, carol, true, at(3)).await;
    let radius = add_provider(store, 1).await;
    let change = AdminMfaChange {
        provider: Some(radius.provider.id),
        exempted: vec![
            ("bob".to_owned(), Some(key("bob"))),
            ("nobody".to_owned(), None),
        ],
    };
    set(store, &change).await;
    store
        .set_local_provider(&local_provider(1), &[])
        .await
        .unwrap();
    store.canary(&sealed(8)).await.unwrap();
    let next = sealed(9);
    assert_eq!(store.announce_key(next.key_id).await.unwrap(), Swap::Done);
    let begun = store.begin_key(sealed(8).key_id, &next, &next, &[]).await;
    assert_eq!(begun.unwrap(), Swap::Done);
    let retirement = KeyRetirement {
        key: sealed(8).key_id,
        audit: sealed(9),
        last_seal: 0,
    };
    let retired = store.retire_key(&retirement, &[row(5)]).await.unwrap();
    assert_eq!(retired, Retirement::Done);
    (one, two)
}

/// What is loaded is what was dumped, but for tokens, which are in no snapshot, and for steps that may
/// have been used since; and it goes on as if it had always been there.
pub async fn a_snapshot_is_loaded_as_it_was(from: Lasting, into: Lasting) {
    let shared: Shared = Arc::clone(&from) as _;
    let (one, two) = fill(&shared).await;
    let before = dump(&from).await;
    assert!(
        !before.rows.iter().any(|(table, _)| table == "tokens"),
        "they are in no snapshot"
    );
    assert_eq!(before.about.keys, [sealed(9).key_id]);
    assert_eq!(before.about.in_use, Some(sealed(9).key_id));
    let loaded = into.load(&mut before.clone(), step(0), &[]).await.unwrap();
    assert!(matches!(loaded, Loading::Done), "{loaded:?}");
    let there = dump(&into).await;
    assert_eq!((&there.rows, &there.about), (&before.rows, &before.about));
    let again = into.load(&mut before.clone(), step(0), &[]).await.unwrap();
    assert!(matches!(again, Loading::NotEmpty), "{again:?}");
    assert_eq!(dump(&into).await.rows, before.rows);

    let there: Shared = Arc::clone(&into) as _;
    assert_eq!(
        there.key_state().await.unwrap(),
        shared.key_state().await.unwrap()
    );
    assert!(there.bearer(&one.hash(103)).await.unwrap().is_none());
    let three = Actor::sign_in(&there, one.user, 5).await;
    let seed = three.bearer(&there).await.factor.seed.unwrap();
    let last_step = step(3);
    assert_eq!(seed.state, SeedState::Verified { last_step });
    assert_eq!(
        there
            .users(&crate::ListQuery::default())
            .await
            .unwrap()
            .total,
        3
    );
    assert_eq!(
        there
            .seeds(&crate::ListQuery::default())
            .await
            .unwrap()
            .total,
        2
    );
    assert!(there.bearer(&two.partial()).await.unwrap().is_none());
    let things = there.sealed_things(SealedKind::RadiusSecrets, sealed(9).key_id, None, 9);
    assert_eq!(things.await.unwrap().len(), 1);
    there.record(&[row(7)]).await.unwrap();
    assert_eq!(there.count_audit_rows().await.unwrap(), 4);
}

/// A snapshot says which keys are needed to use it: the one in use, and those before it that have
/// sealed something of it.
pub async fn a_snapshot_names_the_keys_that_it_needs(store: Lasting) {
    let shared: Shared = Arc::clone(&store) as _;
    let (old, new) = (sealed(1), sealed(2));
    store.canary(&old).await.unwrap();
    assert_eq!(store.announce_key(new.key_id).await.unwrap(), Swap::Done);
    let needs = async || dump(&store).await.about.keys;
    assert_eq!(needs().await, [old.key_id]);
    let begun = store.begin_key(old.key_id, &new, &new, &[]).await.unwrap();
    assert_eq!(begun, Swap::Done);
    assert_eq!(needs().await, [new.key_id]);
    // The secret of a provider, a seed, and one of a key that nobody knows.
    let provider = add_provider(&shared, 1).await.provider;
    assert_eq!(needs().await, [old.key_id, new.key_id]);
    let removed = store.remove_provider(provider.id, &[]).await.unwrap();
    assert_eq!(removed, Removal::Removed);
    assert_eq!(needs().await, [new.key_id]);
    for n in [1, 3] {
        let user = add(&shared, n, &format!("user {n}")).await;
        let actor = Actor::sign_in(&shared, user, n).await;
        let seed = store.propose_seed(&actor.proposal(0), &[]).await.unwrap();
        assert_eq!(seed, Swap::Done);
        assert_eq!(needs().await, [old.key_id, new.key_id]);
    }
}

/// A snapshot that is not what it should be leaves nothing, and steps that may have been used are
/// spent.
pub async fn a_broken_snapshot_leaves_nothing(from: Lasting, into: Lasting) {
    let shared: Shared = Arc::clone(&from) as _;
    let (one, _) = fill(&shared).await;
    let whole = dump(&from).await;
    let empty = dump(&into).await;
    let broken = Kept {
        broken: true,
        ..whole.clone()
    };
    let mut strange = whole.clone();
    strange
        .rows
        .push_back(("tokens".to_owned(), "[]".to_owned()));
    let mut short = whole.clone();
    short.rows.push_back(("users".to_owned(), "[1]".to_owned()));
    let of = |schema| Kept {
        about: About {
            schema,
            ..whole.about.clone()
        },
        ..whole.clone()
    };
    let (newer, older) = (of(whole.about.schema + 1), of(whole.about.schema - 1));
    for mut wrong in [broken, strange, short, newer, older] {
        let loaded = into.load(&mut wrong, step(0), &[]).await.unwrap();
        assert!(matches!(loaded, Loading::Broken(_)), "{loaded:?}");
        assert_eq!(dump(&into).await.rows, empty.rows);
    }
    let mut twice = whole.clone();
    let first = twice.rows.front().unwrap().clone();
    twice.rows.push_back(first);
    assert!(into.load(&mut twice, step(0), &[]).await.is_err());
    assert_eq!(dump(&into).await.rows, empty.rows);

    let spent = TotpStep::new(step(7).number());
    let loaded = into.load(&mut whole.clone(), spent, &[row(8)]).await;
    let loaded = loaded.unwrap();
    assert!(matches!(loaded, Loading::Done), "{loaded:?}");
    let there: Shared = into as _;
    // What was written down of it came with it.
    assert_eq!(there.count_audit_rows().await.unwrap(), 4);
    let again = Actor::sign_in(&there, one.user, 5).await;
    let seed = again.bearer(&there).await.factor.seed.unwrap();
    assert_eq!(seed.state, SeedState::Verified { last_step: spent });
}
