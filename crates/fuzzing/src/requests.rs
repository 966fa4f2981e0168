//! Requests to the whole router over the store in memory.
//!
//! The input is a text of at most six requests, one after the other:
//!
//! ```text
//! POST! /admin/local-users
//! X-Forwarded-For: 192.0.2.1
//!
//! {"name":"bob","firstName":"B","lastName":"B"}
//! ===
//! GET! /admin/local-users?query=bob
//! ```
//!
//! A mark after the method stands for headers: `.` for a version of ours, `?` for that and a
//! partial token of a user, `!` for that and the administrator's token. `$ADMIN`, `$PARTIAL`,
//! `$TOKEN` (the last one that was given out), `$CODE` (of the last seed that was shown) and
//! `$PASSWORD` stand for themselves. Nothing is ever sent to a RADIUS server.

mod answer;
mod stage;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, Request, Uri};
use serde_json::Value;

use answer::Answer;
use stage::{Stage, run};

/// Requests of one input.
const MOST: usize = 6;
/// Requests of one input that may cost a password hash.
const MOST_HASHES: usize = 2;
/// Where passwords are checked.
const SIGN_INS: [&str; 2] = ["/admin/authentication", "/admin/login"];
/// A version that is spoken.
const ACCEPT: &str = "application/vnd.appgate.peer-v23+json";

/// Checks what is answered.
pub fn check(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else {
        return;
    };
    run(async {
        let mut stage = Stage::set().await;
        let mut hashes = 0;
        for part in text.split("===\n").take(MOST) {
            let part = stage.fill_in(part);
            let Some(asked) = Asked::read(&part, &stage) else {
                continue;
            };
            hashes += usize::from(asked.may_hash());
            if hashes > MOST_HASHES || asked.asks_servers(&stage).await {
                continue;
            }
            asked.send(&mut stage).await;
        }
    });
}

/// A request as it stands in the input.
struct Asked<'a> {
    method: Method,
    target: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: &'a str,
}

impl<'a> Asked<'a> {
    fn read(part: &'a str, stage: &Stage) -> Option<Self> {
        let (head, body) = part.split_once("\n\n").unwrap_or((part, ""));
        let mut lines = head.lines();
        let (method, target) = lines.next()?.split_once(' ')?;
        let bare = method.trim_end_matches(['.', '?', '!']);
        let bearer = match &method[bare.len()..] {
            "" => None,
            "." => Some(None),
            "?" => Some(Some(&stage.partial)),
            _ => Some(Some(&stage.admin)),
        };
        let mut headers = Vec::new();
        let mut add = |name: &str, value: &str| {
            let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
            let value = HeaderValue::from_bytes(value.trim().as_bytes()).ok()?;
            headers.push((name, value));
            Some(())
        };
        if let Some(token) = bearer {
            add("accept", ACCEPT)?;
            token.map(|token| add("authorization", &format!("Bearer {token}")));
        }
        for line in lines {
            let (name, value) = line.split_once(':')?;
            add(name, value)?;
        }
        Some(Self {
            method: Method::from_bytes(bare.as_bytes()).ok()?,
            target: target.parse().ok()?,
            headers,
            body,
        })
    }

    /// Whether the answer may take a password hash, which is slow.
    fn may_hash(&self) -> bool {
        let signs_in = SIGN_INS.contains(&self.target.path());
        let writes = self.method == Method::POST || self.method == Method::PUT;
        let sets = self.target.path().starts_with("/admin/local-users");
        writes && (signs_in || sets && self.body.contains("password"))
    }

    /// Whether RADIUS servers would be asked, which are somebody's.
    async fn asks_servers(&self, stage: &Stage) -> bool {
        let path = self.target.path();
        path.starts_with("/admin/mfa-providers/test")
            || path.starts_with("/admin/authentication/otp") && !stage.wants_codes().await
    }

    async fn send(self, stage: &mut Stage) {
        let before = stage.picture().await;
        let answer = stage.answer(self.request()).await;
        answer.check();
        // A wrong password is counted; nothing else that is refused changes anything.
        if answer.is_error() && !SIGN_INS.contains(&self.target.path()) {
            let after = stage.picture().await;
            assert!(
                after == before,
                "{answer:?} and yet\n{before}\nbecame\n{after}"
            );
        }
        if answer.is_success() && !stage.holds_token_for(self.target.path(), &self.headers) {
            assert!(
                is_open(&self.method, self.target.path()),
                "{} {}: {answer:?}",
                self.method,
                self.target
            );
        }
        self.put_back(&answer, stage).await;
        stage.remember(&answer);
    }

    fn request(&self) -> Request<Body> {
        let mut request = Request::new(Body::from(self.body.to_owned()));
        request.method_mut().clone_from(&self.method);
        request.uri_mut().clone_from(&self.target);
        for (name, value) in &self.headers {
            request.headers_mut().append(name, value.clone());
        }
        request
    }

    /// What was made or replaced can be put back as it was answered, and nothing changes.
    async fn put_back(&self, answer: &Answer, stage: &Stage) {
        const LISTS: [&str; 4] = [
            "administrative-roles",
            "identity-providers",
            "local-users",
            "mfa-providers",
        ];
        let writes = self.method == Method::POST || self.method == Method::PUT;
        let path = self.target.path().strip_prefix("/admin/");
        let list = path
            .and_then(|path| path.split('/').next())
            .unwrap_or_default();
        if !writes || !answer.is_success() || !LISTS.contains(&list) {
            return;
        }
        let made = answer.json();
        let path = format!("/admin/{list}/{}", made["id"].as_str().expect("an id"));
        let mut request = Request::new(Body::from(made.to_string()));
        *request.method_mut() = Method::PUT;
        *request.uri_mut() = path.parse().expect("a path");
        stage.as_administrator(&mut request);
        let again = stage.answer(request).await;
        again.check();
        // An administrator may have ended their own session, or given away what it takes.
        if ![401, 403].contains(&again.status) {
            assert!(again.is_success(), "{made} cannot be put back: {again:?}");
            let without = |mut object: Value| {
                object.as_object_mut().expect("an object").remove("updated");
                object
            };
            assert_eq!(without(again.json()), without(made));
        }
    }
}

/// Whether a route is for everybody, or judges by the password.
fn is_open(method: &Method, path: &str) -> bool {
    let open = [
        "/admin/authentication",
        "/admin/identity-providers/names",
        "/admin/login",
        "/admin/openapi.json",
        "/admin/version",
        "/livez",
        "/readyz",
    ];
    let reads = method == Method::GET || method == Method::HEAD;
    open.contains(&path) || reads && path.starts_with("/admin/docs")
}
