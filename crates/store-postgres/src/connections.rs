//! The connections of this program: lent for a statement or a transaction, and used again.
//!
//! Each is asked whether it still works before it is lent, unless it did a moment ago, so that nobody
//! hears of one that the server has ended meanwhile; and afterwards only if somebody was interrupted.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{
    Manager, Metrics, Object, Pool, PoolError, QueueMode, RecycleError, RecycleResult,
};
use futures_util::future::BoxFuture;
use futures_util::stream::{BoxStream, iter, once};
use futures_util::{FutureExt as _, StreamExt as _};
use scopeguard::{ScopeGuard, guard};
use sqlx::postgres::{PgConnectOptions, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{
    Connection as _, Describe, Either, Execute, Executor, PgConnection, Postgres, SqlStr,
    query_scalar,
};
use tokio::runtime::Handle;
use tokio::time::timeout;

use vestibule_store::StoreError;
use vestibule_store_sql::{Ground, Unanswered};

use crate::error::{NoPrimary, is_refusal, shared_error, store_error};
use crate::url::Servers;

/// Connections of one server.
const CONNECTIONS: usize = 16;
/// How long a caller waits for a connection.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long an answer may take. The server ends a statement earlier by itself, if it can: not when
/// it hangs, the network is gone, or a commit waits for a standby that does not come.
const ANSWER: Duration = Duration::from_secs(7);
/// How long a connection needs not be asked again. A server that was started anew has not come back
/// in that time.
const FRESH: Duration = Duration::from_millis(100);
/// How long a connection may take to show that it still works, or to be cleaned up.
const PROOF: Duration = Duration::from_secs(1);

/// Connections to one database.
#[derive(Clone)]
pub(crate) struct Connections(Pool<Opener>);

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The settings of the connections hold the password.
        f.debug_struct("Connections").finish_non_exhaustive()
    }
}

impl Ground for Connections {
    type Error = sqlx::Error;

    // Leaves most connections to others.
    const LANES: usize = 3;
    const PATIENCE: Duration = PATIENCE;
    const ANSWER: Duration = ANSWER;

    fn is_refusal(error: &sqlx::Error) -> bool {
        is_refusal(error)
    }

    fn unanswered(why: Unanswered<sqlx::Error>) -> StoreError {
        match why {
            Unanswered::Late => store_error(sqlx::Error::PoolTimedOut),
            Unanswered::Ended => store_error(sqlx::Error::WorkerCrashed),
            Unanswered::Failed(error) => shared_error(&error),
        }
    }
}

impl Connections {
    /// Opens the first one.
    pub(crate) async fn open(servers: Servers) -> sqlx::Result<Self> {
        let pool = Pool::builder(Opener::new(servers))
            .max_size(CONNECTIONS)
            // Those that are used stay fresh, and the others are left alone.
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1)
            .recycle_timeout(Some(PROOF))
            .build()
            .map_err(|error| sqlx::Error::Configuration(error.into()))?;
        let connections = Self(pool);
        connections.lend(Left::Answer).await?.put_back();
        Ok(connections)
    }

    /// Lends a connection, which is waited for, or opened, if there is none.
    pub(crate) async fn lend(&self, may_leave: Left) -> sqlx::Result<Connection> {
        let clean_up: fn(_) = match may_leave {
            Left::Answer => |object| clean_up(object, Left::Answer),
            Left::Transaction => |object| clean_up(object, Left::Transaction),
        };
        match timeout(PATIENCE, self.0.get()).await {
            Ok(Ok(object)) => Ok(Connection(guard(object, clean_up))),
            Ok(Err(PoolError::Backend(error))) => Err(error),
            Ok(Err(PoolError::Closed)) => Err(sqlx::Error::PoolClosed),
            Ok(Err(
                PoolError::Timeout(_)
                | PoolError::NoRuntimeSpecified
                | PoolError::PostCreateHook(_),
            ))
            | Err(_) => Err(sqlx::Error::PoolTimedOut),
        }
    }

    /// Whether what is lent next is of no use to whoever writes.
    pub(crate) async fn are_read_only(&self) -> sqlx::Result<bool> {
        let mut connection = self.lend(Left::Answer).await?;
        let read_only = is_read_only(connection.on()).await?;
        if !read_only {
            connection.put_back();
        }
        Ok(read_only)
    }

    /// How many there are.
    pub(crate) fn count(&self) -> vestibule_store::Pool {
        let status = self.0.status();
        let count = |count| u32::try_from(count).unwrap_or(u32::MAX);
        vestibule_store::Pool {
            in_use: count(status.size.saturating_sub(status.available)),
            idle: count(status.available),
        }
    }

    /// Says goodbye on those that nobody has, and lends none any more.
    pub(crate) async fn close(&self) {
        let idle = self.0.retain(|_, _| false).removed;
        self.0.close();
        for Open { connection, .. } in idle {
            // The server finds out by itself where it cannot be told.
            let _ = timeout(PROOF, connection.close()).await;
        }
    }
}

/// A connection on loan. Whoever drops it without putting it back was interrupted, or met an error:
/// it is cleaned up then before anybody else gets it.
pub(crate) struct Connection(ScopeGuard<Object<Opener>, fn(Object<Opener>)>);

/// What whoever is interrupted may leave behind.
#[derive(Clone, Copy)]
pub(crate) enum Left {
    /// An answer that nobody has read.
    Answer,
    /// A transaction, and its locks.
    Transaction,
}

impl Connection {
    /// Where statements are run.
    pub(crate) fn on(&mut self) -> Limited<'_> {
        Limited(&mut self.0.connection)
    }

    /// Nothing was left behind: the next one may have it.
    pub(crate) fn put_back(self) {
        drop(ScopeGuard::into_inner(self.0));
    }
}

fn clean_up(mut object: Object<Opener>, left: Left) {
    let Ok(runtime) = Handle::try_current() else {
        // There is nobody left to lend it to.
        drop(Object::take(object));
        return;
    };
    runtime.spawn(async move {
        let connection = &mut object.connection;
        let cleaned = timeout(PROOF, async {
            if let Left::Transaction = left {
                connection.execute("ROLLBACK").await?;
            }
            is_read_only(&mut *connection).await
        });
        // A session that began while the database was read-only stays so.
        if !matches!(cleaned.await, Ok(Ok(false))) {
            drop(Object::take(object));
        }
    });
}

/// A connection on which no answer is waited for without an end.
pub(crate) struct Limited<'c>(&'c mut PgConnection);

impl fmt::Debug for Limited<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limited").finish_non_exhaustive()
    }
}

async fn in_time<T>(answer: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    let late = |_| Err(io::Error::from(io::ErrorKind::TimedOut).into());
    timeout(ANSWER, answer).await.unwrap_or_else(late)
}

impl<'c> Executor<'c> for Limited<'c> {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, sqlx::Result<Either<PgQueryResult, PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let answers = async move {
            let answers = self.0.fetch_many(query).collect::<Vec<_>>().map(Ok);
            in_time(answers)
                .await
                .unwrap_or_else(|late| vec![Err(late)])
        };
        once(answers).flat_map(iter).boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        in_time(self.0.fetch_optional(query)).boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, sqlx::Result<PgStatement>>
    where
        'c: 'e,
    {
        in_time(self.0.prepare_with(sql, parameters)).boxed()
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, sqlx::Result<Describe<Postgres>>>
    where
        'c: 'e,
    {
        in_time(self.0.describe(sql)).boxed()
    }
}

/// A statement by itself, on any connection.
impl<'c> Executor<'c> for &'c Connections {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, sqlx::Result<Either<PgQueryResult, PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let answers = async move {
            let mut connection = match self.lend(Left::Answer).await {
                Ok(connection) => connection,
                Err(error) => return vec![Err(error)],
            };
            let answers: Vec<_> = connection.on().fetch_many(query).collect().await;
            if answers.iter().all(Result::is_ok) {
                connection.put_back();
            }
            answers
        };
        once(answers).flat_map(iter).boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        async move {
            let mut connection = self.lend(Left::Answer).await?;
            let row = connection.on().fetch_optional(query).await?;
            connection.put_back();
            Ok(row)
        }
        .boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, sqlx::Result<PgStatement>>
    where
        'c: 'e,
    {
        async move {
            let mut connection = self.lend(Left::Answer).await?;
            let statement = connection.on().prepare_with(sql, parameters).await?;
            connection.put_back();
            Ok(statement)
        }
        .boxed()
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, sqlx::Result<Describe<Postgres>>>
    where
        'c: 'e,
    {
        async move {
            let mut connection = self.lend(Left::Answer).await?;
            let described = connection.on().describe(sql).await?;
            connection.put_back();
            Ok(described)
        }
        .boxed()
    }
}

/// Opens connections, and asks whether they still work.
pub(crate) struct Opener {
    servers: Servers,
    /// The one that took writes when one was last looked for.
    last: AtomicUsize,
}

impl Opener {
    fn new(servers: Servers) -> Self {
        Self {
            servers,
            last: AtomicUsize::new(0),
        }
    }

    /// Looks for a server that takes writes, from the last one on. One that does not even answer
    /// must leave time to ask the next.
    async fn find(&self) -> sqlx::Result<PgConnection> {
        let servers = &self.servers.each;
        let count = servers.len().max(1);
        let each = PATIENCE / u32::try_from(count).unwrap_or(u32::MAX);
        let last = self.last.load(Ordering::Relaxed);
        let (mut answered, mut failed) = (false, sqlx::Error::PoolTimedOut);
        for (n, server) in servers.iter().enumerate().cycle().skip(last).take(count) {
            match timeout(each, self.try_one(server)).await {
                Ok(Ok(Some(connection))) => {
                    self.last.store(n, Ordering::Relaxed);
                    return Ok(connection);
                }
                Ok(Ok(None)) => answered = true,
                Ok(Err(error)) => failed = error,
                Err(_) => {}
            }
        }
        Err(if answered {
            sqlx::Error::Configuration(NoPrimary.into())
        } else {
            failed
        })
    }

    async fn try_one(&self, server: &PgConnectOptions) -> sqlx::Result<Option<PgConnection>> {
        let mut connection = PgConnection::connect_with(server).await?;
        if self.servers.must_write && is_read_only(&mut connection).await? {
            // It finds out by itself where it cannot be told.
            let _ = connection.close().await;
            return Ok(None);
        }
        Ok(Some(connection))
    }
}

async fn is_read_only(connection: impl Executor<'_, Database = Postgres>) -> sqlx::Result<bool> {
    const READ_ONLY: &str = "
        SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean";
    query_scalar(READ_ONLY).fetch_one(connection).await
}

/// A connection by itself, to a server that takes writes.
pub(crate) async fn connect(servers: Servers) -> sqlx::Result<PgConnection> {
    Box::pin(Opener::new(servers).find()).await
}

/// An open connection.
pub(crate) struct Open {
    connection: PgConnection,
}

impl Manager for Opener {
    type Type = Open;
    type Error = sqlx::Error;

    async fn create(&self) -> sqlx::Result<Open> {
        // Rare, and large: whoever is lent a connection that is open should not carry it.
        let connection = Box::pin(self.find()).await?;
        Ok(Open { connection })
    }

    async fn recycle(&self, open: &mut Open, metrics: &Metrics) -> RecycleResult<sqlx::Error> {
        if metrics.last_used() < FRESH {
            return Ok(());
        }
        let proof = Box::pin(open.connection.ping()).await;
        proof.map_err(RecycleError::Backend)
    }
}
