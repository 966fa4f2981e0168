//! What the log never tells, at any level.
#![cfg(feature = "udp")]
#![expect(
    clippy::unwrap_used,
    reason = "what cannot be set up has failed, and says so"
)]

mod udp_support;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use udp_support::{PASSWORD, SECRET, chap, client, pap, push, settings_of, short};
use vestibule_radius::State;
use vestibule_testkit::radius::{Answer, Flaw, RadiusSimulator};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn secrets_are_never_logged() {
    let log = Log::default();
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(log.clone());
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));

    let simulator = RadiusSimulator::start(SECRET, |_| {
        let challenge = || Answer::challenge().state(b"st4te-of-affairs");
        let mut actions = vec![challenge().message("m3ssage").into()];
        for flaw in [
            Flaw::Unsigned,
            Flaw::MessageAuthenticator,
            Flaw::Secret(b"0ther-s3cret".to_vec()),
            Flaw::Echo,
        ] {
            actions.insert(0, challenge().flawed(flaw).into());
        }
        actions
    });
    let client = client();
    let servers = client.servers(settings_of(simulator.address()));
    for mut request in [pap("us3r-name"), chap("us3r-name")] {
        request.state = Some(State::new("st4te-of-affairs").unwrap());
        for plan in [short(6), push(60)] {
            let exchange = servers.exchange(&request, plan).await.unwrap();
            assert_eq!(exchange.reply.message.as_deref(), Some("m3ssage"));
        }
    }
    simulator.stop().await;
    while client.status()[0].counters.refusals < 2 {
        let error = servers.exchange(&pap("us3r-name"), short(3)).await;
        let error = error.unwrap_err();
        assert!(!error.to_string().contains("us3r"), "{error}");
    }

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("Discarded what came from"), "{log}");
    for word in [
        PASSWORD,
        std::str::from_utf8(SECRET).unwrap(),
        "st4te",
        "m3ssage",
        "us3r",
        "0ther",
    ] {
        assert!(!log.contains(word), "{word}: {log}");
    }
}
