//! Password hashing: argon2id, on as many threads as there are cores, behind all other work, fair,
//! and with a bounded queue.

mod memory;
mod threads;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing::{Instrument as _, debug_span};
use vestibule_engine::Secret;
use vestibule_store::PasswordHash;

use self::memory::Memory;
use self::threads::Threads;
use crate::turns::{NoPlace, Turns};
use crate::{ClientAddress, Random, TRACE};

/// Makes and verifies password hashes.
#[derive(Debug)]
pub struct Hasher {
    turns: Turns,
    threads: Threads<Memory>,
    cores: usize,
    hashes: AtomicU64,
    refusals: AtomicU64,
}

/// Why there is no hash.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HasherError {
    /// Too many wait already.
    #[error("too many passwords wait to be hashed")]
    Busy,
    /// The system gives no thread for it.
    #[error("the system refuses a thread that hashes passwords")]
    NoThread(#[source] std::io::Error),
    /// A fault of ours.
    #[error("hashing failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Hasher {
    /// A hasher for which at most `queue` may wait.
    pub fn new(queue: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            turns: Turns::new(cores, queue),
            threads: Threads::default(),
            cores,
            hashes: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
        }
    }

    /// Hashes a new password, for a client.
    ///
    /// # Errors
    /// [`HasherError::Busy`] when too many wait.
    pub async fn hash(
        &self,
        password: Arc<Secret<String>>,
        random: &dyn Random,
        client: ClientAddress,
    ) -> Result<PasswordHash, HasherError> {
        let salt: [u8; 16] = random.bytes();
        self.run(client, move |memory| memory.hash(&password, &salt))
            .await
    }

    /// Whether a password is the one of a hash. Without a hash the answer is no, at the same cost:
    /// nobody learns from the time which users there are.
    ///
    /// # Errors
    /// [`HasherError::Busy`] when too many wait.
    pub async fn verify(
        &self,
        password: Arc<Secret<String>>,
        known: Option<PasswordHash>,
        client: ClientAddress,
    ) -> Result<bool, HasherError> {
        self.run(client, move |memory| match known {
            Some(known) => memory.verify(&password, &known),
            None => memory.hash(&password, &[0; 16]).map(|_| false),
        })
        .await
    }

    /// How many hashes were computed.
    pub fn hashes(&self) -> u64 {
        self.hashes.load(Ordering::Relaxed)
    }

    /// How many were turned away because too many waited.
    pub fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::Relaxed)
    }

    /// How many are being hashed, or wait for it.
    pub fn queue_length(&self) -> usize {
        self.turns.length(self.cores)
    }

    async fn run<T: Send + 'static>(
        &self,
        client: ClientAddress,
        work: impl FnOnce(&mut Memory) -> Result<T, HasherError> + Send + 'static,
    ) -> Result<T, HasherError> {
        let turn = self.turns.take(client).await.map_err(|NoPlace| {
            self.refusals.fetch_add(1, Ordering::Relaxed);
            HasherError::Busy
        })?;
        self.hashes.fetch_add(1, Ordering::Relaxed);
        // The turn goes along: work whose client has gone still occupies a thread.
        let outcome = self.threads.run(turn, work);
        let span = debug_span!(target: TRACE, "password hash");
        outcome
            .map_err(HasherError::NoThread)?
            .instrument(span)
            .await
            .map_err(|gone| HasherError::Failed(gone.into()))?
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;
    use crate::ClientAddress::Local;
    use crate::OsRandom;

    fn password(text: &str) -> Arc<Secret<String>> {
        Arc::new(Secret::from(text))
    }

    #[tokio::test]
    async fn a_password_is_known_again_at_the_same_cost_as_none() {
        let hasher = Hasher::new(8);
        let hash = hasher.hash(password("right"), &OsRandom, Local);
        let hash = hash.await.unwrap();
        assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        for (typed, known, expected) in [
            ("right", Some(hash.clone()), true),
            ("wrong", Some(hash.clone()), false),
            ("", Some(hash), false),
            ("right", None, false),
        ] {
            let before = hasher.hashes();
            assert_eq!(
                hasher.verify(password(typed), known, Local).await.unwrap(),
                expected
            );
            assert_eq!(hasher.hashes(), before + 1);
        }
    }

    #[tokio::test]
    async fn the_queue_is_bounded() {
        let hasher = Hasher::new(0);
        let cores = hasher.cores;
        let all = join_all((0..cores).map(|_| hasher.turns.take(Local))).await;
        let busy = hasher.verify(password("x"), None, Local).await;
        assert!(matches!(busy, Err(HasherError::Busy)));
        assert_eq!((hasher.refusals(), hasher.queue_length()), (1, cores));
        drop(all);
        assert_eq!(hasher.queue_length(), 0);
        assert!(hasher.verify(password("x"), None, Local).await.is_ok());
    }
}
