//! `vestibule restore`

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use vestibule_engine::TotpStep;
use vestibule_service::{Clock, OsRandom, Parts, Service, ServiceError};
use vestibule_store::{LastingStore, Schema, Store};

use super::super::{OperatorError, conclude, keyring, open_service};
use super::{USED, load, whole};
use crate::config::{Config, Database, Flags};
use crate::exit::Exit;
use crate::stores::NoStore;
use crate::{files, serve, stores};

/// Arguments of `restore`.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup
    file: PathBuf,
    #[command(flatten)]
    settings: Flags,
}

impl RestoreArgs {
    pub(crate) fn flags(&self) -> &Flags {
        &self.settings
    }
}

/// Puts a backup into a database.
pub(crate) async fn run(args: &RestoreArgs, config: &Config, clock: Arc<dyn Clock>) -> Exit {
    conclude(restore(&args.file, config, clock).await)
}

async fn restore(
    file: &Path,
    config: &Config,
    clock: Arc<dyn Clock>,
) -> Result<String, OperatorError> {
    let keyring = keyring(&config.master_key_file)?;
    let (reader, rows) = whole(file, &keyring)?;
    must_be_unused(&config.database).await?;
    if let Database::Sqlite(file) = &config.database
        && let Some(directory) = file.parent()
        && !directory.as_os_str().is_empty()
    {
        files::make_private_directory(directory)?;
    }
    let store = stores::open_lasting(&config.database).await?;
    let store = store.ok_or(NoStore::Memory)?;
    let made = reader.header().made.clone();
    // Codes of this step and the next may have been used after the backup was made.
    let spent = TotpStep::new(TotpStep::at(clock.wall()).number().saturating_add(1));
    let signed = writes_down(config, &store, Arc::clone(&clock))?
        .sign_restored(&made, reader.header().key)
        .map_err(ServiceError::from)?;
    let loaded = load(&*store, reader, spent, &[signed]).await;
    let sealed = match loaded {
        Ok(()) => seal(config, &store, clock).await,
        Err(error) => Err(error),
    };
    store.close().await;
    sealed?;
    Ok(format!(
        "Restored {rows} rows of a backup that was made at {made}. Everybody signs in again; codes are \
         accepted from the step after the next on, within a minute."
    ))
}

/// Looks whether somebody has used the database. One that was is not even brought up to date.
async fn must_be_unused(database: &Database) -> Result<(), OperatorError> {
    let found = match stores::look(database).await {
        Ok(found) => found,
        Err(NoStore::Missing(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let is_used = match found.schema().await {
        Ok(Schema::Missing) => Ok(false),
        Ok(Schema::UpToDate) => found.canary().await.map(|canary| canary.is_some()),
        Ok(Schema::Behind(_) | Schema::TooNew { .. } | Schema::Altered(_)) => Ok(true),
        Err(error) => Err(error),
    };
    found.store().close().await;
    if is_used? {
        return Err(OperatorError::Refused(USED.to_owned()));
    }
    Ok(())
}

/// What signs the row about the restore, before the database is one that a service can be opened
/// over.
fn writes_down(
    config: &Config,
    store: &Arc<dyn LastingStore>,
    clock: Arc<dyn Clock>,
) -> Result<Service, OperatorError> {
    Ok(Service::only_looking(Parts {
        store: Arc::clone(store) as _,
        clock,
        random: Arc::new(OsRandom),
        keyring: keyring(&config.master_key_file)?,
        policy: serve::policy(config),
    }))
}

async fn seal(
    config: &Config,
    store: &Arc<dyn LastingStore>,
    clock: Arc<dyn Clock>,
) -> Result<(), OperatorError> {
    let store: Arc<dyn Store> = Arc::clone(store) as _;
    open_service(config, &store, clock)
        .await?
        .seal_audit()
        .await?;
    Ok(())
}
