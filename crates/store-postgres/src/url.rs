//! The URL of a database, read without telling anybody what is in it.

use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;
use vestibule_store::StoreError;

/// The parameters that the driver knows. It logs others with their values, and `pasword=…` would
/// be one.
const PARAMETERS: [&str; 17] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];

/// What the server must be that is looked for, in the words of libpq. `prefer-standby` and its like
/// make no sense for a program that writes.
const TARGET: &str = "target_session_attrs";
const TARGETS: [&str; 2] = ["read-write", "primary"];

/// The servers of a database, one of which takes writes.
#[derive(Clone)]
pub(crate) struct Servers {
    pub(crate) each: Vec<PgConnectOptions>,
    /// Whether one that takes no writes is passed over.
    pub(crate) must_write: bool,
}

impl Servers {
    /// The same with these options of the session.
    pub(crate) fn with(mut self, session: &[(&str, &str)]) -> Self {
        let each = self.each.into_iter();
        self.each = each
            .map(|one| one.options(session.iter().copied()))
            .collect();
        self
    }
}

/// A URL for each of the servers in this one, in their order: `postgres://a:1,b:2/db` names two, as
/// with libpq.
pub fn each_server(url: &str) -> Vec<String> {
    let whole = || vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else {
        return whole();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let (user, servers) = match authority.rsplit_once('@') {
        Some((user, servers)) => (format!("{user}@"), servers),
        None => (String::new(), authority),
    };
    let servers = servers.split(',');
    servers
        .map(|server| format!("{scheme}://{user}{server}{rest}"))
        .collect()
}

/// Reads a URL. What is wrong with it is not quoted.
pub(crate) fn parse(url: &str) -> Result<Servers, StoreError> {
    let url = url.split('#').next().unwrap_or_default();
    let (url, parameters) = url.split_once('?').unwrap_or((url, ""));
    let (mut kept, mut target) = (Vec::new(), None);
    for parameter in parameters
        .split('&')
        .filter(|parameter| !parameter.is_empty())
    {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if name == TARGET {
            target = Some(value);
        } else if PARAMETERS.contains(&name) {
            kept.push(parameter);
        } else {
            return Err(StoreError::unavailable(
                "the database URL has a parameter that is not known",
            ));
        }
    }
    if target.is_some_and(|target| !TARGETS.contains(&target)) {
        return Err(StoreError::unavailable(
            "target_session_attrs in the database URL must be read-write or primary",
        ));
    }
    let each = each_server(&format!("{url}?{}", kept.join("&")));
    let each = each
        .iter()
        .map(|url| one(url))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Servers {
        must_write: each.len() > 1 || target.is_some(),
        each,
    })
}

fn one(url: &str) -> Result<PgConnectOptions, StoreError> {
    let options: PgConnectOptions = url
        .parse()
        .map_err(|_| StoreError::unavailable("the database URL cannot be read"))?;
    Ok(options
        .application_name("vestibule")
        .disable_statement_logging())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(url: &str) {
        let error = parse(url).err().unwrap();
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn what_is_wrong_is_not_quoted() {
        refused("hunter2");
        refused("postgres://u:hunter2@host:port/db");
        refused("postgres://u:p@host/db?pasword=hunter2");
        refused("postgres://u:p@host/db?sslmode=hunter2");
        refused("postgres://u:p@host/db?user=u&hunter2");
        refused("postgres://u:hunter2@host:1,host:port/db");
        refused("postgres://u:p@host/db?target_session_attrs=hunter2");
        refused("postgres://u:p@host/db?target_session_attrs=standby");
    }

    #[test]
    fn known_parameters_are_read() {
        let servers = parse("postgres://u:p@host:5433/db?sslmode=disable&host=/run/pg").unwrap();
        assert!(!servers.must_write, "there is no other");
        let [options] = servers.each.as_slice() else {
            panic!("one server");
        };
        assert_eq!(
            (options.get_port(), options.get_database()),
            (5433, Some("db"))
        );
        assert_eq!(options.get_application_name(), Some("vestibule"));
    }

    /// Host, port and database of each server.
    #[track_caller]
    fn check(url: &str, expected: &[(&str, u16, &str)]) {
        let servers = parse(url).unwrap();
        let found = servers.each.iter().map(|one| {
            let database = one.get_database().unwrap();
            (one.get_host(), one.get_port(), database)
        });
        assert_eq!(found.collect::<Vec<_>>(), expected);
        assert!(servers.must_write);
    }

    #[test]
    fn several_servers_are_named_as_with_libpq() {
        let two = [("a", 1, "db"), ("b", 2, "db")];
        check("postgres://u:p@a:1,b:2/db", &two);
        check(
            "postgres://a:1,b:2/db?target_session_attrs=read-write",
            &two,
        );
        check(
            "postgresql://u:p%2Cq@[::1],10.0.0.2:5433,c/db?sslmode=disable",
            &[
                ("[::1]", 5432, "db"),
                ("10.0.0.2", 5433, "db"),
                ("c", 5432, "db"),
            ],
        );
        check("postgres://a:1/db?target_session_attrs=primary", &two[..1]);
    }
}
