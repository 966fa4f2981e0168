//! What is denied, and what is done to roles, is a row of the audit trail by the time that it is
//! answered.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod app;

use app::colleague::{ADMIN, EVERYTHING, ROLES, all, id, privilege};
use app::{Admin, Answer, ok, with};
use serde_json::{Value, json};
use vestibule_engine::audit::{Detail, Entry};
use vestibule_store::{Audit as _, AuditQuery};

/// The rows of the request with this answer.
async fn rows(admin: &Admin, answer: &Answer) -> Vec<Entry> {
    let request = answer.headers["x-request-id"].to_str().unwrap();
    let query = AuditQuery::of_request(request.parse().unwrap());
    let listed = admin.app.store.audit_events(&query).await.unwrap();
    let rows = listed.items.into_iter().map(|row| row.signed.entry);
    rows.collect()
}

/// The only row of the request with this answer.
async fn row(admin: &Admin, answer: &Answer) -> Entry {
    let mut rows = rows(admin, answer).await;
    assert_eq!(rows.len(), 1, "{rows:?} for {answer:?}");
    rows.remove(0)
}

/// Looks for the row of somebody who was denied this, for this reason.
async fn check(admin: &Admin, answer: &Answer, asked: [&str; 2], why: &str) {
    answer.is(403, "forbidden");
    let row = row(admin, answer).await;
    let details = [Detail::Privilege, Detail::Target].map(|detail| row.detail(detail));
    assert_eq!(details, asked.map(Some));
    assert_eq!((&*row.event, &*row.outcome), ("accessDenied", "denied"));
    assert_eq!((&*row.actor, &*row.address), ("user 9", "local"));
    assert_eq!(row.actor_id.unwrap().to_string(), id(9));
    assert_eq!(row.reason.as_deref(), Some(why));
}

const MISSING: &str = "the privilege is missing";
const OUT_OF_REACH: &str = "out of reach of the privilege";
const TOO_MUCH: &str = "it takes privileges that the caller does not hold";

fn user(n: u32) -> String {
    format!("/admin/local-users/{}", id(n))
}

#[tokio::test]
async fn a_missing_privilege_is_written_down() {
    let admin = Admin::start().await;
    let viewer = admin.colleague(9, &[all("View", "LocalUser")]).await;
    let seed = "/admin/otp/seeds/CN=admin,OU=local";
    let settings = "/admin/admin-mfa-settings";
    for (method, path, asked) in [
        ("GET", "/admin/mfa-providers", ["View", "MfaProvider"]),
        ("POST", "/admin/mfa-providers", ["Create", "MfaProvider"]),
        ("POST", "/admin/mfa-providers/test", ["Test", "MfaProvider"]),
        ("PUT", ROLES, ["Edit", "AdministrativeRole"]),
        ("PUT", &*user(9), ["Edit", "LocalUser"]),
        ("DELETE", &*user(9), ["Delete", "LocalUser"]),
        ("DELETE", seed, ["Delete", "OtpSeed"]),
        ("DELETE", settings, ["Edit", "GlobalSetting"]),
    ] {
        let answer = viewer.send(method, path, &Value::Null).await;
        check(&admin, &answer, asked, MISSING).await;
    }
    // What may be read, or is not there, leaves nothing.
    let read = viewer.get(&user(9)).await;
    ok(&read);
    let unknown = viewer.get(&user(77)).await;
    unknown.is(404, "not found");
    for answer in [read, unknown] {
        assert_eq!(rows(&admin, &answer).await, []);
    }
}

#[tokio::test]
async fn what_is_out_of_reach_is_written_down() {
    let admin = Admin::start().await;
    admin.user(1, &json!({ "tags": ["blue"] })).await;
    admin.user(2, &json!({ "tags": ["red"] })).await;
    let scope = json!({ "tags": ["blue"] });
    let seeds = json!({ "ids": [id(3)] });
    let privileges = [
        privilege("View", "LocalUser", &scope),
        privilege("Edit", "LocalUser", &scope),
        privilege("Create", "LocalUser", &scope),
        privilege("Delete", "OtpSeed", &seeds),
        all("Delete", "LocalUser"),
        all("Create", "AdministrativeRole"),
    ];
    let clerk = admin.colleague(9, &privileges).await;
    let one = ok(&clerk.get(&user(1)).await);
    let moved = with(&one, &json!({ "tags": ["red"] }));
    let new = json!({ "name": "x", "firstName": "", "lastName": "", "password": "" });
    let role = json!({ "name": "x", "privileges": [all("All", "All")] });
    let two = with(&one, &json!({ "id": id(2) }));
    let (users, seed) = ("/admin/local-users", "/admin/otp/seeds/CN=admin,OU=local");
    let boss = format!("{users}/{ADMIN}");
    let null = &Value::Null;
    for (method, path, body, asked, why) in [
        ("GET", &*user(2), null, ["View", "LocalUser"], OUT_OF_REACH),
        (
            "PUT",
            &*user(1),
            &moved,
            ["Edit", "LocalUser"],
            OUT_OF_REACH,
        ),
        ("PUT", &*user(2), &two, ["Edit", "LocalUser"], OUT_OF_REACH),
        ("POST", users, &new, ["Create", "LocalUser"], OUT_OF_REACH),
        ("DELETE", seed, null, ["Delete", "OtpSeed"], OUT_OF_REACH),
        ("DELETE", &*boss, null, ["Delete", "LocalUser"], TOO_MUCH),
        (
            "POST",
            ROLES,
            &role,
            ["Create", "AdministrativeRole"],
            TOO_MUCH,
        ),
    ] {
        let answer = clerk.send(method, path, body).await;
        check(&admin, &answer, asked, why).await;
    }
}

#[tokio::test]
async fn who_has_no_privilege_is_not_admitted_and_that_is_written_down() {
    let admin = Admin::start().await;
    admin.user(9, &json!({})).await;
    let app = &admin.app;
    let partial = app.sign_in("user 9", "password").await.token();
    let authenticator = app.enrol(&partial).await;
    let code = app.code(&authenticator);
    let verified = app.otp(&partial, &code).await.token();
    let answer = app.authorize(&verified).await;
    answer.is(403, "forbidden");
    let row = row(&admin, &answer).await;
    assert_eq!((&*row.event, &*row.outcome), ("admission", "denied"));
    assert_eq!(row.actor, "user 9");
    assert_eq!(row.reason.as_deref(), Some("the user has no privileges"));
}

#[tokio::test]
async fn changes_of_roles_are_written_down_with_their_names() {
    let admin = Admin::start().await;
    let view = json!({ "id": id(7), "name": "One", "privileges": [all("View", "LocalUser")] });
    let path = format!("{ROLES}/{}", id(7));
    let two = with(&view, &json!({ "name": "Two" }));
    for (method, path, body, event, name, former) in [
        ("POST", ROLES, view.to_string(), "Created", "One", None),
        (
            "PUT",
            &*path,
            two.to_string(),
            "Replaced",
            "Two",
            Some("One"),
        ),
        ("DELETE", &*path, String::new(), "Deleted", "Two", None),
    ] {
        let answer = admin.send(method, path, body).await;
        assert!(answer.status.is_success(), "{answer:?}");
        let row = row(&admin, &answer).await;
        assert_eq!(row.event, format!("administrativeRole{event}"));
        assert_eq!((&*row.actor, &*row.outcome), ("admin", "success"));
        assert_eq!(row.object_kind.as_deref(), Some("administrativeRole"));
        assert_eq!(row.object_id, Some(id(7)));
        assert_eq!(row.object.as_deref(), Some(name));
        assert_eq!(row.detail(Detail::FormerName), former);
    }
    let again = admin.send("DELETE", &path, "").await;
    let again = row(&admin, again.is(404, "not found")).await;
    assert_eq!(
        (&*again.event, &*again.outcome),
        ("administrativeRoleDeleted", "failure")
    );

    // Whoever gets roles, or loses them, is written down with their names.
    let made = json!({
        "name": "x", "firstName": "", "lastName": "", "password": "",
        "administrativeRoles": [EVERYTHING],
    });
    let made = admin
        .send("POST", "/admin/local-users", made.to_string())
        .await;
    let row_made = row(&admin, &made).await;
    assert_eq!(
        row_made.detail(Detail::Roles),
        Some("System Administration")
    );
    let stripped = with(&ok(&made), &json!({ "administrativeRoles": [] }));
    let stripped = admin
        .send("PUT", "/admin/local-users", stripped.to_string())
        .await;
    assert_eq!(row(&admin, &stripped).await.detail(Detail::Roles), Some(""));
}

#[tokio::test]
async fn a_change_that_something_stands_in_the_way_of_is_written_down() {
    let admin = Admin::start().await;
    let user = admin.user(1, &json!({ "name": "ada" })).await;
    let again = with(&user, &json!({ "password": "x" }));
    let taken = with(&user, &json!({ "name": "Admin" }));
    let nonsense = with(&user, &json!({ "name": "" }));
    let (boss, unknown) = (format!("/admin/local-users/{ADMIN}"), id(77));
    let provider = "/admin/mfa-providers/00000000-0000-0000-0000-000000000000";
    let settings = json!({ "providerId": id(5) });
    for (method, path, body, event, object, why) in [
        (
            "PUT",
            &*self::user(1),
            &taken,
            "userReplaced",
            Some(id(1)),
            "a user with this name exists already",
        ),
        (
            "PUT",
            &*self::user(1),
            &nonsense,
            "userReplaced",
            Some(id(1)),
            "name may not be empty",
        ),
        (
            "POST",
            "/admin/local-users",
            &again,
            "userCreated",
            None,
            "a user with this id exists already",
        ),
        (
            "DELETE",
            &*boss,
            &Value::Null,
            "userDeleted",
            Some(ADMIN.to_owned()),
            "the user is built in",
        ),
        (
            "DELETE",
            &*self::user(77),
            &Value::Null,
            "userDeleted",
            Some(unknown),
            "there is no such user",
        ),
        (
            "DELETE",
            provider,
            &Value::Null,
            "mfaProviderDeleted",
            Some("00000000-0000-0000-0000-000000000000".to_owned()),
            "there is no such MFA provider",
        ),
        (
            "PUT",
            "/admin/admin-mfa-settings",
            &settings,
            "adminMfaReplaced",
            None,
            "providerId is not the id of an MFA provider",
        ),
    ] {
        let answer = admin.send(method, path, body.to_string()).await;
        assert!(answer.status.is_client_error(), "{answer:?}");
        let row = row(&admin, &answer).await;
        assert_eq!((&*row.event, &*row.outcome), (event, "failure"));
        assert_eq!((&*row.actor, row.object_id), ("admin", object));
        assert_eq!(row.reason.as_deref(), Some(why));
    }
}
