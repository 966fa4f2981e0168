//! Where random bytes come from.

use vestibule_engine::Token;

/// A source of random bytes that nobody can predict.
pub trait Random: Send + Sync {
    /// Fills a buffer.
    fn fill(&self, buffer: &mut [u8]);
}

impl dyn Random + '_ {
    /// An array of random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A token that nobody has.
    pub fn token(&self) -> Token {
        Token::from_bytes(self.bytes())
    }
}

/// The random numbers of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRandom;

impl Random for OsRandom {
    /// # Panics
    /// When the operating system has no random numbers to give: nothing that follows would be safe.
    fn fill(&self, buffer: &mut [u8]) {
        #[expect(
            clippy::expect_used,
            reason = "there is no way to go on without random numbers"
        )]
        getrandom::fill(buffer).expect("the operating system gives random numbers");
    }
}
