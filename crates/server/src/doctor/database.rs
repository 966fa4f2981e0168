//! The database.

use std::time::Duration;

use vestibule_engine::Timestamp;
use vestibule_store::{Inspect, Schema, StoreError};

use super::report::{Finding, Report};
use crate::config::Config;
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
    report.extend(damage(&*database).await);
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

/// Looks at all of the database, which takes a while if it is large: whoever reads the rest reads
/// only the beginning.
async fn damage(database: &dyn Inspect) -> Option<Finding> {
    match database.damage().await {
        Err(error) => Some(failed("database", &error)),
        Ok(found) => found.map(|found| {
            let what = format!("the file is damaged: {found}");
            let advice = "stop the server, put the file aside, and restore your last backup with \
                          `vestibule restore`; look at the disk";
            Finding::problem("database", what, advice)
        }),
    }
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
