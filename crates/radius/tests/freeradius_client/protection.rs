//! Signatures and secrets: what counts as an answer, and what is said when none came.

use std::time::Duration;

use vestibule_radius::udp::{HostOutcome, Plan, ServerSettings};
use vestibule_testkit::freeradius::{FreeRadius, STRICT_CLIENT, Setup, Version};

use crate::bench::{
    Protocol, assert_took, bob, client, freeradius, request, servers_of, settings, timed,
};

/// Tests the only host of these settings.
async fn test(settings: ServerSettings) -> HostOutcome {
    let servers = client(1).servers(settings);
    let request = request(Protocol::Chap, "nobody", "anything");
    let mut reports = servers.test(&request, Duration::from_secs(2)).await;
    assert_eq!(reports.len(), 1);
    reports.remove(0).outcome
}

#[track_caller]
fn check_answered(outcome: &HostOutcome, expected: (bool, u8)) {
    let HostOutcome::Answered { signed, code, .. } = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!((*signed, *code), expected);
}

fn signs(server: &FreeRadius) -> bool {
    server.version() == Version::V3_2_7
}

#[tokio::test]
async fn unsigned_answers_count_only_for_those_who_let_them() {
    for server in freeradius(&Setup::default().unsigned()) {
        let trusting = ServerSettings {
            require_message_authenticator: false,
            ..settings(&server)
        };
        assert_eq!(bob(&client(1).servers(trusting)).await, "accept");
        if signs(&server) {
            assert_eq!(bob(&servers_of(&server)).await, "accept");
            check_answered(&test(settings(&server)).await, (true, 3));
            continue;
        }
        let request = request(Protocol::Chap, "bob", "hello");
        let plan = Plan::Short {
            timeout: Duration::from_secs(2),
            pinned: None,
        };
        let servers = servers_of(&server);
        let (outcome, seconds) = timed(servers.exchange(&request, plan)).await;
        let error = outcome.expect_err("it is no answer");
        assert_took(seconds, 1.9..4.0);
        let hint = error.hint().unwrap_or_default();
        assert!(hint.contains("lack Message-Authenticator"), "{error}");
        assert!(error.to_string().contains(hint), "{error}");
        let outcome = test(settings(&server)).await;
        assert_eq!(outcome, HostOutcome::MissingMessageAuthenticator);
    }
}

#[tokio::test]
async fn what_we_send_satisfies_servers_that_require_signatures() {
    for server in freeradius(&Setup::default()) {
        let from_there = ServerSettings {
            source_address: Some(STRICT_CLIENT),
            ..settings(&server)
        };
        assert_eq!(bob(&client(1).servers(from_there)).await, "accept");
        assert_eq!(server.logged("(from client strict "), 1, "{}", server.log());
    }
}

#[tokio::test]
async fn a_wrong_secret_is_silence_and_an_advice() {
    for server in freeradius(&Setup::default()) {
        let other = vestibule_radius::SharedSecret::new("another secret of the same length");
        let wrong = ServerSettings {
            secret: std::sync::Arc::new(other.expect("it is not empty")),
            ..settings(&server)
        };
        let client = client(2);
        let request = request(Protocol::Pap, "bob", "hello");
        let plan = Plan::Short {
            timeout: Duration::from_secs(3),
            pinned: None,
        };
        let servers = client.servers(wrong.clone());
        let (outcome, seconds) = timed(servers.exchange(&request, plan)).await;
        let error = outcome.expect_err("it gets no answer").to_string();
        assert_took(seconds, 1.4..3.0);
        assert!(
            error.contains("registered there, with the same secret"),
            "{error}"
        );
        assert!(error.contains(&server.address().to_string()), "{error}");
        assert_eq!(server.accepted("bob") + server.rejected("bob"), 0);
        assert_eq!(test(wrong).await, HostOutcome::WrongSecretOrUnregistered);
    }
}

#[tokio::test]
async fn a_test_tells_what_is_there() {
    for server in freeradius(&Setup::default()) {
        let asking = |status_server| ServerSettings {
            status_server,
            ..settings(&server)
        };
        check_answered(&test(asking(false)).await, (true, 3));
        assert_eq!(server.rejected("nobody"), 1);
        let outcome = test(asking(true)).await;
        // An unsigned answer to Status-Server does not tell whether logins are signed.
        check_answered(&outcome, if signs(&server) { (true, 2) } else { (true, 3) });
        server.stop();
        for status_server in [true, false] {
            assert_eq!(test(asking(status_server)).await, HostOutcome::Refused);
        }
    }
    for server in freeradius(&Setup::default().without_status_server()) {
        let asking = ServerSettings {
            status_server: true,
            ..settings(&server)
        };
        check_answered(&test(asking).await, (true, 3));
    }
}
