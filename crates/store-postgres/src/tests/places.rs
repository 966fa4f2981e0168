//! Pages of lists that grow long: the same, whatever was counted when.

use std::sync::Arc;

use sqlx::{query, query_as, query_scalar};
use vestibule_store::{Accounts as _, ListQuery, SecondFactors as _, StoreError};
use vestibule_testkit::postgres::{Cluster, Database};

use crate::PostgresStore;

/// Makes users with these numbers; every third has a seed.
const ADD: &str = "
    WITH numbers AS (SELECT n, md5(n::text)::uuid AS id FROM generate_series($1, $2) n), new AS (
        INSERT INTO users (id, name, name_key, first_name, last_name, notes, tags, disabled,
            failed_login_attempts, roles, created, updated, search, fields)
        SELECT id, left(md5(n::text), 6) || n, left(md5(n::text), 6) || n, '', '', '', '[]', FALSE,
            0, '[]', 0, 0, '', '{}'
        FROM numbers
    )
    SELECT count(*) FROM numbers";
const ADD_SEEDS: &str = "
    INSERT INTO second_factors (user_id, revision, seed_id, seed_key_id, seed_sealed, verified)
    SELECT md5(n::text)::uuid, 1, md5(n::text)::uuid, md5(n::text)::uuid, '', FALSE
    FROM generate_series($1, $2) n WHERE n % 3 = 0";

/// What happens to users and seeds, by number.
const CHANGES: [&str; 6] = [
    "DELETE FROM users WHERE id = md5($1::text)::uuid",
    "UPDATE users SET name_key = 'm' || name_key, name = 'm' || name WHERE id = md5($1::text)::uuid",
    "UPDATE second_factors SET seed_id = NULL WHERE user_id = md5($1::text)::uuid",
    "UPDATE second_factors SET seed_id = user_id WHERE user_id = md5($1::text)::uuid",
    "UPDATE second_factors SET revision = revision + 1 WHERE user_id = md5($1::text)::uuid",
    "DELETE FROM second_factors WHERE user_id = md5($1::text)::uuid",
];

const USERS: &str = "SELECT name, name_key FROM users ORDER BY name_key";
const SEEDS: &str = "
    SELECT u.name, u.name_key FROM users u JOIN second_factors f ON f.user_id = u.id
    WHERE f.seed_id IS NOT NULL ORDER BY u.name_key";

struct Site {
    /// Dropped last, with everything in it.
    _database: Database,
    store: Arc<PostgresStore>,
}

impl Site {
    async fn new() -> Self {
        let database = Cluster::shared().fresh_database();
        let store = PostgresStore::open(database.url()).await.unwrap();
        Self {
            _database: database,
            store: Arc::new(store),
        }
    }

    async fn add(&self, first: i32, last: i32) {
        for statement in [ADD, ADD_SEEDS] {
            let add = query(statement).bind(first).bind(last);
            add.execute(&self.store.connections).await.unwrap();
        }
    }

    async fn change(&self, statement: &'static str, number: i32) {
        let change = query(statement).bind(number);
        change.execute(&self.store.connections).await.unwrap();
    }

    async fn names(&self, statement: &'static str) -> Vec<String> {
        let rows: Vec<(String, String)> = query_as(statement)
            .fetch_all(&self.store.connections)
            .await
            .unwrap();
        rows.into_iter().map(|(name, _)| name).collect()
    }

    /// Checks that the lists, page by page in both directions, are what is in the tables.
    async fn check(&self, page: u64, when: &str) {
        for (is_users, statement) in [(true, USERS), (false, SEEDS)] {
            let mut expected = self.names(statement).await;
            let total = u64::try_from(expected.len()).unwrap();
            for descending in [false, true] {
                let mut found = Vec::new();
                for n in 0..=total / page {
                    let query = ListQuery {
                        range: Some((n * page, n * page + page - 1)),
                        descending,
                        ..ListQuery::default()
                    };
                    let (names, counted) = self.page(is_users, &query).await.unwrap();
                    found.extend(names);
                    assert_eq!(counted, (total, total), "{when}");
                }
                assert_eq!(found, expected, "{when} {is_users} {descending}");
                expected.reverse();
            }
        }
    }

    async fn page(
        &self,
        is_users: bool,
        query: &ListQuery,
    ) -> Result<(Vec<String>, (u64, u64)), StoreError> {
        if is_users {
            let list = self.store.users(query).await?;
            let names = list.items.iter().map(|user| user.name.to_string());
            Ok((names.collect(), (list.matching, list.total)))
        } else {
            let list = self.store.seeds(query).await?;
            let names = list.items.iter().map(|seed| seed.user_name.to_string());
            Ok((names.collect(), (list.matching, list.total)))
        }
    }

    async fn count_of(&self, statement: &'static str) -> i64 {
        let count = query_scalar(statement).fetch_one(&self.store.connections);
        count.await.unwrap()
    }
}

#[tokio::test]
async fn pages_are_the_same_before_and_after_counting() {
    let site = Site::new().await;
    site.check(5, "empty").await;
    site.add(1, 40).await;
    for round in 0..6 {
        let when = format!("round {round}");
        for (n, statement) in (0..).zip(CHANGES) {
            for k in 0..3 {
                site.change(statement, 1 + (round * 7 + n * 5 + k * 11) % 40)
                    .await;
            }
        }
        site.add(100 + round * 10, 104 + round * 10).await;
        site.check(7, &when).await;
        site.store.try_count_places(4).await.unwrap();
        site.check(7, &when).await;
    }
    assert_eq!(site.count_of("SELECT count(*) FROM list_changes").await, 0);
    let places = "SELECT count(*) FROM list_places WHERE list = 'users'";
    assert!(site.count_of(places).await > 5);
    let largest = "SELECT max(keys) FROM list_places";
    assert!(site.count_of(largest).await <= 4);
}

/// What is written while places are counted is neither lost nor counted twice.
#[tokio::test]
async fn counting_misses_nothing_that_happens_meanwhile() {
    let site = Arc::new(Site::new().await);
    site.add(1, 60).await;
    let writers = (0..4).map(|writer| {
        let site = Arc::clone(&site);
        tokio::spawn(async move {
            for n in 0..15 {
                let number = 1_000 + writer * 100 + n;
                site.add(number, number).await;
                site.change(CHANGES[0], 1 + writer * 15 + n).await;
                site.change(CHANGES[1], number).await;
            }
        })
    });
    let counters = (0..2).map(|_| {
        let site = Arc::clone(&site);
        tokio::spawn(async move {
            for _ in 0..12 {
                // Who counts at the same moment as another may have to leave it to them.
                let _ = site.store.try_count_places(4).await;
                site.store.count_places().await.unwrap();
            }
        })
    });
    let tasks: Vec<_> = writers.chain(counters).collect();
    for task in tasks {
        task.await.unwrap();
    }
    site.check(9, "before").await;
    site.store.try_count_places(4).await.unwrap();
    site.check(9, "after").await;
}

/// What was counted is not walked over for ever.
#[tokio::test]
async fn counted_changes_give_their_room_back() {
    let site = Site::new().await;
    site.add(1, 30_000).await;
    let room = "SELECT pg_relation_size('list_changes')";
    let before = site.count_of(room).await;
    assert!(before > 1 << 20, "{before}");
    site.store.count_places().await.unwrap();
    assert_eq!(site.count_of(room).await, 0);
}
