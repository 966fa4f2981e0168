//! The existing clients, played byte for byte against the real server: what they send, in which
//! order, and what they need to find in the answers.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

#[path = "clients/command_line.rs"]
mod command_line;
#[path = "clients/injector.rs"]
mod injector;
#[path = "clients/operator.rs"]
mod operator;
#[path = "clients/terraform.rs"]
mod terraform;

use std::time::Duration;

use serde_json::Value;
use vestibule_testkit::client::{Answer, Client};
use vestibule_testkit::clock::Timestamp;
use vestibule_testkit::site::{ADMIN_PASSWORD, Backend, Server, Site};

/// A server at which a second factor is due of everybody but `admin`, as those who use programs
/// set it up.
struct Stage {
    server: Server,
    /// Dropped last.
    site: Site,
}

impl Stage {
    fn new() -> Self {
        let site = Site::new(env!("CARGO_BIN_EXE_vestibule-clocked"), Backend::Sqlite);
        let exempt = ["user", "exempt", "admin", "--until", "2100-01-01T00:00:00Z"];
        let server = site.start();
        let (status, log) = site.operate(&exempt, "");
        assert!(status.success(), "{log}");
        Self { server, site }
    }

    /// What time it is for the server.
    fn now(&self) -> Timestamp {
        self.site.now()
    }

    /// Lets time pass.
    fn advance(&self, by: Duration) {
        self.site.advance(by);
    }

    /// Sends a request as it is, with nothing added but what HTTP needs.
    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let origin = self.server.client().origin();
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut call = client.request(method, format!("{origin}/admin{path}"));
        for (name, value) in headers {
            call = call.header(*name, *value);
        }
        if !body.is_empty() {
            call = call.body(body.to_owned());
        }
        Client::send(call).await
    }
}

/// The JSON of an answer that clients can decode: the status, a JSON content type, no `null`.
#[track_caller]
fn decoded(answer: &Answer, status: u16) -> Value {
    let kind = answer.headers["content-type"].to_str().unwrap();
    assert_eq!(
        (answer.status, kind),
        (status, "application/json"),
        "{}",
        answer.text
    );
    assert!(!answer.text.contains(":null"), "{}", answer.text);
    answer.json()
}

/// The version that a client finds out by sending one that nobody speaks.
#[track_caller]
fn newest_version(answer: &Answer, sent: &str) -> u64 {
    let refused = decoded(answer, 406);
    assert_eq!(refused["id"], "not acceptable");
    let message = refused["message"].as_str().unwrap();
    assert!(
        message.contains("Current version:") && message.contains(sent),
        "{message}"
    );
    assert!(refused["minSupportedVersion"].as_u64().unwrap() <= 18);
    let newest = refused["maxSupportedVersion"].as_u64().unwrap();
    assert!((18..=24).contains(&newest), "the provider refuses {newest}");
    newest
}
