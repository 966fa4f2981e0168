//! What the RADIUS scenarios share: a site whose users show their second factor to a simulated
//! server.

use serde_json::{Value, json};
use vestibule_testkit::client::{Answer, Client};
use vestibule_testkit::radius::{Action, Answer as Reply, Counters, RadiusSimulator, Received};
use vestibule_testkit::site::{Backend, Server, Site};

use crate::{PASSWORD, site, with_alice_at};

/// What the servers share with the site.
pub(crate) const SECRET: &str = "a long secret of the RADIUS scenarios";
/// What the first request carries where no user has typed anything.
pub(crate) const CHALLENGE_SECRET: &str = "please ask";
/// What is right, for a server that knows only this.
pub(crate) const CODE: &str = "755224";
/// What is wrong.
pub(crate) const WRONG: &str = "287082";
/// Who needs no second factor, so that the tests can change things.
pub(crate) const EXEMPTED: &str = "CN=admin,OU=local";
/// The provider for one-time codes that is always there.
pub(crate) const TOTP: &str = "03542d1e-733c-4c43-a567-d28fbc4649a7";
/// Where codes are sent.
pub(crate) const OTP: &str = "/admin/authentication/otp";

/// A site with a server, the users `admin`, who is exempt, and `alice`, and a RADIUS server.
pub(crate) struct Stage {
    pub(crate) site: Site,
    pub(crate) server: Server,
    /// The administrator's token.
    pub(crate) admin: String,
    pub(crate) radius: RadiusSimulator,
    /// The provider, as it was made.
    pub(crate) provider: Value,
    /// Its id.
    pub(crate) id: String,
}

impl Stage {
    /// A stage whose provider has these settings besides the usual ones.
    pub(crate) async fn new(
        backend: Backend,
        settings: Value,
        handler: impl Fn(&Received) -> Vec<Action> + Send + Sync + 'static,
    ) -> Self {
        Self::at(site(backend), settings, handler).await
    }

    /// The same, at a site that was made already.
    pub(crate) async fn at(
        site: Site,
        settings: Value,
        handler: impl Fn(&Received) -> Vec<Action> + Send + Sync + 'static,
    ) -> Self {
        let radius = RadiusSimulator::start(SECRET.as_bytes(), handler);
        let (server, admin) = with_alice_at(&site).await;
        let provider = provider(&radius, &settings);
        let client = server.client();
        let id = client.add_provider(&admin, &provider).await;
        client.choose_provider(&admin, &id, &[EXEMPTED]).await;
        Self {
            site,
            server,
            admin,
            radius,
            provider,
            id,
        }
    }

    pub(crate) fn client(&self) -> &Client {
        self.server.client()
    }

    /// `alice` with nothing but her password.
    pub(crate) async fn partial(&self) -> String {
        self.client().sign_in("alice", PASSWORD).await.token()
    }

    /// `alice`, of whom the second factor is asked.
    pub(crate) async fn begun(&self) -> (String, Answer) {
        let partial = self.partial().await;
        let begun = self.client().initialize(&partial).await;
        begun.is(200);
        (partial, begun)
    }

    /// One more user.
    pub(crate) async fn add_user(&self, name: &str) {
        let added = self.client().add_user(&self.admin, name, PASSWORD).await;
        added.is(200);
    }

    /// Changes the settings of the provider.
    pub(crate) async fn change(&mut self, settings: &Value) {
        merge(&mut self.provider, settings);
        let path = format!("/admin/mfa-providers/{}", self.id);
        let changed = self.client().put(&path, &self.admin, &self.provider).await;
        changed.is(200);
    }

    /// How many requests the RADIUS server has had, repetitions apart.
    pub(crate) fn requests(&self) -> usize {
        self.radius.counters().pushes
    }

    /// Waits until the RADIUS server has had so many requests.
    pub(crate) async fn asked_for(&self, requests: usize) {
        let at_least = |counters: &Counters| counters.pushes >= requests;
        self.radius.wait_until(at_least).await;
    }

    /// Runs an operator's command.
    pub(crate) fn operate(&self, arguments: &[&str], input: &str) {
        let (status, output) = self.site.operate(arguments, input);
        assert!(status.success(), "{arguments:?} {output}");
    }

    /// Checks that this many more wrong answers are free, and no more.
    pub(crate) async fn has_free(&self, free: usize) {
        for left in (0..free).rev() {
            let (partial, _) = self.begun().await;
            self.client().otp(&partial, WRONG).await.is(401);
            let ended = self.client().initialize(&partial).await;
            ended.is(if left == 0 { 401 } else { 200 });
        }
        self.is_waiting().await;
    }

    /// Waits until the server has written something into its log so many times.
    pub(crate) async fn has_logged(&self, what: &str, times: usize) {
        while self.server.log().matches(what).count() < times {
            tokio::task::yield_now().await;
        }
    }

    /// Checks that a right answer gets the answer to a wrong one, and is not even sent.
    pub(crate) async fn is_waiting(&self) {
        let (partial, _) = self.begun().await;
        let asked = self.requests();
        let barred = self.client().otp(&partial, CODE).await;
        is_wrong(&barred);
        assert_eq!(self.requests(), asked, "it is not sent");
    }
}

/// A provider of this server.
pub(crate) fn provider(radius: &RadiusSimulator, settings: &Value) -> Value {
    let mut provider = json!({
        "name": "RADIUS", "type": "Radius", "hostnames": ["127.0.0.1"],
        "port": radius.address().port(), "sharedSecret": SECRET,
        "challengeSharedSecret": CHALLENGE_SECRET, "authenticationProtocol": "PAP",
        "mode": "OneFactor", "timeout": 30,
    });
    merge(&mut provider, settings);
    provider
}

fn merge(to: &mut Value, from: &Value) {
    let (Some(to), Some(from)) = (to.as_object_mut(), from.as_object()) else {
        panic!("objects, not {to} and {from}");
    };
    to.extend(from.clone());
}

/// Checks that an answer is the one that all wrong codes get, to the byte.
#[track_caller]
pub(crate) fn is_wrong(answer: &Answer) {
    let message = "Invalid one-time password. Please make sure the time on your device is correct.";
    let expected = json!({
        "id": "unauthorized", "message": message, "failureType": "Mfa", "reason": message,
    });
    assert_eq!(answer.is(401).json(), expected);
    assert_eq!(answer.text.len(), expected.to_string().len());
}

/// Checks that a server's question came back.
#[track_caller]
pub(crate) fn asks(answer: &Answer, question: &str) {
    assert_eq!(answer.is(401).json()["reason"], question);
    assert_eq!(answer.json()["failureType"], "Mfa");
}

/// Checks that there was nothing to answer.
#[track_caller]
pub(crate) fn has_no_challenge(answer: &Answer) {
    asks(
        answer,
        "There is no open challenge. Start the second factor again.",
    );
}

/// Checks that nobody answered, and that the client is told when to come back.
#[track_caller]
pub(crate) fn is_unanswered(answer: &Answer) {
    assert_eq!(answer.is(503).json()["id"], "service unavailable");
    assert!(retry_after(answer) >= 1);
}

/// After how many seconds to come back.
#[track_caller]
pub(crate) fn retry_after(answer: &Answer) -> u64 {
    let seconds = answer.headers["retry-after"].to_str().unwrap();
    seconds.parse().unwrap()
}

/// The handle of the challenge in the answer to the start of the second factor.
#[track_caller]
pub(crate) fn state(begun: &Answer) -> String {
    begun.is(200).json()["state"].as_str().unwrap().to_owned()
}

/// A server that knows [`CODE`].
pub(crate) fn judges(request: &Received) -> Vec<Action> {
    vec![verdict(request).into()]
}

/// What a server that knows [`CODE`] says.
pub(crate) fn verdict(request: &Received) -> Reply {
    if request.has_password(CODE.as_bytes()) {
        Reply::accept()
    } else {
        Reply::reject()
    }
}

/// A server that asks whoever sends [`CHALLENGE_SECRET`], and knows [`CODE`].
pub(crate) fn challenges(request: &Received) -> Vec<Action> {
    let reply = match request.state() {
        None if request.has_password(CHALLENGE_SECRET.as_bytes()) => {
            Reply::challenge().state(b"asked once").message("Code?")
        }
        Some(b"asked once") => verdict(request),
        _ => Reply::reject(),
    };
    vec![reply.into()]
}
