//! What is measured: a real server over a real database, and those who sign in to it.

mod administrator;
mod crowd;
mod postgres;
mod server;

pub(crate) use administrator::{Administrator, TOTP_PROVIDER};
pub(crate) use crowd::{Crowd, Session, faults};
pub(crate) use postgres::Postgres;
pub(crate) use server::{Memory, Server};

use std::path::Path;

use crate::fault::Result;

/// A server over a database of its own, and whoever administers it.
pub(crate) struct Site {
    pub(crate) database: String,
    pub(crate) server: Server,
    pub(crate) administrator: Administrator,
}

impl Site {
    /// Starts a server with settings from a file.
    pub(crate) async fn start(binary: &Path, postgres: &Postgres, settings: &str) -> Result<Self> {
        let database = postgres.database();
        let server = Server::start(binary, &database, settings)?;
        let administrator = Administrator::sign_in(server.address()).await?;
        Ok(Self {
            database,
            server,
            administrator,
        })
    }
}
