//! What administrators do, as clients see it.

mod app;

use app::App;
use serde_json::{Value, json};

const TOTP: &str = "03542d1e-733c-4c43-a567-d28fbc4649a7";
const FIDO2: &str = "3ae98d53-c520-437f-99e4-451f936e6d2c";
const SETTINGS: &str = "/admin/admin-mfa-settings";

#[tokio::test]
async fn settings_of_the_second_factor() {
    let app = App::start().await;
    let (admin, _) = app.admin().await;
    let get = async || app.get(SETTINGS).bearer(&admin).send().await;
    let put = async |body: Value| {
        app.call("PUT", SETTINGS)
            .json(&body)
            .bearer(&admin)
            .send()
            .await
    };
    assert_eq!(
        get().await.json(),
        json!({ "providerId": TOTP, "exemptedUsers": [] })
    );

    let exempted = json!(["CN=JohnDoe,OU=local", r"CN=Doe\, J,OU=ldap"]);
    let changed = put(json!({ "providerId": TOTP, "exemptedUsers": exempted })).await;
    assert_eq!((changed.status.as_u16(), changed.text.as_str()), (204, ""));
    assert_eq!(
        get().await.json()["exemptedUsers"],
        exempted,
        "order and text are kept"
    );

    let bad = json!({ "providerId": "", "exemptedUsers": ["CN=a,OU=local", "alice", ""] });
    insta::assert_snapshot!(put(bad).await.shown(), @r#"422 {"id":"unprocessable entity","message":"Validation failed.","errors":[{"field":"providerId","message":"may not be empty; leave it out to turn the second factor off"},{"field":"exemptedUsers[1]","message":"must have the form CN=user,OU=provider"},{"field":"exemptedUsers[2]","message":"must have the form CN=user,OU=provider"}]}"#);
    for provider in [FIDO2, "0b0b0b0b-0b0b-4b0b-8b0b-0b0b0b0b0b0b", "nonsense"] {
        put(json!({ "providerId": provider }))
            .await
            .is(422, "unprocessable entity");
    }
    put(json!({ "exemptedUsers": "CN=a,OU=local" }))
        .await
        .is(400, "bad request");
    put(json!({ "exemptedUsers": [null] }))
        .await
        .is(400, "bad request");
    assert_eq!(
        get().await.json()["exemptedUsers"],
        exempted,
        "what is refused changes nothing"
    );

    let off = app.call("DELETE", SETTINGS).bearer(&admin).send().await;
    assert_eq!(off.status.as_u16(), 204);
    assert_eq!(
        get().await.text,
        r#"{"exemptedUsers":[]}"#,
        "never an empty object"
    );
}

#[tokio::test]
async fn built_in_providers() {
    let app = App::start().await;
    let (admin, _) = app.admin().await;
    let get = async |path: &str| app.get(path).bearer(&admin).send().await;
    let list = get("/admin/mfa-providers").await.json();
    assert_eq!(list["range"], "0-2/2");
    assert_eq!(list["totalCount"], 2);
    assert_eq!(
        (&list["orderBy"], &list["descending"]),
        (&json!("name"), &json!(false))
    );
    insta::assert_snapshot!(get(&format!("/admin/mfa-providers/{TOTP}")).await.shown(), @r#"200 {"id":"03542d1e-733c-4c43-a567-d28fbc4649a7","name":"Default Time-Based OTP Provider","notes":"Built-in default time-based OTP provider.","created":"1970-01-01T00:00:00.000000Z","updated":"1970-01-01T00:00:00.000000Z","tags":["builtin"],"type":"DefaultTimeBased","inputType":"Numeric"}"#);
    insta::assert_snapshot!(get(&format!("/admin/mfa-providers/{FIDO2}")).await.shown(), @r#"200 {"id":"3ae98d53-c520-437f-99e4-451f936e6d2c","name":"Default FIDO2 Provider","notes":"Built-in default FIDO2 provider.","created":"1970-01-01T00:00:00.000000Z","updated":"1970-01-01T00:00:00.000000Z","tags":["builtin"],"type":"Fido2","inputType":"Masked"}"#);
    get("/admin/mfa-providers/nonsense")
        .await
        .is(404, "not found");
    let found =
        get("/admin/mfa-providers?query=Default+FIDO2+Provider&orderBy=name&range=0-10").await;
    assert_eq!(found.json()["range"], "0-1/1");
    assert_eq!(found.json()["data"][0]["id"], FIDO2);
    let second = get("/admin/mfa-providers?range=1-1").await.json();
    assert_eq!(
        (&second["data"][0]["id"], &second["range"]),
        (&json!(TOTP), &json!("1-1/2"))
    );
}

#[tokio::test]
async fn users() {
    let app = App::start().await;
    let (admin, _) = app.admin().await;
    let post = async |body: Value| {
        app.post("/admin/local-users", &body)
            .bearer(&admin)
            .send()
            .await
    };
    let full = json!({
        "id": "11111111-2222-4333-8444-555555555555", "name": "JohnDoe", "firstName": "John",
        "lastName": "Doe", "password": "secret", "email": "j@example.org", "phone": "+1",
        "notes": "", "tags": ["api"], "disabled": false, "failedLoginAttempts": 30.0,
        "lockStart": "2020-04-27T09:51:03Z", "created": "x", "updated": 7, "readOnly": true,
    });
    insta::assert_snapshot!(post(full.clone()).await.shown(), @r#"200 {"id":"11111111-2222-4333-8444-555555555555","name":"JohnDoe","notes":"","created":"2026-01-01T00:00:00.000000Z","updated":"2026-01-01T00:00:00.000000Z","tags":["api"],"firstName":"John","lastName":"Doe","email":"j@example.org","phone":"+1","disabled":false,"failedLoginAttempts":30,"lockStart":"2020-04-27T09:51:03.000000Z","administrativeRoles":[]}"#);
    app.sign_in("johndoe", "secret").await.token();

    post(full).await.is(409, "conflict");
    let same = json!({ "name": "JOHNDOE", "firstName": "", "lastName": "", "password": "x" });
    post(same).await.is(409, "conflict");
    insta::assert_snapshot!(post(json!({ "id": "x", "name": " a", "tags": [""], "failedLoginAttempts": 1.5, "lockStart": "never", "administrativeRoles": ["x", "172143a0-7ed4-11e4-b4a9-0800200c9a66"] })).await.shown(), @r#"422 {"id":"unprocessable entity","message":"Validation failed.","errors":[{"field":"lockStart","message":"is not a date and time of RFC 3339"},{"field":"id","message":"is not a UUID"},{"field":"name","message":"may not begin or end with white space"},{"field":"firstName","message":"may not be null"},{"field":"lastName","message":"may not be null"},{"field":"password","message":"may not be null"},{"field":"tags[0]","message":"must have 1 to 1024 bytes and no control characters"},{"field":"failedLoginAttempts","message":"must be a whole number from 0 to 2147483647"},{"field":"administrativeRoles[0]","message":"is not a UUID"},{"field":"administrativeRoles[1]","message":"is not the id of an administrative role"}]}"#);
    let no_password = json!({ "name": "nopass", "firstName": "", "lastName": "", "password": "" });
    assert_eq!(post(no_password).await.status.as_u16(), 200);
    app.sign_in("nopass", "").await.is(401, "unauthorized");

    let list = app
        .get("/admin/local-users?query=john")
        .bearer(&admin)
        .send()
        .await
        .json();
    assert_eq!(
        (&list["range"], &list["totalCount"]),
        (&json!("0-1/1"), &json!(3))
    );
    assert_eq!(list["queries"], json!(["john"]));
    assert_eq!(
        list["data"][0]["failedLoginAttempts"], 0,
        "a success resets the count"
    );
    assert!(list["data"][0].get("lockStart").is_none());
    let all = app
        .get("/admin/local-users?descending=true")
        .bearer(&admin)
        .send()
        .await
        .json();
    let names: Vec<_> = all["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|u| u["name"].clone())
        .collect();
    assert_eq!(names, ["nopass", "JohnDoe", "admin"]);
    assert_eq!(all["range"], "0-3/3");
}

#[tokio::test]
async fn seeds() {
    let app = App::start().await;
    let (admin, _) = app.admin().await;
    app.add_user(&admin, "a,b/c@d").await.json();
    let partial = app.partial("a,b/c@d").await;
    app.enrol(&partial).await;
    let list = app.get("/admin/otp/seeds").bearer(&admin).send().await;
    insta::assert_snapshot!(list.shown(), @r#"200 {"data":[{"userDistinguishedName":"CN=a\\,b/c@d,OU=local","username":"a,b/c@d","providerName":"local","verified":false},{"userDistinguishedName":"CN=admin,OU=local","username":"admin","providerName":"local","verified":true}],"range":"0-2/2","orderBy":"username","descending":false,"queries":[],"totalCount":2,"filterBy":[]}"#);
    assert!(!list.text.contains("secret"));

    let delete = async |dn: &str| {
        let path = format!("/admin/otp/seeds/{dn}");
        app.call("DELETE", &path).bearer(&admin).send().await
    };
    let gone = delete("CN=a%5C%2Cb%2Fc@d%2COU=local").await;
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
    app.initialize(&partial).await.is(401, "unauthorized");
    for dn in [
        "CN=a%5C%2Cb%2Fc@d%2COU=local",
        "CN=nobody,OU=local",
        "CN=admin,OU=ldap",
        "admin",
    ] {
        delete(dn).await.is(404, "not found");
    }
    assert_eq!(delete("CN=admin,OU=local").await.status.as_u16(), 204);
    assert_eq!(
        app.authorize(&admin).await.status.as_u16(),
        200,
        "full sessions go on"
    );
    let partial = app.partial("admin").await;
    assert_eq!(app.initialize(&partial).await.json()["type"], "Secret");
}

#[tokio::test]
async fn health() {
    let app = App::start().await;
    let get = async |path: &str| app.get(path).accept(None).send().await.shown();
    insta::assert_snapshot!(get("/livez").await, @r#"200 {"live":true}"#);
    insta::assert_snapshot!(get("/readyz").await, @r#"200 {"ready":true,"store":"ok","clock":"ok","stopping":false}"#);
    app.clock.set_back(std::time::Duration::from_hours(1));
    insta::assert_snapshot!(get("/readyz").await, @r#"200 {"ready":true,"store":"ok","clock":"was set back by 3600 s while this program ran","stopping":false}"#);
}

#[tokio::test]
async fn which_privileges_there_can_be() {
    let app = App::start().await;
    let (admin, _) = app.admin().await;
    let path = "/admin/administrative-roles/type-target-map";
    let map = app.get(path).bearer(&admin).send().await.json();
    let map = &map["actionMatrixMap"];
    assert_eq!(map.as_object().unwrap().len(), 18);
    let target = |name: &str, scopable: bool, by_idp: bool| json!({ "name": name, "scopable": scopable, "scopableByIdp": by_idp });
    for (kind, targets) in [
        (
            "Revoke",
            json!([
                target("All", false, false),
                target("CaCertificate", false, false)
            ]),
        ),
        (
            "Backup",
            json!([target("All", true, false), target("Appliance", true, false)]),
        ),
        (
            "Reevaluate",
            json!([
                target("All", false, false),
                target("SessionInfo", false, true)
            ]),
        ),
    ] {
        assert_eq!(map[kind], targets, "{kind}");
    }
    let of_users = map["View"].as_array().unwrap().iter();
    assert!(
        of_users
            .clone()
            .any(|listed| *listed == target("OtpSeed", false, true))
    );
    assert!(
        of_users
            .clone()
            .any(|listed| *listed == target("LocalUser", true, false))
    );
    app.get(path).send().await.is(401, "unauthorized");
}

#[tokio::test]
async fn there_are_no_fido2_devices() {
    let app = App::start().await;
    let (admin, _) = app.admin().await;
    let list = app.get("/admin/fido2-devices?query=x").bearer(&admin);
    insta::assert_snapshot!(list.send().await.shown(), @r#"200 {"data":[],"range":"0-0/0","orderBy":"username","descending":false,"queries":["x"],"totalCount":0,"filterBy":[]}"#);
    let dn = "/admin/fido2-devices/CN=4c07bc6757ea42ddb702c2d6c45419fc%2CCN=admin%2COU=local";
    let delete = app.call("DELETE", dn).bearer(&admin);
    delete.send().await.is(404, "not found");
    app.call("DELETE", dn).send().await.is(401, "unauthorized");
}
