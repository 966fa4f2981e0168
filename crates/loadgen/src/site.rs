//! What is measured: a real server over a real database, and those who sign in to it.

mod administrator;
mod crowd;
mod database;
mod postgres;
mod server;
mod sqlite;

pub(crate) use administrator::{Administrator, TOTP_PROVIDER};
pub(crate) use crowd::{Crowd, Session, faults};
pub(crate) use database::Database;
pub(crate) use postgres::{Postgres, PostgresDatabase};
pub(crate) use server::{Memory, Server, cpu_of};

use std::path::Path;

use crate::fault::Result;

/// A server over a database of its own, and whoever administers it.
pub(crate) struct Site<'a> {
    pub(crate) server: Server,
    pub(crate) administrator: Administrator,
    /// After the server, which has it open.
    pub(crate) database: Database<'a>,
}

impl<'a> Site<'a> {
    /// Starts a server with settings from a file, over a database that is new.
    pub(crate) async fn start(
        binary: &Path,
        database: Database<'a>,
        settings: &str,
    ) -> Result<Self> {
        let server = Server::start(binary, &database.url(), settings)?;
        let administrator = Administrator::sign_in(server.address()).await?;
        Ok(Self {
            server,
            administrator,
            database,
        })
    }
}
