//! Several statements that are one.

use sqlx::Executor as _;
use vestibule_store::StoreError;

use crate::Statement;
use crate::connections::{Connection, Connections, Left, Limited};
use crate::error::store_error;

/// A transaction under way. Dropped without a commit it never was.
pub(crate) struct Transaction {
    connection: Connection,
}

impl Transaction {
    /// Starts one by this statement.
    pub(crate) async fn begin(
        connections: &Connections,
        begin: &'static str,
    ) -> Result<Self, StoreError> {
        let lent = connections.lend(Left::Transaction).await;
        let connection = lent.map_err(store_error)?;
        let mut transaction = Self { connection };
        transaction.say(begin).await?;
        Ok(transaction)
    }

    /// Where statements are run.
    pub(crate) fn on(&mut self) -> Limited<'_> {
        self.connection.on()
    }

    /// Runs a statement; how many rows it wrote or locked.
    pub(crate) async fn run(&mut self, statement: Statement<'_>) -> Result<u64, StoreError> {
        let done = statement.execute(self.on()).await.map_err(store_error)?;
        Ok(done.rows_affected())
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.end("COMMIT").await
    }

    /// Gives up, having written nothing.
    pub(crate) async fn roll_back(self) -> Result<(), StoreError> {
        self.end("ROLLBACK").await
    }

    async fn end(mut self, end: &'static str) -> Result<(), StoreError> {
        self.say(end).await?;
        self.connection.put_back();
        Ok(())
    }

    async fn say(&mut self, statement: &'static str) -> Result<(), StoreError> {
        self.on().execute(statement).await.map_err(store_error)?;
        Ok(())
    }
}
