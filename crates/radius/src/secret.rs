//! The secret that is shared with a server.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Octets up to which a shared secret is too short to be left without a warning.
const SHORT: usize = 12;

/// What this client and a server sign and hide with (RFC 2865 §3). Never empty, never printed, and
/// wiped when dropped.
pub struct SharedSecret(Zeroizing<Vec<u8>>);

impl SharedSecret {
    /// Takes a secret of one octet or more.
    ///
    /// # Errors
    ///
    /// [`EmptySecret`]: with it everybody could sign (RFC 2865 §3).
    pub fn new(octets: impl Into<Vec<u8>>) -> Result<Self, EmptySecret> {
        let octets = Zeroizing::new(octets.into());
        if octets.is_empty() {
            return Err(EmptySecret);
        }
        Ok(Self(octets))
    }

    /// Whether it has 12 octets or fewer: whoever sees a packet may find it by trying. 24 random
    /// octets are enough.
    pub fn is_short(&self) -> bool {
        self.0.len() <= SHORT
    }

    /// Whether it is these octets, in a time that tells only the lengths.
    ///
    /// A password that others know must not be the shared secret: hiding it would show the secret.
    pub fn is(&self, octets: &[u8]) -> bool {
        self.0.as_slice().ct_eq(octets).into()
    }

    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(…)")
    }
}

/// A shared secret without a single octet.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the shared secret is empty")]
pub struct EmptySecret;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_secret_is_none() {
        assert_eq!(SharedSecret::new("").map(|_| ()), Err(EmptySecret));
    }

    #[test]
    fn twelve_octets_are_short() {
        for (secret, is_short) in [
            ("1", true),
            ("123456789012", true),
            ("1234567890123", false),
        ] {
            assert_eq!(SharedSecret::new(secret).unwrap().is_short(), is_short);
        }
    }

    #[test]
    fn it_does_not_print() {
        let secret = SharedSecret::new("xyzzy5461").unwrap();
        assert_eq!(format!("{secret:?}"), "SharedSecret(…)");
    }

    #[test]
    fn it_knows_itself() {
        let secret = SharedSecret::new("xyzzy5461").unwrap();
        assert!(secret.is(b"xyzzy5461"));
        assert!(!secret.is(b"xyzzy5462"));
        assert!(!secret.is(b"xyzzy546"));
    }
}
