//! The database, and the key that opens what is sealed in it.

use std::time::Duration;

use vestibule_engine::Timestamp;
use vestibule_service::Keyring;
use vestibule_store::{Inspect, Schema, StoreError};

use super::keys;
use super::report::{Finding, Report};
use crate::config::Config;
use crate::files::ReadError;
use crate::key::{self, KeyError, MasterKeys};
use crate::stores::{self, NoStore};

/// How far two clocks may be apart; reading them takes a while.
const APART: Duration = Duration::from_secs(5);

/// Looks at the database. What is in it can be asked for if its schema is up to date.
pub(super) async fn examine(
    config: &Config,
    now: Timestamp,
    report: &mut Report,
) -> Option<Box<dyn Inspect>> {
    let database = match stores::look(&config.database).await {
        Ok(database) => database,
        Err(NoStore::Memory) => {
            let what = "memory: ends with the server, and only the server can look into it";
            let advice = "leave database_url out, unless this is a trial";
            report.add(Finding::warning("database", what, advice));
            return None;
        }
        Err(NoStore::Missing(file)) => {
            report.add(missing(config, &file));
            return None;
        }
        Err(NoStore::Store(error)) => {
            report.add(failed("database", &error));
            return None;
        }
    };
    let schema = match database.schema().await {
        Ok(schema) => schema,
        Err(error) => {
            report.add(failed("database", &error));
            return None;
        }
    };
    if let Err(error) = database.check_writable().await {
        report.add(failed("database", &error));
    }
    report.extend(clock(&*database, now).await);
    let (found, is_readable) = of_schema(config, schema);
    report.add(found);
    if is_readable {
        Some(database)
    } else {
        database.store().close().await;
        None
    }
}

/// There is no database: before the first start that is as it should be.
fn missing(config: &Config, file: &str) -> Finding {
    if config.master_key_file.exists() {
        let what = format!("there is no database at {file}, but a master key");
        let advice = "restore the database from your backup, or name its data directory";
        return Finding::problem("database", what, advice);
    }
    let what = format!("there is none at {file} yet: the first start makes it");
    Finding::ok("database", what)
}

/// What a schema means, and whether the database can be asked.
fn of_schema(config: &Config, schema: Schema) -> (Finding, bool) {
    let database = &config.database;
    let (what, advice) = match schema {
        Schema::UpToDate => {
            let what = format!("{database} is reachable, and its schema up to date");
            return (Finding::ok("database", what), true);
        }
        Schema::Missing => {
            let what = format!("{database} is empty: the first start fills it");
            return (Finding::ok("database", what), false);
        }
        Schema::Behind(missing) => {
            let what = format!("the schema of {database} lacks {missing} changes");
            let advice = "start this version of the server, which makes them; make a backup before. \
                          What is in the database was not looked at";
            return (Finding::warning("database", what, advice), false);
        }
        Schema::TooNew { found, known } => (
            format!("{database} was made by a newer version ({found}; this one knows {known})"),
            "run that version, or a newer one",
        ),
        Schema::Altered(number) => (
            format!(
                "the change {number} of the schema of {database} is not the one of this program"
            ),
            "restore a backup, or run the version that made it",
        ),
    };
    (Finding::problem("database", what, advice), false)
}

/// Compares the clock here with that of the database server.
async fn clock(database: &dyn Inspect, now: Timestamp) -> Option<Finding> {
    let there = match database.time().await {
        Ok(there) => there?,
        Err(error) => return Some(failed("clock", &error)),
    };
    let apart = there.since(now).max(now.since(there));
    (apart > APART).then(|| {
        let seconds = apart.as_secs();
        let what =
            format!("the clock of the database server is {seconds} s away from the one here");
        let advice = "see which one is right: have both set by NTP";
        Finding::warning("clock", what, advice)
    })
}

/// Looks at the master key; the keyring, if it is the right one.
pub(super) async fn key(
    config: &Config,
    database: &dyn Inspect,
    report: &mut Report,
) -> Option<Keyring> {
    let canary = match database.canary().await {
        Ok(canary) => canary,
        Err(error) => {
            report.add(failed("key", &error));
            return None;
        }
    };
    let path = config.master_key_file.display();
    let loaded = key::load(&config.master_key_file).and_then(|keys| {
        let keys = MasterKeys {
            keys,
            is_new: false,
        };
        keys.keyring(&config.master_key_file)
    });
    let found = match (loaded, canary) {
        (Ok(keyring), Some(canary)) => match keyring.fits(&canary) {
            Ok(()) => {
                let store = database.store();
                report.extend(keys::examine(&config.master_key_file, &keyring, &*store).await);
                return Some(keyring);
            }
            Err(error) => {
                let what = format!("{path} does not open this database: {error}");
                Finding::problem("key", what, "put the right key there, from your backup")
            }
        },
        (Ok(_), None) => Finding::ok("key", format!("{path} has sealed nothing yet")),
        (Err(error), canary) if is_missing(&error) => {
            if canary.is_some() {
                let what = format!("{path} is not there, and the database needs it");
                Finding::problem("key", what, "put the key there, from your backup")
            } else {
                Finding::ok("key", format!("{path} is made at the first start"))
            }
        }
        (Err(error), _) => {
            let advice = "without the right key no server starts";
            Finding::problem("key", error.to_string(), advice)
        }
    };
    report.add(found);
    None
}

fn is_missing(error: &KeyError) -> bool {
    matches!(error, KeyError::Read { source: ReadError::Io(error), .. }
        if error.kind() == std::io::ErrorKind::NotFound)
}

/// What a store that does not work says, down to the cause.
pub(super) fn failed(check: &'static str, error: &StoreError) -> Finding {
    let cause = std::error::Error::source(error);
    let what = match cause {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    };
    let advice = match error {
        StoreError::Unavailable { .. } => {
            "see whether the database is there, whether this user may use it, and what its log says"
        }
        StoreError::Inconsistent { .. } => "compare with a backup, and report it",
        StoreError::SchemaTooNew { .. } => "run the newer version",
        StoreError::Bug(_) => "report it",
    };
    Finding::problem(check, what, advice)
}

#[cfg(test)]
mod tests {
    use super::super::report::Level;
    use super::*;
    use crate::config::{Database, Environment, Flags};

    #[test]
    fn each_schema_says_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let settings = Config::load(
            &Flags::default(),
            &std::iter::empty::<(String, String)>().collect::<Environment>(),
            directory.path(),
        );
        let config = settings.unwrap().config;
        assert!(matches!(config.database, Database::Sqlite(_)));
        let too_new = Schema::TooNew { found: 9, known: 8 };
        for (schema, level, is_readable) in [
            (Schema::UpToDate, Level::Ok, true),
            (Schema::Missing, Level::Ok, false),
            (Schema::Behind(2), Level::Warning, false),
            (too_new, Level::Problem, false),
            (Schema::Altered(3), Level::Problem, false),
        ] {
            let (finding, readable) = of_schema(&config, schema);
            assert_eq!(
                (finding.level, readable),
                (level, is_readable),
                "{schema:?}"
            );
        }
    }
}
