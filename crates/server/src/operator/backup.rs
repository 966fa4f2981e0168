//! `vestibule backup`

mod file;
mod restore;
mod target;
mod verify;

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use vestibule_engine::TotpStep;
use vestibule_service::{Clock, Keyring, Service, ServiceError};
use vestibule_store::{LastingStore, Loading, Schema, Store, Trail};

use super::stop::unless_stopped;
use super::{OperatorError, conclude, open_service, show};
use crate::config::{Config, Database, Flags};
use crate::exit::Exit;
use crate::{output, stores};

use file::{FileError, Reader, Writer, Written};
use target::{Target, TargetError};

pub(crate) use restore::{RestoreArgs, run as restore};

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
    /// Replace a file that is there already
    #[arg(long, conflicts_with = "verify")]
    force: bool,
    /// Write nothing: check that the backup in the file is whole, that its secrets open with the
    /// master key here, and that nobody has changed the audit trail in it
    #[arg(long)]
    verify: bool,
    #[command(flatten)]
    settings: Flags,
}

impl BackupArgs {
    pub(crate) fn flags(&self) -> &Flags {
        &self.settings
    }
}

impl From<FileError> for OperatorError {
    fn from(error: FileError) -> Self {
        Self::Refused(format!("the backup cannot be used: {error}"))
    }
}

impl From<TargetError> for OperatorError {
    fn from(error: TargetError) -> Self {
        Self::Refused(error.to_string())
    }
}

/// Makes a backup, or verifies one.
pub(crate) async fn run(args: &BackupArgs, config: &Config, clock: Arc<dyn Clock>) -> Exit {
    if args.verify {
        return conclude(verify::run(&args.file, config, clock).await);
    }
    conclude(unless_stopped(backup(args, config, clock)).await)
}

async fn backup(
    args: &BackupArgs,
    config: &Config,
    clock: Arc<dyn Clock>,
) -> Result<String, OperatorError> {
    let target = if args.file == Path::new("-") {
        None
    } else {
        Some(Target::new(&args.file, args.force, config)?)
    };
    let database = &config.database;
    if let Some(why) = not_as_it_is(look(database).await?) {
        return Err(OperatorError::Refused(format!("{database} {why}")));
    }
    let store = stores::open_existing_lasting(database).await?;
    let done = write(target.as_ref(), config, &store, clock).await;
    store.close().await;
    done
}

/// How the schema stands; opening the database would bring it up to date.
async fn look(database: &Database) -> Result<Schema, OperatorError> {
    let found = stores::look(database).await?;
    let schema = found.schema().await;
    found.store().close().await;
    Ok(schema?)
}

/// Why there is no backup of a database with this schema.
fn not_as_it_is(schema: Schema) -> Option<&'static str> {
    match schema {
        Schema::UpToDate => None,
        Schema::Missing => Some("is empty: no server was ever started over it"),
        Schema::Behind(_) => Some(
            "is of an older version, and a backup changes nothing: make it with that version, or \
             start a server of this one first",
        ),
        Schema::TooNew { .. } => Some("is of a newer version: make the backup with that one"),
        Schema::Altered(_) => {
            Some("has another schema than this version has: `vestibule doctor` says what is wrong")
        }
    }
}

async fn write(
    target: Option<&Target<'_>>,
    config: &Config,
    store: &Arc<dyn LastingStore>,
    clock: Arc<dyn Clock>,
) -> Result<String, OperatorError> {
    let made = show(clock.wall());
    let plain: Arc<dyn Store> = Arc::clone(store) as _;
    let service = open_service(config, &plain, clock).await?;
    let Some(target) = target else {
        let written = write_to(io::stdout(), made, &**store, &service).await?;
        output::note(format_args!("Wrote {} rows.", written.rows));
        return Ok(String::new());
    };
    let draft = target.begin()?;
    let written = write_to(draft.file(), made, &**store, &service).await?;
    let (rows, keys) = (written.rows, written.keys);
    target.end(draft)?;
    let keys: Vec<_> = keys.iter().map(ToString::to_string).collect();
    let needed = match keys.as_slice() {
        [key] => format!("the master key {key}, which is"),
        several => format!("the master keys {}, which are", several.join(" and ")),
    };
    Ok(format!(
        "Wrote {rows} rows to {}. It needs {needed} not in it.",
        target.name().display()
    ))
}

async fn write_to<W: Write + Send>(
    to: W,
    made: String,
    store: &dyn LastingStore,
    service: &Service,
) -> Result<Written, OperatorError> {
    let mut writer = Writer::new(BufWriter::new(to), made);
    if let Err(error) = store.dump(&mut writer).await? {
        return Err(OperatorError::Refused(format!(
            "the backup cannot be written: {error}"
        )));
    }
    writer.end(|digest| {
        let voucher = service.vouch(digest);
        voucher.map_err(|error| OperatorError::Service(ServiceError::from(error)))
    })
}

/// A backup that has turned out to be whole, to be read again.
fn whole<'k>(
    file: &Path,
    keyring: &'k Keyring,
) -> Result<(Reader<'k, BufReader<File>>, u64), FileError> {
    // A pipe would be empty the second time, and opening it may wait for ever.
    if file == Path::new("-") || !fs::metadata(file)?.is_file() {
        return Err(FileError::NoFile);
    }
    let open = || Ok::<_, FileError>(BufReader::new(File::open(file)?));
    let rows = Reader::begin(open()?, keyring)?.check()?;
    Ok((Reader::begin(open()?, keyring)?, rows))
}

const USED: &str = "the database has been used already: restore into a new one";

async fn load(
    store: &dyn LastingStore,
    mut reader: Reader<'_, BufReader<File>>,
    spent: TotpStep,
    trail: Trail<'_>,
) -> Result<(), OperatorError> {
    match store.load(&mut reader, spent, trail).await? {
        Loading::Done => Ok(()),
        Loading::NotEmpty => Err(OperatorError::Refused(USED.to_owned())),
        Loading::Broken(error) => Err(OperatorError::Refused(format!(
            "the backup cannot be used: {error}"
        ))),
    }
}
