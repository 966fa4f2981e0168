//! MD5 and HMAC-MD5 over pieces, compared in constant time and wiped.

use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::SharedSecret;

/// An MD5 digest that may be worth hiding.
pub(crate) struct Md5Digest(Zeroizing<[u8; 16]>);

impl Md5Digest {
    /// The digest of the pieces, one after the other.
    pub(crate) fn of(pieces: &[&[u8]]) -> Self {
        let mut md5 = Md5::new();
        for piece in pieces {
            md5.update(piece);
        }
        Self(Zeroizing::new(md5.finalize().into()))
    }

    pub(crate) fn octets(&self) -> &[u8; 16] {
        &self.0
    }

    /// Whether it is these octets, in a time that does not tell where they differ.
    pub(crate) fn is(&self, octets: &[u8]) -> bool {
        self.0.as_slice().ct_eq(octets).into()
    }
}

/// HMAC-MD5 of the pieces under the shared secret (RFC 3579 §3.2).
fn keyed(secret: &SharedSecret, pieces: &[&[u8]]) -> Option<Hmac<Md5>> {
    // HMAC takes keys of any length; the type does not know.
    let mut hmac = Hmac::<Md5>::new_from_slice(secret.expose()).ok()?;
    for piece in pieces {
        hmac.update(piece);
    }
    Some(hmac)
}

/// Signs the pieces; `None` never comes.
pub(crate) fn sign(secret: &SharedSecret, pieces: &[&[u8]]) -> Option<[u8; 16]> {
    Some(keyed(secret, pieces)?.finalize().into_bytes().into())
}

/// Whether the signature is that of the pieces, in a time that does not tell where it differs.
pub(crate) fn is_signed(secret: &SharedSecret, pieces: &[&[u8]], signature: &[u8]) -> bool {
    keyed(secret, pieces).is_some_and(|hmac| hmac.verify_slice(signature).is_ok())
}
