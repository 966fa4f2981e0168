//! The document of the API, and a page to read it on and to try it out.
//!
//! The page is Swagger UI. All of it comes from here: its policy lets the browser ask nobody else.

use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::http::header::{HeaderName, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use vestibule_wire::ErrorBody;

use crate::App;
use crate::error::{ApiError, ApiResult, no_such_route};
use crate::path::PathText;

/// What the browser may do on the page. Swagger UI puts styles into its elements.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

const PAGE: &str = include_str!("documentation/page.html");

/// Files of the page: name, type and content.
const FILES: [(&str, &str, &[u8]); 4] = [
    (
        "favicon.png",
        "image/png",
        include_bytes!(concat!(env!("OUT_DIR"), "/favicon-32x32.png")),
    ),
    (
        "start.js",
        "text/javascript",
        include_bytes!("documentation/start.js"),
    ),
    (
        "swagger-ui-bundle.js",
        "text/javascript",
        include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js")),
    ),
    (
        "swagger-ui.css",
        "text/css",
        include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui.css")),
    ),
];

/// Show this document
#[utoipa::path(
    get,
    path = "/admin/openapi.json",
    operation_id = "getOpenApi",
    tag = "Documentation",
    responses((status = 200, description = "The document.", body = Object))
)]
pub(super) async fn openapi(State(app): State<App>) -> ApiResult<Response> {
    // That it could not be written was logged at the start.
    let document = app.document.ok_or_else(ApiError::internal)?;
    Ok(file("application/json", document))
}

/// Show a page about this document
#[utoipa::path(
    get,
    path = "/admin/docs",
    operation_id = "getDocs",
    tag = "Documentation",
    responses((
        status = 200,
        description = "The page.",
        body = String,
        content_type = "text/html; charset=utf-8"
    ))
)]
pub(super) async fn page() -> Response {
    file("text/html; charset=utf-8", PAGE)
}

/// Show a part of that page
#[utoipa::path(
    get,
    path = "/admin/docs/{file}",
    operation_id = "getDocsFile",
    tag = "Documentation",
    params(("file" = String, Path, description = "Its name.", example = "swagger-ui.css")),
    responses(
        (status = 200, description = "The file.", content(
            (String = "image/png"), (String = "text/css"), (String = "text/javascript")
        )),
        (status = 404, description = "There is no such file.", body = ErrorBody)
    )
)]
pub(super) async fn part(PathText(name): PathText) -> ApiResult<Response> {
    let found = FILES.iter().find(|(own, ..)| name.as_deref() == Some(own));
    match found {
        Some((_, content_type, content)) => Ok(file(content_type, *content)),
        None => Err(no_such_route().await),
    }
}

fn file(content_type: &'static str, content: impl IntoResponse) -> Response {
    let headers: [(HeaderName, &str); 4] = [
        (CONTENT_TYPE, content_type),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, content).into_response()
}

#[cfg(test)]
mod tests {
    use vestibule_wire::{MEDIA_TYPE_PREFIX, MEDIA_TYPE_SUFFIX, PEER_VERSIONS};

    #[test]
    fn the_page_speaks_the_newest_version() {
        let newest = PEER_VERSIONS.end();
        let media_type = format!("\"{MEDIA_TYPE_PREFIX}{newest}{MEDIA_TYPE_SUFFIX}\"");
        let start = include_str!("documentation/start.js");
        assert!(start.contains(&media_type), "{start}");
    }
}
