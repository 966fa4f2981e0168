//! Versions: every call names the one it speaks in its `Accept` header, and gets 406 before
//! anything else but the path is looked at if we do not speak it.

use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use vestibule_wire::{ErrorBody, MEDIA_TYPE_PREFIX, MEDIA_TYPE_SUFFIX, PEER_VERSIONS, ids};

use crate::error::ApiError;

/// How much of a refused header is shown again.
const LONGEST_ECHO: usize = 200;

/// What a client is told whose version we do not speak.
pub(crate) fn refusal(headers: &HeaderMap) -> Option<Response> {
    (!speaks_ours(headers)).then(|| not_acceptable(headers).into_response())
}

/// Whether any media type that the client takes is one of ours.
fn speaks_ours(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(version)
        .any(|version| PEER_VERSIONS.contains(&version))
}

/// The version of a media type, which may be in upper case and have parameters.
fn version(media_type: &str) -> Option<u16> {
    let (essence, _) = media_type.split_once(';').unwrap_or((media_type, ""));
    let essence = essence.trim().to_ascii_lowercase();
    let digits = essence
        .strip_prefix(MEDIA_TYPE_PREFIX)?
        .strip_suffix(MEDIA_TYPE_SUFFIX)?;
    digits.bytes().all(|b| b.is_ascii_digit()).then_some(())?;
    digits.parse().ok()
}

fn not_acceptable(headers: &HeaderMap) -> ApiError {
    let (min, max) = (*PEER_VERSIONS.start(), *PEER_VERSIONS.end());
    let received: String = headers
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("none")
        .chars()
        .take(LONGEST_ECHO)
        .collect();
    let message = format!(
        "Invalid 'Accept' header. Current version: {MEDIA_TYPE_PREFIX}{max}{MEDIA_TYPE_SUFFIX}, \
         Received: {received}"
    );
    ApiError::from_body(
        StatusCode::NOT_ACCEPTABLE,
        ErrorBody {
            min_supported_version: Some(min),
            max_supported_version: Some(max),
            ..ErrorBody::new(ids::NOT_ACCEPTABLE, message)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(accept: &[&'static str], spoken: bool) {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(ACCEPT, value.parse().unwrap());
        }
        assert_eq!(speaks_ours(&headers), spoken, "{accept:?}");
    }

    #[test]
    fn any_version_of_ours_will_do() {
        check(&["application/vnd.appgate.peer-v18+json"], true);
        check(&["application/vnd.appgate.peer-v23+json"], true);
        check(&["Application/VND.Appgate.Peer-V20+JSON ; q=0.5"], true);
        check(&["text/html, application/vnd.appgate.peer-v23+json"], true);
        check(
            &["text/html", "application/vnd.appgate.peer-v23+json"],
            true,
        );
    }

    #[test]
    fn no_other_will() {
        check(&[], false);
        for other in [
            "application/vnd.appgate.peer-v0+json",
            "application/vnd.appgate.peer-v17+json",
            "application/vnd.appgate.peer-v24+json",
            "application/vnd.appgate.peer-v+23+json",
            "application/vnd.appgate.peer-v99999999999+json",
            "application/vnd.appgate.peer-v23+text",
            "application/json",
            "*/*",
            "",
            ",;,",
        ] {
            check(&[other], false);
        }
    }
}
