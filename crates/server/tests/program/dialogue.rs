//! `vestibule login` against servers with other second factors, and of other versions.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::common::{Dialogue, PASSWORD, ended, stderr, stdout};

/// What a scripted server answers, and what it was sent.
#[derive(Clone)]
struct Script {
    version: u8,
    challenge: Value,
    /// Answers to codes, the last one first.
    answers: Arc<Mutex<Vec<(u16, Value)>>>,
    sent: Arc<Mutex<Vec<Value>>>,
}

impl Script {
    fn new(challenge: Value, answers: &[(u16, Value)]) -> Self {
        let answers = answers.iter().rev().cloned().collect();
        Self {
            version: 23,
            challenge,
            answers: Arc::new(Mutex::new(answers)),
            sent: Arc::default(),
        }
    }

    /// Runs a sign-in that gives these answers after the password.
    fn play(&self, arguments: &[&str], lines: &[&str]) -> std::process::Output {
        let home = tempfile::tempdir().unwrap();
        let url = format!("http://{}/admin", self.serve());
        let all = [&["--url", &url], arguments].concat();
        let mut dialogue = Dialogue::start(home.path(), &all);
        dialogue.answer(PASSWORD);
        for line in lines {
            dialogue.answer(line);
        }
        dialogue.end()
    }

    fn serve(&self) -> SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let names = "/admin/identity-providers/names";
        let router = Router::new()
            .route(
                names,
                get(async |s, h: HeaderMap| {
                    answer(
                        s,
                        &h,
                        200,
                        json!({"data": [{"name": "local"}], "bannerMessage": "Keep\u{7} out"}),
                    )
                }),
            )
            .route(
                "/admin/authentication",
                post(async |s, h: HeaderMap| answer(s, &h, 200, session("partial"))),
            )
            .route("/admin/authorization", get(authorize))
            .route(
                "/admin/authentication/otp/initialize",
                post(async |State(s): State<Self>, h: HeaderMap| {
                    let challenge = s.challenge.clone();
                    answer(State(s), &h, 200, challenge)
                }),
            )
            .route("/admin/authentication/otp", post(finish))
            .with_state(self.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let server = axum_server::from_tcp(listener).unwrap();
                server.serve(router.into_make_service()).await.unwrap();
            });
        });
        address
    }
}

fn session(token: &str) -> Value {
    json!({"user": {"name": "admin"}, "token": token, "expires": "2030-01-01T00:00:00.000000Z"})
}

fn answer(State(script): State<Script>, headers: &HeaderMap, status: u16, body: Value) -> Response {
    let accept = headers["accept"].to_str().unwrap();
    if accept != format!("application/vnd.appgate.peer-v{}+json", script.version) {
        let body = json!({"id": "not acceptable", "maxSupportedVersion": script.version, "minSupportedVersion": 13, "message": "Invalid 'Accept' header."});
        return (StatusCode::NOT_ACCEPTABLE, Json(body)).into_response();
    }
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

async fn authorize(script: State<Script>, headers: HeaderMap) -> Response {
    if headers["authorization"] == "Bearer verified" {
        return answer(script, &headers, 200, session("the token"));
    }
    let body = json!({"id": "precondition failed", "message": "A second factor is due.", "otpRequired": true});
    answer(script, &headers, 412, body)
}

async fn finish(script: State<Script>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    script.sent.lock().unwrap().push(body);
    let (status, body) = script.answers.lock().unwrap().pop().unwrap();
    answer(script, &headers, status, body)
}

fn wrong(reason: &str) -> (u16, Value) {
    (
        401,
        json!({"id": "unauthorized", "failureType": "Mfa", "message": "Wrong.", "reason": reason}),
    )
}

#[test]
fn a_challenge_goes_on_until_it_is_answered() {
    let challenge = json!({"type": "Challenge", "inputType": "Text", "timeout": 6, "responseMessage": "Colour?", "state": "AAEC"});
    let next = wrong("And which shade?");
    let script = Script::new(
        challenge,
        &[
            wrong("Wrong."),
            next.clone(),
            next,
            (200, session("verified")),
        ],
    );
    let output = script.play(&[], &["red", "blue", "dark", "light"]);
    ended(&output, 0);
    assert_eq!(stdout(&output), "the token\n");
    let said = stderr(&output);
    assert!(said.contains("Keep  out"), "{said:?}");
    assert!(
        said.contains("Colour? \n") && said.contains("And which shade? \n"),
        "{said:?}"
    );
    let sent = script.sent.lock().unwrap();
    let answers: Vec<&Value> = sent.iter().map(|body| &body["otp"]).collect();
    assert_eq!(answers, ["red", "blue", "dark", "light"]);
    assert!(sent.iter().all(|body| body["state"] == "AAEC"));
}

#[test]
fn a_push_is_waited_for() {
    for (send_password, otp) in [(false, "push"), (true, PASSWORD)] {
        let challenge = json!({"type": "Push", "inputType": "Masked", "timeout": 60, "sendPassword": send_password});
        let script = Script::new(challenge, &[(200, session("verified"))]);
        let output = script.play(&["--output", "json"], &[]);
        ended(&output, 0);
        let printed: Value = serde_json::from_str(&stdout(&output)).unwrap();
        let expected = json!({"token": "the token", "expires": "2030-01-01T00:00:00.000000Z", "user": "admin"});
        assert_eq!(printed, expected);
        assert!(
            stderr(&output).contains("Waiting for the approval"),
            "{}",
            stderr(&output)
        );
        assert_eq!(*script.sent.lock().unwrap(), [json!({"otp": otp})]);
    }
}

#[test]
fn a_token_that_ended_is_not_asked_about_again() {
    let ended_token = (
        401,
        json!({"id": "unauthorized", "message": "The token has ended."}),
    );
    let script = Script::new(
        json!({"type": "AlreadySeeded", "inputType": "Numeric"}),
        &[ended_token],
    );
    let output = script.play(&[], &["123456", "123456"]);
    ended(&output, 1);
    assert!(
        stderr(&output).contains("vestibule: The token has ended."),
        "{}",
        stderr(&output)
    );
    assert_eq!(script.sent.lock().unwrap().len(), 1);
}

#[test]
fn an_older_server_is_spoken_to_in_its_version() {
    let challenge = json!({"type": "AlreadySeeded", "inputType": "Numeric"});
    for (version, code) in [(22, 0), (18, 0), (17, 1), (24, 1)] {
        let mut script = Script::new(challenge.clone(), &[(200, session("verified"))]);
        script.version = version;
        let output = script.play(&[], &["123456"]);
        ended(&output, code);
    }
}

#[test]
fn what_is_wrong_with_what_was_sent_is_listed() {
    let errors = json!([{"field": "otp", "message": "may not be empty"}]);
    let refusal = (
        422,
        json!({"id": "unprocessable entity", "message": "Validation failed.", "errors": errors}),
    );
    let script = Script::new(json!({"type": "AlreadySeeded"}), &[refusal]);
    let output = script.play(&[], &[""]);
    ended(&output, 1);
    assert!(
        stderr(&output).contains("Validation failed.\n  otp may not be empty"),
        "{}",
        stderr(&output)
    );
}
