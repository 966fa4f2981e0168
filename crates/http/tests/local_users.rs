//! Users who are read, replaced and deleted, as clients see it.

mod app;

use app::{Answer, App};
use serde_json::{Value, json};

const USERS: &str = "/admin/local-users";
const ADMIN: &str = "5e360c9d-8756-41b4-9597-601712881a5c";
const ROLE: &str = "b0adbc60-7ed4-11e4-b4a9-0800200c9a66";
const JOHN: &str = "11111111-2222-4333-8444-555555555555";

/// An app, with the token of an administrator.
struct Site {
    app: App,
    admin: String,
}

impl Site {
    async fn start() -> Self {
        let app = App::start().await;
        let (admin, _) = app.admin().await;
        Self { app, admin }
    }

    async fn call(&self, method: &str, id: &str, body: Option<&Value>) -> Answer {
        let path = format!("{USERS}/{id}");
        let call = self.app.call(method, &path).bearer(&self.admin);
        match body {
            None => call.send().await,
            Some(body) => call.json(body).send().await,
        }
    }

    async fn get(&self, id: &str) -> Answer {
        self.call("GET", id, None).await
    }

    async fn put(&self, id: &str, body: &Value) -> Answer {
        self.call("PUT", id, Some(body)).await
    }

    async fn delete(&self, id: &str) -> Answer {
        self.call("DELETE", id, None).await
    }

    async fn post(&self, body: &Value) -> Answer {
        let call = self.app.post(USERS, body).bearer(&self.admin);
        call.send().await
    }

    /// Makes John, as the existing client's own test makes him.
    async fn john(&self) -> Value {
        let john = json!({
            "id": JOHN, "name": "JohnDoe", "firstName": "John", "lastName": "Doe",
            "password": "secret", "email": "j@example.org", "phone": "+1",
            "notes": "Managed by terraform", "tags": ["api"], "disabled": false,
            "failedLoginAttempts": 30, "lockStart": "2020-04-27T09:51:03Z",
        });
        let made = self.post(&john).await;
        assert_eq!(made.status.as_u16(), 200, "{}", made.text);
        made.json()
    }

    /// Makes another user who may do everything.
    async fn second_administrator(&self) -> String {
        let second = json!({
            "name": "second", "firstName": "", "lastName": "", "password": "x",
            "administrativeRoles": [ROLE],
        });
        let made = self.post(&second).await.json();
        let id = made.get("id").and_then(Value::as_str);
        id.unwrap_or_default().to_owned()
    }
}

#[tokio::test]
async fn what_was_read_can_be_put_and_changes_nothing() {
    let site = Site::start().await;
    let made = site.john().await;
    assert_eq!(site.get(JOHN).await.json(), made);
    let put = site.put(JOHN, &made).await;
    assert_eq!(put.json(), made, "the time stands still");
    assert_eq!(site.get(JOHN).await.json(), made);
    site.app.sign_in("johndoe", "secret").await.token();
    let admin = site.get(ADMIN).await.json();
    assert_eq!(site.put(ADMIN, &admin).await.json(), admin);
}

#[tokio::test]
async fn a_put_replaces_all_but_what_is_kept() {
    let site = Site::start().await;
    site.john().await;
    let second = site.second_administrator().await;
    let small = json!({ "id": second, "name": "Second", "firstName": "A", "lastName": "B" });
    let put = site.put(&second, &small).await.json();
    assert_eq!(
        put["administrativeRoles"],
        json!([ROLE]),
        "an extension that is left out stays"
    );
    let partial = site.app.sign_in("second", "x").await.token();
    assert!(!partial.is_empty(), "the password stays");

    let small = json!({ "name": "Jane", "firstName": "Jane", "lastName": "Doe" });
    insta::assert_snapshot!(site.put(JOHN, &small).await.shown(), @r#"200 {"id":"11111111-2222-4333-8444-555555555555","name":"Jane","notes":"","created":"2026-01-01T00:00:00.000000Z","updated":"2026-01-01T00:00:00.000000Z","tags":[],"firstName":"Jane","lastName":"Doe","disabled":false,"failedLoginAttempts":0,"administrativeRoles":[]}"#);
    site.app.sign_in("jane", "secret").await.token();
    site.app
        .sign_in("JohnDoe", "secret")
        .await
        .is(401, "unauthorized");

    let taken = json!({ "name": "ADMIN", "firstName": "", "lastName": "" });
    insta::assert_snapshot!(site.put(JOHN, &taken).await.shown(), @r#"409 {"id":"conflict","message":"A local user with this name exists already."}"#);
    assert_eq!(site.get(JOHN).await.json()["name"], "Jane");
}

#[tokio::test]
async fn a_new_password_and_to_be_disabled_end_sessions() {
    let site = Site::start().await;
    let mut john = site.john().await;
    let partial = site.app.sign_in("johndoe", "secret").await.token();
    john["password"] = json!("another");
    john["failedLoginAttempts"] = json!(0);
    assert_eq!(site.put(JOHN, &john).await.status.as_u16(), 200);
    site.app.initialize(&partial).await.is(401, "unauthorized");
    site.app
        .sign_in("johndoe", "secret")
        .await
        .is(401, "unauthorized");

    let partial = site.app.sign_in("johndoe", "another").await.token();
    john.as_object_mut().unwrap().remove("password");
    john["disabled"] = json!(true);
    assert_eq!(site.put(JOHN, &john).await.json()["disabled"], true);
    site.app.initialize(&partial).await.is(401, "unauthorized");
    site.app
        .sign_in("johndoe", "another")
        .await
        .is(401, "unauthorized");
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once_and_changes_nothing() {
    let site = Site::start().await;
    let john = site.john().await;
    let wrong = json!({
        "id": ADMIN, "name": "", "lastName": "Doe", "password": "", "failedLoginAttempts": 0.5,
        "lockStart": "x", "tags": [""], "administrativeRoles": [ADMIN],
    });
    insta::assert_snapshot!(site.put(JOHN, &wrong).await.shown(), @r#"422 {"id":"unprocessable entity","message":"Validation failed.","errors":[{"field":"lockStart","message":"is not a date and time of RFC 3339"},{"field":"id","message":"is not the id of the path"},{"field":"name","message":"may not be empty"},{"field":"firstName","message":"may not be null"},{"field":"password","message":"may not be empty; leave it out to keep the old one"},{"field":"tags[0]","message":"must have 1 to 1024 bytes and no control characters"},{"field":"failedLoginAttempts","message":"must be a whole number from 0 to 2147483647"},{"field":"administrativeRoles[0]","message":"is not the id of an administrative role"}]}"#);
    assert_eq!(site.get(JOHN).await.json(), john);
    let nobody = "0b0b0b0b-0b0b-4b0b-8b0b-0b0b0b0b0b0b";
    let fine = json!({ "name": "x", "firstName": "", "lastName": "" });
    for id in [nobody, "nonsense", "%2F"] {
        site.get(id).await.is(404, "not found");
        site.delete(id).await.is(404, "not found");
        site.put(id, &fine).await.is(404, "not found");
        site.put(id, &json!({}))
            .await
            .is(422, "unprocessable entity");
    }
    site.put(JOHN, &json!({ "name": 7 }))
        .await
        .is(400, "bad request");
}

#[tokio::test]
async fn a_put_to_the_list_goes_by_the_id_of_the_body() {
    let site = Site::start().await;
    let mut john = site.john().await;
    let put = async |body: &Value| {
        let call = site.app.call("PUT", USERS).bearer(&site.admin);
        call.json(body).send().await
    };
    john["notes"] = json!("changed");
    assert_eq!(put(&john).await.json()["notes"], "changed");
    john.as_object_mut().unwrap().remove("id");
    insta::assert_snapshot!(put(&john).await.shown(), @r#"422 {"id":"unprocessable entity","message":"Validation failed.","errors":[{"field":"id","message":"may not be null"}]}"#);
}

#[tokio::test]
async fn a_deleted_user_is_gone() {
    let site = Site::start().await;
    site.john().await;
    let partial = site.app.sign_in("johndoe", "secret").await.token();
    let gone = site.delete(JOHN).await;
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
    site.get(JOHN).await.is(404, "not found");
    site.delete(JOHN).await.is(404, "not found");
    site.app.initialize(&partial).await.is(401, "unauthorized");
    site.john().await;
}

#[tokio::test]
async fn one_who_may_do_everything_stays() {
    let site = Site::start().await;
    insta::assert_snapshot!(site.delete(ADMIN).await.shown(), @r#"409 {"id":"conflict","message":"The local user is built in and cannot be deleted."}"#);
    let admin = site.get(ADMIN).await.json();
    let with = |field: &str, value: Value| {
        let mut changed = admin.clone();
        changed[field] = value;
        changed
    };
    let (disabled, stripped) = (
        with("disabled", json!(true)),
        with("administrativeRoles", json!([])),
    );
    insta::assert_snapshot!(site.put(ADMIN, &disabled).await.shown(), @r#"409 {"id":"conflict","message":"The local user is the last enabled one who may do everything. Give another one the role first."}"#);
    site.put(ADMIN, &stripped).await.is(409, "conflict");
    assert_eq!(site.get(ADMIN).await.json(), admin);

    let second = site.second_administrator().await;
    site.delete(ADMIN).await.is(409, "conflict");
    assert_eq!(site.put(ADMIN, &stripped).await.status.as_u16(), 200);
    // The role is gone at once.
    site.get(&second).await.is(403, "forbidden");
}
