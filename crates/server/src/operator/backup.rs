//! `vestibule backup` and `vestibule restore`

mod file;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use vestibule_engine::TotpStep;
use vestibule_service::{Clock, Keyring, OsRandom, Parts, Resealing, Service, ServiceError};
use vestibule_store::{LastingStore, Loading, Store};
use vestibule_store_sqlite::SqliteStore;

use super::{OperatorError, conclude, keyring, open_service, show};
use crate::config::{Config, Database, Flags};
use crate::exit::Exit;
use crate::{files, output, serve, stores};

use file::{FileError, Reader, Writer};

/// Secrets that are opened at once when a backup is verified.
const BATCH: u32 = 500;

/// Arguments of `backup`.
#[derive(Debug, Args)]
#[command(
    after_help = "The backup holds users, password hashes, seeds, settings, providers, roles and the audit trail.
Seeds and other secrets stay sealed, and the master key is not in it: keep that elsewhere.
Tokens are not in it: after a restore everybody signs in again."
)]
pub(crate) struct BackupArgs {
    /// Where to write it; `-` is stdout
    file: PathBuf,
    /// Write nothing: check that the backup in the file is whole, that its secrets open with the
    /// master key here, and that nobody has changed the audit trail in it
    #[arg(long)]
    verify: bool,
    #[command(flatten)]
    settings: Flags,
}

/// Arguments of `restore`.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup
    file: PathBuf,
    #[command(flatten)]
    settings: Flags,
}

impl BackupArgs {
    pub(crate) fn flags(&self) -> &Flags {
        &self.settings
    }
}

impl RestoreArgs {
    pub(crate) fn flags(&self) -> &Flags {
        &self.settings
    }
}

impl From<FileError> for OperatorError {
    fn from(error: FileError) -> Self {
        Self::Refused(format!("the backup cannot be used: {error}"))
    }
}

/// Makes a backup, or verifies one.
pub(crate) async fn run(args: &BackupArgs, config: &Config, clock: Arc<dyn Clock>) -> Exit {
    if args.verify {
        return conclude(verify(&args.file, config, clock).await);
    }
    let store = match stores::open_existing_lasting(&config.database).await {
        Ok(store) => store,
        Err(error) => return conclude(Err(error.into())),
    };
    let done = backup(&args.file, config, &store, clock).await;
    store.close().await;
    conclude(done)
}

async fn backup(
    file: &Path,
    config: &Config,
    store: &Arc<dyn LastingStore>,
    clock: Arc<dyn Clock>,
) -> Result<String, OperatorError> {
    let made = show(clock.wall());
    let plain: Arc<dyn Store> = Arc::clone(store) as _;
    let service = open_service(config, &plain, clock).await?;
    if file == Path::new("-") {
        let stdout = BufWriter::new(io::stdout());
        let (_, rows) = write(stdout, made, &**store, &service).await?;
        output::note(format_args!("Wrote {rows} rows."));
        return Ok(String::new());
    }
    let path = file.display();
    let failed = |error: io::Error| {
        OperatorError::Refused(format!("the backup {path} cannot be written: {error}"))
    };
    let draft = Draft::begin(file).map_err(failed)?;
    let opened = draft.open().map_err(failed)?;
    let (opened, rows) = write(BufWriter::new(opened), made, &**store, &service).await?;
    let opened = opened
        .into_inner()
        .map_err(|error| failed(error.into_error()))?;
    opened.sync_all().map_err(failed)?;
    draft.end(file).map_err(failed)?;
    Ok(format!(
        "Wrote {rows} rows to {path}. It needs the master key {}, which is not in it.",
        service.key_id()
    ))
}

async fn write<W: Write + Send>(
    to: W,
    made: String,
    store: &dyn LastingStore,
    service: &Service,
) -> Result<(W, u64), OperatorError> {
    let mut writer = Writer::begin(to, made, service.key_id())?;
    let mut take = |table: &'static str, row: &str| Ok(writer.row(table, row)?);
    if let Err(error) = store.dump(&mut take).await? {
        return Err(OperatorError::Refused(format!(
            "the backup cannot be written: {error}"
        )));
    }
    writer.end(|digest| {
        let voucher = service.vouch(digest);
        voucher.map_err(|error| OperatorError::Service(ServiceError::from(error)))
    })
}

/// A file that is not there yet under its name. Dropped before its end it never was.
struct Draft(PathBuf);

impl Draft {
    fn begin(file: &Path) -> io::Result<Self> {
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.draft", std::process::id()));
        let draft = Self(file.with_file_name(name));
        match fs::remove_file(&draft.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(draft),
        }
    }

    fn open(&self) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        options.open(&self.0)
    }

    /// Gives it its name, at one instant and durably.
    fn end(self, file: &Path) -> io::Result<()> {
        fs::rename(&self.0, file)?;
        files::sync_directory_of(file)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // There is none any more where all went well.
        let _ = fs::remove_file(&self.0);
    }
}

/// A backup that has turned out to be whole, to be read again.
fn whole<'k>(
    file: &Path,
    keyring: &'k Keyring,
) -> Result<(Reader<'k, BufReader<File>>, u64), FileError> {
    let open = || Ok::<_, FileError>(BufReader::new(File::open(file)?));
    let rows = Reader::begin(open()?, keyring)?.check()?;
    Ok((Reader::begin(open()?, keyring)?, rows))
}

async fn load(
    store: &dyn LastingStore,
    mut reader: Reader<'_, BufReader<File>>,
    spent: TotpStep,
) -> Result<(), OperatorError> {
    match store.load(&mut reader, spent).await? {
        Loading::Done => Ok(()),
        Loading::NotEmpty => Err(OperatorError::Refused(
            "the database has been used already: restore into a new one".to_owned(),
        )),
        Loading::Broken(error) => Err(OperatorError::Refused(format!(
            "the backup cannot be used: {error}"
        ))),
    }
}

/// Puts a backup into a database.
pub(crate) async fn restore(args: &RestoreArgs, config: &Config, clock: Arc<dyn Clock>) -> Exit {
    conclude(restore_from(&args.file, config, clock).await)
}

async fn restore_from(
    file: &Path,
    config: &Config,
    clock: Arc<dyn Clock>,
) -> Result<String, OperatorError> {
    let keyring = keyring(&config.master_key_file)?;
    let (reader, rows) = whole(file, &keyring)?;
    let made = reader.header().made.clone();
    if let Database::Sqlite(file) = &config.database
        && let Some(directory) = file.parent()
        && !directory.as_os_str().is_empty()
    {
        files::make_private_directory(directory)?;
    }
    let store = stores::open_lasting(&config.database).await?;
    let store = store.ok_or(stores::NoStore::Memory)?;
    // Codes of this step and the next may have been used after the backup was made.
    let spent = TotpStep::new(TotpStep::at(clock.wall()).number().saturating_add(1));
    let loaded = load(&*store, reader, spent).await;
    let noted = match loaded {
        Ok(()) => note_restored(config, &store, clock, &made).await,
        Err(error) => Err(error),
    };
    store.close().await;
    noted?;
    Ok(format!(
        "Restored {rows} rows of a backup that was made at {made}. Everybody signs in again; codes are \
         accepted from the step after the next on, within a minute."
    ))
}

async fn note_restored(
    config: &Config,
    store: &Arc<dyn LastingStore>,
    clock: Arc<dyn Clock>,
    made: &str,
) -> Result<(), OperatorError> {
    let store: Arc<dyn Store> = Arc::clone(store) as _;
    let service = open_service(config, &store, clock).await?;
    service.record_restored(made).await?;
    service.seal_audit().await?;
    Ok(())
}

/// A directory for a database that is only looked at. It goes when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(id: uuid::Uuid) -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("vestibule-verify-{id}"));
        files::make_private_directory(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left of it is sealed, and in a directory that nobody else may enter.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Checks a backup by restoring it into a database that is only looked at.
async fn verify(
    file: &Path,
    config: &Config,
    clock: Arc<dyn Clock>,
) -> Result<String, OperatorError> {
    let (first, second) = (
        keyring(&config.master_key_file)?,
        keyring(&config.master_key_file)?,
    );
    let (reader, rows) = whole(file, &first)?;
    let (made, key) = (reader.header().made.clone(), reader.header().key);
    let scratch = Scratch::new(uuid::Builder::from_random_bytes(random()?).into_uuid())?;
    let store = Arc::new(SqliteStore::open(&scratch.0.join("vestibule.sqlite3")).await?);
    load(&*store, reader, TotpStep::new(0)).await?;
    let service = Service::open(Parts {
        store: Arc::clone(&store) as _,
        clock,
        random: Arc::new(OsRandom),
        keyring: second,
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
    if !looking.unopened.is_empty() {
        let unopened = looking.unopened.join("; ");
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
    Ok(format!(
        "The backup was made at {made} with the master key {key}. It is whole: {rows} rows; {} secrets \
         open; {} rows of the audit trail are as they were written.",
        looking.done,
        verified.sealed + verified.young
    ))
}

fn random() -> io::Result<[u8; 16]> {
    let mut octets = [0; 16];
    getrandom::fill(&mut octets)?;
    Ok(octets)
}
