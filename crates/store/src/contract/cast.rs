//! Who plays in the contract: users, their sessions and what they do.
//!
//! Everything is made from small numbers, so that a failure shows the same values each time. The
//! time is a constant: no promise of a store is about the present.

use std::sync::Arc;

use uuid::Uuid;
use vestibule_engine::attempt::{Enrolment, Env, Standing, StepToClaim};
use vestibule_engine::password::{Lane, PasswordFailures};
use vestibule_engine::token::{Lifetimes, admit};
use vestibule_engine::{
    Attempt, DeviceId, Effect, Input, NameKey, NewToken, Otp, Seed, SeedId, SessionId, Timestamp,
    Token, TokenHash, TotpStep, User, UserId, UserName,
};

use super::checks::claim;
use crate::{
    Bearer, Creation, DeviceLane, DialogueChange, Finish, NewUser, PasswordHash, ProposedSeed,
    Sealed, SeedState, SessionStart, Settlement, Store, Swap,
};

pub(super) type Shared = Arc<dyn Store>;

/// The present, and what lies around it.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(1_700_000_000 + seconds)
}

/// The n-th step from now.
pub(super) fn step(n: u64) -> TotpStep {
    TotpStep::new(56_666_667 + n)
}

pub(super) fn sealed(n: u64) -> Sealed {
    Sealed {
        key_id: Uuid::from_u128(u128::from(n)),
        bytes: format!("\0sealed {n}\u{ff}").into_bytes(),
    }
}

pub(super) fn key(name: &str) -> NameKey {
    NameKey::of(name)
}

/// Failures of a password: so many, and locked since now.
pub(super) fn failed(count: u32) -> PasswordFailures {
    let lock_start = (count > 2).then(|| at(0));
    PasswordFailures { count, lock_start }
}

/// A user to be made; everything about the user follows from the number.
pub(super) fn new_user(n: u64, name: &str) -> NewUser {
    let user = User {
        id: UserId::from_uuid(Uuid::from_u128(u128::from(n))),
        name: UserName::new(name).unwrap(),
        first_name: String::new(),
        last_name: String::new(),
        email: None,
        phone: None,
        notes: String::new(),
        tags: Vec::new(),
        disabled: false,
        password_failures: PasswordFailures::default(),
        exempt_until: None,
        roles: Vec::new(),
        created: at(0),
        updated: at(0),
    };
    let password = Some(password(user.id));
    NewUser {
        user,
        password,
        authority: None,
    }
}

/// The password that a new user has.
pub(super) fn password(user: UserId) -> PasswordHash {
    PasswordHash::new(format!("$argon2id${user}"))
}

pub(super) async fn add(store: &Shared, n: u64, name: &str) -> UserId {
    let new = new_user(n, name);
    assert_eq!(store.add_user(&new, &[]).await.unwrap(), Creation::Created);
    new.user.id
}

/// The seed of everybody.
fn seed() -> Seed {
    Seed::from_bytes(*b"12345678901234567890")
}

/// One sign-in of a user: a session and a device of its own, both with its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Actor {
    pub(super) user: UserId,
    pub(super) n: u64,
}

impl Actor {
    /// Signs in for the n-th time in this store.
    pub(super) async fn sign_in(store: &Shared, user: UserId, n: u64) -> Self {
        let actor = Self { user, n };
        assert_eq!(
            store.start_session(&actor.start(), &[]).await.unwrap(),
            Swap::Done
        );
        actor
    }

    /// Signs in and enrols: the last step is the 0th, the revision 2.
    pub(super) async fn enrolled(store: &Shared, user: UserId, n: u64) -> Self {
        let actor = Self::sign_in(store, user, n).await;
        let revision = actor.bearer(store).await.factor.revision;
        assert_eq!(
            store
                .propose_seed(&actor.proposal(revision), &[])
                .await
                .unwrap(),
            Swap::Done
        );
        let finish = actor.finish(&actor.bearer(store).await, 0);
        assert_eq!(claim(store, &finish).await.unwrap(), Swap::Done);
        actor
    }

    pub(super) fn session(self) -> SessionId {
        SessionId::from_uuid(Uuid::from_u128(1 << 64 | u128::from(self.n)))
    }

    pub(super) fn device(self) -> DeviceId {
        DeviceId::from_uuid(Uuid::from_u128(2 << 64 | u128::from(self.n)))
    }

    pub(super) fn seed_id(self) -> SeedId {
        SeedId::from_uuid(Uuid::from_u128(3 << 64 | u128::from(self.n)))
    }

    /// The k-th token of the session; the 0th is the partial one.
    pub(super) fn token(self, k: u64) -> Token {
        let mut bytes = [7; 32];
        let numbers = self.n.to_be_bytes().into_iter().chain(k.to_be_bytes());
        for (to, from) in bytes.iter_mut().zip(numbers) {
            *to = from;
        }
        Token::from_bytes(bytes)
    }

    pub(super) fn hash(self, k: u64) -> TokenHash {
        self.token(k).hash()
    }

    /// The hash of the partial token.
    pub(super) fn partial(self) -> TokenHash {
        self.hash(0)
    }

    pub(super) fn new_partial(self) -> NewToken {
        let lifetimes = Lifetimes::default();
        NewToken::partial(
            &self.token(0),
            self.session(),
            self.user,
            self.device(),
            &lifetimes,
            at(0),
        )
    }

    /// The k-th token, for administration.
    pub(super) fn new_admin(self, k: u64) -> NewToken {
        let partial = self.new_partial();
        NewToken::admin(&self.token(k), &admit(partial.record(), None).unwrap())
    }

    /// Whose failures count at the next sign-in.
    pub(super) fn lane(self, lane: Lane) -> DeviceLane {
        DeviceLane {
            user: self.user,
            device: self.device(),
            lane,
        }
    }

    /// A sign-in with the right password, after no failures.
    pub(super) fn start(self) -> SessionStart {
        SessionStart {
            lane: self.lane(Lane::Account(PasswordFailures::default())),
            password: password(self.user),
            partial: self.new_partial(),
        }
    }

    /// What is known of the bearer of the partial token, which must be alive.
    pub(super) async fn bearer(self, store: &Shared) -> Bearer {
        store.bearer(&self.partial()).await.unwrap().unwrap()
    }

    pub(super) fn proposal(self, revision: u64) -> ProposedSeed {
        ProposedSeed {
            user: self.user,
            revision,
            id: self.seed_id(),
            sealed: sealed(self.n),
            shown_to: self.session(),
            created: at(1),
        }
    }

    /// What a wrong code costs a bearer who stands like this.
    pub(super) fn guess(self, bearer: &Bearer) -> Settlement {
        Settlement {
            user: self.user,
            session: self.session(),
            revision: bearer.factor.revision,
            budget: bearer.factor.budget.after_failure(at(0)),
            dialogue: DialogueChange::Keep,
            ends_token: false,
        }
    }

    /// What the right code of the n-th step earns a bearer who stands like this: token number
    /// 100 + n.
    pub(super) fn finish(self, bearer: &Bearer, n: u64) -> Finish {
        let claim = step_to_claim(bearer, step(n));
        let partial = self.new_partial();
        let verified = NewToken::verified(&self.token(100 + n), &claim, partial.record());
        Finish {
            claim,
            partial: self.partial(),
            verified: verified.unwrap(),
            verified_seed: None,
            device_completed: None,
        }
    }
}

/// Lets the engine judge the right code of a step. It is told that the step is later than the
/// last one, so that the store is seen to find out by itself.
fn step_to_claim(bearer: &Bearer, step: TotpStep) -> StepToClaim {
    let wall = Timestamp::from_unix_seconds(i64::try_from(step.number() * 30).unwrap());
    let stored = bearer.factor.seed.as_ref().unwrap();
    let enrolment = match stored.state {
        SeedState::Unverified { .. } => Enrolment::Unverified {
            id: stored.id,
            seed: seed(),
            shown_to: bearer.token.session,
            created: at(1),
        },
        SeedState::Verified { .. } => Enrolment::Verified {
            id: stored.id,
            seed: seed(),
            last_step: TotpStep::new(step.number() - 1),
        },
    };
    let standing = Standing {
        user: bearer.token.user,
        session: bearer.token.session,
        revision: bearer.factor.revision,
        budget: bearer.factor.budget.clone(),
        enrolment,
    };
    let code = Otp::new(seed().code(step).unwrap().expose().clone());
    let judged = Attempt::begin(standing)
        .step(Input::OtpSubmitted(code), Env { now: at(1), wall })
        .unwrap();
    let claims = judged.effects.into_iter().find_map(|effect| match effect {
        Effect::ClaimStep(claim) => Some(claim),
        Effect::CountGuess(_) | Effect::Finish(_) => None,
    });
    claims.unwrap()
}
