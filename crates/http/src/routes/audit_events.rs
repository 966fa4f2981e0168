//! The audit trail.

use axum::Json;
use axum::extract::{RawQuery, State};
use vestibule_engine::invalid::Fields;
use vestibule_engine::privilege::{PrivilegeType, Target};
use vestibule_engine::{FieldErrors, Timestamp};
use vestibule_service::AuditQuery;
use vestibule_wire as wire;

use crate::App;
use crate::bearer::BearerToken;
use crate::client::Asked;
use crate::convert;
use crate::document::AuditParameters;
use crate::document::answers::{Administration, Unprocessable};
use crate::error::ApiResult;
use crate::list::ListRequest;

/// What the list can be filtered by.
const FIELDS: [&str; 5] = ["event", "outcome", "requestId", "since", "username"];

/// Most rows of one answer: there is no end of them.
const MOST_ROWS: u64 = 1_000;

/// List what was done and tried
///
/// The first comes first. An answer has at most a thousand rows; the next ones are found with `range`, or,
/// without counting over all before them, with `since`.
#[utoipa::path(
    get,
    path = "/admin/audit-events",
    operation_id = "listAuditEvents",
    tag = "Audit trail",
    security(("token" = [])),
    params(AuditParameters),
    responses(
        (
            status = 200,
            description = "Rows of the trail, by time.",
            body = wire::List<wire::AuditEvent>
        ),
        Administration, Unprocessable
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    Asked(origin): Asked,
    BearerToken(token): BearerToken,
    RawQuery(query): RawQuery,
) -> ApiResult<Json<wire::List<wire::AuditEvent>>> {
    let caller = app.service.caller(&token, origin).await?;
    caller.must(PrivilegeType::View, Target::AuditLog)?;
    let request = ListRequest::read(query.as_deref(), &FIELDS);
    let request = request.by_name_only().at_most(MOST_ROWS);
    let listing = app.service.audit_events(&caller, &asked(&request)?).await?;
    Ok(Json(request.answer(listing, "time", convert::audit_event)))
}

/// Which rows are asked for. A filter that says nothing would show them all: unlike elsewhere it is
/// refused.
fn asked(request: &ListRequest) -> Result<AuditQuery, FieldErrors> {
    let mut fields = Fields::default();
    let mut query = AuditQuery {
        queries: request.query.queries.clone(),
        range: request.query.range,
        ascending: !request.query.descending,
        ..AuditQuery::default()
    };
    for (name, text) in request.filters() {
        match name {
            "event" => query.event = Some(text.to_owned()),
            "outcome" => query.outcome = Some(text.to_owned()),
            "username" => query.name = Some(text.to_owned()),
            "requestId" => {
                query.request =
                    fields.check("requestId", text.parse().map_err(|_| "must be a UUID"));
            }
            "since" => {
                let since = text.parse::<wire::DateTime>();
                let since = since.map_err(|_| "must be a date and a time of RFC 3339");
                let since = fields.check("since", since);
                query.since = since.map(|since| Timestamp::from_micros(since.as_micros()));
            }
            _ => {}
        }
    }
    fields.finish(|| Some(query))
}
