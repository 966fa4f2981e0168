//! `vestibule keys retire`

use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use uuid::Uuid;
use vestibule_service::{Keyring, Service};
use vestibule_store::{IN_DOUBT, KeyState, Retirement, Store};

use super::super::OperatorError;
use super::{all_have, moved, needed};
use crate::key::{HeldKeys, MasterKey};
use crate::output;

/// How often it is seen whether all rows of the audit trail are under seals.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long that may take: what a process that is gone has left is sealed when nobody else has for
/// this long, and then there may be a lot of it.
const LONGEST: Duration = IN_DOUBT.saturating_mul(2);

pub(super) async fn run(
    file: &Path,
    store: &dyn Store,
    service: &Service,
) -> Result<String, OperatorError> {
    let state = store.key_state().await?;
    let replaced: Vec<_> = state.replaced().collect();
    if let Some(in_use) = state.in_use().filter(|_| !replaced.is_empty()) {
        // A server that goes on with the old key would write what counts as forged from then on.
        store.ask_servers().await?;
        all_have(in_use, file, store, "retire").await?;
        seal_all(service).await?;
    }
    let mut said = Vec::new();
    for key in replaced {
        match service.retire_key(key).await? {
            Retirement::Done => said.push(format!("The key {key} is retired.")),
            Retirement::Needed(count) => {
                return Err(OperatorError::Refused(format!(
                    "the key {key} is needed: {count} secrets are sealed with it. `vestibule keys \
                     rotate` seals them anew"
                )));
            }
            Retirement::Moved => return Err(moved()),
        }
    }
    service.seal_audit().await?;
    said.push(take_out(file, store).await?);
    Ok(said.join("\n"))
}

/// Waits until all rows that there are by now are under seals: those that come to be under one long
/// after the key was retired would count as forged.
async fn seal_all(service: &Service) -> Result<(), OperatorError> {
    let ends = service.unsealed_audit().await?;
    let mut rounds = interval(LOOK_EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (begun, mut said) = (Instant::now(), false);
    while !service.seal_audit_up_to(&ends).await? {
        if begun.elapsed() > LONGEST {
            return Err(OperatorError::Refused(
                "nothing has changed yet, because rows of the audit trail are still under no seal: call \
                 `vestibule keys retire` again, and see the log of the servers if that does not help"
                    .to_owned(),
            ));
        }
        if !said && begun.elapsed() > LOOK_EVERY * 10 {
            said = true;
            output::note(
                "Waiting for the seals of the audit trail. What a server that was killed has left is \
                 sealed in a minute.",
            );
        }
        rounds.tick().await;
    }
    Ok(())
}

/// Takes the keys out of the file that are retired.
async fn take_out(file: &Path, store: &dyn Store) -> Result<String, OperatorError> {
    let held = HeldKeys::hold(file)?;
    // Only now nobody changes the file any more: what was known before may not be so.
    let state: KeyState = store.key_state().await?;
    let is_retired = |key: &MasterKey| {
        let id: Uuid = Keyring::id_of(key);
        state.retired().any(|retired| retired == id)
    };
    let (gone, stay): (Vec<_>, Vec<_>) = held.load()?.into_iter().partition(is_retired);
    let path = file.display();
    if gone.is_empty() {
        return Ok(format!("{path} has no key that was retired."));
    }
    held.store(&stay, needed(&state))?;
    Ok(format!(
        "Took {} key out of {path}: copy the file to all other machines whose servers use this \
         database. Backups that were made before need the old key: keep it with them.",
        gone.len()
    ))
}
