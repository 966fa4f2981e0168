//! Changes of several users in one transaction.

mod people;

use futures_util::future::join_all;
use sqlx::{AssertSqlSafe, query, query_as};
use uuid::Uuid;
use vestibule_engine::Secret;
use vestibule_engine::audit::{AuditKey, Entry, Event, Outcome, Signed};
use vestibule_engine::mfa::TOTP_PROVIDER;
use vestibule_store::{
    AdminMfaChange, Audit as _, AuditQuery, Claim, DialogueChange, Finish, Keys as _, Sealed,
    SecondFactors as _, Settings as _, Settlement, StoreError, Swap,
};
use vestibule_store_sql::{Ground as _, Item as _};

use super::{Site, canary, check_reason};
use crate::SqliteStore;
use crate::changes::{Change, STATEMENTS, Waiting};
use crate::write::Writer;
use people::{Person, now, sealed};

/// A store in which one-time passwords are due.
async fn open(site: &Site) -> SqliteStore {
    let store = site.open().await;
    let change = AdminMfaChange {
        provider: Some(TOTP_PROVIDER),
        exempted: Vec::new(),
    };
    assert!(store.set_admin_mfa(&change, &[]).await.unwrap().is_some());
    store
}

/// The n-th row of the audit trail.
fn row(n: u64) -> Signed {
    let id = Person(n).id(5);
    let entry = Entry::new(id, now(), Event::SignIn, Outcome::Success).by(&format!("{n}"));
    AuditKey::of_master_key(Uuid::nil(), &Secret::new([7; 32])).sign(entry)
}

/// The numbers of the rows that are there.
async fn rows(store: &SqliteStore) -> Vec<u64> {
    let listed = store.audit_events(&AuditQuery::default()).await.unwrap();
    let names = listed.items.iter().map(|row| &row.signed.entry.actor);
    let mut numbers: Vec<u64> = names.map(|name| name.parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

/// A change that waits, with the n-th row.
async fn waiting(store: &SqliteStore, change: Result<Change, StoreError>, n: u64) -> Waiting {
    let note = store.note(&[row(n)]).await.unwrap();
    Waiting::new(&change.unwrap(), note.as_ref()).unwrap()
}

#[tokio::test]
async fn who_moved_leaves_nothing_and_holds_nobody_up() {
    let site = Site::new();
    let store = open(&site).await;
    let [claims, guesses, redeems, other, spent, late] = [1, 2, 3, 4, 5, 6].map(Person);
    let finish = claims.finish(&store, &claims.token(1)).await;
    let settlement = guesses.settlement(&store).await;
    let redemption = redeems.redemption(&store).await;
    let another_revision = Settlement {
        revision: 7,
        ..other.settlement(&store).await
    };
    let another_token = Finish {
        partial: claims.token(0).hash(),
        ..spent.finish(&store, &spent.token(1)).await
    };
    let another_provider = late.redemption(&store).await;
    query("UPDATE mfa_providers SET revision = 2 WHERE id = ?1")
        .bind(TOTP_PROVIDER.uuid())
        .execute(&store.writer.pool)
        .await
        .unwrap();
    let mut changes = Vec::new();
    for (n, change) in (1..).zip([
        Change::claim(&finish),
        Change::settlement(&another_revision),
        Change::settlement(&settlement),
        Change::claim(&another_token),
        Change::redemption(&redemption),
        Change::redemption(&another_provider),
    ]) {
        changes.push(waiting(&store, change, n).await);
    }
    let became = Waiting::run(&changes, &store.writer).await.unwrap();
    let swaps: Vec<_> = became.iter().map(|each| each.swap).collect();
    let (done, moved) = (Swap::Done, Swap::Moved);
    assert_eq!(swaps, [done, moved, done, moved, moved, moved]);
    let gone: Vec<_> = became.iter().map(Waiting::has_moved).collect();
    assert_eq!(gone, [true, true, true, false, false, false]);
    assert_eq!(rows(&store).await, [1, 3]);

    query("UPDATE mfa_providers SET revision = 1 WHERE id = ?1")
        .bind(TOTP_PROVIDER.uuid())
        .execute(&store.writer.pool)
        .await
        .unwrap();
    let again = Waiting::run(&changes, &store.writer).await.unwrap();
    let swaps: Vec<_> = again.iter().map(|each| each.swap).collect();
    assert_eq!(swaps, [moved, moved, moved, moved, done, done]);
    assert_eq!(rows(&store).await, [1, 3, 5, 6]);

    assert_eq!(claims.stands(&store).await, (false, true, 2));
    assert_eq!(guesses.stands(&store).await, (true, false, 1));
    assert_eq!(redeems.stands(&store).await, (false, true, 1));
    assert_eq!(other.stands(&store).await, (true, false, 0));
    assert_eq!(spent.stands(&store).await, (true, false, 1));
    assert_eq!(late.stands(&store).await, (false, true, 1));
    let bearer = claims.bearer(&store, 1).await.unwrap();
    assert_eq!(bearer.device_completed, Some(now()));
    assert_eq!(bearer.factor.seed.unwrap().sealed, sealed(2));
    let bearer = guesses.bearer(&store, 0).await.unwrap();
    assert_eq!(bearer.dialogue, Some(sealed(3)));
    assert_eq!(bearer.factor.budget, settlement.budget);
}

/// The others are in the same transaction, and pass all the same.
#[tokio::test]
async fn who_is_refused_is_refused_alone() {
    let site = Site::new();
    let store = open(&site).await;
    // The token of somebody else.
    let taken = Person(9).token(0);
    Person(9).sign_in(&store).await;
    let mut finishes = Vec::new();
    for n in 1..=5 {
        let verified = if n == 3 { &taken } else { &Person(n).token(1) };
        finishes.push(Person(n).finish(&store, verified).await);
    }
    let mut changes = Vec::new();
    for (n, finish) in (1..).zip(&finishes) {
        changes.push(waiting(&store, Change::claim(finish), n).await);
    }
    let together = Waiting::run(&changes, &store.writer).await;
    assert!(Writer::is_refusal(&together.err().unwrap()));
    assert!(rows(&store).await.is_empty());

    // All of them wait before the first transaction begins.
    let trails: Vec<_> = (1..=5).map(|n| [row(n)]).collect();
    let both = finishes.iter().zip(&trails);
    let answers = join_all(both.map(|(finish, trail)| store.finish(finish, trail))).await;
    for (n, answer) in (1..).zip(answers) {
        match answer {
            Ok(Claim::Fresh(_)) => assert_ne!(n, 3),
            Err(StoreError::Bug(_)) => assert_eq!(n, 3),
            other => panic!("{n}: {other:?}"),
        }
        let expected = if n == 3 {
            (true, false, 1)
        } else {
            (false, true, 2)
        };
        assert_eq!(Person(n).stands(&store).await, expected, "{n}");
    }
    assert_eq!(rows(&store).await, [1, 2, 4, 5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_finish_at_once_each_passes_once() {
    const PEOPLE: u64 = 140;
    let site = Site::new();
    let store = std::sync::Arc::new(open(&site).await);
    let mut tasks = Vec::new();
    let mut finishes = Vec::new();
    for n in 1..=PEOPLE {
        finishes.push((n, Person(n).finish(&store, &Person(n).token(1)).await));
    }
    for (k, (n, finish)) in (0..3).flat_map(|k| finishes.iter().map(move |each| (k, each))) {
        let (store, finish, row) = (store.clone(), finish.clone(), row(1000 * k + n));
        tasks.push(tokio::spawn(async move {
            let claim = store.finish(&finish, &[row]).await.unwrap();
            matches!(claim, Claim::Fresh(_))
        }));
    }
    let passed = join_all(tasks).await.into_iter().map(Result::unwrap);
    assert_eq!(passed.filter(|passed| *passed).count() as u64, PEOPLE);
    for n in 1..=PEOPLE {
        assert_eq!(Person(n).stands(&store).await, (false, true, 2), "{n}");
    }
    let mut people: Vec<_> = rows(&store).await.iter().map(|n| n % 1000).collect();
    people.sort_unstable();
    assert_eq!(people, (1..=PEOPLE).collect::<Vec<_>>());
    // Three rows were numbered for each, and nobody holds back what follows.
    let (_, settled) = store.own_chain(now()).unwrap();
    assert_eq!(settled, 3 * PEOPLE);
}

/// As other writes do: all who are in one transaction hear the same of it.
#[tokio::test]
async fn changes_fail_while_the_file_cannot_be_written() {
    let site = Site::new();
    let store = open(&site).await;
    let large = Sealed {
        bytes: vec![1; 100_000],
        ..sealed(1)
    };
    let mut settlements = Vec::new();
    for n in 1..=3 {
        settlements.push(Settlement {
            dialogue: DialogueChange::Store(large.clone()),
            ..Person(n).settlement(&store).await
        });
    }
    let trail = [row(1)];
    let settle = || join_all(settlements.iter().map(|each| store.settle(each, &[])));
    let check_unavailable = async |wanted: &str| {
        for answer in settle().await {
            check_reason(&answer.unwrap_err(), wanted);
        }
        assert!(
            Person(1)
                .bearer(&store, 0)
                .await
                .unwrap()
                .dialogue
                .is_none()
        );
    };
    let mut stranger = site.stranger().await;
    query("BEGIN IMMEDIATE")
        .execute(&mut stranger)
        .await
        .unwrap();
    check_unavailable("locked by another").await;
    query("ROLLBACK").execute(&mut stranger).await.unwrap();
    query("PRAGMA max_page_count = 1")
        .execute(&store.writer.pool)
        .await
        .unwrap();
    check_unavailable("is full").await;
    assert!(store.writer.is_doubted());
    // The limit is the connection's, and after this the connection is another one.
    check_reason(
        &store.canary(&canary(100_000)).await.unwrap_err(),
        "is full",
    );
    for answer in settle().await {
        assert_eq!(answer.unwrap(), Swap::Done);
    }
    let elsewhere = site.directory.path().join("elsewhere");
    std::fs::rename(site.path(), &elsewhere).unwrap();
    for settlement in &settlements {
        let answer = store.settle(settlement, &trail).await;
        check_reason(&answer.unwrap_err(), "deleted or moved");
    }
}

/// Whoever looks for rows of somebody finds them by an index, whatever there are.
#[tokio::test]
async fn no_statement_reads_a_whole_table() {
    let site = Site::new();
    let store = site.open().await;
    let mut scans = 0;
    for statement in STATEMENTS.split(';') {
        let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let steps = query_as::<_, (i64, i64, i64, String)>(explain);
        for (_, _, _, step) in steps.fetch_all(&store.writer.pool).await.unwrap() {
            if let Some(scanned) = step.strip_prefix("SCAN ") {
                let table = scanned.split(' ').next().unwrap();
                // What was given, and settings of one row.
                let may = ["changes", "c", "given", "rows", "json_each", "m"].contains(&table);
                assert!(may, "{step} in {statement}");
                scans += 1;
            }
        }
    }
    assert!(scans > 0);
}
