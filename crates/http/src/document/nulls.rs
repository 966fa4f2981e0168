//! There is no `null` in the API: what has no value is absent.

use serde_json::Value;

/// Takes `null` out of every type. Where an optional field was a choice between an object and
/// `null`, the object remains.
pub(super) fn remove(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(remove),
        Value::Object(fields) => {
            fields.values_mut().for_each(remove);
            if let Some(Value::Array(types)) = fields.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    fields.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(choices)) = fields.get_mut("oneOf") {
                let before = choices.len();
                choices.retain(|choice| choice.get("type").is_none_or(|name| name != "null"));
                if let ([Value::Object(only)], true) = (choices.as_slice(), choices.len() < before)
                {
                    let only = only.clone();
                    fields.remove("oneOf");
                    // A reference may have a description beside it.
                    for (key, value) in only {
                        fields.entry(key).or_insert(value);
                    }
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(mut schema: Value, expected: &Value) {
        remove(&mut schema);
        assert_eq!(schema, *expected);
    }

    #[test]
    fn what_is_optional_is_absent() {
        check(
            json!({ "properties": { "a": { "type": ["string", "null"], "format": "uuid" } } }),
            &json!({ "properties": { "a": { "type": "string", "format": "uuid" } } }),
        );
        check(
            json!({ "oneOf": [{ "type": "null" }, { "$ref": "#/x" }], "description": "d" }),
            &json!({ "$ref": "#/x", "description": "d" }),
        );
    }

    #[test]
    fn other_choices_stay() {
        let choice =
            json!({ "oneOf": [{ "$ref": "#/x" }, { "type": "string" }], "type": "object" });
        check(choice.clone(), &choice);
    }
}
