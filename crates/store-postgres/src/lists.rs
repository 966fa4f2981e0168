//! Lists: filtered, sorted and cut by the database.

use sqlx::{FromRow, query_as, query_scalar};
use vestibule_engine::{MfaProvider, User};
use vestibule_store::{ListOrder, ListQuery, Listing, SeedSummary, StoreError};

use crate::PostgresStore;
use crate::error::{is_storable, store_error};
use crate::transaction::Transaction;
use vestibule_store_sql::{ProviderRow, SeedRow, UserRow, provider_columns, user_columns, window};

/// Objects in whose searchable text each of an array of texts occurs.
macro_rules! matching {
    ($alias:literal) => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM unnest($1) AS part WHERE strpos(",
            $alias,
            ".search, part) = 0)"
        )
    };
}

/// A page of objects, in one order.
macro_rules! page {
    ($alias:literal, $columns:expr, $from:expr, $order:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " ",
            $from,
            matching!($alias),
            " ORDER BY ",
            $alias,
            ".",
            $order,
            ", ",
            $alias,
            ".id LIMIT $2 OFFSET $3"
        )
    };
    ($alias:literal, $columns:expr, $from:expr, $order:literal DESC) => {
        concat!(
            "SELECT ",
            $columns,
            " ",
            $from,
            matching!($alias),
            " ORDER BY ",
            $alias,
            ".",
            $order,
            " DESC, ",
            $alias,
            ".id DESC LIMIT $2 OFFSET $3"
        )
    };
}

/// A page of objects, in the order of a query.
macro_rules! page_in_order_of {
    ($query:expr, $alias:literal, $columns:expr, $from:expr) => {
        match ($query.order, $query.descending) {
            (ListOrder::Name, false) => page!($alias, $columns, $from, "name_key"),
            (ListOrder::Name, true) => page!($alias, $columns, $from, "name_key" DESC),
            (ListOrder::Created, false) => page!($alias, $columns, $from, "created"),
            (ListOrder::Created, true) => page!($alias, $columns, $from, "created" DESC),
            (ListOrder::Updated, false) => page!($alias, $columns, $from, "updated"),
            (ListOrder::Updated, true) => page!($alias, $columns, $from, "updated" DESC),
        }
    };
}

/// Users with a seed.
macro_rules! seeded {
    () => {
        "FROM second_factors f JOIN users u ON u.id = f.user_id WHERE f.seed_id IS NOT NULL"
    };
}

const ALL_USERS: &str = "SELECT count(*) FROM users";
const MATCHING_USERS: &str = concat!("SELECT count(*) FROM users u WHERE ", matching!("u"));
const ALL_PROVIDERS: &str = "SELECT count(*) FROM mfa_providers";
const MATCHING_PROVIDERS: &str = concat!(
    "SELECT count(*) FROM mfa_providers p WHERE ",
    matching!("p")
);
const ALL_SEEDS: &str = "SELECT count(*) FROM second_factors WHERE seed_id IS NOT NULL";
const MATCHING_SEEDS: &str = concat!("SELECT count(*) ", seeded!(), " AND ", matching!("u"));

/// A transaction whose statements all see one moment.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

impl PostgresStore {
    pub(crate) async fn list_users(&self, query: &ListQuery) -> Result<Listing<User>, StoreError> {
        let page = page_in_order_of!(query, "u", user_columns!(), "FROM users u WHERE ");
        self.list::<UserRow, User>(query, [ALL_USERS, MATCHING_USERS, page])
            .await
    }

    pub(crate) async fn list_providers(
        &self,
        query: &ListQuery,
    ) -> Result<Listing<MfaProvider>, StoreError> {
        let page = page_in_order_of!(
            query,
            "p",
            provider_columns!(),
            "FROM mfa_providers p WHERE "
        );
        self.list::<ProviderRow, MfaProvider>(query, [ALL_PROVIDERS, MATCHING_PROVIDERS, page])
            .await
    }

    pub(crate) async fn list_seeds(
        &self,
        query: &ListQuery,
    ) -> Result<Listing<SeedSummary>, StoreError> {
        let by_name = ListQuery {
            order: ListOrder::Name,
            ..query.clone()
        };
        let page = page_in_order_of!(
            by_name,
            "u",
            "u.id, u.name, f.verified",
            concat!(seeded!(), " AND ")
        );
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
        R: for<'r> FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
        T: TryFrom<R, Error = StoreError>,
    {
        // What cannot be stored is found nowhere.
        let nowhere = !query.queries.iter().all(|query| is_storable(query));
        let mut read = Transaction::begin(&self.connections, SNAPSHOT).await?;
        let total = count(&mut read, all, None).await?;
        if nowhere {
            read.roll_back().await?;
            return Ok(Listing {
                items: Vec::new(),
                matching: 0,
                total,
            });
        }
        let matching = if query.queries.is_empty() {
            total
        } else {
            count(&mut read, matching, Some(&query.queries)).await?
        };
        let (offset, limit) = window(query.range);
        let rows: Vec<R> = query_as(page)
            .bind(&query.queries)
            .bind(limit)
            .bind(offset)
            .fetch_all(read.on())
            .await
            .map_err(store_error)?;
        read.roll_back().await?;
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
    read: &mut Transaction,
    statement: &'static str,
    queries: Option<&[String]>,
) -> Result<u64, StoreError> {
    let mut count = query_scalar::<_, i64>(statement);
    if let Some(queries) = queries {
        count = count.bind(queries);
    }
    let count = count.fetch_one(read.on()).await.map_err(store_error)?;
    Ok(count.unsigned_abs())
}
