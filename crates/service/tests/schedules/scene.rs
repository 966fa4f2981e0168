//! A scene: clients, what they do at once, and what must hold afterwards.

use std::pin::Pin;
use std::time::Duration;

use vestibule_engine::{Refusal, Secret, Token};
use vestibule_service::{
    ClientAddress, Initialized, Origin, SecondFactorAnswer, Service, ServiceError, SignedIn,
};

use crate::explore::MOST;
use crate::stage::Stage;

pub(crate) type Later<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;
type LaterAnywhere<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a client does, with a server of its own.
pub(crate) type Client = Box<dyn FnOnce(Service) -> LaterAnywhere<Ended> + Send>;
type Enter = Box<dyn for<'a> Fn(&'a Stage) -> Later<'a, Vec<Client>>>;
type Check = Box<dyn for<'a> Fn(&'a Stage, &'a [Option<Ended>]) -> Later<'a, Result<(), String>>>;

/// What is done at once.
pub(crate) struct Scene {
    /// Sets the stage, and says who does what.
    pub(crate) enter: Enter,
    /// What must hold when nobody has anything to do any more. Who died has no end.
    pub(crate) check: Check,
    /// How many machines may die.
    pub(crate) deaths: usize,
    /// Time that may pass between two calls, in this order.
    pub(crate) passes: Vec<Duration>,
    /// Whether clients wait for time to pass, and not only for their turns.
    pub(crate) rests: bool,
    /// Whether all clients use one server.
    pub(crate) one_server: bool,
    /// Orders that are tried, at most; as many again at random.
    pub(crate) most: usize,
    /// What the stores do wrong.
    pub(crate) fault: Fault,
}

impl Scene {
    /// A scene in which nobody dies and no time passes, between servers that make no mistake.
    pub(crate) fn new(
        enter: impl for<'a> Fn(&'a Stage) -> Later<'a, Vec<Client>> + 'static,
        check: impl for<'a> Fn(&'a Stage, &'a [Option<Ended>]) -> Later<'a, Result<(), String>>
        + 'static,
    ) -> Self {
        Self {
            enter: Box::new(enter),
            check: Box::new(check),
            deaths: 0,
            passes: Vec::new(),
            rests: false,
            one_server: false,
            most: MOST,
            fault: Fault::None,
        }
    }
}

/// Mistakes that a store could make, so that it is seen that they would be found.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Fault {
    /// None.
    #[default]
    None,
    /// Failures are read, counted and then written, whatever was written in between.
    FailuresOverwrite,
    /// Pushes are stored whatever began in between.
    PushesOverwrite,
    /// The partial token is there still after the verified one was made.
    PartialTokensStay,
}

/// How a client's request ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Ended {
    /// With a verified token.
    Passed(String),
    /// With a seed, in base32.
    Shown(String),
    /// With a verified token, for a code of the seed that was shown before.
    Enrolled {
        /// The seed, in base32.
        secret: String,
        /// The token.
        token: String,
    },
    /// There is a verified seed already.
    Seeded,
    /// With a refusal.
    Refused(Refusal),
    /// The token is none.
    NoToken,
    /// No RADIUS server has answered.
    Unanswered,
    /// With a wait for somebody else's push.
    TurnedAway,
    /// It is done.
    Done,
    /// The password is wrong.
    WrongPassword,
    /// No password is looked at.
    Locked,
    /// With a wish to come back: too many others were at it.
    Contended,
}

impl Ended {
    pub(crate) const fn passed(&self) -> bool {
        matches!(self, Self::Passed(_))
    }

    fn of_error(error: ServiceError) -> Self {
        match error {
            ServiceError::SecondFactorRefused(why) => Self::Refused(why),
            ServiceError::TokenRefused(_) => Self::NoToken,
            ServiceError::AuthenticationServerSilent => Self::Unanswered,
            ServiceError::TooManyPushes { .. } => Self::TurnedAway,
            ServiceError::Unavailable(_) => Self::Contended,
            other => panic!("{other:?}"),
        }
    }
}

impl From<Result<SignedIn, ServiceError>> for Ended {
    fn from(ended: Result<SignedIn, ServiceError>) -> Self {
        match ended {
            Ok(signed_in) => Self::Passed(signed_in.token.expose().clone()),
            Err(error) => Self::of_error(error),
        }
    }
}

/// A request of this machine's.
pub(crate) const fn origin() -> Origin {
    Origin {
        request: uuid::Uuid::nil(),
        address: ClientAddress::Local,
    }
}

/// A token that is known by its octets.
pub(crate) fn token(octet: u8) -> Token {
    Token::from_bytes([octet; 32])
}

/// Sends a code with a partial token.
pub(crate) async fn finish(service: &Service, partial: Token, code: String) -> Ended {
    let answer = SecondFactorAnswer {
        otp: Secret::new(code),
        state: None,
    };
    match service.due_bearer(&partial, origin()).await {
        Ok(due) => service.finish(due, answer, origin()).await.into(),
        Err(error) => Ended::of_error(error),
    }
}

/// Asks for a seed with a partial token.
pub(crate) async fn initialize(service: &Service, partial: &Token) -> Ended {
    let due = match service.due_bearer(partial, origin()).await {
        Ok(due) => due,
        Err(error) => return Ended::of_error(error),
    };
    match service.initialize(due, "host", None, origin()).await {
        Ok(started) => match started.next {
            Initialized::Secret(shown) => Ended::Shown(shown.secret.expose().clone()),
            Initialized::AlreadySeeded => Ended::Seeded,
            other => panic!("{other:?}"),
        },
        Err(error) => Ended::of_error(error),
    }
}

/// A client that does this.
pub(crate) fn client<F>(work: impl FnOnce(Service) -> F + Send + 'static) -> Client
where
    F: Future<Output = Ended> + Send + 'static,
{
    Box::new(move |service| Box::pin(work(service)))
}
