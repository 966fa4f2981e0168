//! An attempt, and what it asks for.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{info, warn};
use vestibule_engine::attempt::Refusal;
use vestibule_engine::audit::{Detail, Entry, Event, Outcome, Signed};
use vestibule_engine::radius::{
    ClaimedHandle, Credential, Dialogue, Effect, Handle, Input, Question, RadiusAttempt,
    RadiusStanding, Reply, Transition, Verdict,
};
use vestibule_engine::{
    Acceptance, GuessBudget, MfaProviderId, NewToken, PushOutcome, Secret, Timestamp, TokenHash,
};
use vestibule_radius::Password;
use vestibule_store::{Redeeming, Redemption, Swap};

use super::ask::Answered;
use super::{Heard, RadiusProvider};
use crate::audit::with_budget;
use crate::initialize::Initialized;
use crate::second_factor::Due;
use crate::session::completion_to_note;
use crate::sign_in::SignedIn;
use crate::{Inner, Origin, Service, ServiceError, TokenRefusal};

/// For how long a server is still waited for when nobody waits for the answer any more: longer
/// than one takes that decides by itself.
const AFTER_HANGING_UP: Duration = Duration::from_secs(5);

/// What an attempt has at hand besides the engine.
struct Means {
    /// What the user typed, or their password; used up by the one request that carries it.
    password: Option<Password>,
    origin: Origin,
    /// What was heard of the servers.
    heard: Option<Heard>,
    /// Resolves when nobody waits for the answer any more.
    gone: Option<oneshot::Receiver<()>>,
}

impl Means {
    /// Remembers what is to be written down of an answer.
    fn hears(&mut self, answered: Answered) -> Reply {
        self.heard = Some(answered.heard);
        answered.reply
    }
}

/// How an attempt ended, and the token that it earned.
type Ended = (Verdict, Option<(Secret<String>, Timestamp)>);

impl Inner {
    /// Makes a server ask something.
    pub(super) async fn open_dialogue(
        self: Arc<Self>,
        due: Box<Due>,
        user_password: Option<Password>,
        origin: Origin,
    ) -> Result<Initialized, ServiceError> {
        let timeout = due.radius()?.settings().timeout;
        let handle = Handle::from_bytes(self.random.bytes());
        let with = match user_password {
            Some(_) => Credential::UserPassword,
            None => Credential::ChallengeSecret,
        };
        let (verdict, due) = while_somebody_waits(|gone| async move {
            let means = Means {
                password: user_password,
                origin,
                heard: None,
                gone: Some(gone),
            };
            self.open(due, with, handle, means).await
        })
        .await?;
        match verdict {
            Verdict::Challenged { handle, message } => Ok(Initialized::Challenge {
                message: Some(message).filter(|message| !message.is_empty()),
                state: Some(*handle.as_bytes()),
                timeout,
            }),
            Verdict::Passed | Verdict::AskedAgain { .. } => Err(ServiceError::bug(
                "an attempt went astray",
                "the first request of a dialogue ended it",
            )),
            verdict @ (Verdict::Refused(_) | Verdict::Unavailable | Verdict::AcceptedTooEarly) => {
                Err(refusal(&due, verdict))
            }
        }
    }

    async fn open(
        &self,
        mut due: Box<Due>,
        with: Credential,
        handle: Handle,
        means: Means,
    ) -> Result<(Verdict, Box<Due>), ServiceError> {
        let standing = self.radius_standing(&due.bearer, &due.provider, due.radius()?)?;
        let first = RadiusAttempt::open(standing, with, handle, self.time.now());
        let (verdict, _) = self.run(&mut due, first, means).await?;
        Ok((verdict, due))
    }

    /// Sends what the user typed.
    pub(super) fn answer(
        self: Arc<Self>,
        due: Box<Due>,
        claimed: Option<ClaimedHandle>,
        password: Password,
        origin: Origin,
    ) -> impl Future<Output = Result<SignedIn, ServiceError>> + Send + 'static {
        while_somebody_waits(move |gone| async move {
            let means = Means {
                password: Some(password),
                origin,
                heard: None,
                gone: Some(gone),
            };
            self.judge(due, claimed, means).await
        })
    }

    async fn judge(
        &self,
        mut due: Box<Due>,
        claimed: Option<ClaimedHandle>,
        means: Means,
    ) -> Result<SignedIn, ServiceError> {
        let origin = means.origin;
        let handle = Handle::from_bytes(self.random.bytes());
        let standing = self.radius_standing(&due.bearer, &due.provider, due.radius()?)?;
        let before = standing.dialogue.as_ref().map(Dialogue::handle);
        let first = RadiusAttempt::answer(standing, claimed, handle, self.time.now());
        let ended = self.run(&mut due, first, means).await?;
        if let (Verdict::Refused(Refusal::Rejected), Some(handle)) = (&ended.0, before) {
            self.ask_anew(due.bearer.token.hash, handle, origin).await;
        }
        signed_in(&due, ended)
    }

    /// After a wrong answer the server's State is spent. Where the first request needs nothing from
    /// the user, the server is made to ask again at once, so that the next answer has a question.
    async fn ask_anew(&self, token: TokenHash, handle: Handle, origin: Origin) {
        // Whoever has no token any more, or another provider, has nothing to answer.
        let Ok(due) = self.due(&token).await else {
            return;
        };
        if !due.radius().is_ok_and(RadiusProvider::opens_by_itself) {
            return;
        }
        let means = Means {
            password: None,
            origin,
            heard: None,
            gone: None,
        };
        match self
            .open(due, Credential::ChallengeSecret, handle, means)
            .await
        {
            Ok((Verdict::Challenged { .. }, _)) => {}
            Ok((verdict, due)) => {
                let error = refusal(&due, verdict);
                warn!(%error, "No new challenge after a wrong answer");
            }
            Err(error) => warn!(%error, "No new challenge after a wrong answer"),
        }
    }

    /// Carries out what an attempt asks for, until it is over.
    async fn run(
        &self,
        due: &mut Due,
        first: Transition,
        mut means: Means,
    ) -> Result<Ended, ServiceError> {
        let mut transition = first;
        let mut rotated = None;
        let mut budget = due.bearer.factor.budget.clone();
        let mut is_recorded = false;
        loop {
            let input = match transition.effect {
                Effect::Finish(verdict) => {
                    if !is_recorded {
                        let trail = self.judged(due, &verdict, &budget, &means);
                        self.store.record(&trail).await?;
                    }
                    return Ok((verdict, rotated));
                }
                Effect::Settle(settle) => {
                    let (session, user) = (settle.session, settle.user);
                    let settlement =
                        settle.kept_as(|open| self.seal_dialogue(open, session, user))?;
                    let verdict = transition.next.as_ref();
                    let verdict = verdict.and_then(RadiusAttempt::verdict_when_settled);
                    let trail = match verdict {
                        Some(verdict) => self.judged(due, verdict, &settlement.budget, &means),
                        None => Vec::new(),
                    };
                    match self.store.settle(&settlement, &trail).await? {
                        Swap::Done => {
                            is_recorded = !trail.is_empty();
                            budget = settlement.budget;
                            Some(Input::Settled)
                        }
                        Swap::Moved => None,
                    }
                }
                Effect::Ask(question) => {
                    Some(Input::Replied(self.ask(due, &question, &mut means).await?))
                }
                Effect::Redeem(acceptance) => {
                    let (redeeming, token) = self.redeem(due, &acceptance, &means).await?;
                    match redeeming {
                        Redeeming::Fresh(proof) => {
                            rotated = Some(token);
                            Some(Input::Redeemed(proof))
                        }
                        Redeeming::Moved => None,
                    }
                }
            };
            let input = match input {
                Some(input) => input,
                None => Input::Moved(self.as_it_is_now(due).await?),
            };
            let state = transition.next.ok_or_else(|| {
                ServiceError::bug("an attempt went astray", "it ended without a verdict")
            })?;
            transition = state
                .step(input, self.time.now())
                .map_err(|invalid| ServiceError::bug("an attempt went astray", invalid))?;
        }
    }

    /// Reads again how things stand; `None` when the token has ended.
    async fn as_it_is_now(&self, due: &mut Due) -> Result<Option<RadiusStanding>, ServiceError> {
        match self.due(&due.bearer.token.hash).await {
            Ok(now) => *due = *now,
            Err(ServiceError::TokenRefused(_)) => return Ok(None),
            Err(other) => return Err(other),
        }
        let standing = self.radius_standing(&due.bearer, &due.provider, due.radius()?)?;
        Ok(Some(standing))
    }

    async fn ask(
        &self,
        due: &Due,
        question: &Question,
        means: &mut Means,
    ) -> Result<Reply, ServiceError> {
        let radius = due.radius()?;
        let password = match question.with {
            Credential::ChallengeSecret => radius.challenge_secret()?,
            Credential::Typed | Credential::UserPassword => {
                means.password.take().ok_or_else(|| {
                    ServiceError::bug("an attempt went astray", "it asks twice with one password")
                })?
            }
        };
        let request = radius.request(&due.bearer.user, means.origin.address, password)?;
        let asked = radius.ask(request, question);
        let Some(mut gone) = means.gone.take() else {
            return Ok(means.hears(asked.await));
        };
        let mut asked = std::pin::pin!(asked);
        tokio::select! {
            biased;
            answered = &mut asked => return Ok(means.hears(answered)),
            _ = &mut gone => {}
        }
        // A verdict that is on its way still counts: hanging up must not make guesses free.
        let answered = timeout(AFTER_HANGING_UP, asked).await;
        Ok(means.hears(answered.unwrap_or_else(|_| {
            info!("The client has gone: the RADIUS server is not waited for any longer");
            Answered::silent(&"the client has gone")
        })))
    }

    async fn redeem(
        &self,
        due: &Due,
        acceptance: &Acceptance,
        means: &Means,
    ) -> Result<(Redeeming, (Secret<String>, Timestamp)), ServiceError> {
        let token = self.random.token();
        let verified = NewToken::verified(&token, acceptance, &due.bearer.token);
        let verified = verified.ok_or_else(|| {
            ServiceError::bug(
                "an attempt went astray",
                "it was accepted for another session",
            )
        })?;
        let expires = verified.record().expires;
        let redemption = Redemption {
            acceptance: acceptance.clone(),
            partial: due.bearer.token.hash,
            verified,
            device_completed: completion_to_note(&due.bearer, self.time.now()),
        };
        let entry = self.entry(means.origin, Event::SecondFactor, Outcome::Success);
        let entry = about_servers(entry.by_user(&due.bearer.user), due, means.heard.as_ref());
        let trail = [self.sign(entry)];
        let redeeming = self.store.redeem(&redemption, &trail).await?;
        Ok((redeeming, (token.reveal(), expires)))
    }

    /// Makes something of a push of the bearer's that has ended.
    pub(super) async fn conclude_push(
        &self,
        mut due: Box<Due>,
        provider: (MfaProviderId, u64),
        outcome: PushOutcome,
        origin: Origin,
    ) -> Result<SignedIn, ServiceError> {
        let standing = self.radius_standing(&due.bearer, &due.provider, due.radius()?)?;
        let first = RadiusAttempt::collect(&standing, provider, outcome);
        let means = Means {
            password: None,
            origin,
            heard: None,
            gone: None,
        };
        let ended = self.run(&mut due, first, means).await?;
        signed_in(&due, ended)
    }
}

impl Inner {
    /// What is written down of a verdict; what passed is written down when it is redeemed.
    fn judged(
        &self,
        due: &Due,
        verdict: &Verdict,
        budget: &GuessBudget,
        means: &Means,
    ) -> Vec<Signed> {
        let user = &due.bearer.user;
        let (event, outcome, reason) = match verdict {
            Verdict::Passed => return Vec::new(),
            Verdict::Challenged { .. } => (Event::SecondFactorBegun, Outcome::Success, None),
            Verdict::AskedAgain { .. } => (
                Event::SecondFactor,
                Outcome::Failure,
                Some("the RADIUS server asks again".to_owned()),
            ),
            Verdict::Refused(reason) => (
                Event::SecondFactor,
                Outcome::Failure,
                Some(reason.to_string()),
            ),
            Verdict::Unavailable => (
                Event::SecondFactor,
                Outcome::Error,
                Some("no RADIUS server answered".to_owned()),
            ),
            Verdict::AcceptedTooEarly => (
                Event::SecondFactor,
                Outcome::Error,
                Some("the RADIUS server accepted without asking for a second factor".to_owned()),
            ),
        };
        let entry = self.entry(means.origin, event, outcome).by_user(user);
        let entry = match reason {
            Some(reason) => entry.because(reason),
            None => entry,
        };
        let entry = with_budget(about_servers(entry, due, means.heard.as_ref()), budget);
        let mut trail = vec![self.sign(entry)];
        if matches!(verdict, Verdict::Refused(Refusal::Rejected)) {
            let now = self.time.now();
            trail.extend(self.budget_ran_out(&due.bearer, budget, now, means.origin));
        }
        trail
    }
}

/// Which provider, and what its servers said.
fn about_servers(entry: Entry, due: &Due, heard: Option<&Heard>) -> Entry {
    let mode = due
        .radius()
        .ok()
        .map(|radius| radius.settings().mode.as_str());
    entry
        .with(Detail::Provider, due.provider.version.id)
        .with_some(Detail::Mode, mode)
        .with_some(Detail::Server, heard.and_then(|heard| heard.server))
        .with_some(Detail::Reply, heard.map(|heard| &heard.what))
        .with_some(
            Detail::ReplyMessage,
            heard.and_then(|heard| heard.message.as_ref()),
        )
}

/// Runs work to its end even when its client has gone, but tells it when that happens.
fn while_somebody_waits<T, F>(
    work: impl FnOnce(oneshot::Receiver<()>) -> F,
) -> impl Future<Output = Result<T, ServiceError>> + Send + 'static
where
    T: Send + 'static,
    F: Future<Output = Result<T, ServiceError>> + Send + 'static,
{
    let (here, gone) = oneshot::channel();
    let running = Service::to_the_end(work(gone));
    async move {
        // Dropped with this future, which is dropped when the client goes.
        let _here: oneshot::Sender<()> = here;
        running.await
    }
}

fn signed_in(due: &Due, (verdict, rotated): Ended) -> Result<SignedIn, ServiceError> {
    match (verdict, rotated) {
        (Verdict::Passed, Some((token, session_expires))) => {
            info!(subject.id = %due.bearer.user.id, provider.id = %due.provider.version.id,
                "Second factor passed");
            Ok(SignedIn {
                token,
                username: due.bearer.user.name.to_string(),
                session_expires,
                second_factor_due: false,
            })
        }
        (Verdict::Passed, None) => Err(ServiceError::bug(
            "an attempt went astray",
            "it passed without a redemption",
        )),
        (verdict, _) => Err(refusal(due, verdict)),
    }
}

/// What a bearer is told of an attempt that did not pass.
fn refusal(due: &Due, verdict: Verdict) -> ServiceError {
    let (subject, provider) = (due.bearer.user.id, due.provider.version.id);
    match verdict {
        Verdict::Passed | Verdict::Challenged { .. } => {
            ServiceError::bug("an attempt went astray", "it was refused and was not")
        }
        Verdict::AskedAgain { message } => {
            info!(subject.id = %subject, provider.id = %provider, "The RADIUS server asks again");
            ServiceError::SecondFactorAskedAgain { message }
        }
        Verdict::Refused(Refusal::TokenEnded) => ServiceError::TokenRefused(TokenRefusal::Unknown),
        Verdict::Refused(Refusal::Contended) => ServiceError::contended(),
        Verdict::Refused(reason) => {
            warn!(subject.id = %subject, provider.id = %provider, %reason, "Second factor refused");
            ServiceError::SecondFactorRefused(reason)
        }
        Verdict::Unavailable => ServiceError::AuthenticationServerSilent,
        Verdict::AcceptedTooEarly => ServiceError::AcceptedTooEarly { provider },
    }
}
