//! One user, one session and one store, at which attempts are carried out a turn at a time.

#![expect(
    clippy::unwrap_used,
    reason = "the lint's exception for tests does not reach helpers; here a panic is the finding"
)]

use std::net::SocketAddr;
use std::time::Duration;

use vestibule_engine::provider::RadiusMode;
use vestibule_engine::push::PushOutcome;
use vestibule_engine::radius::{
    Acceptance, ClaimedHandle, Credential, Dialogue, DialogueChange, Effect, Handle, Input,
    Question, RadiusAttempt, RadiusStanding, RadiusState, Redeemed, Reply, Settle, Transition,
    Verdict,
};
use vestibule_engine::{GuessBudget, MfaProviderId, Refusal, SessionId, Timestamp, UserId};

pub(crate) const NOW: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);
pub(crate) const HANDLE: [u8; Handle::LENGTH] = [5; 16];
pub(crate) const OTHER: MfaProviderId = vestibule_engine::mfa::TOTP_PROVIDER;

/// So many seconds after now.
pub(crate) fn after(seconds: u64) -> Timestamp {
    NOW.after(Duration::from_secs(seconds))
}

pub(crate) fn server() -> SocketAddr {
    "192.0.2.1:1812".parse().unwrap()
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "it is compared with what may be missing"
)]
pub(crate) fn state(octets: &[u8]) -> Option<RadiusState> {
    Some(RadiusState::new(octets.to_vec()))
}

pub(crate) fn challenge(octets: &[u8]) -> Reply {
    challenge_for(octets, None)
}

pub(crate) fn challenge_for(octets: &[u8], answer_within: Option<Duration>) -> Reply {
    Reply::Challenged {
        server: server(),
        state: state(octets),
        message: "?".to_owned(),
        answer_within,
    }
}

/// How an attempt ended, as its caller sees it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    Passed,
    Challenged,
    AskedAgain,
    /// A server was asked…
    Refused(Refusal),
    /// …or none was.
    NotAsked(Refusal),
    Contended,
    Unavailable,
    AcceptedTooEarly,
}

/// How an attempt ended that is over.
#[track_caller]
pub(crate) fn ended(transition: &Transition) -> End {
    assert!(transition.next.is_none(), "{transition:?}");
    let Effect::Finish(verdict) = &transition.effect else {
        panic!("an attempt that is over finishes: {transition:?}");
    };
    match verdict {
        Verdict::Passed => End::Passed,
        Verdict::Challenged { .. } => End::Challenged,
        Verdict::AskedAgain { .. } => End::AskedAgain,
        Verdict::Refused(Refusal::Contended) => End::Contended,
        Verdict::Refused(refusal) => End::Refused(*refusal),
        Verdict::Unavailable => End::Unavailable,
        Verdict::AcceptedTooEarly => End::AcceptedTooEarly,
    }
}

/// All of it.
pub(crate) struct Desk {
    pub(crate) now: Timestamp,
    pub(crate) budget: GuessBudget,
    pub(crate) has_token: bool,
    /// What servers were asked.
    pub(crate) asked: Vec<Question>,
    revision: u64,
    mode: RadiusMode,
    provider_revision: u64,
    dialogue: Option<Dialogue>,
}

impl Desk {
    pub(crate) fn new(mode: RadiusMode) -> Self {
        Self {
            now: NOW,
            budget: GuessBudget::default(),
            has_token: true,
            asked: Vec::new(),
            revision: 1,
            mode,
            provider_revision: 1,
            dialogue: None,
        }
    }

    pub(crate) fn provider(&self) -> (MfaProviderId, u64) {
        (MfaProviderId::from_random([3; 16]), self.provider_revision)
    }

    pub(crate) fn change_provider(&mut self, mode: RadiusMode) {
        self.provider_revision += 1;
        self.mode = mode;
    }

    pub(crate) fn standing(&self) -> RadiusStanding {
        let (provider, provider_revision) = self.provider();
        RadiusStanding {
            user: UserId::from_random([1; 16]),
            session: SessionId::from_random([2; 16]),
            revision: self.revision,
            budget: self.budget.clone(),
            provider,
            provider_revision,
            mode: self.mode,
            dialogue: self.dialogue.clone(),
        }
    }

    /// The handle of the dialogue that is kept.
    pub(crate) fn handle(&self) -> [u8; Handle::LENGTH] {
        *self.dialogue.as_ref().unwrap().handle().as_bytes()
    }

    /// Others have failed so often, a day apart, and the wait after that is over. So many as do
    /// not fit into one month are of many rows, all on the last day.
    pub(crate) fn fail(&mut self, failures: u32) {
        let fits = failures <= 20;
        for n in (1..=failures).rev() {
            let days = if fits { n } else { 1 };
            let at = NOW.before(Duration::from_hours(24) * days);
            let row = if fits {
                self.budget.clone()
            } else {
                self.budget.after_success()
            };
            self.budget = row.after_failure(at);
        }
        assert!(self.budget.waiting_until() <= Some(self.now));
        self.revision += 1;
    }

    /// When the last failure was.
    pub(crate) fn failed_at() -> Timestamp {
        NOW.before(Duration::from_hours(24))
    }

    pub(crate) fn others_write(&mut self, change: impl FnOnce(&GuessBudget) -> GuessBudget) {
        self.budget = change(&self.budget);
        self.revision += 1;
    }

    /// Comes to the n-th request of a dialogue: what is answered next is that.
    pub(crate) fn reach(&mut self, n: u8) {
        for n in 1..n {
            let reply = challenge(&[n]);
            let end = if n == 1 && self.mode != RadiusMode::OneFactor {
                self.open(Credential::ChallengeSecret, reply)
            } else {
                self.answer(reply)
            };
            assert!(
                matches!(end, End::Challenged | End::AskedAgain),
                "request {n}: {end:?}"
            );
        }
    }

    pub(crate) fn open(&mut self, with: Credential, reply: Reply) -> End {
        let handle = Handle::from_bytes(HANDLE);
        let begun = RadiusAttempt::open(self.standing(), with, handle, self.now);
        self.run(begun, reply)
    }

    pub(crate) fn answer(&mut self, reply: Reply) -> End {
        self.answer_as(None, reply)
    }

    pub(crate) fn answer_as(&mut self, claimed: Option<ClaimedHandle>, reply: Reply) -> End {
        let handle = Handle::from_bytes(HANDLE);
        let begun = RadiusAttempt::answer(self.standing(), claimed, handle, self.now);
        self.run(begun, reply)
    }

    pub(crate) fn collect(&mut self, by: (MfaProviderId, u64), outcome: PushOutcome) -> End {
        let begun = RadiusAttempt::collect(&self.standing(), by, outcome);
        match begun.next {
            None => ended(&begun),
            Some(_) => self.run(begun, Reply::Silent),
        }
    }

    /// Begins to answer; the store was not asked yet.
    pub(crate) fn begin_answer(&self, claimed: Option<ClaimedHandle>) -> (RadiusAttempt, Settle) {
        let handle = Handle::from_bytes(HANDLE);
        let begun = RadiusAttempt::answer(self.standing(), claimed, handle, self.now);
        let Effect::Settle(settle) = begun.effect else {
            panic!("a try is reserved first: {:?}", begun.effect);
        };
        (begun.next.unwrap(), settle)
    }

    /// Answers, and waits with what becomes of it before the store is asked again.
    pub(crate) fn hold_answer(&mut self, reply: Reply) -> RadiusAttempt {
        let (reserving, settle) = self.begin_answer(None);
        self.settle(&settle);
        let asking = reserving.step(Input::Settled, self.now).unwrap();
        let Effect::Ask(question) = asking.effect else {
            panic!("a server is asked: {:?}", asking.effect);
        };
        self.asked.push(question);
        let replied = Input::Replied(reply);
        let held = asking.next.unwrap().step(replied, self.now).unwrap();
        held.next.unwrap()
    }

    /// Has an attempt that was held hear that something moved, and carries it out to the end.
    pub(crate) fn carry_on(&mut self, attempt: RadiusAttempt) -> End {
        let again = self.moved(attempt);
        self.run(again, Reply::Silent)
    }

    /// What an attempt says when something moved.
    pub(crate) fn moved(&self, attempt: RadiusAttempt) -> Transition {
        let standing = Some(self.standing());
        attempt.step(Input::Moved(standing), self.now).unwrap()
    }

    /// What an attempt says when its token is gone.
    pub(crate) fn gone(&self, attempt: RadiusAttempt) -> Transition {
        attempt.step(Input::Moved(None), self.now).unwrap()
    }

    /// Overtakes an attempt over and over; how often until it gave up.
    pub(crate) fn overtake(&mut self, mut attempt: RadiusAttempt) -> (u32, End) {
        for n in 1.. {
            self.revision += 1;
            let again = self.moved(attempt);
            match again.next {
                Some(next) => attempt = next,
                None => return (n, ended(&again)),
            }
        }
        unreachable!("an attempt that never gives up")
    }

    fn run(&mut self, mut transition: Transition, reply: Reply) -> End {
        let (mut reply, asked) = (Some(reply), self.asked.len());
        loop {
            let Some(attempt) = transition.next.take() else {
                return match ended(&transition) {
                    End::Refused(refusal) if self.asked.len() == asked => End::NotAsked(refusal),
                    End::Passed
                    | End::Challenged
                    | End::AskedAgain
                    | End::Refused(_)
                    | End::NotAsked(_)
                    | End::Contended
                    | End::Unavailable
                    | End::AcceptedTooEarly => ended(&transition),
                };
            };
            let input = match transition.effect {
                Effect::Settle(settle) => {
                    self.settle(&settle);
                    Input::Settled
                }
                Effect::Ask(question) => {
                    self.asked.push(question);
                    Input::Replied(reply.take().unwrap())
                }
                Effect::Redeem(acceptance) => Input::Redeemed(self.redeem(&acceptance)),
                Effect::Finish(verdict) => panic!("{verdict:?} is not the end"),
            };
            transition = attempt.step(input, self.now).unwrap();
        }
    }

    #[track_caller]
    fn settle(&mut self, settle: &Settle) {
        assert_eq!(settle.revision, self.revision, "a write on what has moved");
        assert!(self.has_token, "a write for a token that has ended");
        self.revision += 1;
        self.budget = settle.budget.clone();
        match &settle.dialogue {
            DialogueChange::Keep => {}
            DialogueChange::End => self.dialogue = None,
            // Through its sealed form, as any store has it.
            DialogueChange::Store(dialogue) => {
                self.dialogue = Dialogue::from_bytes(&dialogue.to_bytes());
            }
        }
        self.has_token = !settle.ends_token;
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the store that has done it"
    )]
    fn redeem(&mut self, acceptance: &Acceptance) -> Redeemed {
        assert_eq!(acceptance.revision(), self.revision);
        assert!(self.has_token, "an acceptance for a token that has ended");
        self.revision += 1;
        self.budget = acceptance.budget().clone();
        (self.dialogue, self.has_token) = (None, false);
        acceptance.dangerous_redeemed()
    }
}
