//! Lists: one schema each, about objects that have a schema of their own.

use serde_json::{Value, json};

use super::object;

/// How generic lists are called before they get a name.
const GENERIC: &str = "List_";

/// Names all lists after what is in them.
pub(super) fn name(document: &mut Value) {
    if let Some(schemas) = object(document, "/components/schemas") {
        let lists = schemas.keys().filter(|name| name.starts_with(GENERIC));
        let lists: Vec<_> = lists.cloned().collect();
        for list in lists {
            let item = list.trim_start_matches(GENERIC);
            if let Some(mut schema) = schemas.remove(&list) {
                if let Some(data) = object(&mut schema, "/properties/data") {
                    data.insert("items".to_owned(), json!({ "$ref": reference(item) }));
                }
                schemas.insert(named(item), schema);
            }
        }
    }
    follow(document);
}

fn named(item: &str) -> String {
    format!("{item}List")
}

fn reference(schema: &str) -> String {
    format!("#/components/schemas/{schema}")
}

/// Has references go where the lists are now.
fn follow(part: &mut Value) {
    match part {
        Value::Array(items) => items.iter_mut().for_each(follow),
        Value::Object(fields) => fields.values_mut().for_each(follow),
        Value::String(text) => {
            if let Some(item) = text.strip_prefix(&reference(GENERIC)) {
                *text = reference(&named(item));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_about_its_objects() {
        let mut document = json!({
            "paths": { "$ref": "#/components/schemas/List_User" },
            "components": { "schemas": {
                "List_User": { "properties": { "data": { "type": "array", "items": {} } } },
            } },
        });
        name(&mut document);
        let items = json!({ "$ref": "#/components/schemas/User" });
        let expected = json!({
            "paths": { "$ref": "#/components/schemas/UserList" },
            "components": { "schemas": {
                "UserList": { "properties": { "data": { "type": "array", "items": items } } },
            } },
        });
        assert_eq!(document, expected);
    }
}
