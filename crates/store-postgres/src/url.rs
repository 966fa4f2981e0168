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

/// Reads a URL. What is wrong with it is not quoted.
pub(crate) fn parse(url: &str) -> Result<PgConnectOptions, StoreError> {
    let url_without_fragment = url.split('#').next().unwrap_or_default();
    if let Some((_, parameters)) = url_without_fragment.split_once('?') {
        for parameter in parameters
            .split('&')
            .filter(|parameter| !parameter.is_empty())
        {
            let name = parameter.split('=').next().unwrap_or_default();
            if !PARAMETERS.contains(&name) {
                return Err(StoreError::unavailable(
                    "the database URL has a parameter that is not known",
                ));
            }
        }
    }
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
        let error = parse(url).unwrap_err();
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
    }

    #[test]
    fn known_parameters_are_read() {
        let options = parse("postgres://u:p@host:5433/db?sslmode=disable&host=/run/pg").unwrap();
        assert_eq!(
            (options.get_port(), options.get_database()),
            (5433, Some("db"))
        );
        assert_eq!(options.get_application_name(), Some("vestibule"));
    }
}
