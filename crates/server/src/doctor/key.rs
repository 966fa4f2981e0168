//! The master key: whether it is there, closed, and opens what is sealed in the database.

use vestibule_service::Keyring;
use vestibule_store::Inspect;

use super::database::failed;
use super::needed_keys;
use super::report::{Finding, Report};
use crate::config::Config;
use crate::files::ReadError;
use crate::key::{self, KeyError, MasterKeys};

/// Looks at the key alone, where no database can be asked what it opens.
pub(super) fn alone(config: &Config) -> Finding {
    let path = config.master_key_file.display();
    match load(config) {
        Ok(_) => Finding::ok(
            "key",
            format!("{path} is a key; what it opens was not tried"),
        ),
        Err(error) if is_missing(&error) => {
            let what = format!("{path} is not there: the first start makes it");
            Finding::ok("key", what)
        }
        Err(error) => unusable(&error),
    }
}

/// Looks at the master key; the keyring, if it is the right one.
pub(super) async fn examine(
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
    let found = match (load(config), canary) {
        (Ok(keyring), Some(canary)) => match keyring.fits(&canary) {
            Ok(()) => {
                let (file, store) = (&config.master_key_file, database.store());
                report.extend(needed_keys::examine(file, &keyring, &*store).await);
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
        (Err(error), _) => unusable(&error),
    };
    report.add(found);
    None
}

fn is_missing(error: &KeyError) -> bool {
    matches!(error, KeyError::Read { source: ReadError::Io(error), .. }
        if error.kind() == std::io::ErrorKind::NotFound)
}

fn load(config: &Config) -> Result<Keyring, KeyError> {
    let keys = MasterKeys {
        keys: key::load(&config.master_key_file)?,
        is_new: false,
    };
    keys.keyring(&config.master_key_file)
}

fn unusable(error: &KeyError) -> Finding {
    let advice = "without the right key no server starts";
    Finding::problem("key", error.to_string(), advice)
}
