//! The end of the second factor: an attempt, and what it asks for.

use std::pin::Pin;
use std::sync::Arc;

use tracing::{info, warn};
use uuid::Uuid;
use vestibule_engine::attempt::{Enrolment, Env, Passed, Standing};
use vestibule_engine::token::Door;
use vestibule_engine::{
    Attempt, Effect, Input, NewToken, Otp, Refusal, Secret, Seed, SeedId, StepToClaim, Timestamp,
    Token, TokenHash, UserId, Verdict, WrongGuess, mfa,
};
use vestibule_store::{Bearer, Claim, DialogueChange, Finish, SeedState, Settlement, Swap};

use crate::known::{KnownKind, KnownProvider};
use crate::radius::{RadiusProvider, SecondFactorAnswer};
use crate::session::completion_to_note;
use crate::sign_in::SignedIn;
use crate::{Inner, Origin, Place, Service, ServiceError, TokenRefusal};

/// How often a bearer is read anew when the provider was changed in between.
const MOST_TRIES: u8 = 16;

/// The bearer of a partial token of whom a second factor is due, as of a moment ago. What was read
/// then is compared again by every write that rests on it.
pub struct DueBearer(pub(crate) Box<Due>);

/// A bearer, and the provider of the second factor that is due.
pub(crate) struct Due {
    pub(crate) bearer: Bearer,
    pub(crate) provider: Arc<KnownProvider>,
}

impl Due {
    /// The bearer, of whom a code is due.
    pub(crate) fn totp(self: Box<Self>) -> Result<Bearer, ServiceError> {
        match self.provider.kind {
            KnownKind::Totp => Ok(self.bearer),
            KnownKind::Radius(_) => {
                Err(ServiceError::SecondFactorRefused(Refusal::ProviderChanged))
            }
        }
    }

    /// The servers that judge this bearer's second factor.
    pub(crate) fn radius(&self) -> Result<&RadiusProvider, ServiceError> {
        match &self.provider.kind {
            KnownKind::Radius(provider) => Ok(provider),
            KnownKind::Totp => Err(ServiceError::SecondFactorRefused(Refusal::ProviderChanged)),
        }
    }
}

impl Service {
    /// Recognises the bearer of a partial token of whom a second factor is due, before anything
    /// that they send is looked at.
    ///
    /// # Errors
    /// [`ServiceError::TokenRefused`] for every token but a partial one;
    /// [`ServiceError::SecondFactorNotDue`].
    pub async fn due_bearer(
        &self,
        token: &Token,
        origin: Origin,
    ) -> Result<DueBearer, ServiceError> {
        let hash = token.hash();
        let due = self.inner.due(&hash).await?;
        self.inner.recognised(&hash, origin);
        Ok(DueBearer(due))
    }

    /// Finishes the second factor. The partial token then is dead: the token in the answer is
    /// another.
    ///
    /// # Errors
    /// [`ServiceError::SecondFactorRefused`] for every answer that is not accepted. The partial
    /// token survives that, until the guess budget has run out. From RADIUS servers also
    /// [`ServiceError::SecondFactorAskedAgain`], [`ServiceError::AuthenticationServerSilent`],
    /// [`ServiceError::TooManyPushes`], and [`ServiceError::Invalid`] for what RADIUS cannot carry.
    pub fn finish(
        &self,
        DueBearer(due): DueBearer,
        answer: SecondFactorAnswer,
        origin: Origin,
    ) -> impl Future<Output = Result<SignedIn, ServiceError>> + Send + use<> {
        let begun = Box::pin(Arc::clone(&self.inner).begin_finish(due, answer, origin));
        async move { begun.await?.await }
    }
}

/// The end of a finish that has begun. It may take until somebody looks at a phone, and thousands
/// may wait at once: nothing is kept in it that only the beginning needed.
pub(crate) type Finishing = Pin<Box<dyn Future<Output = Result<SignedIn, ServiceError>> + Send>>;

impl Inner {
    async fn begin_finish(
        self: Arc<Self>,
        due: Box<Due>,
        answer: SecondFactorAnswer,
        origin: Origin,
    ) -> Result<Finishing, ServiceError> {
        match due.provider.kind {
            KnownKind::Radius(_) => self.begin_radius_finish(due, answer, origin).await,
            KnownKind::Totp => {
                let otp = Otp::new(answer.otp);
                let attempt = async move { self.run_attempt(due.bearer, otp, origin).await };
                Ok(Box::pin(Service::to_the_end(attempt)))
            }
        }
    }

    /// The bearer of a partial token of whom a second factor is due, with its provider.
    pub(crate) async fn due(&self, hash: &TokenHash) -> Result<Box<Due>, ServiceError> {
        for _ in 0..MOST_TRIES {
            let bearer = self.bearer(hash, Door::SecondFactor).await?;
            let id = bearer.provider.map(|provider| provider.id);
            let due = mfa::due(id, bearer.exemption, self.time.now());
            let (Some(_), Some(version)) = (due, bearer.provider) else {
                return Err(ServiceError::SecondFactorNotDue);
            };
            // A provider that was changed in between is read again with the bearer.
            if let Some(provider) = self.known_provider(version).await? {
                return Ok(Box::new(Due { bearer, provider }));
            }
        }
        Err(ServiceError::contended())
    }

    /// What the engine must know of a bearer, with the seed opened.
    pub(crate) fn standing(&self, bearer: &Bearer) -> Result<Standing, ServiceError> {
        let open = |id, sealed, verified| -> Result<Seed, ServiceError> {
            let place = SeedPlace::new(bearer.user.id, id, verified);
            let seed = self.keyring.open(sealed, place.place())?;
            Seed::from_slice(&seed)
                .ok_or_else(|| ServiceError::bug("a seed has another length", "sealed otherwise"))
        };
        let enrolment = match &bearer.factor.seed {
            None => Enrolment::Missing,
            Some(stored) => match stored.state {
                SeedState::Unverified { shown_to, created } => Enrolment::Unverified {
                    id: stored.id,
                    seed: open(stored.id, &stored.sealed, false)?,
                    shown_to,
                    created,
                },
                SeedState::Verified { last_step } => Enrolment::Verified {
                    id: stored.id,
                    seed: open(stored.id, &stored.sealed, true)?,
                    last_step,
                },
            },
        };
        Ok(Standing {
            user: bearer.user.id,
            session: bearer.token.session,
            revision: bearer.factor.revision,
            budget: bearer.factor.budget.clone(),
            enrolment,
        })
    }

    /// Carries out what an attempt asks for, until it is over.
    async fn run_attempt(
        &self,
        mut bearer: Bearer,
        otp: Otp,
        origin: Origin,
    ) -> Result<SignedIn, ServiceError> {
        let hash = bearer.token.hash;
        let mut attempt = Attempt::begin(self.standing(&bearer)?);
        let mut input = Input::OtpSubmitted(otp);
        let mut rotated = None;
        loop {
            let env = Env {
                now: self.time.now(),
                wall: self.time.wall(),
            };
            let transition = attempt
                .step(input, env)
                .map_err(|invalid| ServiceError::bug("an attempt went astray", invalid))?;
            let mut answer = None;
            for effect in transition.effects {
                answer = match effect {
                    Effect::ClaimStep(claim) => {
                        match self.claim(&bearer, &claim, env, origin).await? {
                            (Claim::Fresh(claimed), token) => {
                                rotated = Some(token);
                                Some(Input::StepClaimed(claimed))
                            }
                            (Claim::Moved, _) => None,
                        }
                    }
                    Effect::CountGuess(guess) => {
                        let wrong = Refusal::WrongCode;
                        let trail = self.refused(&bearer, &guess.budget, wrong, env, origin);
                        match self.store.settle(&counted(guess), &trail).await? {
                            Swap::Done => Some(Input::GuessCounted),
                            Swap::Moved => None,
                        }
                    }
                    Effect::Finish(verdict) => {
                        self.record_refusal(&bearer, &verdict, env, origin).await?;
                        return conclude(&bearer, verdict, rotated);
                    }
                };
            }
            attempt = transition.next.ok_or_else(|| {
                ServiceError::bug("an attempt went astray", "it ended without a verdict")
            })?;
            input = match answer {
                Some(input) => input,
                None => Input::Moved(match self.due(&hash).await {
                    Ok(now) => {
                        bearer = now.totp()?;
                        Some(self.standing(&bearer)?)
                    }
                    Err(ServiceError::TokenRefused(_)) => None,
                    Err(other) => return Err(other),
                }),
            };
        }
    }

    async fn claim(
        &self,
        bearer: &Bearer,
        claim: &StepToClaim,
        env: Env,
        origin: Origin,
    ) -> Result<(Claim, (Secret<String>, Timestamp)), ServiceError> {
        let token = self.random.token();
        let verified = NewToken::verified(&token, claim, &bearer.token).ok_or_else(|| {
            ServiceError::bug(
                "an attempt went astray",
                "it claims a step for another session",
            )
        })?;
        let expires = verified.record().expires;
        let finish = Finish {
            claim: claim.clone(),
            partial: bearer.token.hash,
            verified,
            verified_seed: claim
                .enrols()
                .then(|| self.seal_as_verified(bearer))
                .transpose()?,
            device_completed: completion_to_note(bearer, env.now),
        };
        let trail = self.passed(bearer, claim, env, origin);
        let finished = self.store.finish(&finish, &trail).await?;
        Ok((finished, (token.reveal(), expires)))
    }

    /// Writes down why a code was refused, unless that is written with its count.
    async fn record_refusal(
        &self,
        bearer: &Bearer,
        verdict: &Verdict,
        env: Env,
        origin: Origin,
    ) -> Result<(), ServiceError> {
        match verdict {
            Verdict::Passed(_) | Verdict::Refused(Refusal::WrongCode) => Ok(()),
            Verdict::Refused(reason) => {
                let budget = &bearer.factor.budget;
                let trail = self.refused(bearer, budget, *reason, env, origin);
                Ok(self
                    .store
                    .record(trail.get(..1).unwrap_or_default())
                    .await?)
            }
        }
    }

    /// The bearer's seed, sealed so that it opens as a verified one.
    fn seal_as_verified(&self, bearer: &Bearer) -> Result<vestibule_store::Sealed, ServiceError> {
        let Some(stored) = &bearer.factor.seed else {
            return Err(ServiceError::bug(
                "an attempt went astray",
                "there is no seed",
            ));
        };
        let place = |verified| SeedPlace::new(bearer.user.id, stored.id, verified);
        let seed = self.keyring.open(&stored.sealed, place(false).place())?;
        Ok(self
            .keyring
            .seal(&seed, place(true).place(), &*self.random)?)
    }
}

/// A wrong guess, as stores write it down.
fn counted(guess: WrongGuess) -> Settlement {
    let WrongGuess {
        user,
        session,
        revision,
        budget,
        ends_token,
    } = guess;
    Settlement {
        user,
        session,
        revision,
        budget,
        dialogue: DialogueChange::Keep,
        ends_token,
    }
}

fn conclude(
    bearer: &Bearer,
    verdict: Verdict,
    rotated: Option<(Secret<String>, Timestamp)>,
) -> Result<SignedIn, ServiceError> {
    match (verdict, rotated) {
        (
            Verdict::Passed(Passed {
                offset, enrolled, ..
            }),
            Some((token, session_expires)),
        ) => {
            let enrolled = enrolled.is_some();
            info!(subject.id = %bearer.user.id, offset.steps = offset, enrolled, "Second factor passed");
            Ok(SignedIn {
                token,
                username: bearer.user.name.to_string(),
                session_expires,
                second_factor_due: false,
            })
        }
        (Verdict::Passed(_), None) => Err(ServiceError::bug(
            "an attempt went astray",
            "it passed without a claim",
        )),
        (Verdict::Refused(Refusal::TokenEnded), _) => {
            Err(ServiceError::TokenRefused(TokenRefusal::Unknown))
        }
        (Verdict::Refused(Refusal::Contended), _) => Err(ServiceError::contended()),
        (Verdict::Refused(reason), _) => {
            warn!(subject.id = %bearer.user.id, %reason, "Second factor refused");
            Err(ServiceError::SecondFactorRefused(reason))
        }
    }
}

/// Where the seed of a user lies. Which enrolment it is and whether it is verified are part of the
/// place: neither can be changed in the database without the seed ceasing to open.
pub(crate) struct SeedPlace {
    user: UserId,
    detail: [u8; 17],
}

impl SeedPlace {
    pub(crate) fn new(user: UserId, seed: SeedId, verified: bool) -> Self {
        let mut detail = [u8::from(verified); 17];
        for (to, from) in detail.iter_mut().zip(Uuid::as_bytes(&seed.uuid())) {
            *to = *from;
        }
        Self { user, detail }
    }

    pub(crate) fn place(&self) -> Place<'_> {
        Place {
            table: "second_factors",
            row: self.user.uuid(),
            purpose: "totp seed",
            detail: &self.detail,
        }
    }
}
