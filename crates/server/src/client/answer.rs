//! What a server answers, as far as signing in looks at it.

use std::fmt;

use reqwest::StatusCode;
use serde::{Deserialize, Deserializer};
use vestibule_engine::Secret;

/// The providers that one can sign in with.
#[derive(Debug, Default, Deserialize)]
pub struct Names {
    /// Their names.
    #[serde(default)]
    pub data: Vec<Name>,
    /// What is said before a sign-in.
    #[serde(rename = "bannerMessage")]
    pub banner: Option<String>,
}

/// A provider that one can sign in with.
#[derive(Debug, Deserialize)]
pub struct Name {
    /// Its name.
    pub name: String,
}

/// What a factor earns.
#[derive(Debug, Deserialize)]
pub struct Session {
    /// The token.
    #[serde(deserialize_with = "secret")]
    pub token: Secret<String>,
}

/// What the end of a sign-in earns.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Authorized {
    /// Who signed in.
    pub user: User,
    /// The token.
    #[serde(deserialize_with = "secret")]
    pub token: Secret<String>,
    /// When it ends.
    pub expires: String,
    /// What is said after a sign-in.
    pub message_of_the_day: Option<String>,
}

/// Who signed in.
#[derive(Debug, Deserialize)]
pub struct User {
    /// The name.
    pub name: String,
}

/// What the start of the second factor answers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Challenge {
    /// What is to be done.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// A new seed in base32.
    #[serde(default, deserialize_with = "maybe_secret")]
    pub secret: Option<Secret<String>>,
    /// A new seed as a URL.
    #[serde(default, deserialize_with = "maybe_secret")]
    pub otp_auth_url: Option<Secret<String>>,
    /// What is asked.
    pub response_message: Option<String>,
    /// To be sent back.
    pub state: Option<String>,
    /// How long an answer may take, in seconds.
    pub timeout: Option<f64>,
    /// Whether the password is to be sent in the place of a code.
    #[serde(default)]
    pub send_password: bool,
    /// How what is typed looks.
    pub input_type: Option<String>,
}

/// What is to be done for the second factor.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
pub enum Kind {
    /// Type the code of the authenticator that has the seed.
    AlreadySeeded,
    /// Give the seed to an authenticator, then type its code.
    Secret,
    /// Answer what is asked.
    Challenge,
    /// Approve elsewhere.
    Push,
}

/// What a server that says no answers.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Refusal {
    /// The status.
    #[serde(skip)]
    pub status: StatusCode,
    /// What is wrong.
    pub message: String,
    /// Which factor failed.
    pub failure_type: Option<String>,
    /// What is asked next, or why not.
    pub reason: Option<String>,
    /// What is wrong with what was sent.
    pub errors: Vec<FieldError>,
}

/// What is wrong with one field.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct FieldError {
    /// The field.
    pub field: String,
    /// What is wrong, to be read after it.
    pub message: String,
}

impl Refusal {
    /// Reads an answer, which may come from something that is no controller.
    pub(super) fn read(status: StatusCode, body: &[u8]) -> Self {
        let mut refusal: Self = serde_json::from_slice(body).unwrap_or_default();
        refusal.status = status;
        if refusal.message.is_empty() {
            refusal.message = format!("The server answered {status}.");
        }
        refusal
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.message))?;
        self.errors.iter().try_for_each(|error| {
            write!(
                f,
                "\n  {} {}",
                printable(&error.field),
                printable(&error.message)
            )
        })
    }
}

/// A text of the server's as it may go to a terminal: without what would move the cursor.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() && c != '\n' { ' ' } else { c })
        .collect()
}

/// The newest version that a server speaks, from its answer to one that it does not.
pub(super) fn newest_version(body: &[u8]) -> Option<u8> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct NotAcceptable {
        max_supported_version: u8,
    }
    let answer: NotAcceptable = serde_json::from_slice(body).ok()?;
    Some(answer.max_supported_version)
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret<String>, D::Error> {
    String::deserialize(deserializer).map(Secret::new)
}

fn maybe_secret<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Secret<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(|text| text.map(Secret::new))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_shown_with_its_fields() {
        let body = br#"{"id":"x","message":"Validation failed.","errors":[{"field":"otp","message":"may not be empty"}]}"#;
        let refusal = Refusal::read(StatusCode::UNPROCESSABLE_ENTITY, body);
        assert_eq!(
            refusal.to_string(),
            "Validation failed.\n  otp may not be empty"
        );
        let odd = Refusal::read(StatusCode::BAD_GATEWAY, b"<html>");
        assert_eq!(odd.to_string(), "The server answered 502 Bad Gateway.");
    }

    #[test]
    fn a_server_does_not_move_the_cursor() {
        let refusal = Refusal::read(StatusCode::FORBIDDEN, br#"{"message":"a\u001b[2Jb"}"#);
        assert_eq!(refusal.to_string(), "a [2Jb");
    }

    #[test]
    fn the_newest_version() {
        let body = br#"{"id":"not acceptable","maxSupportedVersion":21,"message":"m","minSupportedVersion":13}"#;
        assert_eq!(newest_version(body), Some(21));
        assert_eq!(newest_version(b"{}"), None);
        assert_eq!(newest_version(br#"{"maxSupportedVersion":300}"#), None);
    }

    #[test]
    fn a_challenge_does_not_print_its_seed() {
        let body = br#"{"type":"Secret","secret":"GEZD","otpAuthUrl":"otpauth://GEZD","inputType":"Numeric"}"#;
        let challenge: Challenge = serde_json::from_slice(body).unwrap();
        assert_eq!(challenge.kind, Kind::Secret);
        assert!(!format!("{challenge:?}").contains("GEZD"));
    }
}
