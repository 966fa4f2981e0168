//! What operators see from outside: measures, traces, and what the doctor says, of real servers on
//! SQLite and Postgres.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod doctor;
mod measures;
mod traces;

use serde_json::{Value, json};
use vestibule_testkit::radius::{Action, Answer, RadiusSimulator, Received};
use vestibule_testkit::site::{ADMIN_PASSWORD, Backend, Server, Site};

/// What RADIUS servers share with the site.
const SECRET: &str = "a long secret of these RADIUS tests";
/// What is right, for a RADIUS server.
const CODE: &str = "755224";
/// What is wrong, for a RADIUS server.
const WRONG: &str = "287082";
/// The password of every user but the administrator.
const PASSWORD: &str = "a user's own password";

fn site(backend: Backend) -> Site {
    Site::new(env!("CARGO_BIN_EXE_vestibule-clocked"), backend)
}

/// The text after the first `before` in the log, up to the next `after`.
fn logged(server: &Server, before: &str, after: char) -> String {
    let log = server.log();
    let (_, rest) = log.split_once(before).unwrap_or_else(|| panic!("{log}"));
    let (text, _) = rest.split_once(after).unwrap();
    text.to_owned()
}

/// The administrator, let in by a code: the token for administration.
async fn admin(site: &Site, server: &Server) -> String {
    let client = server.client();
    let (_, verified) = client.enrol("admin", ADMIN_PASSWORD, site.now()).await;
    client.authorize(&verified).await.token()
}

/// A RADIUS server that knows [`CODE`].
fn radius() -> RadiusSimulator {
    RadiusSimulator::start(SECRET.as_bytes(), |request: &Received| {
        let answer = if request.has_password(CODE.as_bytes()) {
            Answer::accept()
        } else {
            Answer::reject()
        };
        vec![Action::from(answer)]
    })
}

/// A provider of this server.
fn provider(radius: &RadiusSimulator) -> Value {
    json!({
        "name": "RADIUS", "type": "Radius", "hostnames": ["127.0.0.1"],
        "port": radius.address().port(), "sharedSecret": SECRET,
        "authenticationProtocol": "PAP", "mode": "OneFactor", "timeout": 30,
    })
}
