//! Administrative roles, as clients see them.

mod app;

use app::colleague::{ADMIN, API_ACCESS, EVERYTHING, ROLES, all, id, names, privilege};
use app::{Admin, errors, ok, with};
use serde_json::json;

/// As the existing provider makes one, and what it finds when it reads it back.
#[tokio::test]
async fn a_role_is_made_read_changed_and_deleted() {
    let admin = Admin::start().await;
    let made = admin
        .role(&json!({
            "id": id(7), "name": "operators", "notes": "hello world", "tags": ["terraform"],
            "privileges": [
                { "type": "Create", "target": "Entitlement", "defaultTags": ["dd", "cc"] },
                privilege("View", "Appliance", &json!({ "all": false, "tags": ["bb", "aa"] })),
                { "type": "AssignFunction", "target": "All", "functions": ["Metrics Aggregator"] },
            ],
        }))
        .await;
    insta::assert_snapshot!(made, @r#"{"created":"2026-01-01T00:00:00.000000Z","id":"00000000-0000-4000-8000-000000000007","name":"operators","notes":"hello world","privileges":[{"defaultTags":["dd","cc"],"scope":{"all":false,"ids":[],"tags":[]},"target":"Entitlement","type":"Create"},{"scope":{"all":false,"ids":[],"tags":["bb","aa"]},"target":"Appliance","type":"View"},{"functions":["Metrics Aggregator"],"scope":{"all":false,"ids":[],"tags":[]},"target":"All","type":"AssignFunction"}],"tags":["terraform"],"updated":"2026-01-01T00:00:00.000000Z"}"#);
    let path = format!("{ROLES}/{}", id(7));
    assert_eq!(ok(&admin.send("GET", &path, "").await), made);
    assert_eq!(ok(&admin.send("PUT", &path, made.to_string()).await), made);
    let changed = with(
        &made,
        &json!({ "name": "Operators", "notes": "", "privileges": [] }),
    );
    assert_eq!(
        ok(&admin.send("PUT", ROLES, changed.to_string()).await),
        changed
    );
    let (found, total) = names(&admin.send("GET", ROLES, "").await);
    assert_eq!(
        (found.join(", ").as_str(), total),
        ("Api Access, Operators, System Administration", 3)
    );
    assert_eq!(admin.send("DELETE", &path, "").await.status.as_u16(), 204);
    admin.send("GET", &path, "").await.is(404, "not found");
    admin.send("DELETE", &path, "").await.is(404, "not found");
    admin
        .send("PUT", &path, made.to_string())
        .await
        .is(404, "not found");
}

#[tokio::test]
async fn all_errors_of_a_role_are_told_at_once() {
    let admin = Admin::start().await;
    let bad = json!({
        "id": "x", "tags": [""],
        "privileges": [
            { "type": "Own", "target": "LocalUser" },
            { "type": "View", "target": "TokenRecord" },
            {},
            { "type": "Create", "target": "OtpSeed" },
            privilege("View", "AuditLog", &json!({ "tags": ["a"] })),
            privilege("View", "LocalUser", &json!({ "ids": ["x"], "tags": [""] })),
            { "type": "AssignFunction", "target": "All", "functions": ["Boss"], "defaultTags": [""] },
        ],
    });
    let told = errors(&admin.send("POST", ROLES, bad.to_string()).await);
    insta::assert_snapshot!(told.join("\n"), @r#"
    id is not a UUID
    name may not be null
    tags[0] must have 1 to 1024 bytes and no control characters
    privileges[0].type is not a type of privileges
    privileges[1].target is not a target of privileges
    privileges[2].type may not be null
    privileges[2].target may not be null
    privileges[3].target is not a target of the type Create
    privileges[4].scope is not possible for this target
    privileges[5].scope.ids[0] is not a UUID
    privileges[5].scope.tags[0] must have 1 to 1024 bytes and no control characters
    privileges[6].defaultTags[0] must have 1 to 1024 bytes and no control characters
    privileges[6].functions[0] is not a function
    "#);
    let missing = errors(&admin.send("POST", ROLES, "{}").await);
    assert_eq!(
        missing,
        ["name may not be null", "privileges may not be null"]
    );
    let wrong = json!({ "name": "x", "privileges": [{ "type": 1 }] });
    admin
        .send("POST", ROLES, wrong.to_string())
        .await
        .is(400, "bad request");
    let other = json!({ "id": id(8), "name": "x", "privileges": [] });
    let told = errors(
        &admin
            .send("PUT", &format!("{ROLES}/{}", id(9)), other.to_string())
            .await,
    );
    assert_eq!(told, ["id is not the id in the path"]);
}

#[tokio::test]
async fn what_is_in_the_way_is_told() {
    let admin = Admin::start().await;
    let one = admin
        .role(&json!({ "id": id(7), "name": "one", "privileges": [] }))
        .await;
    let again = |changes| with(&one, &changes).to_string();
    insta::assert_snapshot!(admin.send("POST", ROLES, again(json!({ "id": id(8), "name": "ONE" }))).await.shown(), @r#"409 {"id":"conflict","message":"An administrative role with this name exists already."}"#);
    insta::assert_snapshot!(admin.send("POST", ROLES, again(json!({ "name": "two" }))).await.shown(), @r#"409 {"id":"conflict","message":"An administrative role with this id exists already."}"#);
    let taken = again(json!({ "name": "Api access" }));
    admin
        .send("PUT", &format!("{ROLES}/{}", id(7)), taken)
        .await
        .is(409, "conflict");
    admin
        .user(1, &json!({ "administrativeRoles": [id(7)] }))
        .await;
    insta::assert_snapshot!(admin.send("DELETE", &format!("{ROLES}/{}", id(7)), "").await.shown(), @r#"409 {"id":"conflict","message":"A local user holds the administrative role. Take it from every user first."}"#);
    insta::assert_snapshot!(admin.send("DELETE", &format!("{ROLES}/{API_ACCESS}"), "").await.shown(), @r#"409 {"id":"conflict","message":"The administrative role is built in and cannot be deleted."}"#);
}

#[tokio::test]
async fn built_in_roles_stay_what_they_are() {
    let admin = Admin::start().await;
    for role in [EVERYTHING, API_ACCESS] {
        let path = format!("{ROLES}/{role}");
        let before = ok(&admin.send("GET", &path, "").await);
        let put = ok(&admin.send("PUT", &path, before.to_string()).await);
        assert_eq!(with(&put, &json!({ "updated": before["updated"] })), before);
        let changed = with(&before, &json!({ "name": "x", "privileges": [] }));
        let told = errors(&admin.send("PUT", &path, changed.to_string()).await);
        let expected =
            ["name", "privileges"].map(|f| format!("{f} may not be changed: it is built in"));
        assert_eq!(told, expected);
        let noted = with(&before, &json!({ "notes": "mine", "tags": ["x"] }));
        let put = ok(&admin.send("PUT", &path, noted.to_string()).await);
        assert_eq!(
            (&put["notes"], &put["tags"]),
            (&json!("mine"), &json!(["builtin", "x"]))
        );
    }
    let answer = admin
        .send("GET", &format!("{ROLES}/{API_ACCESS}"), "")
        .await
        .json();
    let create = answer["privileges"].as_array().into_iter().flatten();
    let create = create.filter(|one| one["type"] == "Create" && one["target"] == "Policy");
    insta::assert_snapshot!(json!(create.collect::<Vec<_>>()), @r#"[{"defaultTags":["api-created"],"scope":{"all":false,"ids":[],"tags":[]},"target":"Policy","type":"Create"}]"#);
}

#[tokio::test]
async fn somebody_stays_who_may_do_everything() {
    let admin = Admin::start().await;
    let second = admin
        .role(&json!({ "id": id(7), "name": "all", "privileges": [all("All", "All")] }))
        .await;
    admin
        .user(1, &json!({ "administrativeRoles": [id(7)] }))
        .await;
    let me = format!("/admin/local-users/{ADMIN}");
    let before = ok(&admin.send("GET", &me, "").await);
    let path = format!("{ROLES}/{}", id(7));
    // The one gives up the built-in role, and then needs the other one.
    let both = with(&before, &json!({ "administrativeRoles": [id(7)] }));
    ok(&admin.send("PUT", &me, both.to_string()).await);
    let narrow = with(&second, &json!({ "privileges": [] }));
    insta::assert_snapshot!(admin.send("PUT", &path, narrow.to_string()).await.shown(), @r#"409 {"id":"conflict","message":"Nobody else who is enabled may do everything. Give a role that allows it to another user first."}"#);
    assert_eq!(ok(&admin.send("GET", &path, "").await), second);
}

#[tokio::test]
async fn a_user_without_privileges_is_forbidden_administration() {
    let admin = Admin::start().await;
    admin
        .role(&json!({ "id": id(7), "name": "none", "privileges": [] }))
        .await;
    admin
        .user(1, &json!({ "administrativeRoles": [id(7)] }))
        .await;
    let partial = admin.app.sign_in("user 1", "password").await.token();
    let authenticator = admin.app.enrol(&partial).await;
    let verified = admin
        .app
        .otp(&partial, &admin.app.code(&authenticator))
        .await
        .token();
    insta::assert_snapshot!(admin.app.authorize(&verified).await.shown(), @r#"403 {"id":"forbidden","message":"You don't have permission to access this resource."}"#);
    let unknown = json!({ "administrativeRoles": [id(99), "x"] });
    let user = with(
        &json!({ "name": "u", "firstName": "", "lastName": "", "password": "" }),
        &unknown,
    );
    let told = errors(
        &admin
            .send("POST", "/admin/local-users", user.to_string())
            .await,
    );
    insta::assert_snapshot!(told.join("\n"), @r#"
    administrativeRoles[0] is not the id of an administrative role
    administrativeRoles[1] is not a UUID
    "#);
}
