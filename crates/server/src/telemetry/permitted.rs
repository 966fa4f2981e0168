//! What spans may say outside: this list, and nothing else.

use std::time::Duration;

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter, SpanLinks};

/// The fields of our spans that leave, and what they are called outside.
const ATTRIBUTES: [(&str, &str); 5] = [
    ("request.id", "vestibule.request.id"),
    ("http.method", "http.request.method"),
    ("http.route", "http.route"),
    ("http.status", "http.response.status_code"),
    ("store.call", "db.operation.name"),
];
/// The methods that are called by their names; clients may send any word.
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"];

/// An exporter that only hears what may leave.
#[derive(Debug)]
pub(super) struct Permitted<E>(pub(super) E);

impl<E: SpanExporter> SpanExporter for Permitted<E> {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        self.0.export(batch.into_iter().map(permitted).collect())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}

fn permitted(mut span: SpanData) -> SpanData {
    let all = std::mem::take(&mut span.attributes);
    span.attributes = all.into_iter().filter_map(attribute).collect();
    span.dropped_attributes_count = 0;
    span.events = SpanEvents::default();
    span.links = SpanLinks::default();
    span.status = Status::Unset;
    let text = |name: &str| {
        let found = span.attributes.iter().find(|one| one.key.as_str() == name);
        found.map(|one| one.value.as_str().into_owned())
    };
    if let Some(method) = text("http.request.method") {
        span.span_kind = SpanKind::Server;
        let route = text("http.route").unwrap_or_default();
        span.name = format!("{method} {route}").trim_end().to_owned().into();
    } else if let Some(call) = text("db.operation.name") {
        span.span_kind = SpanKind::Client;
        span.name = format!("store {call}").into();
    }
    span
}

fn attribute(attribute: KeyValue) -> Option<KeyValue> {
    let KeyValue { key, value, .. } = attribute;
    let mut names = ATTRIBUTES.into_iter();
    let (_, name) = names.find(|(field, _)| *field == key.as_str())?;
    let is_unknown = |method: &Value| !METHODS.contains(&&*method.as_str());
    let value = if name == "http.request.method" && is_unknown(&value) {
        Value::from("_OTHER")
    } else {
        value
    };
    Some(KeyValue::new(name, value))
}
