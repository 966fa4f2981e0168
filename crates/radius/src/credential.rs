//! What is to be checked by the server: a password, or what stands for one.

use std::fmt;

use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use crate::digest::Md5Digest;
use crate::{Authenticator, ChapSeed, SharedSecret};

/// Octets of the longest password (RFC 2865 §5.2).
const LONGEST: usize = 128;
/// Octets that are hidden at a time (RFC 2865 §5.2).
const BLOCK: usize = 16;

/// A password, and how it travels.
#[derive(Debug)]
pub enum Credential {
    /// Hidden under the shared secret (RFC 2865 §5.2).
    Pap(Password),
    /// As an MD5 digest over it and a challenge (RFC 2865 §5.3). Who sees the packet can try short
    /// codes against it.
    Chap(Password),
}

/// A password, a code, a command to the server: 0 to 128 octets without a NUL. Never printed, and
/// wiped when dropped.
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// Takes a text, in Unicode normalisation form C and UTF-8; otherwise as it was typed.
    ///
    /// # Errors
    ///
    /// When it is too long then, or contains a NUL.
    pub fn from_text(text: &str) -> Result<Self, PasswordError> {
        // As large as it can get here, so that no copy is left behind where it did not fit.
        let mut octets = Zeroizing::new(Vec::with_capacity(LONGEST));
        for character in text.nfc() {
            let mut buffer = Zeroizing::new([0; 4]);
            let encoded = character.encode_utf8(buffer.as_mut_slice());
            if octets.len() + encoded.len() > LONGEST {
                return Err(PasswordError::TooLong);
            }
            octets.extend_from_slice(encoded.as_bytes());
        }
        Self::checked(octets)
    }

    /// Takes octets as they are, for servers that want another encoding than UTF-8.
    ///
    /// # Errors
    ///
    /// When there are more than 128, or one is a NUL.
    pub fn from_octets(octets: impl Into<Vec<u8>>) -> Result<Self, PasswordError> {
        Self::checked(Zeroizing::new(octets.into()))
    }

    fn checked(octets: Zeroizing<Vec<u8>>) -> Result<Self, PasswordError> {
        if octets.len() > LONGEST {
            return Err(PasswordError::TooLong);
        }
        // Padding is NUL: the server could not tell it from the password.
        if octets.contains(&0) {
            return Err(PasswordError::ContainsNul);
        }
        Ok(Self(octets))
    }

    /// Whether it is the same as the shared secret, which it must never be: who knows it could
    /// compute the secret's digests from what is seen on the wire.
    pub fn is(&self, secret: &SharedSecret) -> bool {
        secret.is(&self.0)
    }

    /// The value of User-Password: padded to blocks of 16 octets, one at least, each hidden by the
    /// digest over the secret and what came before (RFC 2865 §5.2).
    pub(crate) fn hidden(&self, secret: &SharedSecret, authenticator: &Authenticator) -> Vec<u8> {
        let blocks = self.0.len().div_ceil(BLOCK).max(1);
        let mut hidden = Vec::with_capacity(blocks * BLOCK);
        let mut before = *authenticator.as_octets();
        for n in 0..blocks {
            let plain = self.0.iter().skip(n * BLOCK).chain([&0; BLOCK]);
            let key = Md5Digest::of(&[secret.expose(), &before]);
            for ((to, key), plain) in before.iter_mut().zip(key.octets()).zip(plain) {
                *to = key ^ plain;
            }
            hidden.extend_from_slice(&before);
        }
        hidden
    }

    /// The value of CHAP-Password: the identifier, and the digest over it, the password and the
    /// challenge (RFC 2865 §5.3, RFC 1994 §4.1).
    pub(crate) fn chap_response(&self, seed: &ChapSeed) -> [u8; 17] {
        let digest = Md5Digest::of(&[&[seed.identifier()], &self.0, seed.challenge()]);
        let mut response = [seed.identifier(); 17];
        for (to, from) in response.iter_mut().skip(1).zip(digest.octets()) {
            *to = *from;
        }
        response
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What RADIUS cannot carry as a password.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PasswordError {
    /// It is never cut: a cut password is another one.
    #[error("the password is longer than 128 octets")]
    TooLong,
    /// It would end there for the server.
    #[error("the password contains a NUL")]
    ContainsNul,
}
