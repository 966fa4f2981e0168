//! Which answers count: those that are signed, and nothing else that comes.
#![cfg(feature = "udp")]
#![expect(
    clippy::indexing_slicing,
    reason = "what cannot be set up has failed, and says so"
)]

mod udp_support;

use udp_support::{SECRET, chap, client, pap, push, settings_of, short, word};
use vestibule_radius::udp::ExchangeError;
use vestibule_radius::{Broken, Snapshot, Verdict};
use vestibule_testkit::radius::{
    Action, Answer, Flaw, Origin, RadiusSimulator, Received, Signature,
};

/// How often each forgery is sent.
const FORGERIES: usize = 1000;

/// What a right password is for.
fn by_password(request: &Received) -> Vec<Action> {
    let right = request.has_password(udp_support::PASSWORD.as_bytes());
    let answer = if right {
        Answer::accept()
    } else {
        Answer::reject()
    };
    vec![answer.message("Hello").into()]
}

#[tokio::test]
async fn passwords_arrive_by_pap_and_by_chap() {
    let simulator = RadiusSimulator::start(SECRET, by_password);
    let servers = client().servers(settings_of(simulator.address()));
    for request in [pap("bob"), chap("bob")] {
        let exchange = servers.exchange(&request, short(6)).await.unwrap();
        assert!(matches!(exchange.reply.verdict, Verdict::Accept));
        assert_eq!(exchange.reply.message.as_deref(), Some("Hello"));
        assert_eq!(exchange.server, simulator.address());
    }
    let counters = simulator.counters();
    assert_eq!((counters.pushes, counters.retransmissions), (2, 0));
    assert_eq!((counters.unsigned, counters.signed_late), (0, 0));
}

#[tokio::test]
async fn requests_are_signed_first() {
    let simulator = RadiusSimulator::start(SECRET, |request| {
        assert_eq!(request.signature, Signature::Right { first: true });
        assert_eq!(request.user_name(), "jürgen");
        vec![Answer::reject().into()]
    });
    let servers = client().servers(settings_of(simulator.address()));
    let result = servers.exchange(&pap("ju\u{308}rgen"), short(6)).await;
    assert_eq!(word(&result), "reject");
}

/// An acceptance that is wrong in one way comes a thousand times, and then the true refusal.
async fn check_forgery(forged: Answer) {
    let simulator = RadiusSimulator::start(SECRET, move |_| {
        let forged = forged.clone().times(FORGERIES);
        vec![forged.into(), Answer::reject().into()]
    });
    for plan in [short(60), push(60)] {
        let client = client();
        let servers = client.servers(settings_of(simulator.address()));
        let result = servers.exchange(&pap("bob"), plan).await;
        assert_eq!(word(&result), "reject", "{result:?}");
        // Not all of them: the system may have no room for so many at once.
        let seen = discarded(&client.status()[0].counters);
        assert!(seen >= 100, "{seen}");
    }
    assert!(simulator.counters().sent >= 2 * FORGERIES);
}

fn discarded(counters: &Snapshot) -> u64 {
    counters.malformed_access_responses
        + counters.bad_authenticators
        + counters.missing_message_authenticators
        + counters.unknown_identifiers
        + counters.unknown_types
        + counters.protocol_errors
}

macro_rules! forgeries {
    ($($name:ident => $answer:expr,)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                check_forgery($answer).await;
            }
        )*
    };
}

fn accept_but(flaw: Flaw) -> Answer {
    Answer::accept().flawed(flaw)
}

forgeries! {
    octets_without_meaning_are_no_answer => accept_but(Flaw::Noise(80)),
    nothing_is_no_answer => accept_but(Flaw::Noise(0)),
    nineteen_octets_are_no_answer => accept_but(Flaw::Noise(19)),
    a_length_over_the_datagram_is_no_answer => accept_but(Flaw::Cut),
    a_length_under_a_header_is_no_answer => accept_but(Flaw::LengthField),
    more_octets_than_a_packet_are_no_answer => Answer::accept().filled_to(4097),
    another_identifier_is_no_answer => accept_but(Flaw::Identifier),
    the_request_is_no_answer => accept_but(Flaw::Echo),
    a_code_of_requests_is_no_answer => Answer::coded(1),
    a_code_of_accounting_is_no_answer => Answer::coded(5),
    a_code_of_probes_is_no_answer => Answer::coded(12),
    a_code_that_nobody_knows_is_no_answer => Answer::coded(255),
    a_protocol_error_is_no_answer => Answer::protocol_error(),
    an_attribute_without_length_is_no_answer => accept_but(Flaw::EmptyAttribute),
    an_attribute_over_the_end_is_no_answer => accept_but(Flaw::LongAttribute),
    no_message_authenticator_is_no_answer => accept_but(Flaw::Unsigned),
    two_message_authenticators_are_no_answer => accept_but(Flaw::SignedTwice),
    a_short_message_authenticator_is_no_answer => accept_but(Flaw::ShortMessageAuthenticator),
    a_wrong_message_authenticator_is_no_answer => accept_but(Flaw::MessageAuthenticator),
    a_wrong_response_authenticator_is_no_answer => accept_but(Flaw::ResponseAuthenticator),
    another_secret_is_no_answer => accept_but(Flaw::Secret(b"another secret".to_vec())),
    the_answer_to_another_request_is_no_answer => accept_but(Flaw::OtherRequest),
}

#[tokio::test]
async fn another_port_or_address_is_no_answer() {
    for origin in [Origin::OtherPort, Origin::OtherAddress] {
        let simulator = RadiusSimulator::start(SECRET, move |_| {
            let elsewhere = Answer::accept().from(origin).times(20);
            vec![elsewhere.into(), Answer::reject().into()]
        });
        let client = client();
        let servers = client.servers(settings_of(simulator.address()));
        let result = servers.exchange(&pap("bob"), short(60)).await;
        assert_eq!(word(&result), "reject");
        let counters = &client.status()[0].counters;
        assert_eq!(
            counters.bad_authenticators + counters.unknown_identifiers,
            0
        );
    }
}

#[tokio::test]
async fn forgeries_are_counted_by_what_is_wrong() {
    let simulator = RadiusSimulator::start(SECRET, |_| {
        let forged = |flaw| Action::from(accept_but(flaw).times(3));
        vec![
            forged(Flaw::Noise(60)),
            forged(Flaw::Identifier),
            forged(Flaw::Unsigned),
            forged(Flaw::MessageAuthenticator),
            Answer::coded(77).times(3).into(),
            Answer::protocol_error().times(3).into(),
            Answer::reject().into(),
        ]
    });
    let client = client();
    let servers = client.servers(settings_of(simulator.address()));
    let result = servers.exchange(&pap("bob"), short(6)).await;
    assert_eq!(word(&result), "reject");
    let counters = &client.status()[0].counters;
    assert_eq!(counters.malformed_access_responses, 3);
    assert_eq!(counters.unknown_identifiers, 3);
    assert_eq!(counters.missing_message_authenticators, 3);
    assert_eq!(counters.bad_authenticators, 3);
    assert_eq!(counters.unknown_types, 3);
    assert_eq!(counters.protocol_errors, 3);
    assert_eq!(counters.access_rejects, 1);
}

#[tokio::test]
async fn the_first_true_answer_counts() {
    let simulator = RadiusSimulator::start(SECRET, |_| {
        vec![Answer::reject().times(2).into(), Answer::accept().into()]
    });
    let client = client();
    let servers = client.servers(settings_of(simulator.address()));
    for _ in 0..50 {
        let result = servers.exchange(&pap("bob"), short(60)).await;
        assert_eq!(word(&result), "reject");
    }
    let counters = &client.status()[0].counters;
    assert_eq!((counters.access_rejects, counters.access_accepts), (50, 0));
}

#[tokio::test]
async fn answers_find_their_requests_in_any_order() {
    let simulator = RadiusSimulator::start(SECRET, |request| {
        let answer = Answer::reject().message(&request.user_name());
        vec![Action::Hold(answer)]
    });
    let client = client();
    let servers = client.servers(settings_of(simulator.address()));
    let asked: Vec<_> = (0..8)
        .map(|n| {
            let servers = servers.clone();
            tokio::spawn(async move {
                let name = format!("user{n}");
                let exchange = servers.exchange(&pap(&name), push(300)).await.unwrap();
                (name, exchange.reply.message)
            })
        })
        .collect();
    simulator.wait_until(|seen| seen.pushes == 8).await;
    while simulator.held() > 0 {
        simulator.release_last();
    }
    for asked in asked {
        let (name, message) = asked.await.unwrap();
        assert_eq!(message, Some(name));
    }
}

#[tokio::test]
async fn what_follows_the_packet_is_ignored() {
    let simulator = RadiusSimulator::start(SECRET, |_| vec![Answer::accept().padded(30).into()]);
    let servers = client().servers(settings_of(simulator.address()));
    let result = servers.exchange(&pap("bob"), short(6)).await;
    assert_eq!(word(&result), "accept");
}

#[tokio::test]
async fn the_longest_packet_is_an_answer() {
    let simulator = RadiusSimulator::start(SECRET, |_| {
        vec![Answer::accept().message("long").filled_to(4096).into()]
    });
    let servers = client().servers(settings_of(simulator.address()));
    let exchange = servers.exchange(&pap("bob"), short(6)).await.unwrap();
    assert_eq!(exchange.reply.message.as_deref(), Some("long"));
}

/// What a challenge with these States is.
async fn check_states(states: &'static [&'static [u8]]) -> Result<Option<Vec<u8>>, Broken> {
    let simulator = RadiusSimulator::start(SECRET, |_| {
        let challenge = Answer::challenge().message("Code?");
        let states = states.iter();
        vec![states.fold(challenge, |all, state| all.state(state)).into()]
    });
    let servers = client().servers(settings_of(simulator.address()));
    match servers.exchange(&pap("bob"), short(6)).await {
        Ok(exchange) => {
            let Verdict::Challenge { state } = exchange.reply.verdict else {
                panic!("{exchange:?}");
            };
            Ok(state.map(|state| state.as_octets().to_vec()))
        }
        Err(ExchangeError::BrokenServer { server, broken }) => {
            assert_eq!(server, simulator.address());
            Err(broken)
        }
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_challenge_has_at_most_one_state() {
    const LONG: &[u8] = &[7; 253];
    assert_eq!(check_states(&[]).await, Ok(None));
    assert_eq!(check_states(&[b"\0\xff"]).await, Ok(Some(vec![0, 255])));
    assert_eq!(check_states(&[LONG]).await, Ok(Some(LONG.to_vec())));
    assert_eq!(check_states(&[b"a", b"b"]).await, Err(Broken::StateTwice));
    assert_eq!(check_states(&[b""]).await, Err(Broken::EmptyState));
}

#[tokio::test]
async fn servers_of_the_old_kind_are_heard_if_that_is_set() {
    let simulator = RadiusSimulator::start(SECRET, |_| vec![accept_but(Flaw::Unsigned).into()]);
    let mut settings = settings_of(simulator.address());
    settings.require_message_authenticator = false;
    let client = client();
    let result = client
        .servers(settings)
        .exchange(&pap("bob"), short(6))
        .await;
    assert_eq!(word(&result), "accept");

    let strict = client.servers(settings_of(simulator.address()));
    let error = strict.exchange(&pap("bob"), short(6)).await.unwrap_err();
    let hint = error.hint().unwrap_or_default();
    assert!(hint.contains("lack Message-Authenticator"), "{error}");
    let ExchangeError::NoAnswer { attempts } = error else {
        panic!("{error}");
    };
    assert_eq!(attempts[0].server, Some(simulator.address()));
    assert_eq!(
        attempts[0].our_address.unwrap().ip(),
        simulator.address().ip()
    );
    assert!(attempts[0].discarded.unsigned >= 1);
}
