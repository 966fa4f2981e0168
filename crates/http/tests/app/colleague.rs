//! Administrators who may do some things, and the roles that say which.

use serde_json::{Value, json};

use super::{Admin, Answer, App, ok, with};

pub(crate) const ROLES: &str = "/admin/administrative-roles";
pub(crate) const EVERYTHING: &str = "b0adbc60-7ed4-11e4-b4a9-0800200c9a66";
pub(crate) const API_ACCESS: &str = "72cbe03c-4e35-4ff8-9e2b-9bcf88e689f5";
pub(crate) const ADMIN: &str = "5e360c9d-8756-41b4-9597-601712881a5c";

pub(crate) fn id(n: u32) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

pub(crate) fn privilege(kind: &str, target: &str, scope: &Value) -> Value {
    json!({ "type": kind, "target": target, "scope": scope })
}

pub(crate) fn all(kind: &str, target: &str) -> Value {
    privilege(kind, target, &json!({ "all": true }))
}

/// One more administrator, with a token.
pub(crate) struct Colleague<'a> {
    pub(crate) app: &'a App,
    pub(crate) token: String,
    /// The id of the only role.
    pub(crate) role: String,
}

impl Colleague<'_> {
    pub(crate) async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let call = self.app.call(method, path).bytes(body);
        call.bearer(&self.token).send().await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &Value::Null).await
    }
}

impl Admin {
    pub(crate) async fn role(&self, role: &Value) -> Value {
        ok(&self.send("POST", ROLES, role.to_string()).await)
    }

    /// Makes a user with these fields beside the needed ones.
    pub(crate) async fn user(&self, n: u32, fields: &Value) -> Value {
        let user = json!({
            "id": id(n), "name": format!("user {n}"), "firstName": "", "lastName": "",
            "password": "password",
        });
        ok(&self
            .send(
                "POST",
                "/admin/local-users",
                with(&user, fields).to_string(),
            )
            .await)
    }

    /// A user whose only role has these privileges, signed in.
    pub(crate) async fn colleague(&self, n: u32, privileges: &[Value]) -> Colleague<'_> {
        let role =
            json!({ "id": id(1_000 + n), "name": format!("role {n}"), "privileges": privileges });
        let role = self.role(&role).await["id"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        self.user(n, &json!({ "administrativeRoles": [role] }))
            .await;
        let partial = self
            .app
            .sign_in(&format!("user {n}"), "password")
            .await
            .token();
        let authenticator = self.app.enrol(&partial).await;
        let verified = self
            .app
            .otp(&partial, &self.app.code(&authenticator))
            .await
            .token();
        let token = self.app.authorize(&verified).await.token();
        Colleague {
            app: &self.app,
            token,
            role,
        }
    }
}

/// The names in a list, and how many may be seen.
pub(crate) fn names(answer: &Answer) -> (Vec<String>, u64) {
    let list = ok(answer);
    let names = list["data"].as_array().into_iter().flatten();
    let names = names.filter_map(|item| item["name"].as_str().map(str::to_owned));
    (
        names.collect(),
        list["totalCount"].as_u64().unwrap_or_default(),
    )
}
