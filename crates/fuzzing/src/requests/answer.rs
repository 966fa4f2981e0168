//! An answer, and what must be true of every one.

use axum::http::HeaderMap;
use serde_json::Value;
use vestibule_wire::ErrorBody;

/// An answer: what a client sees of it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(super) fn is_error(&self) -> bool {
        self.status >= 400
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("JSON: {self:?}"))
    }

    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }

    /// What must be true of it, whatever was asked.
    pub(super) fn check(&self) {
        let status = self.status;
        let is_redirect = status == 303 || status == 307 || status == 308 || status == 304;
        assert!(
            self.is_success() || is_redirect || (400..500).contains(&status),
            "{self:?}"
        );
        assert_eq!(self.header("x-request-id").len(), 36, "{self:?}");
        assert_eq!(self.header("cache-control"), "no-store", "{self:?}");
        if self.header("content-type") == "application/json" && !self.body.is_empty() {
            let written = String::from_utf8_lossy(&self.body).into_owned();
            assert!(!holds_null(&self.json()), "{written}");
        }
        if self.is_error() && !self.body.is_empty() {
            self.check_error();
        }
    }

    fn check_error(&self) {
        let error: ErrorBody = serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("not as errors are: {self:?}"));
        assert!(
            !error.id.is_empty() && !error.message.is_empty(),
            "{self:?}"
        );
        assert_eq!(error.errors.is_some(), self.status == 422, "{self:?}");
        for field in error.errors.iter().flatten() {
            assert!(
                !field.field.is_empty() && !field.message.is_empty(),
                "{self:?}"
            );
        }
        if self.status == 400 {
            // What does not parse may be a password, and is never shown again.
            let known = [
                "A value in the body has the wrong JSON type, at line ",
                "The body is nested more than ",
                "The body is not JSON, at line ",
                "The body is not a JSON object.",
            ];
            let rest = known
                .iter()
                .find_map(|known| error.message.strip_prefix(known));
            let rest = rest.unwrap_or_else(|| panic!("{self:?}"));
            let rest = rest.replace("levels deep", "").replace("column", "");
            assert!(
                rest.chars()
                    .all(|c| c.is_ascii_digit() || c == ' ' || c == '.'),
                "{self:?}"
            );
        }
    }
}

fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.iter().any(holds_null),
        Value::Object(values) => values.values().any(holds_null),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
