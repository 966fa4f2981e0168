//! The test of servers that who sets them up can start.
#![cfg(feature = "udp")]
#![expect(
    clippy::unwrap_used,
    reason = "what cannot be set up has failed, and says so"
)]

mod udp_support;

use std::sync::Arc;
use std::time::Duration;

use udp_support::{SECRET, client, free_port, loopback, pap, settings, settings_of, short, word};
use vestibule_radius::SharedSecret;
use vestibule_radius::udp::{HostOutcome, HostReport, ServerSettings};
use vestibule_testkit::radius::{Action, Answer, Flaw, RadiusSimulator, StatusServer};

const TIMEOUT: Duration = Duration::from_secs(6);

async fn test(settings: ServerSettings) -> HostReport {
    let reports = client()
        .servers(settings)
        .test(&pap("nobody"), TIMEOUT)
        .await;
    let [report] = <[_; 1]>::try_from(reports).unwrap();
    report
}

/// What is answered to a login that way, and what is said of it.
async fn check(answer: Action, expected: fn(&HostOutcome) -> bool) {
    let simulator = RadiusSimulator::start(SECRET, move |_| vec![answer.clone()]);
    simulator.trust_all_requests(true);
    let report = test(settings_of(simulator.address())).await;
    assert!(expected(&report.outcome), "{report:?}");
    assert_eq!(report.hostname, "127.0.0.1");
    assert_eq!(report.address, Some(simulator.address()));
    assert_eq!(report.our_address.unwrap().ip(), loopback(1));
}

#[tokio::test]
async fn answers_are_told_apart() {
    let rejected = |outcome: &HostOutcome| {
        matches!(outcome, HostOutcome::Answered { signed: true, code: 3, round_trip }
            if *round_trip < TIMEOUT)
    };
    check(Answer::reject().into(), rejected).await;
    let unsigned = Answer::reject().flawed(Flaw::Unsigned);
    check(unsigned.into(), |outcome| {
        *outcome == HostOutcome::MissingMessageAuthenticator
    })
    .await;
    let other = Answer::reject().flawed(Flaw::Secret(b"another".to_vec()));
    check(other.into(), |outcome| {
        *outcome == HostOutcome::BadAuthenticator
    })
    .await;
    check(Action::Silence, |outcome| {
        *outcome == HostOutcome::WrongSecretOrUnregistered
    })
    .await;
    let noise = Answer::reject().flawed(Flaw::Noise(100));
    check(noise.into(), |outcome| {
        *outcome == HostOutcome::WrongSecretOrUnregistered
    })
    .await;
}

#[tokio::test]
async fn an_unsigned_answer_is_fine_if_that_is_set() {
    let simulator = RadiusSimulator::start(SECRET, |_| {
        vec![Answer::challenge().flawed(Flaw::Unsigned).into()]
    });
    let mut settings = settings_of(simulator.address());
    settings.require_message_authenticator = false;
    let outcome = test(settings).await.outcome;
    assert!(
        matches!(
            outcome,
            HostOutcome::Answered {
                signed: false,
                code: 11,
                ..
            }
        ),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_wrong_secret_is_silence() {
    let simulator = RadiusSimulator::start(SECRET, |_| vec![Answer::reject().into()]);
    let mut settings = settings_of(simulator.address());
    settings.secret = Arc::new(SharedSecret::new("another").unwrap());
    let outcome = test(settings).await.outcome;
    assert_eq!(outcome, HostOutcome::WrongSecretOrUnregistered);
}

#[tokio::test]
async fn a_closed_port_is_told_at_once() {
    let port = free_port(&[loopback(1)]);
    let outcome = test(settings(&[loopback(1)], port)).await.outcome;
    assert_eq!(outcome, HostOutcome::Refused);
}

#[tokio::test]
async fn a_server_that_has_answered_before_is_only_silent() {
    let simulator = RadiusSimulator::start(SECRET, |_| vec![Answer::reject().into()]);
    let client = client();
    let servers = client.servers(settings_of(simulator.address()));
    let result = servers.exchange(&pap("bob"), short(6)).await;
    assert_eq!(word(&result), "reject");
    simulator.handle(|_| vec![]);
    let reports = servers.test(&pap("nobody"), TIMEOUT).await;
    assert_eq!(reports[0].outcome, HostOutcome::Silent);
}

#[tokio::test]
async fn status_server_comes_first_and_a_login_decides() {
    let simulator = RadiusSimulator::start(SECRET, |_| vec![Answer::reject().into()]);
    let mut settings = settings_of(simulator.address());
    settings.status_server = true;
    simulator.answer_status_server(StatusServer::Signed);
    let outcome = test(settings.clone()).await.outcome;
    assert!(
        matches!(
            outcome,
            HostOutcome::Answered {
                signed: true,
                code: 2,
                ..
            }
        ),
        "{outcome:?}"
    );
    assert_eq!(simulator.counters().pushes, 0);
    // Some sign logins and leave probes unsigned, and some do not answer probes.
    for how in [StatusServer::Unsigned, StatusServer::Silent] {
        simulator.answer_status_server(how);
        let outcome = test(settings.clone()).await.outcome;
        assert!(
            matches!(
                outcome,
                HostOutcome::Answered {
                    signed: true,
                    code: 3,
                    ..
                }
            ),
            "{outcome:?}"
        );
    }
    assert_eq!(simulator.counters().pushes, 2);
}

#[tokio::test]
async fn each_host_has_its_report() {
    let hosts = [loopback(1), loopback(2)];
    let port = free_port(&hosts);
    let address = (loopback(2), port).into();
    let _simulator = RadiusSimulator::start_at(address, SECRET, |_| vec![Answer::reject().into()]);
    let mut settings = settings(&hosts, port);
    settings.hostnames.insert(0, "radius.invalid".to_owned());
    let reports = client()
        .servers(settings)
        .test(&pap("nobody"), TIMEOUT)
        .await;
    let [first, second, third] = <[_; 3]>::try_from(reports).unwrap();
    assert!(
        matches!(first.outcome, HostOutcome::Unresolved(_)),
        "{first:?}"
    );
    assert_eq!(
        (first.hostname.as_str(), first.address),
        ("radius.invalid", None)
    );
    assert_eq!(second.outcome, HostOutcome::Refused);
    assert!(
        matches!(third.outcome, HostOutcome::Answered { .. }),
        "{third:?}"
    );
}
