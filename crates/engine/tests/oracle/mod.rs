//! HOTP and TOTP written from RFC 4226 and RFC 6238, and from nothing else.

#![expect(
    clippy::unwrap_used,
    reason = "the lint's exception for tests does not reach helpers, and their inputs are the tests' own"
)]

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// RFC 4226 section 5.3, step 1.
pub(crate) fn hmac<M: KeyInit + Mac>(key: &[u8], counter: u64) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).unwrap();
    mac.update(&counter.to_be_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// RFC 4226 section 5.3, step 2, and section 5.4: 31 bits at an offset that the last octet gives.
pub(crate) fn truncate(digest: &[u8]) -> u32 {
    let offset = usize::from(digest.last().unwrap() & 0x0f);
    let bits = digest.get(offset..offset + 4).unwrap();
    u32::from_be_bytes(bits.try_into().unwrap()) & 0x7fff_ffff
}

/// RFC 4226 section 5.3, step 3.
pub(crate) fn decimal(truncated: u32, digits: usize) -> String {
    let all = format!("{truncated:010}");
    all.get(all.len() - digits..).unwrap().to_owned()
}

/// The code of a counter or a time step.
pub(crate) fn hotp<M: KeyInit + Mac>(key: &[u8], counter: u64, digits: usize) -> String {
    decimal(truncate(&hmac::<M>(key, counter)), digits)
}

/// The code that an authenticator shows in a step: SHA-1, six digits.
pub(crate) fn code(seed: &[u8], step: u64) -> String {
    hotp::<Hmac<Sha1>>(seed, step, 6)
}

/// The step of a time in seconds (RFC 6238 section 4.2, X = 30, T0 = 0).
pub(crate) const fn step_at(seconds: u64) -> u64 {
    seconds / 30
}

/// The steps near `step` whose codes are good, and that have this code: those of step - 1, step
/// and step + 1. More than one only if their codes happen to be equal.
pub(crate) fn matching(seed: &[u8], typed: &str, step: u64) -> Vec<u64> {
    (step.saturating_sub(1)..=step.saturating_add(1))
        .filter(|&near| code(seed, near) == typed)
        .collect()
}
