//! Unions: objects whose `type` says which fields they have.
//!
//! Each member gets a schema of its own, with a name, and the union says by which field to tell
//! them apart. Generators of clients make a type of each then.

use serde_json::{Map, Value, json};

use super::object;

/// Where the schemas are.
const SCHEMAS: &str = "/components/schemas";
/// The field that tells the members apart.
const TAG: &str = "type";

/// Names the members of all unions.
pub(super) fn name(document: &mut Value) {
    if let Some(schemas) = object(document, SCHEMAS) {
        split_providers(schemas);
        let names: Vec<_> = schemas.keys().cloned().collect();
        for name in names {
            split_choice(schemas, &name);
        }
    }
}

/// A choice between objects with one `type` each.
fn split_choice(schemas: &mut Map<String, Value>, name: &str) {
    let choices = schemas.get(name).and_then(|schema| schema.get("oneOf"));
    let Some(members) = choices.and_then(Value::as_array).and_then(|choices| {
        let members = choices
            .iter()
            .map(|member| Some((tag(member)?, member.clone())));
        members.collect::<Option<Vec<_>>>()
    }) else {
        return;
    };
    unite(schemas, name, members);
}

/// The one `type` that an object can have.
fn tag(member: &Value) -> Option<String> {
    match member
        .pointer("/properties/type/enum")?
        .as_array()?
        .as_slice()
    {
        [only] => only.as_str().map(ToOwned::to_owned),
        _ => None,
    }
}

/// Providers: what each has, and what those that ask RADIUS servers have besides.
fn split_providers(schemas: &mut Map<String, Value>) {
    const NAME: &str = "MfaProvider";
    let (Some(common), Some(radius)) =
        (schemas.get(NAME).cloned(), schemas.remove("RadiusSettings"))
    else {
        return;
    };
    let member = |kind: &str, own: Option<&Value>| {
        let mut member = common.clone();
        for part in ["properties", "required"] {
            match (member.get_mut(part), own.and_then(|own| own.get(part))) {
                (Some(Value::Object(all)), Some(Value::Object(own))) => all.extend(own.clone()),
                (Some(Value::Array(all)), Some(Value::Array(own))) => all.extend(own.clone()),
                _ => {}
            }
        }
        if let Some(fields) = object(&mut member, "/properties") {
            fields.insert(TAG.to_owned(), json!({ "type": "string", "enum": [kind] }));
        }
        // Examples are those of the union.
        let examples = member.get_mut("examples").and_then(Value::as_array_mut);
        if let Some(examples) = examples {
            examples.retain(|example| example.get(TAG).is_some_and(|tag| tag == kind));
        }
        (kind.to_owned(), member)
    };
    let members = vec![
        member("Radius", Some(&radius)),
        member("DefaultTimeBased", None),
        member("Fido2", None),
    ];
    unite(schemas, NAME, members);
}

/// Puts a union in the place of a schema, and its members beside it.
fn unite(schemas: &mut Map<String, Value>, name: &str, members: Vec<(String, Value)>) {
    let description = schemas
        .get(name)
        .and_then(|schema| schema.get("description"));
    let description = description.cloned();
    let (mut choices, mut mapping) = (Vec::new(), Map::new());
    for (tag, mut member) in members {
        let own = format!("{name}{tag}");
        let reference = format!("#/components/schemas/{own}");
        choices.push(json!({ "$ref": reference }));
        mapping.insert(tag, reference.into());
        if let Some(fields) = member.as_object_mut()
            && fields
                .get("examples")
                .is_some_and(|examples| *examples == json!([]))
        {
            fields.remove("examples");
        }
        schemas.insert(own, member);
    }
    let mut union = json!({
        "oneOf": choices,
        "discriminator": { "propertyName": TAG, "mapping": mapping },
    });
    if let (Some(fields), Some(description)) = (union.as_object_mut(), description) {
        fields.insert("description".to_owned(), description);
    }
    schemas.insert(name.to_owned(), union);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(kind: &str) -> Value {
        json!({ "type": "object", "properties": { "type": { "enum": [kind] } } })
    }

    #[test]
    fn members_get_names() {
        let mut document = json!({ "components": { "schemas": {
            "U": { "description": "d", "oneOf": [member("A"), member("B")] },
        } } });
        name(&mut document);
        let expected = json!({ "components": { "schemas": {
            "U": {
                "description": "d",
                "oneOf": [{ "$ref": "#/components/schemas/UA" }, { "$ref": "#/components/schemas/UB" }],
                "discriminator": { "propertyName": "type", "mapping": {
                    "A": "#/components/schemas/UA", "B": "#/components/schemas/UB",
                } },
            },
            "UA": member("A"),
            "UB": member("B"),
        } } });
        assert_eq!(document, expected);
    }

    #[test]
    fn other_choices_stay() {
        let choice = json!({ "components": { "schemas": {
            "U": { "oneOf": [{ "type": "string" }, member("B")] },
        } } });
        let mut document = choice.clone();
        name(&mut document);
        assert_eq!(document, choice);
    }
}
