//! A viewer whose scope is a tag, on every route of the OpenAPI document: a new route is tried
//! without anybody adding it here, and must be forbidden unless this file says what is seen of it.

mod app;

use std::collections::BTreeMap;

use app::colleague::{Colleague, ROLES, id, privilege};
use app::{Admin, ok, with};
use serde_json::{Value, json};

const DOCUMENT: &str = include_str!("../../../docs/openapi.json");
const UNKNOWN: &str = "99999999-9999-4999-8999-999999999999";

/// The lists whose objects the viewer may see, if they are blue.
const VISIBLE: [&str; 4] = [
    "/admin/local-users",
    "/admin/mfa-providers",
    ROLES,
    "/admin/identity-providers",
];

/// Every operation that needs a token, but for those of signing in and out.
fn operations() -> Vec<(String, String)> {
    let document: Value = serde_json::from_str(DOCUMENT).unwrap_or_default();
    let paths = document.get("paths").and_then(Value::as_object);
    let mut found = Vec::new();
    for (path, item) in paths.into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let signs_in = operation.get("tags") == Some(&json!(["Sign-in"]));
            if operation.get("security").is_some() && !signs_in {
                found.push((method.to_uppercase(), path.clone()));
            }
        }
    }
    found
}

/// One blue and one red object of every kind, and a viewer of what is blue.
async fn stage(admin: &Admin) -> Colleague<'_> {
    for (n, tag) in [(1, "blue"), (2, "red")] {
        let name = format!("{tag} one");
        admin.user(n, &json!({ "name": name, "tags": [tag] })).await;
        let role = json!({ "id": id(n), "name": name, "tags": [tag], "privileges": [] });
        admin.role(&role).await;
        let provider = json!({
            "id": id(n), "name": name, "tags": [tag], "type": "Radius", "hostnames": ["h"],
            "port": 1812, "sharedSecret": "a shared secret", "mode": "OneFactor",
        });
        ok(&admin
            .send("POST", "/admin/mfa-providers", provider.to_string())
            .await);
    }
    let targets = [
        "LocalUser",
        "MfaProvider",
        "AdministrativeRole",
        "IdentityProvider",
    ];
    let scope = json!({ "tags": ["blue"] });
    let view = targets.map(|target| privilege("View", target, &scope));
    admin.colleague(9, &view).await
}

/// All that an administrator can read, by list.
async fn everything(admin: &Admin) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for (method, path) in operations() {
        // The audit trail grows by what is denied.
        if method == "GET" && !path.contains('{') && path != "/admin/audit-events" {
            let read = ok(&admin.send("GET", &path, "").await);
            all.insert(path, read);
        }
    }
    all
}

fn objects<'a>(all: &'a BTreeMap<String, Value>, list: &str) -> &'a [Value] {
    let data = all.get(list).and_then(|read| read["data"].as_array());
    data.map_or(&[], Vec::as_slice)
}

fn is_blue(object: &Value) -> bool {
    let tags = object["tags"].as_array();
    tags.is_some_and(|tags| tags.contains(&json!("blue")))
}

#[tokio::test]
async fn the_viewer_sees_what_is_blue_on_every_route() {
    let admin = Admin::start().await;
    let viewer = stage(&admin).await;
    let before = everything(&admin).await;
    let operations = operations();
    assert!(operations.len() > 25, "{operations:?}");
    let mut seen = 0;
    for (method, path) in &operations {
        let (list, parameter) = path.split_once("/{").unzip();
        let list = list.unwrap_or(path);
        let visible = VISIBLE.contains(&list);
        match (method.as_str(), parameter) {
            ("GET", None) if visible => {
                let shown = ok(&viewer.get(path).await);
                let expected: Vec<_> = objects(&before, list)
                    .iter()
                    .filter(|one| is_blue(one))
                    .collect();
                let data: Vec<_> = shown["data"].as_array().into_iter().flatten().collect();
                assert_eq!(data, expected, "{path}");
                assert_eq!(shown["totalCount"], json!(expected.len()), "{path}");
                seen += expected.len();
            }
            // What privileges there can be is no secret of anybody who sees a role.
            ("GET", None) if path.ends_with("/type-target-map") => {
                ok(&viewer.get(path).await);
            }
            ("GET", Some(_)) if visible => {
                for object in objects(&before, list) {
                    let answer = viewer
                        .get(&format!("{list}/{}", object["id"].as_str().unwrap_or("?")))
                        .await;
                    if is_blue(object) {
                        assert_eq!(&ok(&answer), object);
                        seen += 1;
                    } else {
                        answer.is(403, "forbidden");
                    }
                }
                viewer
                    .get(&format!("{list}/{UNKNOWN}"))
                    .await
                    .is(403, "forbidden");
            }
            // Everything else, whatever it is about.
            (_, None) => {
                let body = with(&json!({ "id": id(1) }), &json!({ "name": "mine" }));
                viewer.send(method, path, &body).await.is(403, "forbidden");
            }
            (_, Some(_)) => {
                let mut ids = vec![UNKNOWN.to_owned(), "CN=blue%20one,OU=local".to_owned()];
                let names = objects(&before, list).iter();
                ids.extend(names.filter_map(|one| one["id"].as_str().map(str::to_owned)));
                for id in ids {
                    let path = format!("{list}/{id}");
                    viewer
                        .send(method, &path, &json!({ "name": "mine" }))
                        .await
                        .is(403, "forbidden");
                }
            }
        }
    }
    assert_eq!(
        seen, 6,
        "a user, a role and a provider, in their lists and alone"
    );
    assert_eq!(everything(&admin).await, before, "nothing changed");
}

/// The same person without any privilege on a target learns nothing of it either.
#[tokio::test]
async fn a_viewer_of_nothing_sees_nothing_on_every_route() {
    let admin = Admin::start().await;
    stage(&admin).await;
    let scope = json!({ "tags": ["nobody has this"] });
    let viewer = admin
        .colleague(8, &[privilege("View", "Site", &scope)])
        .await;
    for (method, path) in operations() {
        let path = path
            .replace("{id}", &id(1))
            .replace("{dn}", "CN=blue%20one,OU=local");
        viewer
            .send(&method, &path, &json!({}))
            .await
            .is(403, "forbidden");
    }
}
