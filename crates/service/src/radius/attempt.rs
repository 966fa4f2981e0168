//! An attempt, and what it asks for.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::{info, warn};
use vestibule_engine::attempt::Refusal;
use vestibule_engine::radius::{
    ClaimedHandle, Credential, Dialogue, Effect, Handle, Input, Question, RadiusAttempt,
    RadiusStanding, Reply, Transition, Verdict,
};
use vestibule_engine::{
    Acceptance, MfaProviderId, NewToken, PushOutcome, Secret, Timestamp, TokenHash,
};
use vestibule_radius::Password;
use vestibule_store::{Redeeming, Redemption, Swap};

use super::RadiusProvider;
use crate::initialize::Initialized;
use crate::second_factor::Due;
use crate::session::completion_to_note;
use crate::sign_in::SignedIn;
use crate::{ClientAddress, Inner, Service, ServiceError, TokenRefusal};

/// For how long a server is still waited for when nobody waits for the answer any more: longer
/// than one takes that decides by itself.
const AFTER_HANGING_UP: Duration = Duration::from_secs(5);

/// What an attempt has at hand besides the engine.
struct Means {
    /// What the user typed, or their password; used up by the one request that carries it.
    password: Option<Password>,
    client: ClientAddress,
    /// Resolves when nobody waits for the answer any more.
    gone: Option<oneshot::Receiver<()>>,
}

/// How an attempt ended, and the token that it earned.
type Ended = (Verdict, Option<(Secret<String>, Timestamp)>);

impl Inner {
    /// Makes a server ask something.
    pub(super) async fn open_dialogue(
        self: Arc<Self>,
        due: Box<Due>,
        user_password: Option<Password>,
        client: ClientAddress,
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
                client,
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
        client: ClientAddress,
    ) -> impl Future<Output = Result<SignedIn, ServiceError>> + Send + 'static {
        while_somebody_waits(move |gone| async move {
            let means = Means {
                password: Some(password),
                client,
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
        let client = means.client;
        let handle = Handle::from_bytes(self.random.bytes());
        let standing = self.radius_standing(&due.bearer, &due.provider, due.radius()?)?;
        let before = standing.dialogue.as_ref().map(Dialogue::handle);
        let first = RadiusAttempt::answer(standing, claimed, handle, self.time.now());
        let ended = self.run(&mut due, first, means).await?;
        if let (Verdict::Refused(Refusal::Rejected), Some(handle)) = (&ended.0, before) {
            self.ask_anew(due.bearer.token.hash, handle, client).await;
        }
        signed_in(&due, ended)
    }

    /// After a wrong answer the server's State is spent. Where the first request needs nothing from
    /// the user, the server is made to ask again at once, so that the next answer has a question.
    async fn ask_anew(&self, token: TokenHash, handle: Handle, client: ClientAddress) {
        // Whoever has no token any more, or another provider, has nothing to answer.
        let Ok(due) = self.due(&token).await else {
            return;
        };
        if !due.radius().is_ok_and(RadiusProvider::opens_by_itself) {
            return;
        }
        let means = Means {
            password: None,
            client,
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
        loop {
            let input = match transition.effect {
                Effect::Finish(verdict) => return Ok((verdict, rotated)),
                Effect::Settle(settle) => {
                    let (session, user) = (settle.session, settle.user);
                    let settlement =
                        settle.kept_as(|open| self.seal_dialogue(open, session, user))?;
                    match self.store.settle(&settlement).await? {
                        Swap::Done => Some(Input::Settled),
                        Swap::Moved => None,
                    }
                }
                Effect::Ask(question) => {
                    Some(Input::Replied(self.ask(due, &question, &mut means).await?))
                }
                Effect::Redeem(acceptance) => {
                    let (redeeming, token) = self.redeem(due, &acceptance).await?;
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
        let request = radius.request(&due.bearer.user, means.client, password)?;
        let asked = radius.ask(request, question);
        let Some(gone) = means.gone.as_mut() else {
            return Ok(asked.await);
        };
        let mut asked = std::pin::pin!(asked);
        tokio::select! {
            biased;
            reply = &mut asked => return Ok(reply),
            _ = gone => {}
        }
        // A verdict that is on its way still counts: hanging up must not make guesses free.
        let reply = timeout(AFTER_HANGING_UP, asked).await;
        Ok(reply.unwrap_or_else(|_| {
            info!("The client has gone: the RADIUS server is not waited for any longer");
            Reply::Silent
        }))
    }

    async fn redeem(
        &self,
        due: &Due,
        acceptance: &Acceptance,
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
        let redeeming = self.store.redeem(&redemption).await?;
        Ok((redeeming, (token.reveal(), expires)))
    }

    /// Makes something of a push of the bearer's that has ended.
    pub(super) async fn conclude_push(
        &self,
        mut due: Box<Due>,
        provider: (MfaProviderId, u64),
        outcome: PushOutcome,
    ) -> Result<SignedIn, ServiceError> {
        let standing = self.radius_standing(&due.bearer, &due.provider, due.radius()?)?;
        let first = RadiusAttempt::collect(&standing, provider, outcome);
        let means = Means {
            password: None,
            client: ClientAddress::Unknown,
            gone: None,
        };
        let ended = self.run(&mut due, first, means).await?;
        signed_in(&due, ended)
    }
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
