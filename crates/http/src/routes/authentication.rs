//! Signing in, step by step, and out.

use std::net::Ipv6Addr;

use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, RequestExt as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{FutureExt as _, TryFutureExt as _};
use vestibule_engine::FieldErrors;
use vestibule_engine::invalid::Fields;
use vestibule_service::{Credentials, SecondFactorAnswer};
use vestibule_wire as wire;

use crate::App;
use crate::bearer::BearerToken;
use crate::body::RawBody;
use crate::client::Asked;
use crate::convert;
use crate::document::answers::{Admission, Bearer, Enrolment, Input, SecondFactor, SignIn};
use crate::error::ApiResult;

/// Longest answer to a second factor, in characters.
const LONGEST_OTP: usize = 256;

/// Sign in with the password
#[utoipa::path(
    post,
    path = "/admin/authentication",
    operation_id = "authenticate",
    tag = "Sign-in",
    request_body = wire::SignIn,
    responses(
        (
            status = 200,
            description = "A partial token. `needTwoFactorAuth` tells whether a second factor is due.",
            body = wire::LoginResponse
        ),
        SignIn, Input
    )
)]
pub(super) async fn start(
    State(app): State<App>,
    Asked(origin): Asked,
    body: RawBody,
) -> ApiResult<Json<wire::LoginResponse>> {
    let credentials = credentials(body.json().await?)?;
    let signed_in = app.service.authenticate(credentials, origin).await?;
    Ok(Json(convert::signed_in(&signed_in, &app.site)))
}

/// Sign in with the password only
///
/// For users of whom no second factor is due.
#[utoipa::path(
    post,
    path = "/admin/login",
    operation_id = "login",
    tag = "Sign-in",
    request_body = wire::SignIn,
    responses(
        (status = 200, description = "A token for administration.", body = wire::LoginResponse),
        SignIn, Admission, Input
    )
)]
pub(super) async fn login(
    State(app): State<App>,
    Asked(origin): Asked,
    body: RawBody,
) -> ApiResult<Json<wire::LoginResponse>> {
    let credentials = credentials(body.json().await?)?;
    let authorized = app.service.login(credentials, origin).await?;
    Ok(Json(convert::authorized(&authorized, &app.site)))
}

/// Begin with the second factor
///
/// Takes a partial token. The body may be absent.
#[utoipa::path(
    post,
    path = "/admin/authentication/otp/initialize",
    operation_id = "initializeOtp",
    tag = "Sign-in",
    security(("token" = [])),
    request_body = Option<wire::InitializeOtp>,
    responses(
        (status = 200, description = "What comes next.", body = wire::InitializeOtpResponse),
        Enrolment, Input
    )
)]
pub(super) async fn initialize_otp(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    uri: Uri,
    headers: HeaderMap,
    body: RawBody,
) -> ApiResult<Json<wire::InitializeOtpResponse>> {
    let bearer = app.service.due_bearer(&token, origin).await?;
    let wire::InitializeOtp { user_password } = body.json_if_any().await?;
    let started = app
        .service
        .initialize(
            bearer,
            &host(&uri, &headers),
            user_password.map(convert::secret),
            origin,
        )
        .await?;
    Ok(Json(convert::started(&started)))
}

/// Pass the second factor
///
/// Takes a partial token. Of a push, the answer comes when somebody has decided.
#[utoipa::path(
    post,
    path = "/admin/authentication/otp",
    operation_id = "finishOtp",
    tag = "Sign-in",
    security(("token" = [])),
    request_body = wire::FinishOtp,
    responses(
        (
            status = 200,
            description = "A verified token. The partial one is dead.",
            body = wire::LoginResponse
        ),
        SecondFactor, Input
    )
)]
pub(super) fn finish_otp(
    State(app): State<App>,
    request: Request,
) -> impl Future<Output = Response> + Send {
    let begun = Box::pin(begin_finish(app, request));
    begun.try_flatten().map(IntoResponse::into_response)
}

async fn begin_finish(
    app: App,
    mut request: Request,
) -> ApiResult<impl Future<Output = ApiResult<Json<wire::LoginResponse>>> + Send> {
    let Asked(origin) = Asked::of(request.extensions());
    let BearerToken(token) = request.extract_parts_with_state(&app).await?;
    let bearer = app.service.due_bearer(&token, origin).await?;
    let answer = answer(RawBody::of(request).json().await?)?;
    let finishing = app.service.finish(bearer, answer, origin);
    let site = app.site;
    Ok(finishing.map(move |finished| Ok(Json(convert::signed_in(&finished?, &site)))))
}

/// Be admitted to administration
///
/// Takes any token.
#[utoipa::path(
    get,
    path = "/admin/authorization",
    operation_id = "authorize",
    tag = "Sign-in",
    security(("token" = [])),
    responses(
        (status = 200, description = "The token for administration.", body = wire::LoginResponse),
        Bearer, Admission
    )
)]
pub(super) async fn authorize(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
) -> ApiResult<Json<wire::LoginResponse>> {
    let authorized = app.service.authorize(token, origin).await?;
    Ok(Json(convert::authorized(&authorized, &app.site)))
}

/// Sign out
///
/// Takes any token.
#[utoipa::path(
    post,
    path = "/admin/authentication/logout",
    operation_id = "logOut",
    tag = "Sign-in",
    security(("token" = [])),
    responses((status = 204, description = "All tokens of the session are dead."), Bearer)
)]
pub(super) async fn log_out(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
) -> ApiResult<StatusCode> {
    app.service.log_out(&token, origin).await?;
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

fn answer(body: wire::FinishOtp) -> Result<SecondFactorAnswer, FieldErrors> {
    let mut fields = Fields::default();
    let otp = fields.required("otp", body.otp);
    let otp = otp.and_then(|otp| {
        let checked = match otp.expose().chars().count() {
            0 => Err("may not be empty"),
            1..=LONGEST_OTP => Ok(convert::secret(otp)),
            _ => Err("may not be longer than 256 characters"),
        };
        fields.check("otp", checked)
    });
    // Some clients send an empty one where there is none.
    let state = match body.state.filter(|state| !state.expose().is_empty()) {
        None => Some(None),
        Some(state) => {
            let decoded = STANDARD.decode(state.expose()).map(Some);
            fields.check("state", decoded.or(Err("is not base64")))
        }
    };
    fields.finish(|| {
        Some(SecondFactorAnswer {
            otp: otp?,
            state: state?,
        })
    })
}

/// The host that the client believes to talk to, without the port, for the label of its
/// authenticator. It is the client's own claim and goes back to nobody else.
pub(crate) fn host(uri: &Uri, headers: &HeaderMap) -> String {
    let claimed = uri
        .authority()
        .map(ToString::to_string)
        .or_else(|| Some(headers.get(HOST)?.to_str().ok()?.to_owned()));
    claimed
        .and_then(|host| host.parse::<axum::http::uri::Authority>().ok())
        .and_then(|authority| bare(authority.host()).map(ToOwned::to_owned))
        .filter(|host| (1..=253).contains(&host.len()))
        .unwrap_or_else(|| "localhost".to_owned())
}

/// The host without the brackets in which an IPv6 address stands, and nothing else
/// (RFC 3986 section 3.2.2).
fn bare(host: &str) -> Option<&str> {
    let bracketed = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    match bracketed {
        Some(address) => address.parse::<Ipv6Addr>().is_ok().then_some(address),
        None => (!host.contains(['[', ']'])).then_some(host),
    }
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
        check("/admin", "y[name]", "localhost");
        check("/admin", "[name]:8443", "localhost");
    }
}
