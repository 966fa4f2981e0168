//! The requests of one round, and the moment in it at which something is killed.

use std::cell::Cell;

use reqwest::RequestBuilder;
use serde_json::json;
use tokio::sync::watch;
use vestibule_testkit::client::{Answer, Client};
use vestibule_testkit::clock::Timestamp;
use vestibule_testkit::random::SeededRandom;

use crate::ledger::Ledger;

/// What the second factor is in a round.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    /// Time-based codes.
    Codes,
    /// Codes that a RADIUS server judges.
    Radius,
    /// Approvals on the phone.
    Pushes,
}

/// How far a round has come.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    sent: usize,
    codes: usize,
    over: bool,
}

/// The request after which something is killed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trigger {
    /// Any, the n-th.
    Request(usize),
    /// The n-th that carries a code, right or wrong: most others are passwords, which take long.
    Code(usize),
}

/// One round.
pub(crate) struct Load<'w> {
    pub(crate) mode: Mode,
    pub(crate) now: Timestamp,
    /// The administrator's token.
    pub(crate) admin: &'w str,
    pub(crate) ledger: &'w Ledger,
    clients: Vec<Client>,
    /// Whether the server may say that it cannot: its database is what is killed.
    may_be_unavailable: bool,
    progress: watch::Sender<Progress>,
    /// After how many requests the clients stop by themselves.
    last: Cell<usize>,
}

impl<'w> Load<'w> {
    pub(crate) fn new(
        (mode, now): (Mode, Timestamp),
        admin: &'w str,
        ledger: &'w Ledger,
        clients: Vec<Client>,
        may_be_unavailable: bool,
    ) -> Self {
        Self {
            mode,
            now,
            admin,
            ledger,
            clients,
            may_be_unavailable,
            progress: watch::Sender::default(),
            last: Cell::new(usize::MAX),
        }
    }

    /// Sends a call to any of the servers; no answer means that it was done or not.
    pub(crate) async fn ask(
        &self,
        dice: &SeededRandom,
        call: impl FnOnce(&Client) -> RequestBuilder,
    ) -> Option<Answer> {
        let client = &self.clients[dice.below(self.clients.len())];
        let call = call(client);
        self.progress.send_modify(|progress| progress.sent += 1);
        self.answered(call).await
    }

    /// Sends a code, of the bearer of this partial token.
    pub(crate) async fn enter(
        &self,
        dice: &SeededRandom,
        partial: &str,
        code: &str,
    ) -> Option<Answer> {
        let client = &self.clients[dice.below(self.clients.len())];
        let call = client.call("POST", "/admin/authentication/otp");
        let call = call.bearer_auth(partial).json(&json!({ "otp": code }));
        self.progress.send_modify(|progress| {
            progress.sent += 1;
            progress.codes += 1;
        });
        self.answered(call).await
    }

    async fn answered(&self, call: RequestBuilder) -> Option<Answer> {
        let answer = Client::try_send(call).await.ok().filter(|answer| {
            let unavailable = answer.status == 503;
            assert!(!unavailable || self.may_be_unavailable, "{}", answer.text);
            assert_ne!(answer.status, 500, "{}", answer.text);
            !unavailable
        });
        self.ledger.counted(|counts| match &answer {
            Some(_) => counts.answered += 1,
            None => counts.in_doubt += 1,
        });
        answer
    }

    /// Whether clients go on.
    pub(crate) fn goes_on(&self) -> bool {
        self.is_on(*self.progress.borrow())
    }

    fn is_on(&self, progress: Progress) -> bool {
        !progress.over && progress.sent < self.last.get()
    }

    /// Waits until the request was sent, or no more are.
    pub(crate) async fn reached(&self, trigger: Trigger) {
        let mut progress = self.progress.subscribe();
        let reached = progress.wait_for(|progress| {
            progress.over
                || match trigger {
                    Trigger::Request(n) => progress.sent >= n,
                    Trigger::Code(n) => progress.codes >= n,
                }
        });
        reached.await.unwrap();
    }

    /// Waits until so many more requests were sent, or clients do not go on.
    pub(crate) async fn pass(&self, more: usize) {
        let n = self.progress.borrow().sent + more;
        let mut progress = self.progress.subscribe();
        let passed = progress.wait_for(|progress| !self.is_on(*progress) || progress.sent >= n);
        passed.await.unwrap();
    }

    /// Lets so many more requests be sent.
    pub(crate) fn end_after(&self, more: usize) {
        self.last.set(self.progress.borrow().sent + more);
        // Whoever waits should look.
        self.progress.send_modify(|_| ());
    }

    /// All clients have stopped.
    pub(crate) fn end(&self) {
        self.progress.send_modify(|progress| progress.over = true);
    }
}
