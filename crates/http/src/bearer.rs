//! Tokens in headers.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use vestibule_engine::Token;
use vestibule_service::{Caller, Origin, ServiceError, TokenRefusal};

use crate::App;
use crate::body::RawBody;
use crate::error::{ApiError, ApiResult};

/// The token of a request: one, and it looks like one.
pub(crate) struct BearerToken(pub(crate) Token);

impl FromRequestParts<App> for BearerToken {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, ApiError> {
        let token = read(&parts.headers).map_err(ServiceError::TokenRefused)?;
        Ok(Self(token))
    }
}

/// Recognises an administrator who is `allowed` what they ask for, and only then reads what they
/// send. Sending it can take a while, in which the token may have ended: it is looked at again.
pub(crate) async fn admit<T: DeserializeOwned, R>(
    app: &App,
    (token, origin): (&Token, Origin),
    allowed: impl FnOnce(&Caller) -> Result<R, ServiceError>,
    body: RawBody,
) -> ApiResult<(Caller, T)> {
    allowed(&app.service.caller(token, origin).await?)?;
    let input = body.json().await?;
    Ok((app.service.caller(token, origin).await?, input))
}

/// Reads `Bearer TOKEN`, in any case and however often the word is repeated: some clients add it
/// to a token that has it already. Several headers are fine as long as they agree.
pub(crate) fn read(headers: &HeaderMap) -> Result<Token, TokenRefusal> {
    let mut found: Option<Token> = None;
    for value in headers.get_all(AUTHORIZATION) {
        let text = value.to_str().map_err(|_| TokenRefusal::Unknown)?;
        let token = Token::parse(without_scheme(text)?).ok_or(TokenRefusal::Unknown)?;
        if found.is_some_and(|other| other.hash() != token.hash()) {
            return Err(TokenRefusal::Unknown);
        }
        found = Some(token);
    }
    found.ok_or(TokenRefusal::Missing)
}

fn without_scheme(text: &str) -> Result<&str, TokenRefusal> {
    let mut rest = text.trim();
    let mut named = false;
    while let Some((word, after)) = rest.split_once(' ') {
        if !word.eq_ignore_ascii_case("bearer") {
            return Err(TokenRefusal::Unknown);
        }
        named = true;
        rest = after.trim_start();
    }
    if named {
        Ok(rest)
    } else {
        Err(TokenRefusal::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(byte: u8) -> String {
        Token::from_bytes([byte; 32]).reveal().expose().clone()
    }

    #[track_caller]
    fn check(values: &[String], expected: Result<u8, TokenRefusal>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        let found = read(&headers).map(|token| token.hash());
        let expected = expected.map(|byte| Token::from_bytes([byte; 32]).hash());
        assert_eq!(found, expected, "{values:?}");
    }

    #[test]
    fn tokens_are_read() {
        let one = token(1);
        check(&[format!("Bearer {one}")], Ok(1));
        check(&[format!("bearer  {one} ")], Ok(1));
        check(&[format!("Bearer Bearer {one}")], Ok(1));
        check(&[format!("Bearer {one}"), format!("Bearer {one}")], Ok(1));
    }

    #[test]
    fn garbage_is_refused() {
        use TokenRefusal::{Missing, Unknown};
        let (one, two) = (token(1), token(2));
        check(&[], Err(Missing));
        check(&[String::new()], Err(Unknown));
        check(std::slice::from_ref(&one), Err(Unknown));
        check(&["Bearer".to_owned()], Err(Unknown));
        check(&["Bearer x".to_owned()], Err(Unknown));
        check(&[format!("Basic {one}")], Err(Unknown));
        check(&[format!("Bearer {one} {two}")], Err(Unknown));
        check(
            &[format!("Bearer {one}"), format!("Bearer {two}")],
            Err(Unknown),
        );
    }
}
