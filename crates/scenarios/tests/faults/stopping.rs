//! A server that is told to stop: what was begun is finished, and balancers learn of it in time.

use std::io::{Read as _, Write as _};

use serde_json::json;
use vestibule_testkit::client::{ACCEPT, Client, DEVICE};
use vestibule_testkit::site::{ADMIN_PASSWORD, Backend, Server};

use crate::{connect, site};

/// SIGTERM while a request is under way: it is answered, and the exit is clean.
#[tokio::test]
async fn a_server_that_is_told_to_stop_finishes_what_it_began() {
    let site = site(Backend::Sqlite);
    let server = site.start();
    let body = json!({
        "providerName": "local", "username": "admin", "password": ADMIN_PASSWORD,
        "deviceId": DEVICE,
    })
    .to_string();
    let mut stream = connect(&server);
    let head = format!(
        "POST /admin/authentication HTTP/1.1\r\nHost: h\r\nAccept: {ACCEPT}\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(
        &go_on, b"HTTP/1.1 100 Continue\r\n\r\n",
        "the body is being read"
    );

    server.terminate();
    while !server.log().contains("Stopping") {
        std::thread::yield_now();
    }
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(server.wait().success());
    assert!(site.logs().contains("Stopped"));
}

/// Asks until the answer is that the server stops; every answer on the way is a good one.
async fn asked_until_it_stops(server: &Server) {
    let client = server.client();
    loop {
        let answer = Client::send(client.call("GET", "/readyz")).await;
        let report = answer.json();
        assert_eq!(report["store"], "ok", "{report}");
        if report["stopping"] == true {
            answer.is(503);
            return;
        }
        answer.is(200);
    }
}

/// With a delay, balancers learn that no requests are wanted while those that still come are served,
/// on new connections too. A second signal does not wait for the end of it.
#[tokio::test]
async fn a_server_with_a_delay_says_that_it_stops_and_goes_on_until_then() {
    let site = site(Backend::Sqlite).with_settings("stop_delay = \"1h\"\n");
    let server = site.start();
    server.terminate();
    asked_until_it_stops(&server).await;
    let client = server.client();
    client.sign_in("admin", ADMIN_PASSWORD).await.token();
    connect(&server);
    Client::send(client.call("GET", "/livez")).await.is(200);
    asked_until_it_stops(&server).await;
    server.terminate();
    assert_eq!(server.wait().code(), Some(1));
    assert!(site.logs().contains("Stopped by a second signal"));
}

#[test]
fn the_delay_has_an_end() {
    let site = site(Backend::Sqlite).with_settings("stop_delay = \"1s\"\n");
    let server = site.start();
    server.terminate();
    assert!(server.wait().success());
    let logs = site.logs();
    let said = ["Stopping soon", "Stopping: requests", "Stopped"].map(|words| logs.find(words));
    assert!(said.is_sorted() && said[0].is_some(), "{logs}");
}
