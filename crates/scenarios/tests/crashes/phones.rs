//! The RADIUS server of the test: it knows which codes are right, takes each once, and has every
//! push approved at once.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use vestibule_testkit::radius::{Action, Answer, RadiusSimulator, Received};

const SECRET: &str = "a long secret of the crash tests";
/// What a push is asked for with.
const PUSH: &str = "please ring";
/// How right codes begin.
const RIGHT: &str = "right";

/// The server, and what it has accepted.
pub(crate) struct Phones {
    radius: RadiusSimulator,
    accepted: Arc<Mutex<HashSet<String>>>,
}

impl Phones {
    pub(crate) fn start() -> Self {
        let accepted = Arc::new(Mutex::new(HashSet::new()));
        let known = Arc::clone(&accepted);
        let handler = move |request: &Received| -> Vec<Action> {
            let password = request.password().unwrap_or_default();
            let password = String::from_utf8(password).unwrap();
            let is_right = password == PUSH
                || password.starts_with(RIGHT) && known.lock().unwrap().insert(password);
            let answer = if is_right {
                Answer::accept()
            } else {
                Answer::reject()
            };
            vec![answer.into()]
        };
        Self {
            radius: RadiusSimulator::start(SECRET.as_bytes(), handler),
            accepted,
        }
    }

    /// A code that is right, once.
    pub(crate) fn right(name: &str, number: u64) -> String {
        format!("{RIGHT}-{name}-{number}")
    }

    /// A code that is wrong.
    pub(crate) fn wrong(number: u64) -> String {
        format!("wrong-{number}")
    }

    /// Whether the server has accepted this code.
    pub(crate) fn has_accepted(&self, code: &str) -> bool {
        self.accepted.lock().unwrap().contains(code)
    }

    /// A provider that asks this server.
    pub(crate) fn provider(&self, name: &str, mode: &str) -> Value {
        json!({
            "name": name, "type": "Radius", "hostnames": ["127.0.0.1"],
            "port": self.radius.address().port(), "sharedSecret": SECRET,
            "challengeSharedSecret": PUSH, "authenticationProtocol": "PAP",
            "mode": mode, "timeout": 30,
        })
    }
}
