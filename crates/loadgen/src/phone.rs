//! The app on a user's phone, and the steps of the time that its codes are for.
//!
//! The codes are computed from the text of the standards and share nothing with the server.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use tokio::time::{Instant, interval_at};

use crate::fault::{OrFault as _, Result};

/// RFC 6238 section 4.1, X.
const STEP: Duration = Duration::from_secs(30);

/// An authenticator that was set up with a seed.
#[derive(Debug)]
pub(crate) struct Phone(Hmac<Sha1>);

impl Phone {
    /// Takes a seed in base32 (RFC 4648 section 6) without padding.
    pub(crate) fn from_base32(text: &str) -> Result<Self> {
        const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let mut seed = Vec::with_capacity(text.len() * 5 / 8);
        let (mut bits, mut held) = (0_usize, 0_u32);
        for digit in text.chars() {
            let value = ALPHABET.find(digit).or_fault("a seed is not base32")?;
            bits = (bits << 5 | value) & 0xfff;
            held += 5;
            if held >= 8 {
                held -= 8;
                seed.extend(u8::try_from(bits >> held & 0xff));
            }
        }
        let hmac = Hmac::new_from_slice(&seed).or_fault("a seed is no key")?;
        Ok(Self(hmac))
    }

    /// The code of a step (RFC 4226 section 5.3).
    pub(crate) fn code(&self, step: u64) -> String {
        let mut hmac = self.0.clone();
        hmac.update(&step.to_be_bytes());
        let digest = hmac.finalize().into_bytes();
        let offset = usize::from(digest.last().map_or(0, |last| last & 0xf));
        let chosen = digest.iter().skip(offset).take(4);
        let number = chosen.fold(0_u32, |number, octet| number << 8 | u32::from(*octet));
        format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
    }

    /// Whether the code of a step is also that of one of the two before, by chance: of a million one
    /// is for each. A server that has seen it is right to refuse it.
    pub(crate) fn repeats(&self, step: u64) -> bool {
        let code = self.code(step);
        (1..=2).any(|before| self.code(step.saturating_sub(before)) == code)
    }
}

/// The next step whose codes can be claimed after `last`, waiting for its time if need be. They
/// stay good for half a minute at least: the server takes codes of one step either way.
pub(crate) async fn next_step(last: u64) -> Result<u64> {
    let now = since_epoch()?;
    let next = step_at(now).max(last + 1);
    let earliest = Duration::from_secs((next - 1).saturating_mul(STEP.as_secs()));
    if let Some(early) = earliest.checked_sub(now) {
        interval_at(Instant::now() + early, STEP).tick().await;
    }
    Ok(next)
}

/// The step of this moment.
pub(crate) fn step_now() -> Result<u64> {
    Ok(step_at(since_epoch()?))
}

fn step_at(time: Duration) -> u64 {
    time.as_secs() / STEP.as_secs()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a phone shows the codes of the real time"
)]
fn since_epoch() -> Result<Duration> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.or_fault("the clock is not set")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(step: u64, code: &str) {
        // The seed of RFC 6238 appendix B, whose codes end with these digits.
        let phone = Phone::from_base32("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap();
        assert_eq!(phone.code(step), code);
    }

    #[test]
    fn codes_of_the_standard() {
        check(1, "287082");
        check(0x0235_23ec, "081804");
        check(0x0235_23ed, "050471");
        check(0x0273_ef07, "005924");
        check(0x03f9_40aa, "279037");
        check(0x27bc_86aa, "353130");
    }

    #[test]
    fn a_code_comes_again_by_chance() {
        let phone = Phone::from_base32("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap();
        // Found by search: the first step of this seed whose code comes again two steps later.
        assert_eq!(phone.code(153_569), phone.code(153_567));
        let repeats = [153_567, 153_568, 153_569, 153_570].map(|step| phone.repeats(step));
        assert_eq!(repeats, [false, false, true, false]);
    }

    #[tokio::test]
    async fn a_step_is_not_given_twice() {
        let first = next_step(0).await.unwrap();
        let second = next_step(first).await.unwrap();
        assert_eq!(second, first + 1);
    }
}
