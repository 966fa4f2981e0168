//! What is true of every operation, because the envelope of its requests makes it so.

use serde_json::{Map, Value, json};

use super::answers::{INTERNAL, NOT_ACCEPTABLE, TOO_MANY_REQUESTS};
use super::{media_type, object};
use crate::routes::has_versions;

/// Adds to every operation what does not stand beside its handler.
pub(super) fn add(document: &mut Value) {
    for answer in children(document, "/components/responses") {
        add_request_id(answer);
        ask_for_version(answer);
    }
    for (path, operations) in object(document, "/paths").into_iter().flatten() {
        for operation in operations
            .as_object_mut()
            .into_iter()
            .flat_map(Map::values_mut)
        {
            let answers = object(operation, "/responses");
            let Some(answers) = answers else { continue };
            for answer in answers
                .values_mut()
                .filter(|answer| answer.get("$ref").is_none())
            {
                add_request_id(answer);
                if has_versions(path) {
                    ask_for_version(answer);
                }
            }
            if has_versions(path) {
                answers.insert("406".to_owned(), reference(NOT_ACCEPTABLE));
                answers.insert("429".to_owned(), reference(TOO_MANY_REQUESTS));
                answers.insert("500".to_owned(), reference(INTERNAL));
            }
        }
    }
}

fn children<'a>(document: &'a mut Value, place: &str) -> impl Iterator<Item = &'a mut Value> {
    object(document, place)
        .into_iter()
        .flat_map(Map::values_mut)
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/responses/{name}") })
}

fn add_request_id(answer: &mut Value) {
    let header = json!({
        "description": "The id of the request, as it is in the log of the server.",
        "required": true,
        "schema": { "type": "string", "format": "uuid" },
    });
    if let Some(answer) = answer.as_object_mut() {
        let headers = answer.entry("headers").or_insert_with(|| json!({}));
        if let Some(headers) = headers.as_object_mut() {
            headers.insert("X-Request-Id".to_owned(), header);
        }
    }
}

/// Clients ask for the media type that the answer has in the document, and tools ignore a header
/// parameter of the name `Accept`. So it is the one to ask for that stands here.
fn ask_for_version(answer: &mut Value) {
    if let Some(content) = object(answer, "/content")
        && let Some(json) = content.remove("application/json")
    {
        content.insert(media_type(), json);
    }
}
