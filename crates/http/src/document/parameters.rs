//! What every list may be asked.

use std::collections::BTreeMap;

use utoipa::IntoParams;

/// The query of a list. What makes no sense in it is ignored.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "says what `ListRequest` reads from the URL")]
pub(crate) struct ListParameters {
    /// A text to look for in names, notes, tags and ids, in any case. May be given several times;
    /// each narrows.
    query: Option<Vec<String>>,
    /// Which part of the list: `first-last`, both included, counted from 0. All of it otherwise.
    #[param(example = "0-24")]
    range: Option<String>,
    /// `name`, `created` or `updated`, as far as the objects have it; `name` otherwise.
    #[param(example = "name")]
    order_by: Option<String>,
    /// Whether from the last to the first.
    descending: Option<bool>,
    /// Texts that fields must hold, in any case: `filterBy[name]=ada`. A field without brackets,
    /// `name=ada`, means the same. What is no field of the objects is ignored.
    #[param(style = DeepObject, explode, value_type = Option<BTreeMap<String, String>>)]
    filter_by: Option<BTreeMap<String, String>>,
}

/// The query of the audit trail.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "says what `ListRequest` reads from the URL")]
pub(crate) struct AuditParameters {
    /// A text to look for in the names of who did it and of what it was done to, the event and the
    /// id of the request, in any case. May be given several times; each narrows.
    query: Option<Vec<String>>,
    /// Which part of the list: `first-last`, both included, counted from 0. The first thousand
    /// otherwise.
    #[param(example = "0-24")]
    range: Option<String>,
    /// Whether from the last to the first.
    descending: Option<bool>,
    /// Only rows from then on.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<String>,
    /// Only rows of this event.
    #[param(example = "secondFactor")]
    event: Option<String>,
    /// Only rows that ended so: `success`, `failure`, `denied` or `error`.
    outcome: Option<String>,
    /// Only rows of one request: the `X-Request-Id` of its answer.
    #[param(value_type = Option<String>, format = "uuid")]
    request_id: Option<String>,
    /// Only what a user of this name did, and what was done to one; in any case.
    username: Option<String>,
}
