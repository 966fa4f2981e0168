//! The FreeRADIUS servers of the tests do what tests of the client rely on.

#[path = "freeradius/packet.rs"]
mod packet;

use std::io::ErrorKind;

use packet::{
    ACCEPT, ACCESS_REQUEST, CHALLENGE, Client, PROTOCOLS, Protocol, REJECT, Request, STATUS_SERVER,
    USER_NAME, go_on, login,
};
use vestibule_testkit::freeradius::{
    CODE, FreeRadius, LONG_PASSWORD, NEXT, PASSWORD, STRICT_CLIENT, Setup, User, Version, versions,
};

/// A server of each version.
fn servers(setup: &Setup) -> impl Iterator<Item = FreeRadius> {
    let versions = versions().into_iter();
    versions.map(move |version| FreeRadius::start(version, setup))
}

#[track_caller]
fn check(server: &FreeRadius, name: &str, password: &str, code: u8, messages: &[&str]) {
    let protocols = if code == ACCEPT {
        &PROTOCOLS[..]
    } else {
        &PROTOCOLS[..1]
    };
    for protocol in protocols {
        let (accepted, rejected) = (server.accepted(name), server.rejected(name));
        let answer = login(server, *protocol, name, password);
        assert_eq!(
            answer.code,
            code,
            "{name} by {protocol:?}: {}",
            server.log()
        );
        assert_eq!(answer.messages(), messages, "{name} by {protocol:?}");
        let one_if = |condition| usize::from(condition);
        assert_eq!(server.accepted(name) - accepted, one_if(code == ACCEPT));
        assert_eq!(server.rejected(name) - rejected, one_if(code == REJECT));
    }
}

#[test]
fn users_are_let_in_by_their_passwords() {
    let setup = Setup::default().with_user(User::new("more").with_password("with \"quotes\""));
    for server in servers(&setup) {
        check(&server, "bob", PASSWORD, ACCEPT, &["Hello bob"]);
        check(&server, "bob", "wrong", REJECT, &["Hello bob"]);
        check(
            &server,
            "multi",
            PASSWORD,
            ACCEPT,
            &["line one", "line two"],
        );
        check(&server, "denied", PASSWORD, REJECT, &["Account locked"]);
        check(&server, "long", LONG_PASSWORD, ACCEPT, &[]);
        check(&server, "jürgen", "pässwörd", ACCEPT, &[]);
        check(&server, "more", "with \"quotes\"", ACCEPT, &[]);
        check(&server, "nobody", PASSWORD, REJECT, &[]);
    }
}

#[test]
fn a_challenge_takes_as_many_rounds_as_it_likes() {
    for server in servers(&Setup::default()) {
        for protocol in PROTOCOLS {
            let ask = || login(&server, protocol, "otp", PASSWORD);
            let first = ask();
            assert_eq!(first.code, CHALLENGE);
            assert_eq!(first.messages(), ["Enter your one-time code"]);
            let next = go_on(&server, protocol, &first.state(), NEXT);
            assert_eq!(next.code, CHALLENGE, "{}", server.log());
            assert_ne!(next.state(), first.state());
            let state = next.state();
            assert_eq!(go_on(&server, protocol, &state, CODE).code, ACCEPT);
            // It is good once.
            assert_eq!(go_on(&server, protocol, &state, CODE).code, REJECT);
            assert_eq!(
                go_on(&server, protocol, &ask().state(), "654321").code,
                REJECT
            );
            assert_eq!(go_on(&server, protocol, b"altered", CODE).code, REJECT);
        }
    }
}

#[test]
fn pushes_are_counted() {
    for server in servers(&Setup::default()) {
        check(&server, "pushfast", PASSWORD, ACCEPT, &[]);
        assert_eq!(server.pushes("pushfast"), 2);
        check(&server, "pushno", PASSWORD, REJECT, &[]);
        check(&server, "pushfast", "wrong", REJECT, &[]);
        assert_eq!(server.pushes("pushfast"), 2);
        assert_eq!(server.pushes("pushno"), 1);
    }
}

#[test]
fn a_request_that_is_not_the_same_is_a_second_push() {
    for server in servers(&Setup::default()) {
        let login = || Request::login(&server, Protocol::Chap, "held", PASSWORD);
        let client = Client::of(&server);
        let first = login().signed(server.secret());
        client.send(&first);
        server.wait_for_pushes("held", 1);
        assert_eq!(server.logged("conflicting packet"), 0);
        // The same octets from elsewhere.
        Client::of(&server).send(&first);
        server.wait_for_pushes("held", 2);
        // Other octets with the same identifier: the first request is given up for it.
        let mut second = login();
        second.take_the_identifier_of(&first);
        client.send(&second.signed(server.secret()));
        server.wait_for_pushes("held", 3);
        assert_eq!(server.logged("conflicting packet"), 1, "{}", server.log());
    }
}

#[test]
fn a_push_is_held_until_it_is_released() {
    for server in servers(&Setup::default()) {
        let client = Client::of(&server);
        let request = Request::login(&server, Protocol::Chap, "held", PASSWORD);
        let request = request.signed(server.secret());
        client.send(&request);
        server.wait_for_pushes("held", 1);
        client.send(&request);
        assert_eq!(client.silence(), Ok(()));
        assert_eq!((server.pushes("held"), server.accepted("held")), (1, 0));
        server.release("held");
        assert_eq!(client.answer(&request).code, ACCEPT);
        // One that comes later.
        server.release("held");
        assert_eq!(login(&server, Protocol::Pap, "held", PASSWORD).code, ACCEPT);
        assert_eq!((server.pushes("held"), server.accepted("held")), (2, 2));
    }
}

#[test]
fn a_stopped_server_is_gone_and_comes_back() {
    for server in servers(&Setup::default()) {
        let held = Client::of(&server);
        let push = Request::login(&server, Protocol::Pap, "held", PASSWORD);
        held.send(&push.signed(server.secret()));
        server.wait_for_pushes("held", 1);
        let address = server.address();
        server.stop();
        let client = Client::of(&server);
        let request = Request::login(&server, Protocol::Pap, "bob", PASSWORD);
        let request = request.signed(server.secret());
        client.send(&request);
        assert_eq!(client.silence(), Err(ErrorKind::ConnectionRefused));
        server.start_again();
        assert_eq!(server.address(), address);
        assert_eq!(client.ask(&request).code, ACCEPT);
        // The push ended with the server.
        assert_eq!(server.accepted("held"), 0);
    }
}

#[test]
fn only_versions_from_before_the_attack_do_not_sign() {
    for (setup, old_signs) in [
        (Setup::default(), true),
        (Setup::default().unsigned(), false),
    ] {
        for server in servers(&setup) {
            let signs = old_signs || server.version() == Version::V3_2_7;
            let signed = |name, password| login(&server, Protocol::Pap, name, password).is_signed;
            assert_eq!(signed("bob", PASSWORD), signs);
            assert_eq!(signed("bob", "wrong"), signs);
            assert_eq!(signed("otp", PASSWORD), signs);
        }
    }
}

#[test]
fn strict_clients_have_to_sign() {
    for server in servers(&Setup::default()) {
        let client = Client::from_source(STRICT_CLIENT, &server);
        let request = || Request::login(&server, Protocol::Pap, "bob", PASSWORD);
        client.send(&request().bytes());
        assert_eq!(client.silence(), Ok(()));
        assert_eq!(client.ask(&request().signed(server.secret())).code, ACCEPT);
    }
}

#[test]
fn status_server_is_answered_where_it_is_on() {
    let request = |server: &FreeRadius| Request::new(STATUS_SERVER).signed(server.secret());
    for server in servers(&Setup::default()) {
        let answer = Client::of(&server).ask(&request(&server));
        let signs = server.version() == Version::V3_2_7;
        assert_eq!((answer.code, answer.is_signed), (ACCEPT, signs));
    }
    for server in servers(&Setup::default().without_status_server()) {
        let client = Client::of(&server);
        client.send(&request(&server));
        assert_eq!(client.silence(), Ok(()));
    }
}

#[test]
fn some_users_get_no_answer() {
    for server in servers(&Setup::default()) {
        let client = Client::of(&server);
        let request = Request::new(ACCESS_REQUEST).with(USER_NAME, b"dropped");
        client.send(&request.signed(server.secret()));
        assert_eq!(client.silence(), Ok(()));
    }
}

#[test]
fn servers_have_addresses_and_secrets_of_their_own() {
    let secret = "a secret with \"quotes\"";
    for server in servers(&Setup::default().on_ipv6().with_secret(secret)) {
        assert!(server.address().is_ipv6());
        assert_eq!(server.secret(), secret);
        check(&server, "bob", PASSWORD, ACCEPT, &["Hello bob"]);
        let port = server.address().port();
        let other = Setup::default().on([127, 0, 0, 2]).with_port(port);
        let other = FreeRadius::start(server.version(), &other);
        assert_eq!(other.address(), ([127, 0, 0, 2], port).into());
        check(&other, "bob", PASSWORD, ACCEPT, &["Hello bob"]);
    }
}

#[test]
fn what_is_too_much_at_once_is_queued() {
    for server in servers(&Setup::default().with_max_servers(2)) {
        let client = Client::of(&server);
        for _ in 0..3 {
            let request = Request::login(&server, Protocol::Pap, "held", PASSWORD);
            client.send(&request.signed(server.secret()));
        }
        server.wait_for_pushes("held", 2);
        assert_eq!(client.silence(), Ok(()));
        assert_eq!(server.pushes("held"), 2);
        server.release("held");
        server.wait_for_pushes("held", 3);
        server.release("held");
        server.release("held");
        server.wait_for("three logins", |server| server.accepted("held") == 3);
    }
}
