//! Lists: filtered, sorted and cut by the database.

use sqlx::types::Json;
use sqlx::{FromRow, Sqlite, Transaction, query_as, query_scalar};
use vestibule_engine::User;
use vestibule_store::{ListOrder, ListQuery, Listing, SeedSummary, StoreError};

use crate::SqliteStore;
use crate::error::store_error;
use vestibule_store_sql::{SeedRow, UserRow, user_columns, window};

/// Users in whose searchable text each of a JSON array of texts occurs.
macro_rules! matching {
    () => {
        "NOT EXISTS (SELECT 1 FROM json_each(?1) WHERE instr(u.search, value) = 0)"
    };
}

/// Users with a seed.
macro_rules! seeded {
    () => {
        "FROM second_factors f JOIN users u ON u.id = f.user_id WHERE f.seed_id IS NOT NULL"
    };
}

macro_rules! page_of_users {
    ($order:literal) => {
        concat!(
            "SELECT ",
            user_columns!(),
            " FROM users u WHERE ",
            matching!(),
            " ORDER BY ",
            $order,
            " LIMIT ?2 OFFSET ?3"
        )
    };
}

macro_rules! page_of_seeds {
    ($order:literal) => {
        concat!(
            "SELECT u.id, u.name, f.verified ",
            seeded!(),
            " AND ",
            matching!(),
            " ORDER BY ",
            $order,
            " LIMIT ?2 OFFSET ?3"
        )
    };
}

const ALL_USERS: &str = "SELECT count(*) FROM users";
const MATCHING_USERS: &str = concat!("SELECT count(*) FROM users u WHERE ", matching!());
const ALL_SEEDS: &str = "SELECT count(*) FROM second_factors WHERE seed_id IS NOT NULL";
const MATCHING_SEEDS: &str = concat!("SELECT count(*) ", seeded!(), " AND ", matching!());

/// The row of an item; the rest of what differs is in the statements.
type Rows<'a> = Transaction<'a, Sqlite>;

impl SqliteStore {
    pub(crate) async fn list_users(&self, query: &ListQuery) -> Result<Listing<User>, StoreError> {
        let page = match (query.order, query.descending) {
            (ListOrder::Name, false) => page_of_users!("u.name_key, u.id"),
            (ListOrder::Name, true) => page_of_users!("u.name_key DESC, u.id DESC"),
            (ListOrder::Created, false) => page_of_users!("u.created, u.id"),
            (ListOrder::Created, true) => page_of_users!("u.created DESC, u.id DESC"),
            (ListOrder::Updated, false) => page_of_users!("u.updated, u.id"),
            (ListOrder::Updated, true) => page_of_users!("u.updated DESC, u.id DESC"),
        };
        self.list::<UserRow, User>(query, [ALL_USERS, MATCHING_USERS, page])
            .await
    }

    pub(crate) async fn list_seeds(
        &self,
        query: &ListQuery,
    ) -> Result<Listing<SeedSummary>, StoreError> {
        let page = if query.descending {
            page_of_seeds!("u.name_key DESC, u.id DESC")
        } else {
            page_of_seeds!("u.name_key, u.id")
        };
        self.list::<SeedRow, SeedSummary>(query, [ALL_SEEDS, MATCHING_SEEDS, page])
            .await
    }

    /// Counts all and those that match, and reads the page, as of one moment.
    async fn list<R, T>(
        &self,
        query: &ListQuery,
        [all, matching, page]: [&'static str; 3],
    ) -> Result<Listing<T>, StoreError>
    where
        R: for<'r> FromRow<'r, sqlx::sqlite::SqliteRow> + Send + Unpin,
        T: TryFrom<R, Error = StoreError>,
    {
        let queries = Json(&query.queries);
        let mut read: Rows<'_> = self.reads()?.begin().await.map_err(store_error)?;
        let total = count(&mut read, all, None).await?;
        let matching = if query.queries.is_empty() {
            total
        } else {
            count(&mut read, matching, Some(queries)).await?
        };
        let (offset, limit) = window(query.range);
        let rows: Vec<R> = query_as(page)
            .bind(queries)
            .bind(limit)
            .bind(offset)
            .fetch_all(&mut *read)
            .await
            .map_err(store_error)?;
        read.rollback().await.map_err(store_error)?;
        Ok(Listing {
            items: rows
                .into_iter()
                .map(T::try_from)
                .collect::<Result<_, _>>()?,
            matching,
            total,
        })
    }
}

async fn count(
    read: &mut Rows<'_>,
    statement: &'static str,
    queries: Option<Json<&Vec<String>>>,
) -> Result<u64, StoreError> {
    let mut count = query_scalar::<_, i64>(statement);
    if let Some(queries) = queries {
        count = count.bind(queries);
    }
    let count = count.fetch_one(&mut **read).await.map_err(store_error)?;
    Ok(count.unsigned_abs())
}
