//! Random numbers that are the same in every run.

use std::sync::{Mutex, PoisonError};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use vestibule_service::Random;

/// A generator with a seed.
#[derive(Debug)]
pub struct SeededRandom(Mutex<ChaCha20Rng>);

impl SeededRandom {
    /// The generator of this seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(ChaCha20Rng::seed_from_u64(seed)))
    }

    /// A number below this one, which is not zero; each as often as the others, nearly.
    pub fn below(&self, limit: usize) -> usize {
        let mut octets = [0; 4];
        self.fill(&mut octets);
        u32::from_le_bytes(octets) as usize % limit
    }
}

impl Random for SeededRandom {
    fn fill(&self, buffer: &mut [u8]) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fill_bytes(buffer);
    }
}
