//! Users who are read, replaced and deleted, as clients see it.

mod app;

use app::{Admin, Answer, with};
use serde_json::{Value, json};

const USERS: &str = "/admin/local-users";
const ADMIN: &str = "5e360c9d-8756-41b4-9597-601712881a5c";
const ROLE: &str = "b0adbc60-7ed4-11e4-b4a9-0800200c9a66";
const JOHN: &str = "11111111-2222-4333-8444-555555555555";

/// What is done to the users.
impl Admin {
    async fn call(&self, method: &str, id: &str, body: &str) -> Answer {
        self.send(method, &format!("{USERS}/{id}"), body).await
    }

    async fn get(&self, id: &str) -> Answer {
        self.call("GET", id, "").await
    }

    async fn put(&self, id: &str, body: &Value) -> Answer {
        self.call("PUT", id, &body.to_string()).await
    }

    async fn delete(&self, id: &str) -> Answer {
        self.call("DELETE", id, "").await
    }

    async fn post(&self, body: &Value) -> Answer {
        self.send("POST", USERS, body.to_string()).await
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
    let admin = Admin::start().await;
    let made = admin.john().await;
    assert_eq!(admin.get(JOHN).await.json(), made);
    let put = admin.put(JOHN, &made).await;
    assert_eq!(put.json(), made, "the time stands still");
    assert_eq!(admin.get(JOHN).await.json(), made);
    admin.app.sign_in("johndoe", "secret").await.token();
    let built_in = admin.get(ADMIN).await.json();
    assert_eq!(admin.put(ADMIN, &built_in).await.json(), built_in);
}

#[tokio::test]
async fn a_put_replaces_all_but_what_is_kept() {
    let admin = Admin::start().await;
    admin.john().await;
    let second = admin.second_administrator().await;
    let small = json!({ "id": second, "name": "Second", "firstName": "A", "lastName": "B" });
    let put = admin.put(&second, &small).await.json();
    assert_eq!(
        put["administrativeRoles"],
        json!([ROLE]),
        "an extension that is left out stays"
    );
    let partial = admin.app.sign_in("second", "x").await.token();
    assert!(!partial.is_empty(), "the password stays");

    let small = json!({ "name": "Jane", "firstName": "Jane", "lastName": "Doe" });
    insta::assert_snapshot!(admin.put(JOHN, &small).await.shown(), @r#"200 {"id":"11111111-2222-4333-8444-555555555555","name":"Jane","notes":"","created":"2026-01-01T00:00:00.000000Z","updated":"2026-01-01T00:00:00.000000Z","tags":[],"firstName":"Jane","lastName":"Doe","disabled":false,"failedLoginAttempts":0,"administrativeRoles":[]}"#);
    admin.app.sign_in("jane", "secret").await.token();
    admin
        .app
        .sign_in("JohnDoe", "secret")
        .await
        .is(401, "unauthorized");

    let taken = json!({ "name": "ADMIN", "firstName": "", "lastName": "" });
    insta::assert_snapshot!(admin.put(JOHN, &taken).await.shown(), @r#"409 {"id":"conflict","message":"A local user with this name exists already."}"#);
    assert_eq!(admin.get(JOHN).await.json()["name"], "Jane");
}

#[tokio::test]
async fn a_new_password_and_to_be_disabled_end_sessions() {
    let admin = Admin::start().await;
    let mut john = admin.john().await;
    let partial = admin.app.sign_in("johndoe", "secret").await.token();
    john["password"] = json!("another");
    john["failedLoginAttempts"] = json!(0);
    assert_eq!(admin.put(JOHN, &john).await.status.as_u16(), 200);
    admin.app.initialize(&partial).await.is(401, "unauthorized");
    admin
        .app
        .sign_in("johndoe", "secret")
        .await
        .is(401, "unauthorized");

    let partial = admin.app.sign_in("johndoe", "another").await.token();
    john.as_object_mut().unwrap().remove("password");
    john["disabled"] = json!(true);
    assert_eq!(admin.put(JOHN, &john).await.json()["disabled"], true);
    admin.app.initialize(&partial).await.is(401, "unauthorized");
    admin
        .app
        .sign_in("johndoe", "another")
        .await
        .is(401, "unauthorized");
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once_and_changes_nothing() {
    let admin = Admin::start().await;
    let john = admin.john().await;
    let wrong = json!({
        "id": ADMIN, "name": "", "lastName": "Doe", "password": "", "failedLoginAttempts": 0.5,
        "lockStart": "x", "tags": [""], "administrativeRoles": [ADMIN],
    });
    insta::assert_snapshot!(admin.put(JOHN, &wrong).await.shown(), @r#"422 {"id":"unprocessable entity","message":"Validation failed.","errors":[{"field":"lockStart","message":"is not a date and time of RFC 3339"},{"field":"id","message":"is not the id of the path"},{"field":"name","message":"may not be empty"},{"field":"firstName","message":"may not be null"},{"field":"password","message":"may not be empty; leave it out to keep the old one"},{"field":"tags[0]","message":"must have 1 to 1024 bytes and no control characters"},{"field":"failedLoginAttempts","message":"must be a whole number from 0 to 2147483647"},{"field":"administrativeRoles[0]","message":"is not the id of an administrative role"}]}"#);
    assert_eq!(admin.get(JOHN).await.json(), john);
    let nobody = "0b0b0b0b-0b0b-4b0b-8b0b-0b0b0b0b0b0b";
    let fine = json!({ "name": "x", "firstName": "", "lastName": "" });
    for id in [nobody, "nonsense", "%2F"] {
        admin.get(id).await.is(404, "not found");
        admin.delete(id).await.is(404, "not found");
        admin.put(id, &fine).await.is(404, "not found");
        admin
            .put(id, &json!({}))
            .await
            .is(422, "unprocessable entity");
    }
    admin
        .put(JOHN, &json!({ "name": 7 }))
        .await
        .is(400, "bad request");
}

#[tokio::test]
async fn a_put_to_the_list_goes_by_the_id_of_the_body() {
    let admin = Admin::start().await;
    let mut john = admin.john().await;
    let put = async |body: &Value| admin.send("PUT", USERS, body.to_string()).await;
    john["notes"] = json!("changed");
    assert_eq!(put(&john).await.json()["notes"], "changed");
    john.as_object_mut().unwrap().remove("id");
    insta::assert_snapshot!(put(&john).await.shown(), @r#"422 {"id":"unprocessable entity","message":"Validation failed.","errors":[{"field":"id","message":"may not be null"}]}"#);
}

#[tokio::test]
async fn a_deleted_user_is_gone() {
    let admin = Admin::start().await;
    admin.john().await;
    let partial = admin.app.sign_in("johndoe", "secret").await.token();
    let gone = admin.delete(JOHN).await;
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
    admin.get(JOHN).await.is(404, "not found");
    admin.delete(JOHN).await.is(404, "not found");
    admin.app.initialize(&partial).await.is(401, "unauthorized");
    admin.john().await;
}

#[tokio::test]
async fn one_who_may_do_everything_stays() {
    let admin = Admin::start().await;
    insta::assert_snapshot!(admin.delete(ADMIN).await.shown(), @r#"409 {"id":"conflict","message":"The local user is built in and cannot be deleted."}"#);
    let before = admin.get(ADMIN).await.json();
    let (disabled, stripped) = (
        with(&before, &json!({ "disabled": true })),
        with(&before, &json!({ "administrativeRoles": [] })),
    );
    insta::assert_snapshot!(admin.put(ADMIN, &disabled).await.shown(), @r#"409 {"id":"conflict","message":"The local user is the last enabled one who may do everything. Give another one the role first."}"#);
    admin.put(ADMIN, &stripped).await.is(409, "conflict");
    assert_eq!(admin.get(ADMIN).await.json(), before);

    let second = admin.second_administrator().await;
    admin.delete(ADMIN).await.is(409, "conflict");
    assert_eq!(admin.put(ADMIN, &stripped).await.status.as_u16(), 200);
    // The role is gone at once.
    admin.get(&second).await.is(403, "forbidden");
}
