//! Signing in, step by step, and out.

use axum::extract::State;
use axum::http::header::HOST;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::{Extension, Json};
use vestibule_engine::{FieldErrors, Otp};
use vestibule_service::{Credentials, ServiceError};
use vestibule_wire as wire;

use crate::App;
use crate::bearer::BearerToken;
use crate::body::RawBody;
use crate::client::Client;
use crate::convert;
use crate::error::ApiResult;

/// Longest answer to a second factor, in characters.
const LONGEST_OTP: usize = 256;

pub(super) async fn start(
    State(app): State<App>,
    Extension(Client(address)): Extension<Client>,
    body: RawBody,
) -> ApiResult<Json<wire::LoginResponse>> {
    let credentials = credentials(body.json().await?)?;
    let signed_in = app.service.authenticate(credentials, address).await?;
    Ok(Json(convert::signed_in(&signed_in, &app.site)))
}

pub(super) async fn login(
    State(app): State<App>,
    Extension(Client(address)): Extension<Client>,
    body: RawBody,
) -> ApiResult<Json<wire::LoginResponse>> {
    let credentials = credentials(body.json().await?)?;
    let authorized = app.service.login(credentials, address).await?;
    Ok(Json(convert::authorized(&authorized, &app.site)))
}

pub(super) async fn initialize_otp(
    State(app): State<App>,
    BearerToken(token): BearerToken,
    uri: Uri,
    headers: HeaderMap,
    body: RawBody,
) -> ApiResult<Json<wire::InitializeOtpResponse>> {
    let bearer = app.service.due_bearer(&token).await?;
    // The password is for RADIUS servers; no provider here wants it.
    let wire::InitializeOtp { user_password: _ } = body.json_if_any().await?;
    let initialized = app
        .service
        .initialize(bearer, &host(&uri, &headers))
        .await?;
    Ok(Json(convert::initialized(&initialized)))
}

pub(super) async fn finish_otp(
    State(app): State<App>,
    BearerToken(token): BearerToken,
    body: RawBody,
) -> ApiResult<Json<wire::LoginResponse>> {
    let bearer = app.service.due_bearer(&token).await?;
    let otp = otp(body.json().await?)?;
    let signed_in = app.service.finish(bearer, otp).await?;
    Ok(Json(convert::signed_in(&signed_in, &app.site)))
}

pub(super) async fn authorize(
    State(app): State<App>,
    BearerToken(token): BearerToken,
) -> ApiResult<Json<wire::LoginResponse>> {
    let authorized = app.service.authorize(token).await?;
    Ok(Json(convert::authorized(&authorized, &app.site)))
}

pub(super) async fn log_out(
    State(app): State<App>,
    BearerToken(token): BearerToken,
) -> ApiResult<StatusCode> {
    app.service.log_out(&token).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn credentials(body: wire::SignIn) -> Result<Credentials, FieldErrors> {
    Credentials::new(
        body.provider_name.as_deref(),
        body.device_id.as_deref(),
        body.username.as_deref(),
        body.password.map(convert::secret),
    )
}

fn otp(body: wire::FinishOtp) -> Result<Otp, ServiceError> {
    let refuse = |message| Err(FieldErrors::one("otp", message).into());
    match body.otp {
        None => refuse("may not be null"),
        Some(otp) if otp.expose().is_empty() => refuse("may not be empty"),
        Some(otp) if otp.expose().chars().count() > LONGEST_OTP => {
            refuse("may not be longer than 256 characters")
        }
        Some(otp) => Ok(Otp::new(convert::secret(otp))),
    }
}

/// The host that the client believes to talk to, without the port, for the label of its
/// authenticator. It is the client's own claim and goes back to nobody else.
fn host(uri: &Uri, headers: &HeaderMap) -> String {
    let claimed = uri
        .authority()
        .map(ToString::to_string)
        .or_else(|| Some(headers.get(HOST)?.to_str().ok()?.to_owned()));
    claimed
        .and_then(|host| host.parse::<axum::http::uri::Authority>().ok())
        .map(|authority| authority.host().trim_matches(['[', ']']).to_owned())
        .filter(|host| !host.is_empty() && host.len() <= 253)
        .unwrap_or_else(|| "localhost".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(uri: &str, header: &str, expected: &str) {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, header.parse().unwrap());
        assert_eq!(
            host(&uri.parse().unwrap(), &headers),
            expected,
            "{uri} {header}"
        );
    }

    #[test]
    fn the_host_is_what_the_client_typed() {
        check("/admin", "controller.example:8443", "controller.example");
        check(
            "https://h2.example:8443/admin",
            "other.example",
            "h2.example",
        );
        check("/admin", "[::1]:8443", "::1");
        check("/admin", "", "localhost");
        check("/admin", "no host at all", "localhost");
    }
}
