//! `vestibule login` against a server.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use crate::common::{Authenticator, Dialogue, PASSWORD, Server, ended, stderr, stdout, vestibule};

/// Signs in for the first time; the authenticator, the token, and what was said.
fn enrol(server: &Server, home: &Path, arguments: &[&str]) -> (Authenticator, String, String) {
    let mut dialogue = Dialogue::start(home, &[&["--url", &server.url], arguments].concat());
    dialogue.answer(PASSWORD);
    let mut authenticator = Authenticator::new(&dialogue.wait_for("Or type in the secret: "));
    dialogue.answer(&authenticator.code());
    let output = dialogue.end();
    ended(&output, 0);
    (authenticator, stdout(&output), stderr(&output))
}

fn cert(directory: &Path) -> String {
    directory.join("data/tls-cert.pem").display().to_string()
}

fn fingerprint(server: &Server) -> String {
    let log = server.log();
    let (_, rest) = log.split_once("\"certificate\":\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

#[test]
fn the_first_sign_in_enrols_and_the_next_asks_for_a_code() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let ca = cert(directory.path());
    let (mut authenticator, token, said) = enrol(&server, directory.path(), &["--ca-cert", &ca]);
    assert!(said.contains("██"), "the QR code is drawn: {said}");
    assert!(
        said.contains("Or open: otpauth://totp/admin@local@127.0.0.1"),
        "{said}"
    );
    assert!(said.contains("Signed in as admin until 20"), "{said}");
    assert_eq!(
        token.trim().len(),
        44,
        "only the token is on stdout: {token:?}"
    );

    let mut dialogue = Dialogue::start(
        directory.path(),
        &["--url", &server.url, "--ca-cert", &ca, "--output", "json"],
    );
    let code = authenticator.code();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    dialogue.answer(PASSWORD);
    dialogue.answer(wrong);
    dialogue.wait_for("Invalid one-time password.");
    dialogue.answer(&code);
    let output = dialogue.end();
    ended(&output, 0);
    assert!(
        !stderr(&output).contains("otpauth"),
        "a verified seed is not shown"
    );
    let printed: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(printed["user"], "admin");
    assert_eq!(printed["token"].as_str().unwrap().len(), 44);
    assert!(printed["expires"].as_str().unwrap().ends_with('Z'));

    let log = server.log();
    for secret in [PASSWORD, token.trim(), printed["token"].as_str().unwrap()] {
        assert!(!log.contains(secret), "a secret is in the log");
    }
    // A number of six digits may well be a part of a time or an id: only words are codes.
    let mut words = log.split(|c: char| !c.is_ascii_alphanumeric() && !"-.:".contains(c));
    assert!(words.all(|word| word != code), "a code is in the log");
}

#[test]
fn three_wrong_codes_end_it() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let ca = cert(directory.path());
    let mut dialogue = Dialogue::start(directory.path(), &["--url", &server.url, "--ca-cert", &ca]);
    for line in [PASSWORD, "x", "x", "x", "never asked for"] {
        dialogue.answer(line);
    }
    let output = dialogue.end();
    ended(&output, 1);
    assert_eq!(stdout(&output), "");
    assert_eq!(
        stderr(&output)
            .matches("Invalid one-time password.")
            .count(),
        3
    );
}

#[test]
fn a_wrong_password_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let ca = cert(directory.path());
    let mut dialogue = Dialogue::start(directory.path(), &["--url", &server.url, "--ca-cert", &ca]);
    dialogue.answer("wrong");
    let output = dialogue.end();
    ended(&output, 1);
    assert!(
        stderr(&output).contains("Invalid username or password."),
        "{}",
        stderr(&output)
    );
}

#[test]
fn input_that_ends_too_early_is_said() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let ca = cert(directory.path());
    let dialogue = Dialogue::start(directory.path(), &["--url", &server.url, "--ca-cert", &ca]);
    let output = dialogue.end();
    ended(&output, 1);
    assert!(
        stderr(&output).contains("stdin ended before the answer"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn nobody_is_trusted_unless_somebody_said_so() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    let right = fingerprint(&server);
    let refused = |arguments: &[&str]| {
        let all = [&["--url", &server.url], arguments].concat();
        let output = Dialogue::start(directory.path(), &all).end();
        ended(&output, 1);
        stderr(&output)
    };
    let said = refused(&[]);
    assert!(
        said.contains(&right) && said.contains("--fingerprint"),
        "{said}"
    );
    let other = format!("sha256:{}", "0".repeat(64));
    let said = refused(&["--fingerprint", &other]);
    assert!(
        said.contains("is not trusted") && said.contains(&right),
        "{said}"
    );

    let known = directory.path().join("vestibule/known-servers");
    fs::write(&known, format!("{} {other}\n", server.address())).unwrap();
    let said = refused(&[]);
    assert!(
        said.contains("HAS CHANGED") && said.contains(&other),
        "{said}"
    );
    assert!(
        said.contains(&right) && said.contains("known-servers"),
        "{said}"
    );

    fs::write(&known, format!("{} {right}\n", server.address())).unwrap();
    enrol(&server, directory.path(), &[]);
}

#[test]
fn a_fingerprint_or_carelessness_is_enough() {
    for careless in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let server = Server::start(directory.path());
        let right = fingerprint(&server);
        let arguments: &[&str] = if careless {
            &["--insecure"]
        } else {
            &["--fingerprint", &right]
        };
        let (_, _, said) = enrol(&server, directory.path(), arguments);
        assert_eq!(said.contains("Warning: --insecure"), careless, "{said}");
        assert!(!directory.path().join("vestibule/known-servers").exists());
    }
}

#[test]
fn the_device_stays_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    enrol(&server, directory.path(), &["--insecure"]);
    let file = directory.path().join("vestibule/device-id");
    let id = fs::read_to_string(&file).unwrap();
    let mut dialogue = Dialogue::start(directory.path(), &["--url", &server.url, "--insecure"]);
    dialogue.answer("wrong");
    ended(&dialogue.end(), 1);
    assert_eq!(fs::read_to_string(&file).unwrap(), id);
}

#[test]
fn a_server_that_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let url = format!("https://{address}");
    let output = Dialogue::start(directory.path(), &["--url", &url]).end();
    ended(&output, 69);
    assert!(
        stderr(&output).contains(&format!("{address} cannot be reached")),
        "{}",
        stderr(&output)
    );
}

#[test]
fn wrong_arguments() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(directory.path());
    for arguments in [
        &["--url", "http://192.0.2.1/admin"][..],
        &["--url", &server.url, "--insecure", "--provider", "ldap"],
        &["--url", "nonsense"],
        &["--url", &server.url, "--fingerprint", "00"],
    ] {
        ended(&Dialogue::start(directory.path(), arguments).end(), 64);
    }
    ended(&vestibule(&["login", "--help"]).output().unwrap(), 0);
}
