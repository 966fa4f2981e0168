//! Where the pages of long lists begin.
//!
//! An index finds a key at once, but not the millionth of them: to get there, all before it are
//! walked over. So places are kept, with how many keys lie between each and the next, and what has
//! changed since they were counted. Together they say how many keys there are, and near which one
//! a page begins.

use sqlx::{query, query_as, query_scalar};
use vestibule_store::StoreError;

use crate::PostgresStore;
use crate::error::{retrying, store_error};
use crate::transaction::Transaction;

/// A list that grows long.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LongList {
    Users,
    Seeds,
}

impl LongList {
    const fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Seeds => "seeds",
        }
    }
}

/// The places of a list, as of one moment.
#[derive(Debug)]
pub(crate) struct Places {
    /// The first key of each, in order, and how many there are up to the next.
    places: Vec<(String, i64)>,
}

/// Where a page begins: so many keys after the place of this one.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Beginning<'p> {
    pub(crate) first: &'p str,
    pub(crate) after: i64,
}

impl Places {
    fn new(mut places: Vec<(String, i64)>, changes: Vec<(String, i64)>) -> Self {
        for (key, change) in changes {
            let after = places.partition_point(|(first, _)| *first <= key);
            if let Some((_, keys)) = after.checked_sub(1).and_then(|n| places.get_mut(n)) {
                *keys += change;
            }
        }
        Self { places }
    }

    /// How many keys there are.
    pub(crate) fn total(&self) -> i64 {
        self.places.iter().map(|(_, keys)| keys).sum()
    }

    /// Where the key with so many before it is; in the last place if there are not so many.
    pub(crate) fn beginning(&self, mut offset: i64) -> Beginning<'_> {
        for (n, (first, keys)) in self.places.iter().enumerate() {
            if offset < *keys || n + 1 == self.places.len() {
                return Beginning {
                    first,
                    after: offset,
                };
            }
            offset -= keys;
        }
        Beginning {
            first: "",
            after: offset,
        }
    }
}

/// Most keys of a place, before it becomes several.
const MOST_KEYS: i64 = 4_000;

const PLACES: &str = "SELECT first, keys FROM list_places WHERE list = $1 ORDER BY first";
const CHANGES: &str = "
    SELECT key, sum(change) FROM list_changes WHERE list = $1 GROUP BY key";

/// All statements see one moment, and whoever counts at the same time fails and tries again.
const COUNTING: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ";

/// Nobody waits for this, and after a million users were made at once there is a lot to count.
const NO_HURRY: &str = "SET LOCAL statement_timeout = '5min'";

const COUNT: &str = "
    WITH counted AS (
        DELETE FROM list_changes RETURNING list, key, change
    ), changed AS (
        SELECT list, (
            SELECT max(first) FROM list_places p WHERE p.list = c.list AND p.first <= c.key
        ) AS first, sum(change) AS change
        FROM counted c GROUP BY 1, 2
    )
    UPDATE list_places p SET keys = p.keys + changed.change
    FROM changed WHERE p.list = changed.list AND p.first = changed.first";

const SIZE: &str = "SELECT pg_relation_size('list_changes')";

/// Octets of changes, counted or not, that are walked over at once.
const MOST_ROOM: i64 = 1 << 20;

/// Places without keys become part of the one before.
const REMOVE_EMPTY: &str = "DELETE FROM list_places WHERE keys = 0 AND first <> ''";

const LARGE: &str = "
    SELECT first, (SELECT min(first) FROM list_places n WHERE n.list = p.list AND n.first > p.first)
    FROM list_places p WHERE list = $1 AND keys > $2";

/// Makes a place of every so many keys of one that has too many. What it had is what it now has.
macro_rules! split {
    ($list:literal, $table:literal, $key:literal) => {
        concat!(
            "INSERT INTO list_places (list, first, keys)
            SELECT '",
            $list,
            "', CASE n WHEN 1 THEN $1 ELSE key END, least($3, total - n + 1)
            FROM (
                SELECT ",
            $key,
            " AS key, row_number() OVER (ORDER BY ",
            $key,
            ") AS n,
                    count(*) OVER () AS total
                FROM ",
            $table,
            " WHERE ",
            $key,
            " >= $1 AND ($2::text IS NULL OR ",
            $key,
            " < $2)
            ) AS keys
            WHERE n % $3 = 1
            ON CONFLICT (list, first) DO UPDATE SET keys = excluded.keys"
        )
    };
}
const SPLIT_USERS: &str = split!("users", "users", "name_key");
const SPLIT_SEEDS: &str = split!("seeds", "second_factors", "seed_name");

impl PostgresStore {
    /// The places of a list, as the transaction sees it.
    pub(crate) async fn places(
        read: &mut Transaction,
        list: LongList,
    ) -> Result<Places, StoreError> {
        let places = query_as(PLACES)
            .bind(list.name())
            .fetch_all(read.on())
            .await
            .map_err(store_error)?;
        let changes = query_as(CHANGES)
            .bind(list.name())
            .fetch_all(read.on())
            .await
            .map_err(store_error)?;
        Ok(Places::new(places, changes))
    }

    /// Counts what has changed, and makes several places of each that has become large.
    pub(crate) async fn count_places(&self) -> Result<(), StoreError> {
        retrying(|| self.try_count_places(MOST_KEYS)).await?;
        self.shrink_changes().await
    }

    /// Gives back the room of changes that were counted: each page of a list walks over it.
    async fn shrink_changes(&self) -> Result<(), StoreError> {
        let size: i64 = query_scalar(SIZE)
            .fetch_one(&self.connections)
            .await
            .map_err(store_error)?;
        if size > MOST_ROOM {
            let vacuum = query("VACUUM list_changes").execute(&self.connections);
            vacuum.await.map_err(store_error)?;
        }
        Ok(())
    }

    pub(crate) async fn try_count_places(&self, most_keys: i64) -> Result<(), StoreError> {
        let mut write = Transaction::begin(&self.connections, COUNTING).await?;
        // One replica is enough.
        let alone: bool = query_scalar("SELECT pg_try_advisory_xact_lock(7461003)")
            .fetch_one(write.on())
            .await
            .map_err(store_error)?;
        if !alone {
            return write.roll_back().await;
        }
        write.run(query(NO_HURRY)).await?;
        write.run(query(COUNT)).await?;
        write.run(query(REMOVE_EMPTY)).await?;
        for (list, split) in [
            (LongList::Users, SPLIT_USERS),
            (LongList::Seeds, SPLIT_SEEDS),
        ] {
            let large: Vec<(String, Option<String>)> = query_as(LARGE)
                .bind(list.name())
                .bind(most_keys)
                .fetch_all(write.on())
                .await
                .map_err(store_error)?;
            for (first, next) in large {
                let split = query(split).bind(first).bind(next).bind(most_keys / 2);
                write.run(split).await?;
            }
        }
        write.commit().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(places: &[(&str, i64)], changes: &[(&str, i64)]) -> Places {
        let owned = |pairs: &[(&str, i64)]| {
            let pairs = pairs.iter().map(|&(key, n)| (key.to_owned(), n));
            pairs.collect()
        };
        Places::new(owned(places), owned(changes))
    }

    #[track_caller]
    fn check(places: &Places, offset: i64, first: &str, after: i64) {
        assert_eq!(places.beginning(offset), Beginning { first, after });
    }

    #[test]
    fn a_page_begins_in_its_place() {
        let all = places(
            &[("", 2), ("m", 0), ("n", 3)],
            &[("a", 1), ("n", -1), ("z", 1)],
        );
        assert_eq!(all.total(), 6);
        check(&all, 0, "", 0);
        check(&all, 2, "", 2);
        check(&all, 3, "n", 0);
        check(&all, 5, "n", 2);
        check(&all, 9, "n", 6);
    }

    #[test]
    fn nothing_has_a_beginning_too() {
        check(&places(&[], &[]), 3, "", 3);
        let empty = places(&[("", 0)], &[]);
        assert_eq!(empty.total(), 0);
        check(&empty, 0, "", 0);
    }
}
