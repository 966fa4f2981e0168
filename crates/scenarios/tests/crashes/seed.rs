//! Where the random numbers of a run begin.

use std::hash::{BuildHasher as _, RandomState};
use std::io::Write as _;

/// The seed of a run, which is told when the run fails.
pub(crate) struct Seed(pub(crate) u64);

impl Seed {
    /// That of `VESTIBULE_SEED`, or any.
    pub(crate) fn choose() -> Self {
        let any = || RandomState::new().hash_one("crashes");
        let told = std::env::var("VESTIBULE_SEED").ok();
        Self(told.map_or_else(any, |seed| seed.parse().unwrap()))
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "VESTIBULE_SEED={}", self.0);
        }
    }
}
