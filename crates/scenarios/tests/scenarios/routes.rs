//! Every route that there is, by the document that the routes themselves make.

use reqwest::RequestBuilder;
use serde_json::Value;
use vestibule_testkit::client::{Answer, Client};

use crate::radius_stage::TOTP;

/// What may be called without a token, for a reason: the first factor, and what says nothing.
pub(crate) const OPEN: [(&str, &str); 7] = [
    ("POST", "/admin/authentication"),
    ("POST", "/admin/login"),
    ("GET", "/admin/version"),
    ("GET", "/admin/identity-providers/names"),
    ("GET", "/admin/openapi.json"),
    ("GET", "/admin/docs"),
    ("GET", "/admin/docs/{file}"),
];
/// What a partial token is for.
pub(crate) const SECOND_FACTOR: [(&str, &str); 4] = [
    ("POST", "/admin/authentication/otp/initialize"),
    ("POST", "/admin/authentication/otp"),
    ("POST", "/admin/authentication/logout"),
    ("GET", "/admin/authorization"),
];

/// A route of the document.
pub(crate) struct Route {
    pub(crate) method: String,
    pub(crate) path: String,
    /// The names of the texts in its body.
    pub(crate) texts: Vec<String>,
}

impl Route {
    pub(crate) fn is_among(&self, routes: &[(&str, &str)]) -> bool {
        routes.contains(&(&self.method, &self.path))
    }

    /// Calls it, about things that are there.
    pub(crate) async fn call(&self, client: &Client, token: Option<&str>, body: &Value) -> Answer {
        let mut call = self.begin(client);
        if let Some(token) = token {
            call = call.bearer_auth(token);
        }
        if self.takes_a_body() {
            call = call.json(body);
        }
        Client::send(call).await
    }

    pub(crate) fn takes_a_body(&self) -> bool {
        self.method != "GET" && self.method != "DELETE"
    }

    /// The beginning of a call, about things that are there.
    pub(crate) fn begin(&self, client: &Client) -> RequestBuilder {
        let id = if self.path.contains("identity-providers") {
            "b5ea7cf0-6e75-11e4-9803-0800200c9a66"
        } else {
            TOTP
        };
        let path = self.path.replace("{id}", id);
        let path = path.replace("{dn}", "CN=admin,OU=local");
        let path = path.replace("{file}", "start.js");
        assert!(!path.contains('{'), "{path}: what stands for this?");
        client.call(&self.method, &path)
    }
}

/// Every route, as the server itself documents them.
pub(crate) async fn routes(client: &Client) -> Vec<Route> {
    let document = Client::send(client.call("GET", "/admin/openapi.json")).await;
    let document = document.is(200).json();
    let mut routes = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let body = &operation["requestBody"]["content"]["application/json"]["schema"];
            routes.push(Route {
                method: method.to_uppercase(),
                path: path.clone(),
                texts: texts(&document, body),
            });
        }
    }
    assert!(routes.len() > 30, "{}", routes.len());
    routes
}

/// The properties of a schema that may be texts.
fn texts(document: &Value, schema: &Value) -> Vec<String> {
    let name = schema["$ref"]
        .as_str()
        .and_then(|path| path.rsplit('/').next());
    let schema = name.map_or(schema, |name| &document["components"]["schemas"][name]);
    let properties = schema["properties"].as_object();
    let is_text = |property: &Value| {
        let kind = &property["type"];
        let one_of = kind.as_array();
        kind == "string" || one_of.is_some_and(|types| types.iter().any(|kind| kind == "string"))
    };
    let texts = properties.into_iter().flatten().filter(|(_, p)| is_text(p));
    texts.map(|(name, _)| name.clone()).collect()
}
