//! The app on the user's phone.

use std::time::Duration;

use vestibule_engine::{Seed, Timestamp, TotpStep};

/// An authenticator that was set up with a seed.
#[derive(Debug)]
pub struct Authenticator(Seed);

impl Authenticator {
    /// Types in the seed, in base32.
    ///
    /// # Panics
    /// When it is no seed of 160 bits.
    pub fn from_base32(text: &str) -> Self {
        const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let mut bytes = Vec::new();
        let (mut bits, mut held) = (0_u64, 0);
        for digit in text.chars() {
            let value = ALPHABET.find(digit).expect("a digit of base32");
            bits = bits << 5 | value as u64;
            held += 5;
            if held >= 8 {
                held -= 8;
                bytes.push((bits >> held & 0xff) as u8);
            }
        }
        Self(Seed::from_slice(&bytes).expect("160 bits"))
    }

    /// The code that it shows now.
    ///
    /// # Panics
    /// Never, before the sun burns out.
    pub fn code(&self, now: Timestamp) -> String {
        let code = self.0.code(TotpStep::at(now)).expect("a time of this age");
        code.expose().clone()
    }

    /// The code of so many steps from now, for a phone whose clock is wrong.
    pub fn code_at(&self, now: Timestamp, steps: i32) -> String {
        let away = Duration::from_secs(30) * steps.unsigned_abs();
        self.code(if steps < 0 {
            now.before(away)
        } else {
            now.after(away)
        })
    }

    /// A code that is wrong now, and for ten steps either way.
    ///
    /// # Panics
    /// Never: a million codes are more than 21.
    pub fn wrong_code(&self, now: Timestamp) -> String {
        let right: Vec<String> = (-10..=10).map(|n| self.code_at(now, n)).collect();
        (0..1_000_000)
            .map(|n| format!("{n:06}"))
            .find(|code| !right.contains(code))
            .expect("a wrong code")
    }
}
