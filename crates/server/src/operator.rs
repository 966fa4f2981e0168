//! What operators do directly in the database, for the day when nobody can sign in.

mod audit;
mod backup;
mod keys;
mod password;
mod seeds;
mod stop;
mod users;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp as DateTime;
use vestibule_engine::{DistinguishedName, NameKey, Timestamp, User};
use vestibule_service::{
    Clock, HasherError, Keyring, OpenError, OsRandom, Parts, Resealing, Service, ServiceError,
};
use vestibule_store::{Store, StoreError};

use crate::cli;
use crate::config::{Config, Flags};
use crate::exit::Exit;
use crate::key::{self, KeyError, MasterKeys};
use crate::output;
use crate::serve;
use crate::stores::NoStore;

pub(crate) use audit::{AuditCommand, ExplainArgs, explain, run as audit};
pub(crate) use backup::{BackupArgs, RestoreArgs, restore, run as backup};
pub(crate) use keys::{KeysCommand, run as keys};
pub(crate) use seeds::run as seeds;
pub(crate) use users::run as user;

/// What can be done to users.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Make a user
    Add(AddArgs),
    /// Change a user's password; all sessions of the user end
    Passwd(PasswdArgs),
    /// Forget wrong passwords and wrong codes, so that the user can try again
    Unlock(Named),
    /// Let a user off the second factor for a while
    Exempt(ExemptArgs),
    /// Refuse sign-ins of a user; all sessions of the user end
    Disable(Named),
    /// Allow sign-ins of a user again
    Enable(Named),
    /// Delete a user and all that is the user's
    Remove(Named),
    /// List users
    List(ListArgs),
}

/// What can be done to seeds.
#[derive(Debug, Subcommand)]
pub(crate) enum SeedsCommand {
    /// List users with a seed
    List(ListArgs),
    /// Delete a user's seed; the next sign-in shows a new one
    Reset(Named),
}

/// A user, by name.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// User name, or distinguished name such as CN=alice,OU=local
    name: String,
    #[command(flatten)]
    settings: Flags,
}

/// Arguments of `user add`.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// Given name; the user name if not given
    #[arg(long, value_name = "NAME")]
    first_name: Option<String>,
    /// Family name; the user name if not given
    #[arg(long, value_name = "NAME")]
    last_name: Option<String>,
    /// Give the user the role System Administration
    #[arg(long)]
    administrator: bool,
    #[command(flatten)]
    passwd: PasswdArgs,
}

/// Arguments of `user passwd`.
#[derive(Debug, Args)]
pub(crate) struct PasswdArgs {
    /// Read the password from a file [default: ask at a terminal, else read a line from stdin]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    #[command(flatten)]
    named: Named,
}

/// Arguments of `user exempt`.
#[derive(Debug, Args)]
pub(crate) struct ExemptArgs {
    /// When the second factor is due again, such as 2026-12-31T18:00:00Z
    #[arg(long, value_name = "TIME", required_unless_present = "end")]
    until: Option<DateTime>,
    /// End the exemption now
    #[arg(long, conflicts_with = "until")]
    end: bool,
    #[command(flatten)]
    named: Named,
}

/// Arguments of lists.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Form of the list
    #[arg(long, value_enum, default_value = "text")]
    output: Form,
    #[command(flatten)]
    settings: Flags,
}

/// The form of a list.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Form {
    /// One line each
    Text,
    /// An array
    Json,
}

impl UserCommand {
    pub(crate) fn flags(&self) -> &Flags {
        match self {
            Self::Add(args) => &args.passwd.named.settings,
            Self::Passwd(args) => &args.named.settings,
            Self::Exempt(args) => &args.named.settings,
            Self::Unlock(named)
            | Self::Disable(named)
            | Self::Enable(named)
            | Self::Remove(named) => &named.settings,
            Self::List(args) => &args.settings,
        }
    }
}

impl SeedsCommand {
    pub(crate) fn flags(&self) -> &Flags {
        match self {
            Self::List(args) => &args.settings,
            Self::Reset(named) => &named.settings,
        }
    }
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
enum OperatorError {
    #[error(transparent)]
    NoStore(#[from] NoStore),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Hasher(#[from] HasherError),
    #[error("the result cannot be printed: {0}")]
    Output(#[from] std::io::Error),
    #[error("there is no user {0}")]
    NoSuchUser(String),
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Usage(String),
}

/// The service over the database, with the key that its audit trail is written with.
async fn open_service(
    config: &Config,
    store: &Arc<dyn Store>,
    clock: Arc<dyn Clock>,
) -> Result<Service, OperatorError> {
    Ok(Service::open(Parts {
        store: Arc::clone(store),
        clock,
        random: Arc::new(OsRandom),
        keyring: keyring(&config.master_key_file)?,
        policy: serve::policy(config),
    })
    .await?)
}

/// The keys that the server has.
fn keyring(path: &Path) -> Result<Keyring, KeyError> {
    let keys = key::load(path)?;
    let is_new = false;
    MasterKeys { keys, is_new }.keyring(path)
}

/// What does not open, in words.
fn unopened_in_words(looked: &Resealing) -> Option<String> {
    let mut words = looked.unopened.join("; ");
    if words.is_empty() {
        return None;
    }
    if looked.more_unopened > 0 {
        // A string takes whatever is written to it.
        let _ = write!(words, "; and {} more", looked.more_unopened);
    }
    Some(words)
}

/// How a command ends: it says in one line what it did, or why it did not.
fn conclude(result: Result<String, OperatorError>) -> Exit {
    let printed = result.and_then(|said| {
        if said.is_empty() {
            Ok(())
        } else {
            Ok(output::line(said)?)
        }
    });
    match printed {
        Ok(()) => Exit::Success,
        Err(error @ OperatorError::Usage(_)) => {
            cli::failed(&error);
            Exit::Usage
        }
        Err(error) => cli::failed(&error),
    }
}

/// The user of that distinguished name, or else of that name. What is a distinguished name is never
/// taken for a name: somebody could bear a name that looks like that of another.
async fn find(store: &dyn Store, name: &str) -> Result<User, OperatorError> {
    let unknown = || OperatorError::NoSuchUser(name.to_owned());
    let key = match name.parse::<DistinguishedName>() {
        Ok(dn) => dn.local_key().ok_or_else(unknown)?,
        Err(_) => NameKey::of(name),
    };
    store.user_by_name(&key).await?.ok_or_else(unknown)
}

/// An instant as people and programs read it.
fn show(time: Timestamp) -> String {
    DateTime::from_microsecond(time.as_micros())
        .unwrap_or(DateTime::MAX)
        .to_string()
}
