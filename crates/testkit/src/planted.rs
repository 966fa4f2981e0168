//! What is secret at a site, as far as its clients know: nothing of it may be found afterwards in
//! anything that the servers wrote.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Shorter ones are words that anybody may write.
const SHORTEST: usize = 12;

/// Secrets that clients sent or were shown.
#[derive(Clone, Debug, Default)]
pub struct Planted(Arc<Mutex<BTreeSet<String>>>);

impl Planted {
    /// Adds one, unless it is too short to be told from other words.
    pub fn plant(&self, secret: &str) {
        if secret.len() >= SHORTEST {
            let mut secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            secrets.insert(secret.to_owned());
        }
    }

    /// The secrets that are found in a file, if there is such a file.
    pub fn found_in(&self, file: &Path) -> Vec<String> {
        let Ok(octets) = std::fs::read(file) else {
            return Vec::new();
        };
        let text = String::from_utf8_lossy(&octets);
        let secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = secrets.iter().filter(|secret| text.contains(&***secret));
        found.cloned().collect()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_planted_is_found_and_nothing_else() {
        let planted = Planted::default();
        for secret in ["wrong", "a long password", "another secret"] {
            planted.plant(secret);
        }
        let directory = tempfile::TempDir::new().unwrap();
        let file = directory.path().join("log");
        assert!(planted.found_in(&file).is_empty());
        std::fs::write(&file, b"\xff wrong: a long password, 7").unwrap();
        assert_eq!(planted.found_in(&file), ["a long password"]);
        assert_eq!(planted.count(), 2);
    }
}
