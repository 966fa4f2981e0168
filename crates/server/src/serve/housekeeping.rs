//! What is done once a minute.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, warn};
use vestibule_service::Service;
use vestibule_store::Store;

use super::first_start::InitialPassword;

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
        remove_expired(&service).await;
        password.forget_if_changed(&store).await;
    }
}

async fn remove_expired(service: &Service) {
    let mut removed = 0;
    loop {
        match service.remove_expired(BATCH).await {
            Ok(batch) => {
                removed += batch;
                if batch < u64::from(BATCH) {
                    break;
                }
                // Others that wait for the store come first.
                tokio::task::yield_now().await;
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                warn!(error, "Expired tokens stay for now: they cannot be removed");
                return;
            }
        }
    }
    debug!(removed, "Expired tokens removed");
}
