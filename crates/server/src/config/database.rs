//! Where the data is.

use std::fmt;
use std::path::{Path, PathBuf};

use reqwest::Url;
use vestibule_engine::Secret;
use vestibule_store_postgres::each_server;

/// Which store, and where.
#[derive(Debug)]
pub enum Database {
    /// Nothing is kept.
    Memory,
    /// A file.
    Sqlite(PathBuf),
    /// A server.
    Postgres(PostgresUrl),
}

/// The URL of a Postgres database, which may hold a password.
#[derive(Debug)]
pub struct PostgresUrl(Secret<String>);

impl Database {
    /// The default: a file in the data directory.
    pub(super) fn in_directory(data_dir: &Path) -> Self {
        Self::Sqlite(data_dir.join("vestibule.sqlite3"))
    }

    /// The files that it is kept in, whether or not they are there; none of a server's.
    pub fn files(&self) -> Vec<PathBuf> {
        let Self::Sqlite(file) = self else {
            return Vec::new();
        };
        let ends = ["", "-wal", "-shm", ".lock"];
        let named = ends.map(|end| {
            let mut name = file.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        });
        named.into()
    }

    /// Whether what is shown of it names something else when it is read.
    pub(super) fn reads_otherwise(&self) -> bool {
        matches!(self, Self::Sqlite(file) if file.as_os_str().as_encoded_bytes().contains(&b'?'))
    }

    /// Reads `memory:`, `sqlite:FILE` or `postgres://…`. The messages do not repeat the text,
    /// because it may hold a password.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text == "memory:" {
            return Ok(Self::Memory);
        }
        if let Some(file) = text.strip_prefix("sqlite:") {
            let file = file.strip_prefix("//").unwrap_or(file);
            if file.is_empty() || file.contains('?') {
                return Err("must name a file after `sqlite:`, and nothing else".to_owned());
            }
            return Ok(Self::Sqlite(PathBuf::from(file)));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            for url in each_server(text) {
                Url::parse(&url).map_err(|error| format!("is not a URL: {error}"))?;
            }
            return Ok(Self::Postgres(PostgresUrl(Secret::from(text))));
        }
        Err("must be `memory:`, `sqlite:FILE` or `postgres://…`".to_owned())
    }
}

impl PostgresUrl {
    /// The URL with its password, for the driver only.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// Without the password.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
            Self::Sqlite(file) => {
                let file = file.display().to_string();
                // Two slashes are taken off again when it is read.
                let slashes = if file.starts_with("//") { "//" } else { "" };
                write!(f, "sqlite:{slashes}{file}")
            }
            Self::Postgres(url) => {
                let servers = each_server(url.expose());
                let servers: Vec<_> = servers.iter().map(|url| redacted(url)).collect();
                f.write_str(&servers.join(" or "))
            }
        }
    }
}

fn redacted(text: &str) -> String {
    const HIDDEN: &str = "***";
    let Ok(mut url) = Url::parse(text) else {
        return HIDDEN.to_owned();
    };
    if url.password().is_some() && url.set_password(Some(HIDDEN)).is_err() {
        return HIDDEN.to_owned();
    }
    if url.query().is_some() {
        let pairs: Vec<(String, String)> = url
            .query_pairs()
            .map(|(key, value)| {
                let hidden = key.to_lowercase().contains("password");
                let value = if hidden {
                    HIDDEN.into()
                } else {
                    value.into_owned()
                };
                (key.into_owned(), value)
            })
            .collect();
        url.query_pairs_mut().clear().extend_pairs(pairs);
    }
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, shown: Option<&str>) {
        let found = Database::parse(text)
            .ok()
            .map(|database| database.to_string());
        assert_eq!(found.as_deref(), shown, "{text}");
    }

    #[test]
    fn the_three_kinds() {
        check("memory:", Some("memory:"));
        check("sqlite:/var/lib/v.db", Some("sqlite:/var/lib/v.db"));
        check("sqlite:///var/lib/v.db", Some("sqlite:/var/lib/v.db"));
        check("sqlite:////v.db", Some("sqlite:////v.db"));
        check("postgres://db/v", Some("postgres://db/v"));
        check(
            "postgres:///v?host=/run/postgresql",
            Some("postgres:///v?host=%2Frun%2Fpostgresql"),
        );
        check(
            "postgres://v:geheim@a:1,b:2/v?target_session_attrs=read-write",
            Some(
                "postgres://v:***@a:1/v?target_session_attrs=read-write or \
                 postgres://v:***@b:2/v?target_session_attrs=read-write",
            ),
        );
        for text in [
            "",
            "postgres://a:1,b:x/v",
            "memory",
            "sqlite:",
            "mysql://db/v",
            "postgres:db",
            "/var/lib/v.db",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        check("postgres://v:geheim@db/v", Some("postgres://v:***@db/v"));
        check(
            "postgres://db/v?user=v&password=geheim",
            Some("postgres://db/v?user=v&password=***"),
        );
        let debug = format!("{:?}", Database::parse("postgres://v:geheim@db/v").unwrap());
        assert!(!debug.contains("geheim"), "{debug}");
    }
}
