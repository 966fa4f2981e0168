//! The audit trail: written with what it records, numbered, listed and sealed.

#![expect(
    clippy::indexing_slicing,
    clippy::too_many_lines,
    reason = "these are the bodies of tests"
)]

use std::sync::Arc;

use uuid::Uuid;
use vestibule_engine::audit::{AuditKey, Detail, Entry, Event, ObjectKind, Outcome};
use vestibule_engine::audit::{Seal, Signed};
use vestibule_engine::mfa::TOTP_PROVIDER;
use vestibule_engine::password::Lane;
use vestibule_engine::{PushOutcome, Secret};

use super::cast::{Actor, Shared, at, failed, new_user, password};
use super::checks::{at_once, authority};
use super::first_factors::failure;
use super::identity_providers::local_provider;
use super::radius_cast::{add_provider, replaced};
use crate::{
    AdminMfaChange, AuditQuery, Authority, Claim, Creation, FactorReset, NewUser, OpenChain,
    Removal, Replacement, RoleWrite, RowsOf, SessionStart, Store, StoreError, Swap, UserChange,
    UserWrite,
};

/// The n-th row: everything about it follows from the number.
pub(super) fn row(n: u32) -> Signed {
    let id = |kind: u128| Uuid::from_u128(kind << 64 | u128::from(n));
    let event = if n.is_multiple_of(2) {
        Event::SignIn
    } else {
        Event::Logout
    };
    let entry = Entry::new(id(1), at(n.into()), event, Outcome::Success)
        .from(id(2), "192.0.2.1")
        .by("Ünïcode 'quoted\" \\ 日本")
        .to(ObjectKind::User, Some("id"), Some(&format!("Object-{n}")))
        .with(Detail::Step, n);
    let key = AuditKey::of_master_key(Uuid::from_u128(7), &Secret::new([7; 32]));
    key.sign(if n.is_multiple_of(3) {
        entry.because("a reason")
    } else {
        entry
    })
}

/// The numbers of the rows that are there, in the order in which they were made.
pub(super) async fn rows(store: &Shared) -> Vec<u32> {
    let query = AuditQuery {
        ascending: true,
        ..AuditQuery::default()
    };
    let listed = store.audit_events(&query).await.unwrap();
    assert_eq!(listed.total, listed.matching);
    assert_eq!(listed.total, store.count_audit_rows().await.unwrap());
    let step = |entry: &Entry| entry.detail(Detail::Step).unwrap().parse().unwrap();
    let steps = listed.items.iter().map(|row| step(&row.signed.entry));
    steps.collect()
}

/// What was written is read back as it was, whatever it is.
pub async fn a_row_is_read_back(store: Arc<dyn Store>) {
    store.record(&[]).await.unwrap();
    let mut bare = row(1);
    bare.entry.object_kind = None;
    bare.entry.object_id = None;
    bare.entry.object = None;
    bare.entry.actor_id = Some(Uuid::from_u128(5));
    store.record(&[bare.clone(), row(3)]).await.unwrap();
    let listed = store.audit_events(&AuditQuery::default()).await.unwrap();
    let found: Vec<Signed> = listed.items.into_iter().map(|row| row.signed).collect();
    assert_eq!(found, [row(3), bare]);
}

/// A row is there if, and only if, what it records was done.
pub async fn a_row_is_there_if_it_was_done(store: Arc<dyn Store>) {
    let mut wanted = Vec::new();
    let mut n = 0;
    // Notes whether the n-th row has to be there, and gives it.
    let mut next = |is_done: bool| {
        n += 1;
        if is_done {
            wanted.push(n);
        }
        [row(n)]
    };
    let new = new_user(1, "alice");
    let added = store.add_user(&new, &next(true)).await.unwrap();
    assert_eq!(added, Creation::Created);
    let taken = store.add_user(&new, &next(false)).await.unwrap();
    assert_eq!(taken, Creation::IdTaken);
    let again = NewUser {
        user: new_user(2, "Alice").user,
        password: None,
        authority: None,
    };
    let taken = store.add_user(&again, &next(false)).await.unwrap();
    assert_eq!(taken, Creation::NameTaken);

    let alice = Actor {
        user: new.user.id,
        n: 1,
    };
    for is_done in [true, false] {
        let failure = failure(alice, Lane::Account(failed(0)), failed(1));
        let counted = store
            .count_password_failure(&failure, &next(is_done))
            .await
            .unwrap();
        assert_eq!(counted == Swap::Done, is_done);
    }
    for is_done in [true, false] {
        let who = if is_done {
            alice
        } else {
            Actor { n: 3, ..alice }
        };
        let start = SessionStart {
            lane: who.lane(Lane::Account(failed(1))),
            ..who.start()
        };
        let started = store.start_session(&start, &next(is_done)).await.unwrap();
        assert_eq!(started == Swap::Done, is_done);
    }
    for is_done in [true, false] {
        let proposed = store
            .propose_seed(&alice.proposal(0), &next(is_done))
            .await
            .unwrap();
        assert_eq!(proposed == Swap::Done, is_done);
    }
    let bearer = alice.bearer(&store).await;
    for is_done in [true, false] {
        let guess = alice.guess(&bearer);
        let settled = store.settle(&guess, &next(is_done)).await.unwrap();
        assert_eq!(settled == Swap::Done, is_done);
    }
    let bearer = alice.bearer(&store).await;
    for is_done in [true, false] {
        let finish = alice.finish(&bearer, 1);
        let finished = store.finish(&finish, &next(is_done)).await.unwrap();
        assert_eq!(matches!(finished, Claim::Fresh(_)), is_done);
    }
    let verified = alice.hash(101);
    let minted = store
        .mint(&verified, &alice.new_admin(1), None, &next(true))
        .await
        .unwrap();
    assert_eq!(minted, Swap::Done);
    let minted = store
        .mint(&alice.partial(), &alice.new_admin(2), None, &next(false))
        .await
        .unwrap();
    assert_eq!(minted, Swap::Moved);
    let two = Actor::sign_in(&store, alice.user, 2).await;
    let push = two.push(0, 0, two.bearer(&store).await.factor.revision);
    for is_done in [true, false] {
        let started = store.start_push(&push, &next(is_done)).await.unwrap();
        assert_eq!(started == Swap::Done, is_done);
    }
    for is_done in [true, false] {
        let outcome = PushOutcome::Denied;
        let ended = store.end_push(push.push.id, outcome, &next(is_done)).await;
        ended.unwrap();
    }
    store
        .end_session(two.user, two.session(), &next(true))
        .await
        .unwrap();
    let nobody = vestibule_engine::UserId::from_uuid(Uuid::from_u128(99));
    for (user, is_done) in [(alice.user, true), (nobody, false)] {
        let reset = store
            .reset_factor(user, None, &next(is_done))
            .await
            .unwrap();
        assert_eq!(reset == FactorReset::Reset, is_done);
        let hash = password(alice.user);
        let set = store
            .set_password(user, &hash, at(0), &next(is_done))
            .await
            .unwrap();
        assert_eq!(set, is_done);
        let unlocked = store.unlock(user, at(0), &next(is_done)).await.unwrap();
        assert_eq!(unlocked, is_done);
        let exempt = store
            .set_exempt_until(user, None, at(0), &next(is_done))
            .await
            .unwrap();
        assert_eq!(exempt, is_done);
        let disabled = store
            .set_disabled(user, true, at(0), &next(is_done))
            .await
            .unwrap();
        assert_eq!(disabled == UserWrite::Done, is_done);
    }
    let change = |authority| UserChange {
        user: new.user.clone(),
        password: None,
        authority,
    };
    let now = authority(&store).await;
    for (authority, is_done) in [(now, true), (Authority(now.0 + 1), false)] {
        let replaced = store.replace_user(&change(authority), &next(is_done)).await;
        assert_eq!(replaced.unwrap() == UserWrite::Done, is_done);
        let reset = store
            .reset_factor(alice.user, Some(authority), &next(is_done))
            .await
            .unwrap();
        assert_eq!(reset != FactorReset::Moved, is_done);
        let late = NewUser {
            authority: Some(authority),
            ..new_user(3, "late")
        };
        let added = store.add_user(&late, &next(is_done)).await.unwrap();
        assert_eq!(added == Creation::Created, is_done);
    }
    for is_done in [true, false] {
        let role = super::roles::role(7, "one");
        let made = store.add_role(&role, now, &next(is_done)).await.unwrap();
        assert_eq!(made == RoleWrite::Done, is_done);
    }
    for is_done in [true, false] {
        let role = super::roles::role(7, "two");
        let made = store.replace_role(&role, now, &next(is_done)).await;
        assert_eq!(made.unwrap() == RoleWrite::Done, is_done);
    }
    let now = authority(&store).await;
    for is_done in [true, false] {
        let role = super::roles::role(7, "two").id;
        let made = store.remove_role(role, now, &next(is_done)).await.unwrap();
        assert_eq!(made == RoleWrite::Done, is_done);
    }
    for is_done in [true, false] {
        let removed = store.remove_user(alice.user, None, &next(is_done)).await;
        assert_eq!(removed.unwrap() == UserWrite::Done, is_done);
    }
    let radius = add_provider(&store, 1).await;
    let taken = store.add_provider(&radius, &next(false)).await.unwrap();
    assert_eq!(taken, Creation::IdTaken);
    for is_done in [true, false] {
        let new = replaced(&radius);
        let replaced = store.replace_provider(&new, &next(is_done)).await.unwrap();
        assert_eq!(replaced == Replacement::Done, is_done);
    }
    for is_done in [true, false] {
        let removed = store
            .remove_provider(radius.provider.id, &next(is_done))
            .await
            .unwrap();
        assert_eq!(removed == Removal::Removed, is_done);
    }
    let added = store.add_provider(&radius, &next(true)).await.unwrap();
    assert_eq!(added, Creation::Created);
    for (provider, is_done) in [
        (TOTP_PROVIDER, true),
        (super::radius_cast::nowhere(), false),
    ] {
        let change = AdminMfaChange {
            provider: Some(provider),
            exempted: Vec::new(),
        };
        let set = store.set_admin_mfa(&change, &next(is_done)).await.unwrap();
        assert_eq!(set.is_some(), is_done);
    }
    let in_use = store
        .remove_provider(TOTP_PROVIDER, &next(false))
        .await
        .unwrap();
    assert_eq!(in_use, Removal::InUse);
    store
        .set_local_provider(&local_provider(1), &next(true))
        .await
        .unwrap();
    assert_eq!(rows(&store).await, wanted);
}

/// Rows are found by what they say, a page at a time, and counted.
pub async fn rows_are_listed_and_found(store: Arc<dyn Store>) {
    let all: Vec<Signed> = (1..=10).map(row).collect();
    for row in &all {
        store.record(std::slice::from_ref(row)).await.unwrap();
    }
    let everything = AuditQuery::default;
    let check = async |query: AuditQuery, wanted: &[usize], matching: u64| {
        let listed = store.audit_events(&query).await.unwrap();
        let wanted: Vec<_> = wanted.iter().map(|n| all[n - 1].entry.id).collect();
        let found: Vec<_> = listed.items.iter().map(|r| r.signed.entry.id).collect();
        assert_eq!(found, wanted, "{query:?}");
        assert_eq!((listed.matching, listed.total), (matching, 10), "{query:?}");
    };
    let range = Some((1, 3));
    check(
        AuditQuery {
            range,
            ..everything()
        },
        &[9, 8, 7],
        10,
    )
    .await;
    let ascending = true;
    check(
        AuditQuery {
            range,
            ascending,
            ..everything()
        },
        &[2, 3, 4],
        10,
    )
    .await;
    let range = Some((20, 30));
    check(
        AuditQuery {
            range,
            ..everything()
        },
        &[],
        10,
    )
    .await;
    let event = Some("logout".to_owned());
    let range = Some((0, 1));
    check(
        AuditQuery {
            range,
            event,
            ..everything()
        },
        &[9, 7],
        5,
    )
    .await;
    let outcome = Some("failure".to_owned());
    check(
        AuditQuery {
            outcome,
            ..everything()
        },
        &[],
        0,
    )
    .await;
    let since = Some(at(9));
    check(
        AuditQuery {
            since,
            ..everything()
        },
        &[10, 9],
        2,
    )
    .await;
    let name = Some("OBJECT-4".to_owned());
    check(
        AuditQuery {
            name,
            ..everything()
        },
        &[4],
        1,
    )
    .await;
    check(AuditQuery::of_request(all[4].entry.request), &[5], 1).await;
    let request = all[5].entry.request.to_string();
    for queries in [vec!["object-6"], vec!["signin", "ject-6"], vec![&request]] {
        let queries = queries.into_iter().map(str::to_owned).collect();
        check(
            AuditQuery {
                queries,
                ..everything()
            },
            &[6],
            1,
        )
        .await;
    }
    for odd in ["%", "_", "\0", "'"] {
        let queries = vec![odd.to_owned()];
        let query = AuditQuery {
            queries,
            ..everything()
        };
        let found = store.audit_events(&query);
        let found = found.await.unwrap().matching;
        assert_eq!(found, if odd == "'" { 10 } else { 0 }, "{odd:?}");
    }
}

/// A seal over all rows of a chain that are there.
async fn draft(store: &Shared, open: &OpenChain) -> Seal {
    let of = RowsOf {
        chain: open.chain,
        after: open.sealed,
        last: open.last,
    };
    let last = store.last_seal().await.unwrap();
    let draft = Seal::next(last.as_ref(), open.chain, (open.sealed, open.last), 1);
    let mut sealing =
        AuditKey::of_master_key(Uuid::from_u128(7), &Secret::new([7; 32])).seal(draft);
    for row in store.audit_rows(of, 1_000).await.unwrap() {
        sealing.row(row.number, &row.signed.mac);
    }
    sealing.finish()
}

/// Rows are sealed once, and seals follow each other.
pub async fn rows_are_sealed_once(store: Arc<dyn Store>) {
    assert_eq!(store.open_chains().await.unwrap(), []);
    assert_eq!(store.last_seal().await.unwrap(), None);
    let mut seals = Vec::new();
    for n in 0..3 {
        store.record(&[row(2 * n), row(2 * n + 1)]).await.unwrap();
        let open = store.open_chains().await.unwrap();
        let (chain, settled) = store.own_chain(at(0)).unwrap();
        let numbers = (u64::from(2 * n), u64::from(2 * n + 2));
        assert_eq!(
            open,
            [OpenChain {
                chain,
                sealed: numbers.0,
                last: numbers.1
            }]
        );
        assert_eq!(settled, numbers.1);
        let seal = draft(&store, &open[0]).await;
        assert_eq!((seal.count, seal.total), (2, u64::from(2 * n + 2)));
        for wrong in [
            Seal {
                number: seal.number + 1,
                ..seal.clone()
            },
            Seal {
                after: seal.after + 1,
                ..seal.clone()
            },
            Seal {
                chain: Uuid::from_u128(1),
                ..seal.clone()
            },
        ] {
            assert_eq!(store.add_seal(&wrong).await.unwrap(), Swap::Moved);
        }
        assert_eq!(store.add_seal(&seal).await.unwrap(), Swap::Done);
        assert_eq!(store.add_seal(&seal).await.unwrap(), Swap::Moved);
        assert_eq!(store.open_chains().await.unwrap(), []);
        assert_eq!(store.last_seal().await.unwrap().as_ref(), Some(&seal));
        seals.push(seal);
    }
    assert_eq!(store.seals(0, 10).await.unwrap(), seals);
    assert_eq!(store.seals(1, 1).await.unwrap(), seals[1..2]);
    assert_eq!(store.count_audit_rows().await.unwrap(), 6);
}

/// Of many who seal at once, one does.
pub async fn of_concurrent_seals_one_is_stored(store: Arc<dyn Store>) {
    store.record(&[row(1)]).await.unwrap();
    let open = store.open_chains().await.unwrap();
    let seal = draft(&store, &open[0]).await;
    let sealing = (0..8).map(|_| {
        let (store, seal) = (Arc::clone(&store), seal.clone());
        async move { store.add_seal(&seal).await }
    });
    let answers: Vec<Result<Swap, StoreError>> = at_once(sealing).await;
    assert_eq!(super::checks::done(answers), 1);
}

/// Rows that are written at once all have numbers of their own, and none is left in flight.
pub async fn concurrent_rows_are_all_numbered(store: Arc<dyn Store>) {
    let writing = (1..=40).map(|n| {
        let store = Arc::clone(&store);
        async move { store.record(&[row(2 * n), row(2 * n + 1)]).await }
    });
    for written in at_once(writing).await {
        written.unwrap();
    }
    // A write that was refused leaves its number behind, and holds nothing back.
    let nobody = vestibule_engine::UserId::from_uuid(Uuid::from_u128(99));
    let refused = store.unlock(nobody, at(0), &[row(1)]).await;
    assert!(!refused.unwrap());
    store.record(&[row(100)]).await.unwrap();
    let open = store.open_chains().await.unwrap();
    let (chain, settled) = store.own_chain(at(0)).unwrap();
    assert_eq!((open.len(), open[0].chain), (1, chain));
    assert_eq!(settled, open[0].last);
    assert_eq!(store.count_audit_rows().await.unwrap(), 81);
    let seal = draft(&store, &open[0]).await;
    assert_eq!(seal.count, 81);
}
