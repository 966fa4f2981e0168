//! An administrator at work, and what is looked at in the answers.

use serde_json::Value;

use super::{Answer, App};

/// An administrator at work.
pub(crate) struct Admin {
    pub(crate) app: App,
    pub(crate) token: String,
}

impl Admin {
    pub(crate) async fn start() -> Self {
        let app = App::start().await;
        let (token, _) = app.admin().await;
        Self { app, token }
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: impl Into<Vec<u8>>) -> Answer {
        let call = self.app.call(method, path).bytes(body);
        call.bearer(&self.token).send().await
    }
}

/// The object with other values in it.
pub(crate) fn with(object: &Value, changes: &Value) -> Value {
    let mut object = object.clone();
    for (key, value) in changes.as_object().expect("an object") {
        object[key] = value.clone();
    }
    object
}

#[track_caller]
pub(crate) fn ok(answer: &Answer) -> Value {
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    answer.json()
}

/// The errors of a 422, as they read.
#[track_caller]
pub(crate) fn errors(answer: &Answer) -> Vec<String> {
    let body = answer.is(422, "unprocessable entity").json();
    let text = |error: &Value, key: &str| error[key].as_str().unwrap_or("?").to_owned();
    let errors = body["errors"].as_array().into_iter().flatten();
    errors
        .map(|error| format!("{} {}", text(error, "field"), text(error, "message")))
        .collect()
}
