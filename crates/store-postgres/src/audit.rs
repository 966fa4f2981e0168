//! The audit trail.

use async_trait::async_trait;
use sqlx::{query, query_as, query_scalar};
use uuid::Uuid;
use vestibule_engine::Timestamp;
use vestibule_engine::audit::{Seal, Signed, Written};
use vestibule_store::{
    Audit, AuditQuery, Listing, Numbers, OpenChain, RowsOf, StoreError, Swap, Taken, Trail,
};
use vestibule_store_sql::{
    AuditRow, OpenChainRow, SealRow, audit_columns, integer, seal_columns, window,
};

use crate::PostgresStore;
use crate::error::{is_storable, store_error};
use crate::lists::SNAPSHOT;
use crate::transaction::Transaction;

const REGISTER: &str =
    "INSERT INTO audit_chains (chain) VALUES (gen_random_uuid()) RETURNING chain";

/// Writes the rows `r` of a source.
macro_rules! write_down {
    ($($source:expr),+) => {
        concat!(
            "INSERT INTO audit_events (id, chain, number, at, event, outcome, actor_id, actor,
                object_kind, object_id, object, address, request, reason, details, mac)
             SELECT r.id, r.chain, r.number, r.at, r.event, r.outcome, r.actor_id, r.actor,
                r.object_kind, r.object_id, r.object, r.address, r.request, r.reason, r.details,
                r.mac
             FROM ",
            $($source),+
        )
    };
}

/// One more part of a statement: writes the rows that are its `$n`-th value when the part called
/// `done` did something.
macro_rules! noted {
    ($done:literal, $value:literal) => {
        concat!(
            ", written_down AS (",
            crate::audit::write_down!("unnest(", $value, "::audit_events[]) AS r"),
            " WHERE EXISTS (SELECT 1 FROM ",
            $done,
            "))"
        )
    };
}

/// The same for many: the seventh value are the rows, and the eighth whose each is. Those are written
/// for whom something was done.
macro_rules! noted_each {
    ($done:literal) => {
        concat!(
            ", written_down AS (",
            crate::audit::write_down!(
                "unnest($7::audit_events[], $8::uuid[]) AS r (id, chain, number, at, event,
                    outcome, actor_id, actor, object_kind, object_id, object, address, request,
                    reason, details, mac, user_id) JOIN ",
                $done,
                " USING (user_id)"
            ),
            ")"
        )
    };
}

pub(crate) use {noted, noted_each, write_down};

const WRITE: &str = write_down!("unnest($1::audit_events[]) AS r");

/// The rows that a query is about.
macro_rules! matching {
    ($request:literal) => {
        concat!(
            "FROM audit_events e WHERE e.at >= $1
            AND ($2::text IS NULL OR e.event = $2) AND ($3::text IS NULL OR e.outcome = $3) AND ",
            $request,
            "
            AND ($5::text IS NULL OR lower(e.actor) = lower($5) OR lower(e.object) = lower($5))
            AND NOT EXISTS (SELECT 1 FROM unnest($6::text[]) AS part WHERE strpos(lower(e.actor
                || E'\\n' || coalesce(e.object, '') || E'\\n' || e.event || E'\\n'
                || e.request::text), part) = 0)"
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
                " ORDER BY e.at, e.chain, e.number LIMIT $7 OFFSET $8"
            ),
            backward: concat!(
                "SELECT ",
                audit_columns!(),
                " ",
                matching!($request),
                " ORDER BY e.at DESC, e.chain DESC, e.number DESC LIMIT $7 OFFSET $8"
            ),
            matching: concat!("SELECT count(*) ", matching!($request)),
        }
    };
}

/// An index finds the rows of one request; a condition that holds for any would not use it.
const OF_ONE_REQUEST: Statements = statements!("e.request = $4");
const OF_ALL: Statements = statements!("$4::uuid IS NULL");

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
    ) AS chains WHERE last > sealed ORDER BY chain";

const ROWS: &str = concat!(
    "SELECT ",
    audit_columns!(),
    " FROM audit_events e WHERE e.chain = $1 AND e.number > $2 AND e.number <= $3
      ORDER BY e.number LIMIT $4"
);

const SEALS: &str = concat!(
    "SELECT ",
    seal_columns!(),
    " FROM audit_seals WHERE number > $1 ORDER BY number LIMIT $2"
);

const LAST_SEAL: &str = concat!(
    "SELECT ",
    seal_columns!(),
    " FROM audit_seals ORDER BY number DESC LIMIT 1"
);

/// The number is the next one: neither taken nor too far. Of two that seal at once one inserts it,
/// and the other finds it taken.
const SEAL: &str = "
    WITH sealed AS (
        INSERT INTO audit_seals
            (number, chain, after, last, count, total, at, previous, hash, key_id)
        SELECT $1, chain, $3, $4, $5, $6, $7, $8, $9, $10 FROM audit_chains
        WHERE chain = $2 AND sealed = $3
            AND $1 = coalesce((SELECT max(number) FROM audit_seals), 0) + 1
        ON CONFLICT DO NOTHING RETURNING chain
    )
    UPDATE audit_chains SET sealed = $4 WHERE chain = (SELECT chain FROM sealed) RETURNING 1";

/// A row of the trail as a value of a statement. Its fields are the columns of the table in their
/// order.
#[derive(Clone, sqlx::Type)]
#[sqlx(type_name = "audit_events")]
pub(crate) struct AuditEvent {
    id: Uuid,
    chain: Uuid,
    number: i64,
    at: i64,
    event: String,
    outcome: String,
    actor_id: Option<Uuid>,
    actor: String,
    object_kind: Option<String>,
    object_id: Option<String>,
    object: Option<String>,
    address: String,
    request: Uuid,
    reason: Option<String>,
    details: String,
    mac: Vec<u8>,
}

impl AuditEvent {
    fn new(chain: Uuid, number: u64, signed: &Signed) -> Result<Self, StoreError> {
        let entry = signed.entry.clone();
        Ok(Self {
            id: entry.id,
            chain,
            number: integer(number)?,
            at: entry.at,
            event: entry.event,
            outcome: entry.outcome,
            actor_id: entry.actor_id,
            actor: entry.actor,
            object_kind: entry.object_kind,
            object_id: entry.object_id,
            object: entry.object,
            address: entry.address,
            request: entry.request,
            reason: entry.reason,
            details: entry.details,
            mac: signed.mac.to_vec(),
        })
    }
}

/// Rows that are about to be written, with their numbers.
pub(crate) struct Note {
    rows: Vec<AuditEvent>,
    taken: Option<Taken>,
}

impl Note {
    /// The value of a statement that writes the rows.
    pub(crate) fn rows(&self) -> &[AuditEvent] {
        &self.rows
    }

    /// Writes the rows as a part of a transaction.
    pub(crate) async fn write(&self, write: &mut Transaction) -> Result<(), StoreError> {
        if self.taken.is_some() {
            write.run(query(WRITE).bind(self.rows())).await?;
        }
        Ok(())
    }

    /// Hears how the write ended. After an error nobody knows.
    pub(crate) fn ended<T>(self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if let (Ok(_), Some(taken)) = (&outcome, self.taken) {
            taken.end();
        }
        outcome
    }
}

impl PostgresStore {
    /// Numbers the rows of a trail, if there are any.
    pub(crate) async fn note(&self, trail: Trail<'_>) -> Result<Note, StoreError> {
        if trail.is_empty() {
            let rows = Vec::new();
            return Ok(Note { rows, taken: None });
        }
        let numbers = self.numbers.get_or_try_init(|| self.register()).await?;
        let taken = numbers.take(trail.len());
        let rows = taken.with(trail);
        let rows = rows.map(|(number, signed)| AuditEvent::new(numbers.chain(), number, signed));
        let rows = rows.collect::<Result<_, _>>()?;
        let taken = Some(taken);
        Ok(Note { rows, taken })
    }

    async fn register(&self) -> Result<Numbers, StoreError> {
        let chain = query_scalar(REGISTER).fetch_one(&self.connections);
        Ok(Numbers::new(chain.await.map_err(store_error)?))
    }
}

#[async_trait]
impl Audit for PostgresStore {
    async fn record(&self, trail: Trail<'_>) -> Result<(), StoreError> {
        let note = self.note(trail).await?;
        let write = query(WRITE).bind(note.rows());
        let written = write.execute(&self.connections).await;
        note.ended(written.map(drop).map_err(store_error))
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
                    .bind(&query.queries)
            };
        }
        let statements = match query.request {
            Some(_) => OF_ONE_REQUEST,
            None => OF_ALL,
        };
        let texts = [&query.event, &query.outcome, &query.name];
        let texts = texts.into_iter().flatten().chain(&query.queries);
        let mut read = Transaction::begin(&self.connections, SNAPSHOT).await?;
        let total: i64 = query_scalar(ALL)
            .fetch_one(read.on())
            .await
            .map_err(store_error)?;
        // What cannot be stored is found nowhere.
        if !texts.into_iter().all(|text| is_storable(text)) {
            read.roll_back().await?;
            return Ok(Listing {
                items: Vec::new(),
                matching: 0,
                total: total.unsigned_abs(),
            });
        }
        let matching: i64 = if query.is_everything() {
            total
        } else {
            let matching = bound!(query_scalar(statements.matching)).fetch_one(read.on());
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
            .fetch_all(read.on())
            .await
            .map_err(store_error)?;
        read.roll_back().await?;
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
            .fetch_all(&self.connections)
            .await
            .map_err(store_error)?;
        Ok(rows.into_iter().map(OpenChain::from).collect())
    }

    async fn audit_rows(&self, rows: RowsOf, most: u32) -> Result<Vec<Written>, StoreError> {
        let rows: Vec<AuditRow> = query_as(ROWS)
            .bind(rows.chain)
            .bind(integer(rows.after)?)
            .bind(integer(rows.last)?)
            .bind(i64::from(most))
            .fetch_all(&self.connections)
            .await
            .map_err(store_error)?;
        Ok(rows.into_iter().map(Written::from).collect())
    }

    async fn count_audit_rows(&self) -> Result<u64, StoreError> {
        let count = query_scalar::<_, i64>("SELECT count(*) FROM audit_events");
        let count = count
            .fetch_one(&self.connections)
            .await
            .map_err(store_error)?;
        Ok(count.unsigned_abs())
    }

    async fn seals(&self, after: u64, most: u32) -> Result<Vec<Seal>, StoreError> {
        let rows: Vec<SealRow> = query_as(SEALS)
            .bind(integer(after)?)
            .bind(i64::from(most))
            .fetch_all(&self.connections)
            .await
            .map_err(store_error)?;
        Ok(rows.into_iter().map(Seal::from).collect())
    }

    async fn last_seal(&self) -> Result<Option<Seal>, StoreError> {
        let row: Option<SealRow> = query_as(LAST_SEAL)
            .fetch_optional(&self.connections)
            .await
            .map_err(store_error)?;
        Ok(row.map(Seal::from))
    }

    async fn add_seal(&self, seal: &Seal) -> Result<Swap, StoreError> {
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
        self.swap(add).await
    }
}
