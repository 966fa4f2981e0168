//! The OpenAPI document: that it is the one in the repository, and that it is true.

#[cfg(test)]
mod app;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use crate::app::{ACCEPT, Admin, App};

    fn document() -> Value {
        serde_json::from_str(&vestibule_http::document().unwrap()).unwrap()
    }

    /// Visits all that is in a value.
    fn visit(value: &Value, see: &mut impl FnMut(&Value)) {
        see(value);
        match value {
            Value::Array(items) => items.iter().for_each(|item| visit(item, see)),
            Value::Object(fields) => fields.values().for_each(|field| visit(field, see)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn the_one_in_the_repository_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
        let stored = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            stored == vestibule_http::document().unwrap(),
            "docs/openapi.json is out of date; renew it: cargo run -- openapi > docs/openapi.json"
        );
    }

    #[test]
    fn all_that_it_refers_to_is_there() {
        let document = document();
        let mut references = 0;
        visit(&document, &mut |value| {
            if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
                let place = reference.trim_start_matches('#');
                assert!(document.pointer(place).is_some(), "{reference}");
                references += 1;
            }
        });
        assert!(references > 100, "{references}");
    }

    #[test]
    fn there_is_no_null_in_it() {
        visit(&document(), &mut |value| {
            assert!(!value.is_null() && value != "null", "{value}");
        });
    }

    /// Every operation, as method, path and itself.
    fn operations(document: &Value) -> Vec<(String, String, Value)> {
        let mut operations = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                operations.push((method.to_uppercase(), path.clone(), operation.clone()));
            }
        }
        operations
    }

    #[tokio::test]
    async fn every_operation_is_a_route_that_answers_as_documented() {
        let app = App::start().await;
        for (method, path, operation) in operations(&document()) {
            let answer = app.call(&method, &path).send().await;
            let status = answer.status.as_u16().to_string();
            let answers = &operation["responses"];
            assert!(answers.get(&status).is_some(), "{method} {path}: {status}");
            assert_ne!(status, "405", "{method} {path}");
            // Without a token, where one is needed.
            let needs_token = operation.get("security").is_some();
            assert_eq!(status == "401", needs_token, "{method} {path}: {status}");
            // Without a version, where one is needed.
            let answer = app.call(&method, &path).accept(None).send().await;
            let needs_version = answers.get("406").is_some();
            assert_eq!(answer.status == 406, needs_version, "{method} {path}");
        }
    }

    #[tokio::test]
    async fn clients_ask_for_the_version_in_the_document() {
        for (method, path, operation) in operations(&document()) {
            let answers = operation["responses"].as_object().unwrap();
            for (status, answer) in answers {
                let content = answer.get("content").and_then(Value::as_object);
                let types: Vec<_> = content.into_iter().flat_map(|types| types.keys()).collect();
                let has_versions = answers.contains_key("406");
                assert!(
                    !has_versions || types.iter().all(|name| *name == ACCEPT),
                    "{method} {path} {status}: {types:?}"
                );
            }
        }
    }

    #[tokio::test]
    async fn the_examples_of_requests_are_accepted() {
        let admin = Admin::start().await;
        let document = document();
        let schemas = &document["components"]["schemas"];
        // In an order in which each finds what it needs.
        for (method, path, schema, status) in [
            (
                "POST",
                "/admin/administrative-roles",
                "AdministrativeRoleInput",
                200,
            ),
            ("POST", "/admin/local-users", "LocalUserInput", 200),
            ("PUT", LOCAL, "IdentityProviderInput", 200),
            ("POST", "/admin/mfa-providers", "MfaProviderInput", 200),
            (
                "PUT",
                "/admin/admin-mfa-settings",
                "AdminMfaSettingsInput",
                204,
            ),
            ("POST", "/admin/authentication", "SignIn", 200),
        ] {
            let example = &schemas[schema]["examples"][0];
            let answer = admin.send(method, path, example.to_string()).await;
            assert_eq!(answer.status, status, "{path}: {}", answer.text);
        }
    }

    const LOCAL: &str = "/admin/identity-providers/b5ea7cf0-6e75-11e4-9803-0800200c9a66";

    #[tokio::test]
    async fn the_examples_of_refusals_are_what_is_answered() {
        let admin = Admin::start().await;
        let document = document();
        let example = |name: &str, example: &str| {
            let content = &document["components"]["responses"][name]["content"][ACCEPT];
            content["examples"][example]["value"].clone()
        };
        let app = &admin.app;
        let json = "application/json";
        let call = app.call("GET", "/admin/authorization");
        let answer = call.accept(Some(json)).send().await;
        assert_eq!(answer.json(), example("NotAcceptable", "error"));
        let answer = app.sign_in("admin", "wrong").await;
        assert_eq!(answer.json(), example("SignInRefused", "password"));
        let partial = app.partial("admin").await;
        let answer = app.otp(&partial, "wrong").await;
        assert_eq!(answer.json(), example("SecondFactorRefused", "code"));
        let answer = app.authorize(&partial).await;
        let mut expected = example("SecondFactorDue", "error");
        expected["username"] = "admin".into();
        assert_eq!(answer.json(), expected);
        let answer = admin.send("GET", "/admin/local-users/x", "").await;
        assert_eq!(answer.json(), example("NotFound", "error"));
        let answer = admin.send("POST", "/admin/local-users", "[]").await;
        assert_eq!(answer.json(), example("BadRequest", "error"));
        let answer = admin
            .send("POST", "/admin/local-users", vec![b' '; 65_537])
            .await;
        assert_eq!(answer.json(), example("PayloadTooLarge", "error"));
        admin.app.add_user(&admin.token, "twice").await;
        let answer = admin.app.add_user(&admin.token, "twice").await;
        assert_eq!(answer.json(), example("Conflict", "error"));
    }

    #[tokio::test]
    async fn it_is_served_to_everybody() {
        let app = App::start().await;
        let call = app.get("/admin/openapi.json").accept(Some("*/*"));
        let answer = call.send().await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(answer.text, vestibule_http::document().unwrap());
    }

    #[tokio::test]
    async fn the_page_asks_nobody_else() {
        let app = App::start().await;
        let page = app
            .get("/admin/docs")
            .accept(Some("text/html"))
            .send()
            .await;
        assert_eq!(page.status, 200);
        assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';"),
            "{policy}"
        );
        assert!(!page.text.contains("//"), "{}", page.text);
        let mut parts = 0;
        for quoted in page
            .text
            .split('"')
            .filter(|text| text.starts_with("docs/"))
        {
            let path = format!("/admin/{quoted}");
            if path.contains("favicon") {
                // An image is no text, which is what the harness reads.
                continue;
            }
            let part = app.get(&path).accept(None).send().await;
            assert_eq!(part.status, 200, "{path}");
            assert!(!part.text.is_empty(), "{path}");
            parts += 1;
        }
        assert_eq!(parts, 3);
        app.get("/admin/docs/other.js")
            .send()
            .await
            .is(404, "not found");
    }
}
