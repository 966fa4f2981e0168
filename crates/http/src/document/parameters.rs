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
