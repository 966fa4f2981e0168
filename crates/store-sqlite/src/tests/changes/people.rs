//! Who makes the changes: users, their sessions, and what they do with them.

use uuid::Uuid;
use vestibule_engine::attempt::{Enrolment, Env, Standing};
use vestibule_engine::password::{Lane, PasswordFailures};
use vestibule_engine::provider::RadiusMode;
use vestibule_engine::radius::{Effect as RadiusEffect, RadiusAttempt, RadiusStanding};
use vestibule_engine::token::Lifetimes;
use vestibule_engine::{
    Attempt, DeviceId, Effect, Input, NewToken, Otp, PushOutcome, Seed, SeedId, SessionId,
    Timestamp, Token, TotpStep, User, UserId, UserName,
};
use vestibule_store::{
    Accounts as _, Bearer, Creation, DeviceLane, DialogueChange, Finish, FirstFactors as _,
    NewUser, PasswordHash, ProposedSeed, Redemption, Sealed, SecondFactors as _, SessionStart,
    Settlement, Swap, Tokens as _,
};

use crate::SqliteStore;

pub(super) fn now() -> Timestamp {
    Timestamp::from_unix_seconds(1_700_000_000)
}

/// The n-th user, with a session and a device of that number.
#[derive(Clone, Copy)]
pub(super) struct Person(pub(super) u64);

impl Person {
    pub(super) fn id(self, kind: u128) -> Uuid {
        Uuid::from_u128(kind << 64 | u128::from(self.0))
    }

    fn user(self) -> UserId {
        UserId::from_uuid(self.id(1))
    }

    fn session(self) -> SessionId {
        SessionId::from_uuid(self.id(2))
    }

    /// The k-th token; the 0th is the partial one.
    pub(super) fn token(self, k: u64) -> Token {
        let (one, other) = (self.id(k.into()), self.id(1 << 32));
        let octets = [one.into_bytes(), other.into_bytes()].concat();
        Token::from_bytes(octets.try_into().unwrap())
    }

    fn partial(self) -> NewToken {
        let device = DeviceId::from_uuid(self.id(3));
        let lifetimes = Lifetimes::default();
        let (user, session) = (self.user(), self.session());
        NewToken::partial(&self.token(0), session, user, device, &lifetimes, now())
    }

    /// Makes the user, and a session.
    pub(super) async fn sign_in(self, store: &SqliteStore) -> Bearer {
        let user = User {
            id: self.user(),
            name: UserName::new(format!("user {}", self.0)).unwrap(),
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
            created: now(),
            updated: now(),
        };
        let password = PasswordHash::new("$argon2id$");
        let new = NewUser {
            user,
            password: Some(password.clone()),
            authority: None,
        };
        let made = store.add_user(&new, &[]).await.unwrap();
        assert_eq!(made, Creation::Created);
        let partial = self.partial();
        let start = SessionStart {
            lane: DeviceLane {
                user: self.user(),
                device: partial.record().device,
                lane: Lane::Account(PasswordFailures::default()),
            },
            password,
            partial,
        };
        let started = store.start_session(&start, &[]).await.unwrap();
        assert_eq!(started, Swap::Done);
        self.bearer(store, 0).await.unwrap()
    }

    /// The bearer of the k-th token.
    pub(super) async fn bearer(self, store: &SqliteStore, k: u64) -> Option<Bearer> {
        store.bearer(&self.token(k).hash()).await.unwrap()
    }

    /// Signs in with a new seed; what its first code earns: this token.
    pub(super) async fn finish(self, store: &SqliteStore, verified: &Token) -> Finish {
        self.sign_in(store).await;
        let proposal = ProposedSeed {
            user: self.user(),
            revision: 0,
            id: SeedId::from_uuid(self.id(4)),
            sealed: sealed(1),
            shown_to: self.session(),
            created: now(),
        };
        let proposed = store.propose_seed(&proposal, &[]).await.unwrap();
        assert_eq!(proposed, Swap::Done);
        let factor = self.bearer(store, 0).await.unwrap().factor;
        let seed = || Seed::from_bytes(*b"12345678901234567890");
        let standing = Standing {
            user: self.user(),
            session: self.session(),
            revision: factor.revision,
            budget: factor.budget,
            enrolment: Enrolment::Unverified {
                id: proposal.id,
                seed: seed(),
                shown_to: self.session(),
                created: now(),
            },
        };
        let step = TotpStep::new(56_666_667);
        let code = Otp::new(seed().code(step).unwrap().expose().clone());
        let wall = Timestamp::from_unix_seconds(56_666_667 * 30);
        let judged = Attempt::begin(standing)
            .step(Input::OtpSubmitted(code), Env { now: now(), wall })
            .unwrap();
        let claims = judged.effects.into_iter().find_map(|effect| match effect {
            Effect::ClaimStep(claim) => Some(claim),
            Effect::CountGuess(_) | Effect::Finish(_) => None,
        });
        let (claim, partial) = (claims.unwrap(), self.partial());
        Finish {
            verified: NewToken::verified(verified, &claim, partial.record()).unwrap(),
            claim,
            partial: self.token(0).hash(),
            verified_seed: Some(sealed(2)),
            device_completed: Some(now()),
        }
    }

    /// Signs in; what an acceptance earns: the first token.
    pub(super) async fn redemption(self, store: &SqliteStore) -> Redemption {
        let bearer = self.sign_in(store).await;
        let provider = bearer.provider.unwrap();
        let standing = RadiusStanding {
            user: self.user(),
            session: self.session(),
            revision: bearer.factor.revision,
            budget: bearer.factor.budget,
            provider: provider.id,
            provider_revision: provider.revision,
            mode: RadiusMode::Push,
            dialogue: None,
        };
        let provider = (provider.id, provider.revision);
        let judged = RadiusAttempt::collect(&standing, provider, PushOutcome::Accepted);
        let RadiusEffect::Redeem(acceptance) = judged.effect else {
            panic!("{:?}", judged.effect);
        };
        let partial = self.partial();
        let verified = NewToken::verified(&self.token(1), &acceptance, partial.record());
        Redemption {
            verified: verified.unwrap(),
            acceptance,
            partial: self.token(0).hash(),
            device_completed: None,
        }
    }

    /// Signs in; what a wrong code costs.
    pub(super) async fn settlement(self, store: &SqliteStore) -> Settlement {
        let bearer = self.sign_in(store).await;
        Settlement {
            user: self.user(),
            session: self.session(),
            revision: bearer.factor.revision,
            budget: bearer.factor.budget.after_failure(now()),
            dialogue: DialogueChange::Store(sealed(3)),
            ends_token: false,
        }
    }

    /// Whether the partial token is there and the first one, and the revision.
    pub(super) async fn stands(self, store: &SqliteStore) -> (bool, bool, u64) {
        let (partial, verified) = (self.bearer(store, 0).await, self.bearer(store, 1).await);
        let there = (partial.is_some(), verified.is_some());
        let revision = partial.or(verified).map(|bearer| bearer.factor.revision);
        (there.0, there.1, revision.unwrap_or_default())
    }
}

pub(super) fn sealed(n: u128) -> Sealed {
    Sealed {
        key_id: Uuid::from_u128(n),
        bytes: vec![1, 2, 3],
    }
}
