//! Dialogues of several rounds, and the servers that they belong to.

use std::net::SocketAddr;
use std::time::Duration;

use vestibule_radius::udp::{Exchange, ExchangeError, Plan, Servers};
use vestibule_radius::{AccessRequest, State, Verdict};
use vestibule_testkit::freeradius::{CODE, FreeRadius, NEXT, PASSWORD, Setup};

use crate::bench::{
    PROTOCOLS, Protocol, SHORT, assert_took, client, freeradius, next_round, replied, request,
    servers_of, settings_of, timed, word,
};

fn to(server: SocketAddr) -> Plan {
    Plan::Short {
        timeout: Duration::from_secs(20),
        pinned: Some(server),
    }
}

fn state(exchange: &Exchange) -> State {
    let verdict = &exchange.reply.verdict;
    let Verdict::Challenge { state: Some(state) } = verdict else {
        panic!("{verdict:?}");
    };
    state.clone()
}

/// One server and its client.
struct Dialogue<'a> {
    server: &'a FreeRadius,
    servers: Servers,
    protocol: Protocol,
}

impl Dialogue<'_> {
    async fn begin(&self) -> State {
        let request = request(self.protocol, "otp", PASSWORD);
        let exchange = self.servers.exchange(&request, SHORT).await;
        let exchange = exchange.expect("a challenge");
        assert_eq!(exchange.server, self.server.address());
        let reply = &exchange.reply;
        assert_eq!(reply.message.as_deref(), Some("Enter your one-time code"));
        assert_eq!(reply.session_timeout, Some(Duration::from_mins(1)));
        state(&exchange)
    }

    async fn ask(&self, request: &AccessRequest) -> Exchange {
        let plan = to(self.server.address());
        let exchange = self.servers.exchange(request, plan).await;
        exchange.expect("an answer")
    }

    async fn go_on(&self, state: &[u8], code: &str) -> Exchange {
        self.ask(&next_round(self.protocol, state, code)).await
    }

    async fn check(&self, state: &[u8], code: &str, (verdict, message): (&str, Option<&str>)) {
        let reply = self.go_on(state, code).await.reply;
        assert_eq!(word(&reply), verdict, "{}", self.server.log());
        assert_eq!(reply.message.as_deref(), message);
    }
}

#[tokio::test]
async fn a_dialogue_goes_on_with_the_state_it_was_given() {
    for server in freeradius(&Setup::default()) {
        for protocol in PROTOCOLS {
            let dialogue = Dialogue {
                server: &server,
                servers: servers_of(&server),
                protocol,
            };
            let foreign = ("reject", Some("Unknown, expired, reused or foreign State"));
            let first = dialogue.begin().await;
            dialogue
                .check(first.as_octets(), CODE, ("accept", None))
                .await;
            // Replayed.
            dialogue.check(first.as_octets(), CODE, foreign).await;
            let second = dialogue.begin().await;
            dialogue
                .check(second.as_octets(), "000000", ("reject", None))
                .await;
            // Altered.
            let third = dialogue.begin().await;
            let mut altered = third.as_octets().to_vec();
            altered.rotate_left(1);
            dialogue.check(&altered, CODE, foreign).await;
            // Lost: to the server it is a new login, by a wrong password.
            let lost = dialogue.ask(&request(protocol, "otp", CODE)).await;
            assert_eq!(word(&lost.reply), "reject");
        }
    }
}

#[tokio::test]
async fn a_dialogue_has_as_many_rounds_as_the_server_likes() {
    for server in freeradius(&Setup::default()) {
        for protocol in PROTOCOLS {
            let dialogue = Dialogue {
                server: &server,
                servers: servers_of(&server),
                protocol,
            };
            let mut last = dialogue.begin().await;
            for _ in 0..3 {
                let next = dialogue.go_on(last.as_octets(), NEXT).await;
                let message = next.reply.message.as_deref();
                assert!(message.is_some_and(|text| text.starts_with("Wait for the code")));
                assert_ne!(state(&next).as_octets(), last.as_octets());
                last = state(&next);
            }
            dialogue
                .check(last.as_octets(), CODE, ("accept", None))
                .await;
        }
    }
}

#[tokio::test]
async fn a_dialogue_ends_with_its_server() {
    for server in freeradius(&Setup::default()) {
        let other = Setup::default()
            .on([127, 0, 0, 2])
            .with_port(server.address().port());
        let other = FreeRadius::start(server.version(), &other);
        let hosts = settings_of(&server, &["127.0.0.1", "127.0.0.2"]);
        let servers = client(1).servers(hosts);
        let begin = || async {
            let request = request(Protocol::Chap, "otp", PASSWORD);
            let exchange = servers.exchange(&request, SHORT).await;
            let exchange = exchange.expect("a challenge");
            assert_eq!(exchange.server, server.address());
            next_round(Protocol::Chap, state(&exchange).as_octets(), CODE)
        };
        // A server that was started again knows nothing of it, and says so.
        let request = begin().await;
        server.stop();
        server.start_again();
        let again = servers.exchange(&request, to(server.address())).await;
        assert_eq!(word(&replied(again)), "reject");
        let request = begin().await;
        server.stop();
        let exchange = servers.exchange(&request, to(server.address()));
        let (outcome, seconds) = timed(exchange).await;
        match outcome {
            Err(ExchangeError::PinnedServerGone(gone)) => assert_eq!(gone, server.address()),
            other => panic!("{other:?}"),
        }
        assert_took(seconds, 0.0..15.0);
        assert_eq!(other.accepted("otp") + other.rejected("otp"), 0);
    }
}
