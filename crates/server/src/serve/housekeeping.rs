//! What is done once a minute; and once a second, the seals of the audit trail and a look at the
//! master key in use.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, warn};
use vestibule_service::{Service, ServiceError};
use vestibule_store::Store;

use super::initial_password::InitialPassword;

const PERIOD: Duration = Duration::from_mins(1);
/// Small enough that nobody waits long for the store meanwhile.
const BATCH: u32 = 500;

/// Keeps house until the task is dropped. The first round is at once.
pub(super) async fn keep_house(
    service: Service,
    store: Arc<dyn Store>,
    mut password: InitialPassword,
) {
    let mut rounds = interval(PERIOD);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        clear("expired tokens", || service.remove_expired(BATCH)).await;
        clear("old pushes", || service.remove_useless_pushes(BATCH)).await;
        clear("devices of long ago", || service.forget_devices(BATCH)).await;
        if let Err(error) = service.tidy_store().await {
            put_off("long lists", &error);
        }
        password.forget_if_changed(&store).await;
    }
}

/// How long a row of the audit trail is at most without a seal.
const SEALED_EVERY: Duration = Duration::from_secs(1);

/// Seals the audit trail until the task is dropped.
pub(super) async fn seal(service: Service) {
    let mut rounds = interval(SEALED_EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        seal_once(&service).await;
    }
}

/// How long a server is at most behind when another master key is in use.
const KEYS_EVERY: Duration = Duration::from_secs(1);

/// Uses the master key that the database names, until the task is dropped.
pub(super) async fn follow_keys(service: Service, address: SocketAddr) {
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy().into_owned();
    let server = format!("{host}, {address}, process {}", std::process::id());
    let mut rounds = interval(KEYS_EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        if let Err(error) = service.refresh_keys(&server).await {
            let error: &dyn std::error::Error = &error;
            warn!(
                error,
                "It is not known which master key is in use: the next try is in a second"
            );
        }
    }
}

/// Seals what is new in the audit trail. What cannot be sealed now waits for the next round.
pub(super) async fn seal_once(service: &Service) {
    if let Err(error) = service.seal_audit().await {
        let error: &dyn std::error::Error = &error;
        warn!(
            error,
            "The audit trail is not sealed: the next try is in a second"
        );
    }
}

/// Removes all that there is of something, and says so. What cannot be removed now waits for the
/// next round.
async fn clear<F>(what: &'static str, batch: impl FnMut() -> F)
where
    F: Future<Output = Result<u64, ServiceError>>,
{
    match in_batches(batch).await {
        Ok(removed) => debug!(what, removed, "Cleared"),
        Err(error) => put_off(what, &error),
    }
}

/// Says what is not in order, and why.
fn put_off(what: &'static str, error: &ServiceError) {
    use std::error::Error as _;
    let cause = error.source().map(tracing::field::display);
    warn!(
        what,
        %error, cause, "Not put in order: the store does not allow it; the next try is in a minute"
    );
}

/// Does something a batch at a time until there is less than a batch of it; how much there was.
async fn in_batches<E, F>(mut batch: impl FnMut() -> F) -> Result<u64, E>
where
    F: Future<Output = Result<u64, E>>,
{
    let mut all = 0;
    loop {
        let done = batch().await?;
        all += done;
        if done < u64::from(BATCH) {
            return Ok(all);
        }
        // Others that wait for the store come first.
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    #[tokio::test]
    async fn all_is_done_a_batch_at_a_time() {
        let full = u64::from(BATCH);
        let mut batches = vec![3, full, full].into_iter().rev();
        let all = in_batches(|| ready(batches.next().ok_or("one too many"))).await;
        assert_eq!(all, Ok(2 * full + 3));
        assert_eq!(batches.next(), None);
        let none = in_batches(|| ready(Err("no store"))).await;
        assert_eq!(none, Err("no store"));
    }
}
