//! What is in the database, read past the server.

use std::collections::{HashMap, HashSet};

use sqlx::{Connection as _, PgConnection, SqliteConnection};
use vestibule_testkit::site::Site;

/// A connection of its own.
pub(crate) enum Database {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Database {
    pub(crate) async fn open(site: &Site) -> Self {
        let url = site.database_url();
        if url.starts_with("sqlite:") {
            Self::Sqlite(SqliteConnection::connect(&url).await.unwrap())
        } else {
            Self::Postgres(PgConnection::connect(&url).await.unwrap())
        }
    }

    /// A connection, if that is to Postgres. To open a file while no server has it, and to close it
    /// again, would repair it.
    pub(crate) async fn of_postgres(site: &Site) -> Option<Self> {
        let is_postgres = site.database_url().starts_with("postgres:");
        if is_postgres {
            Some(Self::open(site).await)
        } else {
            None
        }
    }

    /// Rows of a text and octets, by the statement of each database.
    async fn rows(
        &mut self,
        sqlite: &'static str,
        postgres: &'static str,
    ) -> Vec<(String, Vec<u8>)> {
        match self {
            Self::Sqlite(database) => sqlx::query_as(sqlite).fetch_all(database).await.unwrap(),
            Self::Postgres(database) => sqlx::query_as(postgres).fetch_all(database).await.unwrap(),
        }
    }

    /// How many wrong guesses are counted against each user since the last reset.
    pub(crate) async fn guesses(&mut self) -> HashMap<String, u32> {
        const GUESSES: &str =
            "SELECT u.name, f.recent FROM second_factors f JOIN users u ON u.id = f.user_id";
        let rows = self.rows(GUESSES, GUESSES).await;
        // The day, and then a count for each day.
        let count = |recent: Vec<u8>| recent.iter().skip(4).map(|&n| u32::from(n)).sum();
        rows.into_iter()
            .map(|(name, recent)| (name, count(recent)))
            .collect()
    }

    /// The users.
    pub(crate) async fn users(&mut self) -> HashSet<String> {
        let sqlite = "SELECT name, x'' FROM users";
        let postgres = "SELECT name, ''::bytea FROM users";
        let rows = self.rows(sqlite, postgres).await;
        rows.into_iter().map(|(name, _)| name).collect()
    }

    /// The requests that left a row in the audit trail, as 32 hexadecimal digits.
    pub(crate) async fn requests(&mut self) -> HashSet<String> {
        let sqlite = "SELECT DISTINCT lower(hex(request)), x'' FROM audit_events";
        let postgres = "SELECT DISTINCT replace(request::text, '-', ''), ''::bytea \
            FROM audit_events";
        let rows = self.rows(sqlite, postgres).await;
        rows.into_iter().map(|(request, _)| request).collect()
    }

    /// Who was let in by a code of which step.
    pub(crate) async fn passes(&mut self) -> Vec<(String, i64)> {
        let sqlite = "SELECT actor, CAST(details AS BLOB) FROM audit_events \
            WHERE event = 'secondFactor' AND outcome = 'success'";
        let postgres = "SELECT actor, convert_to(details, 'UTF8') FROM audit_events \
            WHERE event = 'secondFactor' AND outcome = 'success'";
        let rows = self.rows(sqlite, postgres).await;
        rows.into_iter()
            .filter_map(|(name, details)| {
                let details = String::from_utf8(details).unwrap();
                let step = details
                    .lines()
                    .find_map(|line| line.strip_prefix("step="))?;
                Some((name, step.parse().unwrap()))
            })
            .collect()
    }

    /// Waits until the statements of a server that is gone have ended: one that Postgres had
    /// already may still be carried out. The second replica is the one without TCP.
    pub(crate) async fn settled(&mut self, of_second_replica: bool) {
        const LEFT: &str = "SELECT count(*) FROM pg_stat_activity \
            WHERE datname = current_database() AND application_name = 'vestibule' \
            AND (client_addr IS NULL) = $1";
        let Self::Postgres(database) = self else {
            return;
        };
        let mut left = 1_i64;
        while left > 0 {
            let query = sqlx::query_scalar(LEFT).bind(of_second_replica);
            left = query.fetch_one(&mut *database).await.unwrap();
        }
    }

    /// The process of one connection of the server.
    pub(crate) async fn backend(&mut self) -> Option<i32> {
        const ANY: &str = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() \
            AND application_name = 'vestibule' ORDER BY state = 'idle', random() LIMIT 1";
        let Self::Postgres(database) = self else {
            return None;
        };
        let query = sqlx::query_scalar(ANY);
        query.fetch_optional(database).await.unwrap()
    }
}
