//! The values of attributes that callers give and get: parsed once, right from then on.

use std::fmt;

use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

/// Octets of the longest value of an attribute (RFC 2865 §5).
const LONGEST: usize = 253;

/// Text of 1 to 253 octets of UTF-8 in normalisation form C, without a NUL.
fn text(text: &str) -> Result<String, TextError> {
    let mut normal = String::with_capacity(text.len().min(LONGEST));
    for character in text.nfc() {
        if character == '\0' {
            return Err(TextError::ContainsNul);
        }
        if normal.len() + character.len_utf8() > LONGEST {
            return Err(TextError::TooLong);
        }
        normal.push(character);
    }
    if normal.is_empty() {
        return Err(TextError::Empty);
    }
    Ok(normal)
}

macro_rules! text_attribute {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, PartialEq)]
        pub struct $name(String);

        impl $name {
            /// Takes a text and puts it into Unicode normalisation form C: servers compare octets.
            ///
            /// # Errors
            ///
            /// When it has not 1 to 253 octets then, or contains a NUL.
            pub fn new(value: &str) -> Result<Self, TextError> {
                text(value).map(Self)
            }

            /// The text as it is sent.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

text_attribute! {
    /// Who signs in (RFC 2865 §5.1). All rounds of a dialogue send the same octets.
    UserName
}

text_attribute! {
    /// What this client calls itself (RFC 2865 §5.32).
    NasIdentifier
}

text_attribute! {
    /// Where the user comes from (RFC 2865 §5.31): here, the address of their client.
    CallingStationId
}

/// What is no text for an attribute.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TextError {
    /// An attribute has one octet at least.
    #[error("the text is empty")]
    Empty,
    /// It is never cut: a cut name is another one.
    #[error("the text is longer than 253 octets")]
    TooLong,
    /// It would end there for some servers.
    #[error("the text contains a NUL")]
    ContainsNul,
}

/// What a server wants to hear again with the next round (RFC 2865 §5.24): 1 to 253 octets that
/// mean nothing here. Not printed, because who has it can go on with the dialogue.
#[derive(Clone)]
pub struct State(Zeroizing<Vec<u8>>);

impl State {
    /// Takes the octets of a State.
    ///
    /// # Errors
    ///
    /// When there are none, or more than 253.
    pub fn new(octets: impl Into<Vec<u8>>) -> Result<Self, StateError> {
        let octets = Zeroizing::new(octets.into());
        if octets.is_empty() || octets.len() > LONGEST {
            return Err(StateError);
        }
        Ok(Self(octets))
    }

    /// The octets as the server sent them.
    pub fn as_octets(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("State(…)")
    }
}

/// A State of no octet, or of more than 253.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a State has 1 to 253 octets")]
pub struct StateError;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expected: Result<&str, TextError>) {
        let name = UserName::new(value);
        assert_eq!(
            name.as_ref().map(UserName::as_str).map_err(|e| *e),
            expected
        );
    }

    #[test]
    fn names_are_normalised_and_bounded() {
        check("bob", Ok("bob"));
        check("ju\u{308}rgen", Ok("j\u{fc}rgen"));
        check("DOM\\Bob ", Ok("DOM\\Bob "));
        check("", Err(TextError::Empty));
        check("a\0b", Err(TextError::ContainsNul));
        check(&"a".repeat(253), Ok(&"a".repeat(253)));
        check(&"a".repeat(254), Err(TextError::TooLong));
        check(&"\u{fc}".repeat(127), Err(TextError::TooLong));
        // 378 octets before, 252 after.
        check(&"u\u{308}".repeat(126), Ok(&"\u{fc}".repeat(126)));
    }

    #[test]
    fn a_state_is_kept_to_the_octet() {
        let octets = [0, 255, 10, 0];
        assert_eq!(State::new(octets).unwrap().as_octets(), octets);
        assert!(State::new([0; 253]).is_ok());
        assert!(State::new([0; 254]).is_err());
        assert!(State::new([]).is_err());
        assert_eq!(format!("{:?}", State::new("s3cret").unwrap()), "State(…)");
    }
}
