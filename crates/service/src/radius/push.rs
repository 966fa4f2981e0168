//! Pushes under way: sent once, waited for from anywhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::SetOnce;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tracing::{Instrument as _, error, info, warn};
use vestibule_engine::audit::{Detail, Event, Outcome};
use vestibule_engine::provider::RadiusMode;
use vestibule_engine::push::{Asked, PushState, ask};
use vestibule_engine::{Push, PushId, PushOutcome, Refusal, Secret, UserId};
use vestibule_radius::AccessRequest;
use vestibule_store::{PushStart, StoreError, Swap};

use super::password_of;
use crate::audit::with_budget;
use crate::known::{KnownKind, KnownProvider};
use crate::metrics::Limit;
use crate::second_factor::{Due, Finishing};
use crate::{Inner, Origin, Service, ServiceError};

/// How often a push is asked for anew when something moved under it.
const MOST_TRIES: u8 = 16;
/// How long after the servers' time is over the outcome of a push may still be written down.
const WRITING: Duration = Duration::from_secs(2);
/// How often a push of another replica is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often it is tried to write an outcome down, one [`WRITING`] apart.
const WRITES: u32 = 10;

/// How a push ends: its outcome, or nothing if that is not found out here.
type Ending = SetOnce<Option<PushOutcome>>;

/// The pushes that this program has sent, for those who wait here.
#[derive(Default)]
pub(crate) struct WaitingPushes(Mutex<HashMap<PushId, Arc<Ending>>>);

impl WaitingPushes {
    fn get(&self, push: PushId) -> Option<Arc<Ending>> {
        self.lock().get(&push).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PushId, Arc<Ending>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A push under way, for whoever finds out how it ends. Dropped, it ends the waiting for it here
/// in any case.
struct Sent {
    inner: Arc<Inner>,
    push: PushId,
    user: UserId,
    origin: Origin,
    ending: Arc<Ending>,
}

impl Sent {
    fn new(inner: &Arc<Inner>, push: &Push, origin: Origin) -> Self {
        let ending = Arc::<Ending>::default();
        inner.pushes.lock().insert(push.id, Arc::clone(&ending));
        Self {
            inner: Arc::clone(inner),
            push: push.id,
            user: push.user,
            origin,
            ending,
        }
    }

    /// Writes the outcome down before anybody here hears of it.
    async fn ended(self, outcome: PushOutcome) {
        // Larger than all that waits until then.
        Box::pin(self.write_down(outcome)).await;
        // Nobody else sets it.
        let _ = self.ending.set(Some(outcome));
    }

    /// Writes an outcome down for those who wait elsewhere. Those here are told in any case.
    async fn write_down(&self, outcome: PushOutcome) {
        let push = self.push;
        let mut tries = interval_at(Instant::now() + WRITING, WRITING);
        for _ in 0..WRITES {
            match self.try_to_write_down(outcome).await {
                Ok(()) => return,
                Err(cause) => {
                    let cause: &dyn std::error::Error = &cause;
                    warn!(push.id = %push, cause, "The outcome of a push cannot be written down yet");
                }
            }
            tries.tick().await;
        }
        error!(push.id = %push, "The outcome of a push could not be written down");
    }

    /// Also who hung up is told of in the audit trail: what they had asked was answered.
    async fn try_to_write_down(&self, outcome: PushOutcome) -> Result<(), StoreError> {
        let inner = &*self.inner;
        let (ending, why) = match outcome {
            PushOutcome::Accepted => (Outcome::Success, None),
            PushOutcome::Denied => (Outcome::Failure, Some(Refusal::Rejected.to_string())),
            PushOutcome::Challenged => (Outcome::Failure, Some(Refusal::CannotAsk.to_string())),
            PushOutcome::Unavailable => {
                (Outcome::Error, Some("no RADIUS server answered".to_owned()))
            }
        };
        let entry = inner.entry(self.origin, Event::PushEnded, ending);
        let entry = match inner.store.user(self.user).await? {
            Some(user) => entry.by_user(&user),
            None => entry,
        };
        let entry = match why {
            Some(why) => entry.because(why),
            None => entry,
        };
        let trail = [inner.sign(entry.with(Detail::Push, self.push))];
        inner.store.end_push(self.push, outcome, &trail).await
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        // Those who still wait have not been told anything.
        let _ = self.ending.set(None);
        self.inner.pushes.lock().remove(&self.push);
    }
}

impl Inner {
    /// Sends a push or joins the one that the session has sent. What is returned waits for its
    /// outcome and makes something of it; only the waiting ends when the client goes.
    pub(super) async fn push(
        self: Arc<Self>,
        due: Box<Due>,
        otp: &Secret<String>,
        origin: Origin,
    ) -> Result<Finishing, ServiceError> {
        let token = due.bearer.token.hash;
        let push = self.push_to_wait_for(due, otp, origin).await?;
        let (id, state) = (push.id, push.state(self.time.now()));
        let provider = (push.provider, push.provider_revision);
        Ok(Box::pin(async move {
            let outcome = match state {
                PushState::Ended(outcome) => outcome,
                PushState::Waiting | PushState::Over => self.outcome(id).await?,
            };
            Service::to_the_end(async move {
                let due = self.due(&token).await?;
                let concluded = self.conclude_push(due, provider, outcome, origin).await;
                if outcome != PushOutcome::Accepted {
                    self.store.collect_push(id).await?;
                }
                concluded
            })
            .await
        }))
    }

    async fn push_to_wait_for(
        self: &Arc<Self>,
        mut due: Box<Due>,
        otp: &Secret<String>,
        origin: Origin,
    ) -> Result<Push, ServiceError> {
        for _ in 0..MOST_TRIES {
            // Read after the bearer: a push that began in between is seen here, or moved the
            // revision that the start of another rests on.
            let pushes = self.store.pushes(due.bearer.user.id).await?;
            let (session, version) = (due.bearer.token.session, due.provider.version);
            let budget = &due.bearer.factor.budget;
            let now = self.time.now();
            match ask(
                budget,
                &pushes,
                session,
                (version.id, version.revision),
                now,
            ) {
                Asked::Barred(reason) => {
                    warn!(subject.id = %due.bearer.user.id, %reason, "Second factor refused");
                    let entry = self.entry(origin, Event::SecondFactor, Outcome::Failure);
                    let entry = entry.by_user(&due.bearer.user).because(reason);
                    let entry = entry.with(Detail::Mode, RadiusMode::Push.as_str());
                    self.record(with_budget(entry, budget)).await?;
                    return Err(ServiceError::SecondFactorRefused(reason));
                }
                Asked::TurnedAway { again } => {
                    warn!(subject.id = %due.bearer.user.id, "Too many pushes");
                    let entry = self.entry(origin, Event::SecondFactor, Outcome::Denied);
                    let why = "another push is waiting, or there were too many";
                    let entry = entry.by_user(&due.bearer.user).because(why);
                    let entry = entry.with(Detail::Mode, RadiusMode::Push.as_str());
                    let seconds = again.since(now).as_secs();
                    self.record(entry.with(Detail::RetryAfter, seconds)).await?;
                    self.metrics.turned_away(Limit::Pushes);
                    return Err(ServiceError::TooManyPushes {
                        retry_after: again.since(now),
                    });
                }
                Asked::Join(push) => return Ok(push),
                Asked::Send => {}
            }
            if let Some(push) = self.start_push(&due, otp, origin).await? {
                return Ok(push);
            }
            due = self.due(&due.bearer.token.hash).await?;
        }
        Err(ServiceError::contended())
    }

    /// Stores a push and sends it; `None` when something moved.
    async fn start_push(
        self: &Arc<Self>,
        due: &Due,
        otp: &Secret<String>,
        origin: Origin,
    ) -> Result<Option<Push>, ServiceError> {
        let radius = due.radius()?;
        let password = if radius.settings().use_user_password {
            password_of("otp", Some(otp))?
        } else {
            radius.challenge_secret()?
        };
        let request = radius.request(&due.bearer.user, origin.address, password)?;
        let now = self.time.now();
        let push = Push {
            id: PushId::from_random(self.random.bytes()),
            user: due.bearer.user.id,
            session: due.bearer.token.session,
            provider: due.provider.version.id,
            provider_revision: due.provider.version.revision,
            started: now,
            deadline: now.after(radius.settings().timeout + WRITING),
            outcome: None,
            collected: false,
        };
        let start = PushStart {
            push: push.clone(),
            revision: due.bearer.factor.revision,
        };
        let entry = self.entry(origin, Event::PushStarted, Outcome::Success);
        let entry = entry.by_user(&due.bearer.user);
        let entry = entry.with(Detail::Provider, push.provider);
        let trail = [self.sign(entry.with(Detail::Push, push.id))];
        if self.store.start_push(&start, &trail).await? == Swap::Moved {
            return Ok(None);
        }
        info!(subject.id = %push.user, provider.id = %push.provider, "Push sent");
        send(
            Arc::clone(&due.provider),
            request,
            Sent::new(self, &push, origin),
        );
        Ok(Some(push))
    }

    /// Waits for the outcome of a push, whoever has sent it.
    async fn outcome(&self, push: PushId) -> Result<PushOutcome, ServiceError> {
        if let Some(ending) = self.pushes.get(push)
            && let Some(outcome) = ending.wait().await
        {
            return Ok(*outcome);
        }
        // Rare, and larger than all that waits here.
        Box::pin(self.outcome_elsewhere(push)).await
    }

    /// Waits for what another replica writes down.
    async fn outcome_elsewhere(&self, push: PushId) -> Result<PushOutcome, ServiceError> {
        let mut looks = interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let Some(push) = self.store.push(push).await? else {
                return Ok(PushOutcome::Unavailable);
            };
            match push.state(self.time.now()) {
                PushState::Ended(outcome) => return Ok(outcome),
                PushState::Over => return Ok(push.outcome.unwrap_or(PushOutcome::Unavailable)),
                PushState::Waiting => {}
            }
            looks.tick().await;
        }
    }
}

/// Has the servers asked.
fn send(provider: Arc<KnownProvider>, request: AccessRequest, sent: Sent) {
    // A block and no function, which would keep what it is given twice, for thousands.
    let asked = async move {
        let outcome = match &provider.kind {
            KnownKind::Radius(radius) => radius.ask_and_wait(&request).await,
            KnownKind::Totp => PushOutcome::Unavailable,
        };
        sent.ended(outcome).await;
    };
    tokio::spawn(asked.in_current_span());
}
