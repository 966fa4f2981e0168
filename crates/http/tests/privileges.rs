//! What privileges let their holders do, and what not.

mod app;

use app::colleague::{ADMIN, API_ACCESS, EVERYTHING, ROLES, all, id, names, privilege};
use app::{Admin, Answer, ok, with};
use serde_json::{Value, json};

const LOCAL: &str = "b5ea7cf0-6e75-11e4-9803-0800200c9a66";

/// A change of a role counts for those who are at work.
#[tokio::test]
async fn a_role_counts_at_once() {
    let admin = Admin::start().await;
    let colleague = admin
        .colleague(
            1,
            &[all("View", "LocalUser"), all("View", "AdministrativeRole")],
        )
        .await;
    assert_eq!(
        colleague.get("/admin/local-users").await.status.as_u16(),
        200
    );
    let path = format!("{ROLES}/{}", colleague.role);
    let role = ok(&colleague.get(&path).await);
    let less = with(
        &role,
        &json!({ "privileges": [all("View", "AdministrativeRole")] }),
    );
    ok(&admin.send("PUT", &path, less.to_string()).await);
    colleague
        .get("/admin/local-users")
        .await
        .is(403, "forbidden");
    let none = with(&role, &json!({ "privileges": [] }));
    ok(&admin.send("PUT", &path, none.to_string()).await);
    admin
        .app
        .authorize(&colleague.token)
        .await
        .is(403, "forbidden");
}

#[tokio::test]
async fn a_scope_shows_some_and_says_nothing_of_others() {
    let admin = Admin::start().await;
    admin.user(1, &json!({ "tags": ["blue"] })).await;
    admin.user(2, &json!({ "tags": ["red"] })).await;
    admin.user(3, &json!({ "tags": ["red", "blue"] })).await;
    let scope = json!({ "tags": ["blue"], "ids": [ADMIN] });
    let kinds = ["View", "Edit", "Delete"].map(|kind| privilege(kind, "LocalUser", &scope));
    let viewer = admin.colleague(9, &kinds).await;
    let users = "/admin/local-users";
    let of = |n| format!("{users}/{}", id(n));
    let found = names(&viewer.get(users).await);
    assert_eq!(
        (found.0.join(", ").as_str(), found.1),
        ("admin, user 1, user 3", 3)
    );
    let found = names(
        &viewer
            .get(&format!("{users}?query=cn%3Duser&range=1-1"))
            .await,
    );
    assert_eq!((found.0.join(", ").as_str(), found.1), ("user 3", 3));
    assert_eq!(
        names(&viewer.get(&format!("{users}?tags=red")).await).0,
        ["user 3"]
    );

    // Out of the scope is like not there.
    let refused = viewer.get(&of(2)).await;
    let unknown = viewer.get(&of(77)).await;
    assert_eq!(refused.is(403, "forbidden").text, unknown.text);
    viewer
        .get(&format!("{users}/no-uuid"))
        .await
        .is(403, "forbidden");
    for (method, n) in [("PUT", 2), ("PUT", 77), ("DELETE", 2), ("DELETE", 77)] {
        let body = json!({ "name": "x", "firstName": "", "lastName": "" });
        viewer
            .send(method, &of(n), &body)
            .await
            .is(403, "forbidden");
    }

    // Nothing is edited out of the scope, and nobody who may do more is touched.
    let user = ok(&viewer.get(&of(1)).await);
    let renamed = with(&user, &json!({ "firstName": "One" }));
    assert_eq!(ok(&viewer.send("PUT", &of(1), &renamed).await), renamed);
    let moved = with(&user, &json!({ "tags": ["red"] }));
    viewer
        .send("PUT", &of(1), &moved)
        .await
        .is(403, "forbidden");
    let admin_user = format!("{users}/{ADMIN}");
    let other = ok(&viewer.get(&admin_user).await);
    viewer
        .send("PUT", &admin_user, &other)
        .await
        .is(403, "forbidden");
    viewer
        .send("DELETE", &admin_user, &Value::Null)
        .await
        .is(403, "forbidden");
    assert_eq!(
        viewer
            .send("DELETE", &of(3), &Value::Null)
            .await
            .status
            .as_u16(),
        204
    );
    assert_eq!(
        ok(&admin.send("GET", &of(2), "").await)["tags"],
        json!(["red"])
    );

    for path in [
        "/admin/mfa-providers",
        "/admin/otp/seeds",
        ROLES,
        "/admin/identity-providers",
    ] {
        viewer.get(path).await.is(403, "forbidden");
    }
}

#[tokio::test]
async fn tags_are_a_privilege_of_their_own() {
    let admin = Admin::start().await;
    admin.user(1, &json!({ "tags": ["blue"] })).await;
    let labeller = admin
        .colleague(9, &[all("View", "LocalUser"), all("Tag", "LocalUser")])
        .await;
    let path = format!("/admin/local-users/{}", id(1));
    let user = ok(&labeller.get(&path).await);
    let tagged = with(&user, &json!({ "tags": ["red"] }));
    assert_eq!(ok(&labeller.send("PUT", &path, &tagged).await), tagged);
    for change in [
        json!({ "firstName": "x" }),
        json!({ "password": "x" }),
        json!({ "name": "x" }),
    ] {
        labeller
            .send("PUT", &path, &with(&tagged, &change))
            .await
            .is(403, "forbidden");
    }
    let providers = "/admin/mfa-providers";
    labeller.get(providers).await.is(403, "forbidden");
    let editor = [all("View", "MfaProvider"), all("Tag", "MfaProvider")];
    let editor = admin.colleague(8, &editor).await;
    let totp = format!("{providers}/03542d1e-733c-4c43-a567-d28fbc4649a7");
    let provider = ok(&editor.get(&totp).await);
    let tagged = with(&provider, &json!({ "tags": ["builtin", "x"] }));
    assert_eq!(
        ok(&editor.send("PUT", &totp, &tagged).await)["tags"],
        json!(["builtin", "x"])
    );
    let noted = with(&tagged, &json!({ "notes": "x" }));
    editor.send("PUT", &totp, &noted).await.is(403, "forbidden");
}

#[tokio::test]
async fn default_tags_are_added_to_what_is_created() {
    let admin = Admin::start().await;
    let scope = json!({ "tags": ["made"] });
    let create = with(
        &privilege("Create", "LocalUser", &scope),
        &json!({ "defaultTags": ["made", "api"] }),
    );
    let roles =
        json!({ "type": "Create", "target": "AdministrativeRole", "defaultTags": ["roles"] });
    let creator = admin.colleague(9, &[create, roles]).await;
    let user = json!({ "name": "new", "firstName": "", "lastName": "", "password": "", "tags": ["api", "x"] });
    let made = ok(&creator.send("POST", "/admin/local-users", &user).await);
    assert_eq!(made["tags"], json!(["api", "x", "made"]));
    let role = json!({ "name": "new", "privileges": [] });
    assert_eq!(
        ok(&creator.send("POST", ROLES, &role).await)["tags"],
        json!(["roles"])
    );
    creator.get("/admin/local-users").await.is(403, "forbidden");

    // Without the tag of its scope nothing can be made.
    let create = privilege("Create", "LocalUser", &json!({ "tags": ["other"] }));
    let creator = admin.colleague(8, &[create]).await;
    creator
        .send(
            "POST",
            "/admin/local-users",
            &with(&user, &json!({ "name": "b" })),
        )
        .await
        .is(403, "forbidden");
    let right = with(&user, &json!({ "name": "b", "tags": ["other"] }));
    ok(&creator.send("POST", "/admin/local-users", &right).await);
}

/// Nobody gets, by whatever way, what they do not hold.
#[tokio::test]
async fn nobody_climbs() {
    let admin = Admin::start().await;
    admin
        .user(1, &json!({ "administrativeRoles": [API_ACCESS] }))
        .await;
    let climber = [
        all("All", "LocalUser"),
        all("All", "AdministrativeRole"),
        json!({ "type": "All", "target": "OtpSeed", "scope": { "all": true } }),
    ];
    let climber = admin.colleague(9, &climber).await;
    let own = format!("/admin/local-users/{}", id(9));
    let me = ok(&climber.get(&own).await);
    let role = format!("{ROLES}/{}", climber.role);
    let mine = ok(&climber.get(&role).await);
    let more = with(&mine, &json!({ "privileges": [all("All", "All")] }));
    let strong = json!({ "name": "strong", "privileges": [all("View", "MfaProvider")] });
    let user = json!({ "name": "u", "firstName": "", "lastName": "", "password": "x", "administrativeRoles": [EVERYTHING] });
    let attempts = [
        ("PUT", role.clone(), more),
        ("POST", ROLES.to_owned(), strong),
        (
            "PUT",
            own.clone(),
            with(&me, &json!({ "administrativeRoles": [EVERYTHING] })),
        ),
        ("POST", "/admin/local-users".to_owned(), user),
        (
            "PUT",
            format!("/admin/local-users/{ADMIN}"),
            with(
                &me,
                &json!({ "id": ADMIN, "name": "admin", "password": "mine" }),
            ),
        ),
        (
            "PUT",
            format!("/admin/local-users/{}", id(1)),
            with(
                &me,
                &json!({ "id": id(1), "name": "user 1", "password": "mine" }),
            ),
        ),
        (
            "DELETE",
            format!("/admin/local-users/{}", id(1)),
            Value::Null,
        ),
        ("DELETE", format!("{ROLES}/{EVERYTHING}"), Value::Null),
        (
            "PUT",
            format!("{ROLES}/{API_ACCESS}"),
            json!({ "name": "Api Access", "privileges": [] }),
        ),
        (
            "DELETE",
            "/admin/otp/seeds/CN=admin,OU=local".to_owned(),
            Value::Null,
        ),
    ];
    for (method, path, body) in attempts {
        climber
            .send(method, &path, &body)
            .await
            .is(403, "forbidden");
    }
    // What they hold they may give.
    let same = json!({ "id": id(50), "name": "same", "privileges": mine["privileges"] });
    ok(&climber.send("POST", ROLES, &same).await);
    let peer = with(
        &me,
        &json!({ "id": id(51), "name": "peer", "password": "x", "administrativeRoles": [id(50)] }),
    );
    ok(&climber.send("POST", "/admin/local-users", &peer).await);
}

/// Seeds are scoped by the provider of their users.
#[tokio::test]
async fn seeds_are_scoped_by_identity_provider() {
    let admin = Admin::start().await;
    let seeds = |scope: Value| ["View", "Delete"].map(|kind| privilege(kind, "OtpSeed", &scope));
    let local = admin.colleague(1, &seeds(json!({ "ids": [LOCAL] }))).await;
    let other = admin
        .colleague(2, &seeds(json!({ "ids": [id(1)], "tags": ["x"] })))
        .await;
    let count = |answer: &Answer| {
        (
            ok(answer)["data"].as_array().map(Vec::len),
            ok(answer)["totalCount"].as_u64(),
        )
    };
    assert_eq!(
        count(&local.get("/admin/otp/seeds").await),
        (Some(3), Some(3))
    );
    assert_eq!(
        count(&other.get("/admin/otp/seeds").await),
        (Some(0), Some(0))
    );
    let path = |name| format!("/admin/otp/seeds/CN={name},OU=local");
    for name in ["user%202", "nobody", "user%2F"] {
        other
            .send("DELETE", &path(name), &Value::Null)
            .await
            .is(403, "forbidden");
    }
    local
        .send("DELETE", &path("nobody"), &Value::Null)
        .await
        .is(403, "forbidden");
    local
        .send("DELETE", &path("admin"), &Value::Null)
        .await
        .is(403, "forbidden");
    // Nobody resets the seed of one who may do something else than they.
    local
        .send("DELETE", &path("user%202"), &Value::Null)
        .await
        .is(403, "forbidden");
    assert_eq!(
        local
            .send("DELETE", &path("user%201"), &Value::Null)
            .await
            .status
            .as_u16(),
        204
    );
    let devices = "/admin/fido2-devices";
    local.get(devices).await.is(403, "forbidden");
}
