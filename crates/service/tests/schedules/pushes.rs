//! Pushes at once: one waits at a time, and is sent once.
//!
//! The RADIUS server is a socket that never answers. Time stands still but when everybody waits for
//! it, so that a push ends as fast as it is decided.

use std::collections::HashSet;
use std::net::UdpSocket;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::Builder;
use vestibule_engine::role::SYSTEM_ADMINISTRATION;
use vestibule_engine::{MfaProviderId, Secret};
use vestibule_service::{Clock as _, MfaProviderDraft};
use vestibule_store::{
    Accounts as _, AdminMfaChange, MfaProviders as _, Pushes as _, Settings as _, StoredProvider,
    UserChange,
};

use crate::scene::{Ended, Fault, Scene, client, finish, origin, token};
use crate::stage::{Stage, alice};
use crate::{finds, holds};

/// The server that never answers.
fn silence() -> &'static UdpSocket {
    static SILENCE: OnceLock<UdpSocket> = OnceLock::new();
    SILENCE.get_or_init(|| {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.set_nonblocking(true).expect("a socket");
        socket
    })
}

/// The requests that came since it was asked last. One that is sent again is the same octets.
fn requests() -> usize {
    let (mut buffer, mut distinct) = ([0; 4096], HashSet::new());
    while let Ok(length) = silence().recv(&mut buffer) {
        distinct.insert(buffer[..length].to_vec());
    }
    distinct.len()
}

/// A provider of pushes by that server, as it is stored; made once.
fn provider() -> &'static StoredProvider {
    static PROVIDER: OnceLock<StoredProvider> = OnceLock::new();
    let make = || {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(make_provider())
    };
    PROVIDER.get_or_init(|| std::thread::spawn(make).join().expect("a provider"))
}

async fn make_provider() -> StoredProvider {
    let stage = Stage::set(Fault::None).await;
    stage.partial(1).await;
    let service = stage.undisturbed(std::sync::Arc::default()).await;
    let (store, now) = (&stage.store, stage.clock.wall());
    let bearer = stage.bearer(&token(1).hash()).await.expect("a bearer");
    let change = UserChange {
        user: vestibule_engine::User {
            roles: vec![SYSTEM_ADMINISTRATION],
            ..bearer.user
        },
        password: None,
        authority: bearer.authority,
    };
    let _ = store.replace_user(&change, &[]).await.expect("a store");
    let later = Some(now.after(Duration::from_mins(1)));
    store
        .set_exempt_until(alice(), later, now, &[])
        .await
        .expect("a store");
    let admitted = service
        .authorize(token(1), origin())
        .await
        .expect("an admission");
    let admin = vestibule_engine::Token::parse(admitted.token.expose()).expect("a token");
    let caller = service.caller(&admin, origin()).await.expect("a caller");
    let port = silence().local_addr().expect("an address").port();
    let draft = MfaProviderDraft {
        name: Some("Phones".to_owned()),
        kind: Some("Radius".to_owned()),
        hostnames: Some(vec!["127.0.0.1".to_owned()]),
        port: Some(port.into()),
        shared_secret: Some(Secret::from("xyzzy5461")),
        protocol: Some("PAP".to_owned()),
        timeout: Some(5.0),
        mode: Some("Push".to_owned()),
        challenge_secret: Some(Secret::from("push")),
        ..MfaProviderDraft::default()
    };
    let made = service
        .add_mfa_provider(&caller, draft)
        .await
        .expect("a provider");
    let stored = store.provider(made.id).await.expect("a store");
    stored.expect("it was made")
}

/// A request of each session, all at once.
fn requests_of(sessions: &'static [u8]) -> Scene {
    Scene::new(
        move |stage| {
            Box::pin(async move {
                tokio::time::pause();
                let _ = stage
                    .store
                    .add_provider(provider(), &[])
                    .await
                    .expect("a store");
                let id: MfaProviderId = provider().provider.id;
                let due = AdminMfaChange {
                    provider: Some(id),
                    exempted: Vec::new(),
                };
                stage.store.set_admin_mfa(&due, &[]).await.expect("a store");
                for session in 1..=*sessions.iter().max().expect("a session") {
                    stage.partial(session).await;
                }
                requests();
                let asks = |session: u8| {
                    client(move |service| async move {
                        finish(&service, token(session), "push".to_owned()).await
                    })
                };
                sessions.iter().map(|session| asks(*session)).collect()
            })
        },
        |stage, ended| {
            Box::pin(async move {
                let pushes = stage.store.pushes(alice()).await.expect("a store");
                let (sent, started) = (requests(), pushes.len());
                if stage.two_pushes.load(Ordering::Relaxed) {
                    return Err("two pushes waited at once".to_owned());
                }
                if sent != started || started == 0 {
                    return Err(format!("{started} were started and {sent} sent"));
                }
                if pushes.iter().any(|push| push.outcome.is_none()) {
                    return Err("a push has not ended".to_owned());
                }
                let expected =
                    |ended: &Ended| matches!(ended, Ended::Unanswered | Ended::TurnedAway);
                match ended.iter().flatten().find(|ended| !expected(ended)) {
                    Some(strange) => Err(format!("{strange:?}")),
                    None => Ok(()),
                }
            })
        },
    )
}

/// Pushes end between any two calls.
fn resting(sessions: &'static [u8]) -> Scene {
    Scene {
        rests: true,
        most: 400,
        ..requests_of(sessions)
    }
}

/// One test: they share the server.
#[test]
fn one_push_waits_at_a_time_and_is_sent_once() {
    holds("pushes in two sessions", &resting(&[1, 2]));
    holds(
        "two requests of a session and one of another",
        &resting(&[1, 1, 2]),
    );
    let scene = Scene {
        one_server: true,
        ..resting(&[1, 1, 2])
    };
    holds("the same at one server", &scene);
    let scene = Scene {
        fault: Fault::PushesOverwrite,
        ..resting(&[1, 2])
    };
    finds(&scene, "two pushes waited at once");
}
