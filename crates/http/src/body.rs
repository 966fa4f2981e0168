//! Bodies: bounded in size, depth and time, and read only when whoever sent one may.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use vestibule_wire::{ErrorBody, ids};
use zeroize::Zeroizing;

use crate::App;
use crate::error::ApiError;

/// Octets that a body may have.
const LONGEST: usize = 64 * 1024;
/// Octets that a body usually has at most.
const USUAL: usize = 1024;
/// Octets that are let go by before the connection is closed on whoever sends them.
const LONGEST_DRAINED: usize = 4 * 1024 * 1024;
/// Levels of nesting that a body may have; the API needs four.
const DEEPEST: usize = 32;
/// For how long a body may be on its way.
const PATIENCE: Duration = Duration::from_secs(10);

/// A body that was not read yet.
pub(crate) struct RawBody(Body);

impl FromRequest<App> for RawBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &App) -> Result<Self, ApiError> {
        Ok(Self::of(request))
    }
}

impl RawBody {
    pub(crate) fn of(request: Request) -> Self {
        Self(request.into_body())
    }

    /// The object in the body.
    pub(crate) async fn json<T: DeserializeOwned>(self) -> Result<T, ApiError> {
        parse(&self.read().await?)
    }

    /// The object in the body, or the default when there is none.
    pub(crate) async fn json_if_any<T: DeserializeOwned + Default>(self) -> Result<T, ApiError> {
        let bytes = self.read().await?;
        if bytes.trim_ascii().is_empty() {
            Ok(T::default())
        } else {
            parse(&bytes)
        }
    }

    async fn read(self) -> Result<Zeroizing<Vec<u8>>, ApiError> {
        match tokio::time::timeout(PATIENCE, collect(self.0)).await {
            Ok(Ok(Some(bytes))) => Ok(bytes),
            Ok(Ok(None)) => Err(ApiError::from_body(
                StatusCode::PAYLOAD_TOO_LARGE,
                ErrorBody::new(
                    ids::PAYLOAD_TOO_LARGE,
                    format!("The body may not be longer than {LONGEST} bytes."),
                ),
            )),
            Ok(Err(_)) => Err(malformed("The body ended early.")),
            Err(_) => Err(ApiError::from_body(
                StatusCode::REQUEST_TIMEOUT,
                ErrorBody::new(ids::REQUEST_TIMEOUT, "The body took too long to arrive."),
            )),
        }
    }
}

/// The octets of a body, or `None` if there are too many. Those are let go by, up to a limit: who
/// is cut off in the middle of a body does not see the answer.
async fn collect(mut body: Body) -> Result<Option<Zeroizing<Vec<u8>>>, axum::Error> {
    let (mut bytes, mut length) = (Zeroizing::new(Vec::with_capacity(USUAL)), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        length += data.len();
        if length <= LONGEST {
            make_room(&mut bytes, data.len());
            bytes.extend_from_slice(&data);
        } else if length > LONGEST_DRAINED {
            break;
        }
    }
    Ok((length <= LONGEST).then_some(bytes))
}

/// Grows with what has arrived, not with what was announced; what it moves out of is wiped.
fn make_room(bytes: &mut Zeroizing<Vec<u8>>, more: usize) {
    let length = bytes.len() + more;
    if length > bytes.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(length.max(2 * bytes.capacity())));
        larger.extend_from_slice(bytes);
        *bytes = larger;
    }
}

fn malformed(message: impl Into<std::borrow::Cow<'static, str>>) -> ApiError {
    ApiError::from_body(
        StatusCode::BAD_REQUEST,
        ErrorBody::new(ids::BAD_REQUEST, message),
    )
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // The parser would not look at what stands in fields that nobody knows.
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(malformed("The body is not UTF-8."));
    };
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(malformed("The body is not a JSON object."));
    }
    if depth(bytes) > DEEPEST {
        return Err(malformed(format!(
            "The body is nested more than {DEEPEST} levels deep."
        )));
    }
    serde_json::from_str(text).map_err(|error| {
        // The place is enough: what stands there may be a password.
        let (line, column) = (error.line(), error.column());
        malformed(match error.classify() {
            serde_json::error::Category::Data => {
                format!(
                    "A value in the body has the wrong JSON type, at line {line} column {column}."
                )
            }
            serde_json::error::Category::Io
            | serde_json::error::Category::Syntax
            | serde_json::error::Category::Eof => {
                format!("The body is not JSON, at line {line} column {column}.")
            }
        })
    })
}

/// How deep objects and arrays are nested; strings do not count.
fn depth(bytes: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;
    use vestibule_wire::SignIn;

    #[track_caller]
    fn check(body: &[u8], accepted: bool) {
        assert_eq!(
            parse::<SignIn>(body).is_ok(),
            accepted,
            "{}",
            body.escape_ascii()
        );
    }

    #[test]
    fn objects_are_read() {
        check(b"{}\n", true);
        check(br#" {"username":null,"unknown":{"a":[1,2]}}"#, true);
        check(br#"{"username":"{[{["}"#, true);
        check(br#"{"username":"\"{[{["}"#, true);
    }

    #[test]
    fn everything_else_is_refused() {
        let nested = [
            b"{\"x\":".as_slice(),
            &b"[".repeat(10_000),
            &b"]".repeat(10_000),
            b"}",
        ];
        let deep = [b"{\"x\":".as_slice(), &b"[".repeat(10_000)];
        for body in [
            b"".as_slice(),
            b"null",
            b"[]",
            br#"["local"]"#,
            b"{",
            br#"{"username":1}"#,
            br#"{"username":"a","username":"b"}"#,
            b"{\"username\":\"\xff\"}",
            br#"{"username":1e999}"#,
            br"{} {}",
            &nested.concat(),
            &deep.concat(),
        ] {
            check(body, false);
        }
    }
}
