//! The connections of this server: lent for a statement or a transaction, and used again.
//!
//! Each is asked whether it still works before it is lent, so that nobody hears of one that the
//! server has ended meanwhile; and afterwards only if somebody was interrupted.

use std::fmt;
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
use sqlx::{Connection as _, Describe, Either, Execute, Executor, PgConnection, Postgres, SqlStr};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// Connections of one server.
const CONNECTIONS: usize = 16;
/// How long a caller waits for a connection.
const PATIENCE: Duration = Duration::from_secs(3);
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

impl Connections {
    /// Opens the first one.
    pub(crate) async fn open(options: PgConnectOptions) -> sqlx::Result<Self> {
        let pool = Pool::builder(Opener { options })
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
    pub(crate) fn on(&mut self) -> &mut PgConnection {
        &mut self.0.connection
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
            match left {
                Left::Answer => connection.ping().await,
                Left::Transaction => connection.execute("ROLLBACK").await.map(drop),
            }
        });
        if !matches!(cleaned.await, Ok(Ok(()))) {
            drop(Object::take(object));
        }
    });
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
    options: PgConnectOptions,
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
        let connection = Box::pin(PgConnection::connect_with(&self.options)).await?;
        Ok(Open { connection })
    }

    async fn recycle(&self, open: &mut Open, _: &Metrics) -> RecycleResult<sqlx::Error> {
        let proof = Box::pin(open.connection.ping()).await;
        proof.map_err(RecycleError::Backend)
    }
}
