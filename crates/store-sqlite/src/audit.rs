//! The audit trail.

use async_trait::async_trait;
use sqlx::types::Json;
use sqlx::{SqliteConnection, query, query_as, query_scalar};
use uuid::Uuid;
use vestibule_engine::Timestamp;
use vestibule_engine::audit::{Seal, Written};
use vestibule_store::{
    Audit, AuditQuery, Listing, Numbers, OpenChain, RowsOf, StoreError, Swap, Taken, Trail,
};
use vestibule_store_sql::{
    AuditRow, OpenChainRow, SealRow, audit_columns, integer, seal_columns, window,
};

use crate::SqliteStore;
use crate::error::store_error;

const REGISTER: &str = "INSERT INTO audit_chains (chain) VALUES (randomblob(16)) RETURNING chain";

/// Writes the rows that are the values of a source. Each is JSON that is looked into many times, so it
/// is read once.
macro_rules! write_down {
    ($source:literal) => {
        concat!(
            "INSERT INTO audit_events (id, chain, number, at, event, outcome, actor_id, actor,
                object_kind, object_id, object, address, request, reason, details, mac)
             WITH rows AS MATERIALIZED (SELECT value FROM ",
            $source,
            ")
             SELECT unhex(value ->> '$[0][0]'), unhex(value ->> '$[0][1]'), value ->> '$[0][2]',
                value ->> '$[0][3]', value ->> '$[0][4]', value ->> '$[0][5]',
                unhex(value ->> '$[1][0]'), value ->> '$[1][1]', value ->> '$[2][0]',
                value ->> '$[2][1]', value ->> '$[2][2]', value ->> '$[3][0]',
                unhex(value ->> '$[3][1]'), value ->> '$[3][2]', value ->> '$[3][3]',
                unhex(value ->> '$[3][4]')
             FROM rows"
        )
    };
}

pub(crate) use write_down;

const WRITE: &str = write_down!("json_each(?1)");

/// The rows that a query is about. In upper and lower case only ASCII is one, as in this database.
macro_rules! matching {
    ($request:literal) => {
        concat!(
            "FROM audit_events e WHERE e.at >= ?1 AND (?2 IS NULL OR e.event = ?2)
            AND (?3 IS NULL OR e.outcome = ?3) AND ",
            $request,
            "
            AND (?5 IS NULL OR lower(e.actor) = lower(?5) OR lower(e.object) = lower(?5))
            AND NOT EXISTS (SELECT 1 FROM json_each(?6) WHERE instr(lower(e.actor || char(10)
                || coalesce(e.object, '') || char(10) || e.event || char(10)
                || substr(hex(e.request), 1, 8) || '-' || substr(hex(e.request), 9, 4) || '-'
                || substr(hex(e.request), 13, 4) || '-' || substr(hex(e.request), 17, 4) || '-'
                || substr(hex(e.request), 21)), lower(value)) = 0)"
        )
    };
}

/// The statements of a list: a page from the first on, one from the last on, and a count.
struct Statements {
    forward: &'static str,
    backward: &'static str,
    matching: &'static str,
}

macro_rules! statements {
    ($request:literal) => {
        Statements {
            forward: concat!(
                "SELECT ",
                audit_columns!(),
                " ",
                matching!($request),
                " ORDER BY e.at, e.chain, e.number LIMIT ?7 OFFSET ?8"
            ),
            backward: concat!(
                "SELECT ",
                audit_columns!(),
                " ",
                matching!($request),
                " ORDER BY e.at DESC, e.chain DESC, e.number DESC LIMIT ?7 OFFSET ?8"
            ),
            matching: concat!("SELECT count(*) ", matching!($request)),
        }
    };
}

/// An index finds the rows of one request; a condition that holds for any would not use it.
const OF_ONE_REQUEST: Statements = statements!("e.request = ?4");
const OF_ALL: Statements = statements!("?4 IS NULL");

/// All rows: those under seals, as the last one says, and the few that are not.
const ALL: &str = "
    SELECT coalesce((SELECT total FROM audit_seals ORDER BY number DESC LIMIT 1), 0)
        + (SELECT count(*) FROM audit_chains c JOIN audit_events e
            ON e.chain = c.chain AND e.number > c.sealed)";

const OPEN: &str = "
    SELECT * FROM (
        SELECT c.chain, c.sealed,
            (SELECT max(number) FROM audit_events e WHERE e.chain = c.chain) AS last
        FROM audit_chains c
    ) WHERE last > sealed ORDER BY chain";

const ROWS: &str = concat!(
    "SELECT ",
    audit_columns!(),
    " FROM audit_events e WHERE e.chain = ?1 AND e.number > ?2 AND e.number <= ?3
      ORDER BY e.number LIMIT ?4"
);

const SEALS: &str = concat!(
    "SELECT ",
    seal_columns!(),
    " FROM audit_seals WHERE number > ?1 ORDER BY number LIMIT ?2"
);

const LAST_SEAL: &str = concat!(
    "SELECT ",
    seal_columns!(),
    " FROM audit_seals ORDER BY number DESC LIMIT 1"
);

const SEALED: &str = "UPDATE audit_chains SET sealed = ?2 WHERE chain = ?1 AND sealed = ?3";

/// The number is the next one: neither taken nor too far.
const SEAL: &str = "
    INSERT INTO audit_seals (number, chain, after, last, count, total, at, previous, hash, key_id)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
    WHERE ?1 = coalesce((SELECT max(number) FROM audit_seals), 0) + 1";

/// The rows of a trail as one value of a statement: JSON, an array of arrays, in the order of the
/// table's columns. Ids and codes are in hexadecimal digits.
///
/// # Errors
/// When a number does not fit, which is a fault of ours.
fn audit_text(chain: Uuid, taken: &Taken, trail: Trail<'_>) -> Result<String, StoreError> {
    let id = |id: Uuid| id.simple().to_string();
    let rows = taken.with(trail).map(|(number, signed)| {
        let entry = &signed.entry;
        Ok((
            (
                id(entry.id),
                id(chain),
                integer(number)?,
                entry.at,
                &entry.event,
                &entry.outcome,
            ),
            (entry.actor_id.map(id), &entry.actor),
            (&entry.object_kind, &entry.object_id, &entry.object),
            (
                &entry.address,
                id(entry.request),
                &entry.reason,
                &entry.details,
                hexadecimal(&signed.mac),
            ),
        ))
    });
    let rows = rows.collect::<Result<Vec<_>, StoreError>>()?;
    serde_json::to_string(&rows).map_err(|error| StoreError::Bug(Box::new(error)))
}

/// Octets as digits.
pub(crate) fn hexadecimal(octets: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or_default();
    let halves = octets.iter().flat_map(|octet| [octet >> 4, octet & 15]);
    let mut text = String::with_capacity(2 * octets.len());
    text.extend(halves.map(digit));
    text
}

/// Rows that are about to be written, with their numbers.
pub(crate) struct Note {
    rows: String,
    taken: Taken,
}

impl Note {
    /// The rows as a value of a statement.
    pub(crate) fn rows(&self) -> &str {
        &self.rows
    }

    /// Writes the rows.
    pub(crate) async fn write(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let write = query(WRITE).bind(&self.rows);
        write.execute(connection).await.map_err(store_error)?;
        Ok(())
    }

    /// It is known how the write ended.
    pub(crate) fn end(self) {
        self.taken.end();
    }
}

impl SqliteStore {
    /// Numbers the rows of a trail, if there are any.
    pub(crate) async fn note(&self, trail: Trail<'_>) -> Result<Option<Note>, StoreError> {
        if trail.is_empty() {
            return Ok(None);
        }
        let numbers = self.numbers.get_or_try_init(|| self.register()).await?;
        let taken = numbers.take(trail.len());
        let rows = audit_text(numbers.chain(), &taken, trail)?;
        Ok(Some(Note { rows, taken }))
    }

    async fn register(&self) -> Result<Numbers, StoreError> {
        self.file.check()?;
        let chain = query_scalar(REGISTER).fetch_one(&self.writer.pool);
        Ok(Numbers::new(chain.await.map_err(store_error)?))
    }
}

#[async_trait]
impl Audit for SqliteStore {
    async fn record(&self, trail: Trail<'_>) -> Result<(), StoreError> {
        self.write_with(trail).await?.commit().await
    }

    async fn audit_events(&self, query: &AuditQuery) -> Result<Listing<Written>, StoreError> {
        macro_rules! bound {
            ($statement:expr) => {
                $statement
                    .bind(query.since.map_or(i64::MIN, Timestamp::as_micros))
                    .bind(query.event.as_deref())
                    .bind(query.outcome.as_deref())
                    .bind(query.request)
                    .bind(query.name.as_deref())
                    .bind(Json(&query.queries))
            };
        }
        let statements = match query.request {
            Some(_) => OF_ONE_REQUEST,
            None => OF_ALL,
        };
        let mut read = self.reads()?.begin().await.map_err(store_error)?;
        let total: i64 = query_scalar(ALL)
            .fetch_one(&mut *read)
            .await
            .map_err(store_error)?;
        let matching: i64 = if query.is_everything() {
            total
        } else {
            let matching = bound!(query_scalar(statements.matching)).fetch_one(&mut *read);
            matching.await.map_err(store_error)?
        };
        let (offset, limit) = window(query.range);
        let page = if query.ascending {
            statements.forward
        } else {
            statements.backward
        };
        let rows: Vec<AuditRow> = bound!(query_as(page))
            .bind(limit)
            .bind(offset)
            .fetch_all(&mut *read)
            .await
            .map_err(store_error)?;
        read.rollback().await.map_err(store_error)?;
        Ok(Listing {
            items: rows.into_iter().map(Written::from).collect(),
            matching: matching.unsigned_abs(),
            total: total.unsigned_abs(),
        })
    }

    fn own_chain(&self, now: Timestamp) -> Option<(Uuid, u64)> {
        let numbers = self.numbers.get()?;
        Some((numbers.chain(), numbers.settled(now)))
    }

    async fn open_chains(&self) -> Result<Vec<OpenChain>, StoreError> {
        let rows: Vec<OpenChainRow> = query_as(OPEN)
            .fetch_all(self.reads()?)
            .await
            .map_err(store_error)?;
        Ok(rows.into_iter().map(OpenChain::from).collect())
    }

    async fn audit_rows(&self, rows: RowsOf, most: u32) -> Result<Vec<Written>, StoreError> {
        let rows: Vec<AuditRow> = query_as(ROWS)
            .bind(rows.chain)
            .bind(integer(rows.after)?)
            .bind(integer(rows.last)?)
            .bind(most)
            .fetch_all(self.reads()?)
            .await
            .map_err(store_error)?;
        Ok(rows.into_iter().map(Written::from).collect())
    }

    async fn count_audit_rows(&self) -> Result<u64, StoreError> {
        let count = query_scalar::<_, i64>("SELECT count(*) FROM audit_events");
        let count = count.fetch_one(self.reads()?).await.map_err(store_error)?;
        Ok(count.unsigned_abs())
    }

    async fn seals(&self, after: u64, most: u32) -> Result<Vec<Seal>, StoreError> {
        let rows: Vec<SealRow> = query_as(SEALS)
            .bind(integer(after)?)
            .bind(most)
            .fetch_all(self.reads()?)
            .await
            .map_err(store_error)?;
        Ok(rows.into_iter().map(Seal::from).collect())
    }

    async fn last_seal(&self) -> Result<Option<Seal>, StoreError> {
        let row: Option<SealRow> = query_as(LAST_SEAL)
            .fetch_optional(self.reads()?)
            .await
            .map_err(store_error)?;
        Ok(row.map(Seal::from))
    }

    async fn add_seal(&self, seal: &Seal) -> Result<Swap, StoreError> {
        let mut write = self.write().await?;
        let sealed = query(SEALED)
            .bind(seal.chain)
            .bind(integer(seal.last)?)
            .bind(integer(seal.after)?);
        if write.run(sealed).await? != 1 {
            return write.moved().await;
        }
        let add = query(SEAL)
            .bind(integer(seal.number)?)
            .bind(seal.chain)
            .bind(integer(seal.after)?)
            .bind(integer(seal.last)?)
            .bind(integer(seal.count)?)
            .bind(integer(seal.total)?)
            .bind(seal.at)
            .bind(seal.previous.as_slice())
            .bind(seal.hash.as_slice())
            .bind(seal.key);
        if write.run(add).await? != 1 {
            return write.moved().await;
        }
        write.done().await
    }
}
