//! `vestibule backup --verify`

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use vestibule_engine::TotpStep;
use vestibule_service::{Clock, OsRandom, Parts, Resealing, Service};
use vestibule_store_sqlite::SqliteStore;

use super::super::stop::unless_stopped;
use super::super::{OperatorError, keyring, unopened_in_words};
use super::{load, whole};
use crate::config::Config;
use crate::serve;

/// Secrets that are opened at once.
const BATCH: u32 = 500;

/// How the directory is called, before random digits.
const SCRATCH: &str = "vestibule-verify-";

/// Nobody verifies a backup for so long.
const FORGOTTEN: Duration = Duration::from_hours(24);

/// A directory for a database that is only looked at. It goes when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> io::Result<Self> {
        let mut octets = [0; 16];
        getrandom::fill(&mut octets)?;
        let id = uuid::Builder::from_random_bytes(octets).into_uuid();
        let path = std::env::temp_dir().join(format!("{SCRATCH}{id}"));
        // Nobody else has made it.
        DirBuilder::new().mode(0o700).create(&path)?;
        let scratch = Self(path);
        // They are in nobody's way: what cannot be removed stays.
        let _ = scratch.remove_forgotten();
        Ok(scratch)
    }

    /// Removes what another run of this user had no time to remove.
    fn remove_forgotten(&self) -> io::Result<()> {
        let own = fs::metadata(&self.0)?;
        let now = own.modified()?;
        for entry in fs::read_dir(std::env::temp_dir())? {
            let entry = entry?;
            let name = entry.file_name();
            if !name.as_encoded_bytes().starts_with(SCRATCH.as_bytes()) {
                continue;
            }
            let metadata = entry.metadata()?;
            let age = now.duration_since(metadata.modified()?).unwrap_or_default();
            if metadata.is_dir() && metadata.uid() == own.uid() && age > FORGOTTEN {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left of it is a whole database: seeds are sealed in it, but names, password hashes
        // and the trail can be read. Nobody else may enter it, and the next run removes it.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Checks a backup by restoring it into a database that is only looked at.
pub(super) async fn run(
    file: &Path,
    config: &Config,
    clock: Arc<dyn Clock>,
) -> Result<String, OperatorError> {
    let keyring = keyring(&config.master_key_file)?;
    let (reader, rows) = whole(file, &keyring)?;
    let (made, key) = (reader.header().made.clone(), reader.header().key);
    let looked = async {
        let scratch = Scratch::new()?;
        let store = SqliteStore::open(&scratch.0.join("vestibule.sqlite3")).await?;
        load(&store, reader, TotpStep::new(0), &[]).await?;
        look_into(store, config, clock).await
    };
    let (secrets, trail) = unless_stopped(looked).await?;
    Ok(format!(
        "The backup was made at {made} with the master key {key}. It is whole: {rows} rows; {secrets} \
         secrets open; {trail} rows of the audit trail are as they were written."
    ))
}

/// Opens all that is sealed and recomputes the trail; how many secrets and rows of it there are.
async fn look_into(
    store: SqliteStore,
    config: &Config,
    clock: Arc<dyn Clock>,
) -> Result<(u64, u64), OperatorError> {
    let service = Service::open(Parts {
        store: Arc::new(store),
        clock,
        random: Arc::new(OsRandom),
        keyring: keyring(&config.master_key_file)?,
        policy: serve::policy(config),
    })
    .await?;
    let mut looking = Resealing::default();
    while service.open_sealed(&mut looking, BATCH).await? {}
    let mut findings = Vec::new();
    let found = |finding: vestibule_engine::audit::Finding| {
        findings.push(format!("{} {}", finding.place, finding.what));
    };
    let verified = service.verify_audit(None, found).await?;
    service.close().await;
    if verified.astray > 0 {
        findings.push(format!("{} rows of it are in no chain", verified.astray));
    }
    let mut wrong = Vec::new();
    if let Some(unopened) = unopened_in_words(&looking) {
        wrong.push(format!("these secrets do not open: {unopened}"));
    }
    if !findings.is_empty() {
        wrong.push(format!(
            "the audit trail was changed: {}",
            findings.join("; ")
        ));
    }
    if !wrong.is_empty() {
        return Err(OperatorError::Refused(format!(
            "the backup is as it was made, but {}",
            wrong.join(", and ")
        )));
    }
    Ok((looking.done, verified.sealed + verified.young))
}
