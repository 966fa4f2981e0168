//! Which datagrams get lost.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// One in so many, on average, but never two runs differently.
#[derive(Debug)]
pub(super) struct Loss {
    one_in: u32,
    generator: ChaCha20Rng,
}

impl Loss {
    /// Of 0 is none.
    pub(super) fn one_in(n: u32) -> Self {
        Self {
            one_in: n,
            generator: ChaCha20Rng::seed_from_u64(1812),
        }
    }

    /// Whether the next one is lost.
    pub(super) fn strikes(&mut self) -> bool {
        self.one_in > 0 && self.generator.next_u32().is_multiple_of(self.one_in)
    }
}
