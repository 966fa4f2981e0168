//! Fingerprints of certificates, as people compare them.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// The SHA-256 of a certificate, written `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a certificate in DER.
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A text that is no fingerprint.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a fingerprint is `sha256:` and 64 hexadecimal digits")]
pub struct BadFingerprint;

impl FromStr for Fingerprint {
    type Err = BadFingerprint;

    /// Takes the form of other programs too: upper case, colons between the octets.
    fn from_str(text: &str) -> Result<Self, BadFingerprint> {
        let hex = match text.split_at_checked("sha256:".len()) {
            Some((prefix, hex)) if prefix.eq_ignore_ascii_case("sha256:") => hex,
            Some(_) | None => return Err(BadFingerprint),
        };
        let digits = hex
            .chars()
            .filter(|&c| c != ':')
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect::<Option<Vec<u8>>>()
            .ok_or(BadFingerprint)?;
        let (pairs, rest) = digits.as_chunks::<2>();
        let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
        match (bytes.try_into(), rest) {
            (Ok(bytes), []) => Ok(Self(bytes)),
            _ => Err(BadFingerprint),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_back() {
        let fingerprint = Fingerprint::of(b"a certificate");
        let text = fingerprint.to_string();
        assert_eq!(text.len(), 7 + 64);
        assert_eq!(text.parse(), Ok(fingerprint));
        let hex: Vec<String> = fingerprint
            .0
            .iter()
            .map(|byte| format!("{byte:02X}"))
            .collect();
        assert_eq!(format!("SHA256:{}", hex.join(":")).parse(), Ok(fingerprint));
    }

    #[test]
    fn what_is_none() {
        let right = Fingerprint::of(b"").to_string();
        let bare = right.trim_start_matches("sha256:");
        for text in [
            "",
            "sha256:",
            bare,
            &right[..70],
            &format!("{right}0"),
            &right.replace('a', "g"),
        ] {
            assert_eq!(text.parse::<Fingerprint>(), Err(BadFingerprint), "{text}");
        }
    }
}
