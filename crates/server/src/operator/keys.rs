//! `vestibule keys …`

mod retire;
mod status;

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use tokio::time::{Instant, MissedTickBehavior, interval};
use uuid::Uuid;
use vestibule_service::{Clock, Keyring, Progress, Resealing, Service};
use vestibule_store::{KeyState, Store, Swap};

use super::{Form, OperatorError, conclude, open_service, unopened_in_words};
use crate::config::{Config, Flags};
use crate::exit::Exit;
use crate::key::{self, HeldKeys, KeyError};
use crate::{output, stores};

/// How long servers have to hear of another key, and to report whether they have it: they ask each
/// second.
const REPORTS: Duration = Duration::from_secs(3);
/// How long nothing is sealed anew after each few rows: whoever signs in comes first.
const PAUSE: Duration = Duration::from_millis(20);
/// How often it is said how far it is.
const SAID_EVERY: Duration = Duration::from_secs(1);

/// What can be done to master keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Say which keys there are, and how much each has sealed
    Status(StatusArgs),
    /// Make a new key, use it, and seal anew all that the one before has sealed
    #[command(
        after_help = "The new key is added to the key file. Servers find it there by themselves. Where they have
copies of the file on other machines:

  1. vestibule keys rotate --prepare   adds the key to the file, and no more
  2. copy the file over the others
  3. vestibule keys rotate             begins, when all servers say that they have it
  4. vestibule keys retire             when it is done; then copy the file again

It may be interrupted at any time, and goes on when it is called again."
    )]
    Rotate(RotateArgs),
    /// Stop sealing anew for a while, on whatever machine that is done
    Pause(PauseArgs),
    /// Go on with sealing anew
    Resume(ResealArgs),
    /// Retire the key that was replaced, and take it out of the key file
    Retire(PauseArgs),
}

/// Arguments of `keys status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Form of the answer
    #[arg(long, value_enum, default_value = "text")]
    output: Form,
    #[command(flatten)]
    settings: Flags,
}

/// Arguments of `keys rotate`.
#[derive(Debug, Args)]
pub(crate) struct RotateArgs {
    /// Only add a new key to the key file, so that it can be copied to other machines
    #[arg(long)]
    prepare: bool,
    /// Forget the key that was prepared, whose file is lost, and make another one
    #[arg(long)]
    discard: bool,
    #[command(flatten)]
    reseal: ResealArgs,
}

/// Arguments of `keys resume`.
#[derive(Debug, Args)]
pub(crate) struct ResealArgs {
    /// Rows that are sealed anew at once; with fewer nobody waits long, with more it ends earlier
    #[arg(long, value_name = "ROWS", default_value = "100")]
    batch: NonZeroU32,
    #[command(flatten)]
    settings: Flags,
}

/// Arguments of `keys pause` and `keys retire`.
#[derive(Debug, Args)]
pub(crate) struct PauseArgs {
    #[command(flatten)]
    settings: Flags,
}

impl KeysCommand {
    pub(crate) fn flags(&self) -> &Flags {
        match self {
            Self::Status(args) => &args.settings,
            Self::Rotate(args) => &args.reseal.settings,
            Self::Resume(args) => &args.settings,
            Self::Pause(args) | Self::Retire(args) => &args.settings,
        }
    }
}

/// Runs a command.
pub(crate) async fn run(command: &KeysCommand, config: &Config, clock: Arc<dyn Clock>) -> Exit {
    let store = match stores::open_existing(&config.database).await {
        Ok(store) => store,
        Err(error) => return conclude(Err(error.into())),
    };
    let done = act(command, config, &store, clock).await;
    store.close().await;
    conclude(done)
}

async fn act(
    command: &KeysCommand,
    config: &Config,
    store: &Arc<dyn Store>,
    clock: Arc<dyn Clock>,
) -> Result<String, OperatorError> {
    let file = &config.master_key_file;
    match command {
        KeysCommand::Status(args) => status::run(args, file, &**store).await,
        KeysCommand::Pause(_) => {
            store.pause_keys(true).await?;
            Ok("Paused. `vestibule keys resume` goes on.".to_owned())
        }
        KeysCommand::Rotate(args) => {
            let service = open_service(config, store, clock).await?;
            rotate(args, file, &**store, &service).await
        }
        KeysCommand::Resume(args) => {
            let service = open_service(config, store, clock).await?;
            store.pause_keys(false).await?;
            reseal(&service, args.batch).await
        }
        KeysCommand::Retire(_) => {
            let service = open_service(config, store, clock).await?;
            retire::run(file, &**store, &service).await
        }
    }
}

async fn rotate(
    args: &RotateArgs,
    file: &Path,
    store: &dyn Store,
    service: &Service,
) -> Result<String, OperatorError> {
    let state = store.key_state().await?;
    if let Some(replaced) = state.replaced().next() {
        if args.prepare {
            return Err(OperatorError::Refused(format!(
                "the key {replaced} is being replaced: finish that first, with `vestibule keys \
                 rotate` and `vestibule keys retire`"
            )));
        }
        return reseal(service, args.reseal.batch).await;
    }
    let next = announce(file, store, args.discard).await?;
    let path = file.display();
    if args.prepare {
        return Ok(format!(
            "The key {next} is in {path}. Copy the file to all other machines whose servers use this \
             database; then `vestibule keys rotate` begins to use the key."
        ));
    }
    all_have(next, file, store, "rotate").await?;
    if !service.begin_key(next).await? {
        return Err(moved());
    }
    service.seal_audit().await?;
    output::note(format_args!("The key {next} seals from now on."));
    reseal(service, args.reseal.batch).await
}

fn moved() -> OperatorError {
    OperatorError::Refused(
        "somebody else replaces the master key at this moment: see `vestibule keys status`"
            .to_owned(),
    )
}

/// Announces the key that is to be used next; which that is.
async fn announce(file: &Path, store: &dyn Store, discard: bool) -> Result<Uuid, OperatorError> {
    let held = HeldKeys::hold(file)?;
    // Only now nobody changes the file any more: what was known before may not be so.
    let state = store.key_state().await?;
    if state.replaced().next().is_some() {
        return Err(moved());
    }
    let next = next_key(&state, file, &held, discard)?;
    if store.announce_key(next).await? == Swap::Moved {
        return Err(moved());
    }
    Ok(next)
}

/// The key that is to be used next. It is in the file, as a new one if there was none.
fn next_key(
    state: &KeyState,
    file: &Path,
    held: &HeldKeys,
    discard: bool,
) -> Result<Uuid, OperatorError> {
    let mut keys = held.load()?;
    match state.next() {
        Some(next) if key::is_among(&keys, next) => return Ok(next),
        Some(next) if !discard => {
            return Err(OperatorError::Refused(format!(
                "the key {next} was prepared, and is not in {}: go on where that was done, or copy \
                 the file from there. If it is lost: `vestibule keys rotate --discard`",
                file.display()
            )));
        }
        Some(_) | None => {}
    }
    // One that was added by somebody who was interrupted then.
    let known =
        |id: &Uuid| state.in_use() == Some(*id) || state.others.iter().any(|(k, _)| k == id);
    if let Some(unknown) = keys.iter().map(Keyring::id_of).find(|id| !known(id)) {
        return Ok(unknown);
    }
    let new = key::generate().map_err(|source| KeyError::Create {
        path: file.to_owned(),
        source,
    })?;
    let id = Keyring::id_of(&new);
    keys.push(new);
    held.store(&keys, needed(state))?;
    Ok(id)
}

/// The keys that nothing may take out of the file.
fn needed(state: &KeyState) -> impl Iterator<Item = Uuid> {
    state.in_use().into_iter().chain(state.replaced())
}

/// Waits until every server has asked the database which keys there are.
async fn heard() {
    let mut rounds = interval(REPORTS);
    // The first is at once.
    rounds.tick().await;
    rounds.tick().await;
}

/// Waits until the servers have reported, and refuses to go on if one of them lacks the key.
async fn all_have(
    key: Uuid,
    file: &Path,
    store: &dyn Store,
    command: &str,
) -> Result<(), OperatorError> {
    heard().await;
    let reports = store.key_reports().await?;
    let lacking: Vec<_> = reports.iter().filter(|report| !report.has).collect();
    if lacking.is_empty() {
        output::note(format_args!("{} servers have the new key.", reports.len()));
        return Ok(());
    }
    let lacking: Vec<_> = lacking.iter().map(|report| report.name.as_str()).collect();
    Err(OperatorError::Refused(format!(
        "nothing has changed yet, because these servers do not have the key {key}: {}. Copy {} over \
         the key file of each, and call `vestibule keys {command}` again",
        lacking.join("; "),
        file.display()
    )))
}

/// Seals anew what another key than the one in use has sealed, until there is nothing left.
async fn reseal(service: &Service, batch: NonZeroU32) -> Result<String, OperatorError> {
    let mut rounds = interval(PAUSE);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut done, mut said) = (0, None::<Instant>);
    loop {
        let mut resealing = Resealing::default();
        loop {
            match service.reseal(&mut resealing, batch.get()).await? {
                Progress::More => {}
                Progress::Ended => break,
                Progress::Paused => {
                    return Err(OperatorError::Refused(format!(
                        "paused, after {} secrets were sealed anew: `vestibule keys resume` goes on",
                        done + resealing.done
                    )));
                }
            }
            if said.is_none_or(|at| at.elapsed() >= SAID_EVERY) {
                said = Some(Instant::now());
                let done = done + resealing.done;
                output::note(format_args!("{done} secrets are sealed anew."));
            }
            rounds.reset();
            rounds.tick().await;
        }
        done += resealing.done;
        if let Some(unopened) = unopened_in_words(&resealing) {
            return Err(OperatorError::Refused(format!(
                "{done} secrets were sealed anew, but these do not open: {unopened}"
            )));
        }
        // What somebody sealed with the key before in the meantime is found by another look.
        if resealing.done == 0 {
            break;
        }
    }
    let (state, counts) = service.key_state().await?;
    let left: u64 = counts
        .iter()
        .filter(|count| state.in_use() != Some(count.key))
        .map(|count| count.count)
        .sum();
    let replaced = state.replaced().next().is_some();
    Ok(match (left, replaced) {
        (0, false) => "There is nothing to be sealed anew.".to_owned(),
        (0, true) => format!(
            "{done} secrets were sealed anew, and none is left. `vestibule keys retire` takes the old \
             key out of the key file."
        ),
        (left, _) => format!(
            "{done} secrets were sealed anew. {left} came in meanwhile: call `vestibule keys rotate` \
             again."
        ),
    })
}
