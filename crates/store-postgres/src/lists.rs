//! Lists: filtered, sorted and cut by the database.

use sqlx::{FromRow, query_as, query_scalar};
use uuid::Uuid;
use vestibule_engine::privilege::Scope;
use vestibule_engine::{MfaProvider, Role, User};
use vestibule_store::{ListOrder, ListQuery, Listing, SeedSummary, StoreError};

use crate::PostgresStore;
use crate::error::{is_storable, store_error};
use crate::places::LongList;
use crate::transaction::Transaction;
use vestibule_store_sql::{
    ProviderRow, RoleRow, SeedRow, UserRow, provider_columns, role_columns, user_columns, window,
};

/// What a query leaves of a table or alias `o`: its parts occur in the searchable text, its filters
/// in their fields, and a scope has the id or a tag.
macro_rules! restricted {
    () => {
        " NOT EXISTS (SELECT 1 FROM unnest($1::text[]) AS part WHERE strpos(o.search, part) = 0)
        AND NOT EXISTS (SELECT 1 FROM unnest($2::text[], $3::text[]) AS filter (field, text)
            WHERE coalesce(strpos(o.fields ->> field, text), 0) = 0)
        AND ($4::uuid[] IS NULL OR o.id = ANY($4) OR o.tags ?| $5::text[])"
    };
}

/// A part of an unrestricted list. The index alone finds the place; only the rows of the page are
/// read.
macro_rules! page {
    ($columns:expr, $from:expr, $where:expr, $order:literal) => {
        concat!(
            "WITH page AS MATERIALIZED (SELECT o.id FROM ",
            $from,
            $where,
            " ORDER BY ",
            $order,
            " LIMIT $1 OFFSET $2) SELECT ",
            $columns,
            " FROM ",
            $from,
            " JOIN page ON page.id = o.id ORDER BY ",
            $order
        )
    };
}

/// A part of what a query leaves of a list.
macro_rules! restricted_page {
    ($columns:expr, $from:expr, $where:expr, $order:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM ",
            $from,
            $where,
            " AND ",
            restricted!(),
            " ORDER BY ",
            $order,
            " LIMIT $6 OFFSET $7"
        )
    };
}

/// A statement in every order, as one of these macros makes it.
macro_rules! ordered {
    ($query:expr, $page:ident, $columns:expr, $from:expr, $where:expr) => {
        match ($query.order, $query.descending) {
            (ListOrder::Name, false) => $page!($columns, $from, $where, "o.name_key, o.id"),
            (ListOrder::Name, true) => {
                $page!($columns, $from, $where, "o.name_key DESC, o.id DESC")
            }
            (ListOrder::Created, false) => $page!($columns, $from, $where, "o.created, o.id"),
            (ListOrder::Created, true) => {
                $page!($columns, $from, $where, "o.created DESC, o.id DESC")
            }
            (ListOrder::Updated, false) => $page!($columns, $from, $where, "o.updated, o.id"),
            (ListOrder::Updated, true) => {
                $page!($columns, $from, $where, "o.updated DESC, o.id DESC")
            }
        }
    };
}

/// The statements of a list: count all, count what is left, a page of all, a page of what is left.
struct Statements {
    all: &'static str,
    left: &'static str,
    page: &'static str,
    left_page: &'static str,
    /// Of a list that grows long: which one, and a part of it from a key on, by name.
    long: Option<(LongList, &'static str)>,
}

/// A part of a list that grows long, from a key on.
macro_rules! from_key {
    ($columns:expr, $from:expr, $key:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM ",
            $from,
            " WHERE ",
            $key,
            " >= $1 ORDER BY ",
            $key,
            " LIMIT $2 OFFSET $3"
        )
    };
}

macro_rules! statements {
    ($query:expr, $columns:expr, $from:expr, $where:expr) => {
        Statements {
            all: concat!("SELECT count(*) FROM ", $from, $where),
            left: concat!(
                "SELECT count(*) FROM ",
                $from,
                $where,
                " AND ",
                restricted!()
            ),
            page: ordered!($query, page, $columns, $from, $where),
            left_page: ordered!($query, restricted_page, $columns, $from, $where),
            long: None,
        }
    };
}

impl PostgresStore {
    pub(crate) async fn list_users(&self, query: &ListQuery) -> Result<Listing<User>, StoreError> {
        let statements = Statements {
            long: Some((
                LongList::Users,
                from_key!(user_columns!(o), "users o", "o.name_key"),
            )),
            ..statements!(query, user_columns!(o), "users o", " WHERE TRUE")
        };
        self.list::<UserRow, User>(query, &statements).await
    }

    pub(crate) async fn list_providers(
        &self,
        query: &ListQuery,
    ) -> Result<Listing<MfaProvider>, StoreError> {
        let statements = statements!(
            query,
            provider_columns!(o),
            "mfa_providers o",
            " WHERE TRUE"
        );
        self.list::<ProviderRow, MfaProvider>(query, &statements)
            .await
    }

    pub(crate) async fn list_roles(&self, query: &ListQuery) -> Result<Listing<Role>, StoreError> {
        let statements = statements!(
            query,
            role_columns!(o),
            "administrative_roles o",
            " WHERE TRUE"
        );
        self.list::<RoleRow, Role>(query, &statements).await
    }

    /// Users with a seed, ordered by the user's name.
    pub(crate) async fn list_seeds(
        &self,
        query: &ListQuery,
    ) -> Result<Listing<SeedSummary>, StoreError> {
        let by_name = ListQuery {
            order: ListOrder::Name,
            ..query.clone()
        };
        let statements = Statements {
            long: Some((
                LongList::Seeds,
                from_key!(
                    "o.id, o.name, f.verified",
                    "second_factors f JOIN users o ON o.id = f.user_id",
                    "f.seed_name"
                ),
            )),
            ..statements!(
                by_name,
                "o.id, o.name, f.verified",
                "second_factors f JOIN users o ON o.id = f.user_id",
                " WHERE f.seed_id IS NOT NULL"
            )
        };
        self.list::<SeedRow, SeedSummary>(&by_name, &statements)
            .await
    }

    /// Counts all and those that match, and reads the page, as of one moment.
    async fn list<R, T>(
        &self,
        query: &ListQuery,
        statements: &Statements,
    ) -> Result<Listing<T>, StoreError>
    where
        R: for<'r> FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
        T: TryFrom<R, Error = StoreError>,
    {
        let mut read = Transaction::begin(&self.connections, SNAPSHOT).await?;
        let (rows, matching, total) = if query.is_unrestricted() {
            let (rows, total) = all(&mut read, query, statements).await?;
            (rows, total, total)
        } else {
            let visible = Restriction::to_scope(query);
            let total = visible.count(&mut read, statements.left).await?;
            let left = Restriction::of(query);
            let matching = left.count(&mut read, statements.left).await?;
            let rows = left.page(&mut read, statements.left_page, query).await?;
            (rows, matching, total)
        };
        read.roll_back().await?;
        Ok(Listing {
            items: rows
                .into_iter()
                .map(T::try_from)
                .collect::<Result<_, _>>()?,
            matching: matching.unsigned_abs(),
            total: total.unsigned_abs(),
        })
    }
}

/// A page of an unrestricted list, and how many there are.
async fn all<R>(
    read: &mut Transaction,
    query: &ListQuery,
    statements: &Statements,
) -> Result<(Vec<R>, i64), StoreError>
where
    R: for<'r> FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
{
    let (offset, limit) = window(query.range);
    let (total, page) = match statements.long {
        None => {
            let count = query_scalar(statements.all).fetch_one(read.on());
            (count.await.map_err(store_error)?, None)
        }
        Some((list, from_key)) => {
            let places = PostgresStore::places(read, list).await?;
            (places.total(), Some((places, from_key)))
        }
    };
    let rows = match page {
        Some((places, from_key)) if query.order == ListOrder::Name => {
            // The last page in descending order is the first one, the other way round.
            let end = offset.saturating_add(limit).min(total);
            let (offset, limit) = (offset.min(total), (end - offset).max(0));
            let first = if query.descending {
                total - offset - limit
            } else {
                offset
            };
            let beginning = places.beginning(first);
            let rows = query_as(from_key)
                .bind(beginning.first)
                .bind(limit)
                .bind(beginning.after)
                .fetch_all(read.on());
            let mut rows: Vec<R> = rows.await.map_err(store_error)?;
            if query.descending {
                rows.reverse();
            }
            rows
        }
        Some(_) | None => {
            let rows = query_as(statements.page).bind(limit).bind(offset);
            rows.fetch_all(read.on()).await.map_err(store_error)?
        }
    };
    Ok((rows, total))
}

/// A transaction whose statements all see one moment.
pub(crate) const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// What a query asks for, as the statements take it.
struct Restriction<'q> {
    queries: Vec<&'q str>,
    fields: Vec<&'static str>,
    texts: Vec<&'q str>,
    /// None when everything may be seen.
    scope: Option<(&'q [Uuid], Vec<&'q str>)>,
    /// Whether it asks for what cannot be stored, and so is found nowhere.
    nowhere: bool,
}

impl<'q> Restriction<'q> {
    /// All that may be seen, whatever is asked for.
    fn to_scope(query: &'q ListQuery) -> Self {
        Self {
            queries: Vec::new(),
            fields: Vec::new(),
            texts: Vec::new(),
            scope: match &query.scope {
                None | Some(Scope::All) => None,
                Some(Scope::Some { ids, tags }) => {
                    let tags = tags.iter().map(String::as_str);
                    Some((ids, tags.filter(|tag| is_storable(tag)).collect()))
                }
            },
            nowhere: false,
        }
    }

    fn of(query: &'q ListQuery) -> Self {
        let queries: Vec<_> = query.queries.iter().map(String::as_str).collect();
        let filters = query.filters.iter();
        let (fields, texts): (Vec<_>, Vec<_>) = filters
            .map(|filter| (filter.field, filter.text.as_str()))
            .unzip();
        Self {
            nowhere: !queries.iter().chain(&texts).all(|text| is_storable(text)),
            queries,
            fields,
            texts,
            ..Self::to_scope(query)
        }
    }

    async fn count(
        &self,
        read: &mut Transaction,
        statement: &'static str,
    ) -> Result<i64, StoreError> {
        if self.nowhere {
            return Ok(0);
        }
        let (ids, tags) = self.scope.as_ref().map(|(ids, tags)| (*ids, tags)).unzip();
        query_scalar(statement)
            .bind(&self.queries)
            .bind(&self.fields)
            .bind(&self.texts)
            .bind(ids)
            .bind(tags)
            .fetch_one(read.on())
            .await
            .map_err(store_error)
    }

    async fn page<R>(
        &self,
        read: &mut Transaction,
        statement: &'static str,
        query: &ListQuery,
    ) -> Result<Vec<R>, StoreError>
    where
        R: for<'r> FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
    {
        if self.nowhere {
            return Ok(Vec::new());
        }
        let (offset, limit) = window(query.range);
        let (ids, tags) = self.scope.as_ref().map(|(ids, tags)| (*ids, tags)).unzip();
        query_as(statement)
            .bind(&self.queries)
            .bind(&self.fields)
            .bind(&self.texts)
            .bind(ids)
            .bind(tags)
            .bind(limit)
            .bind(offset)
            .fetch_all(read.on())
            .await
            .map_err(store_error)
    }
}
