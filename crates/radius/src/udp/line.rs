//! One socket and what is pending on it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::net::UdpSocket;

use super::endpoint::Endpoint;
use super::error::Discarded;
use crate::{Authenticator, RECEIVE_BUFFER, Verified};

/// Identifiers of a socket.
const IDENTIFIERS: usize = 256;

/// How long the reader rests after an error that says nothing.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// A connected socket, and the requests that wait on it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) socket: UdpSocket,
    waiting: Mutex<Vec<Option<Waiting>>>,
}

/// A request that waits. It is here as long as the future that waits.
#[derive(Debug)]
struct Waiting {
    authenticator: Authenticator,
    /// Whether a person is asked.
    is_push: bool,
    /// Since when: since the first send, once there was one.
    since: Duration,
    has_answer: bool,
    news: Option<News>,
    waker: Option<Waker>,
    discarded: Discarded,
}

/// What a waiting request is told.
#[derive(Debug)]
pub(super) enum News {
    /// A signed answer.
    Answer(Box<Verified>),
    /// Nobody listens there.
    Refused,
    /// The server is believed dead now.
    Died,
    /// The client is shut down.
    Stopped,
}

impl News {
    /// What is not overwritten by less: an answer is an answer, however the server fares after.
    const fn weight(&self) -> u8 {
        match self {
            Self::Refused => 0,
            Self::Died => 1,
            Self::Stopped => 2,
            Self::Answer(_) => 3,
        }
    }
}

impl Line {
    pub(super) fn new(socket: UdpSocket) -> Self {
        Self {
            socket,
            waiting: Mutex::new((0..IDENTIFIERS).map(|_| None).collect()),
        }
    }

    /// Where it sends from.
    pub(super) fn local(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()
    }

    /// A request waits with this identifier from now on.
    pub(super) fn enter(
        &self,
        identifier: u8,
        authenticator: Authenticator,
        is_push: bool,
        since: Duration,
    ) {
        let waiting = Waiting {
            authenticator,
            is_push,
            since,
            has_answer: false,
            news: None,
            waker: None,
            discarded: Discarded::default(),
        };
        if let Some(place) = self.lock().get_mut(usize::from(identifier)) {
            *place = Some(waiting);
        }
    }

    /// It is sent for the first time.
    pub(super) fn begin(&self, identifier: u8, now: Duration) {
        self.with(identifier, |waiting| waiting.since = now);
    }

    /// It waits no more.
    pub(super) fn leave(&self, identifier: u8) {
        if let Some(place) = self.lock().get_mut(usize::from(identifier)) {
            *place = None;
        }
    }

    /// What came with its identifier and was no answer.
    pub(super) fn discarded(&self, identifier: u8) -> Discarded {
        let discarded = self.with(identifier, |waiting| waiting.discarded);
        discarded.unwrap_or_default()
    }

    /// The news for a request, once there are any.
    pub(super) fn poll_news(&self, identifier: u8, context: &Context<'_>) -> Poll<News> {
        let news = self.with(identifier, |waiting| {
            let news = waiting.news.take();
            if news.is_none() {
                match &mut waiting.waker {
                    Some(waker) => waker.clone_from(context.waker()),
                    none => *none = Some(context.waker().clone()),
                }
            }
            news
        });
        match news {
            Some(Some(news)) => Poll::Ready(news),
            Some(None) => Poll::Pending,
            // Nobody waits here who has not entered.
            None => Poll::Ready(News::Stopped),
        }
    }

    /// Tells all that wait here.
    pub(super) fn tell_all(&self, news: impl Fn() -> News) {
        let mut wakers = Vec::new();
        for waiting in self.lock().iter_mut().flatten() {
            wakers.extend(waiting.take_in(news()));
        }
        wakers.into_iter().for_each(Waker::wake);
    }

    /// The authenticator of the request that waits with this identifier and has no answer yet.
    pub(super) fn pending(&self, identifier: u8) -> Option<Authenticator> {
        self.with(identifier, |waiting| {
            (!waiting.has_answer).then_some(waiting.authenticator)
        })?
    }

    /// Counts what came for a request and was no answer.
    pub(super) fn count(&self, identifier: u8, discard: crate::Discard) {
        self.with(identifier, |waiting| {
            if !waiting.has_answer {
                waiting.discarded.count(discard);
            }
        });
    }

    /// Since when a request waits.
    pub(super) fn since(&self, identifier: u8) -> Option<Duration> {
        self.with(identifier, |waiting| waiting.since)
    }

    /// Hands an answer to the request of this authenticator, if it still waits.
    pub(super) fn answer(&self, authenticator: &Authenticator, verified: Verified) {
        let waker = self.with(verified.identifier, |waiting| {
            let is_it = waiting.authenticator.as_octets() == authenticator.as_octets();
            if !is_it || waiting.has_answer {
                return None;
            }
            waiting.has_answer = true;
            waiting.take_in(News::Answer(Box::new(verified)))
        });
        if let Some(Some(waker)) = waker {
            waker.wake();
        }
    }

    /// Since when the oldest push waits.
    pub(super) fn oldest_push(&self) -> Option<Duration> {
        let waiting = self.lock();
        let pushes = waiting.iter().flatten().filter(|waiting| waiting.is_push);
        pushes.map(|waiting| waiting.since).min()
    }

    fn with<T>(&self, identifier: u8, act: impl FnOnce(&mut Waiting) -> T) -> Option<T> {
        let mut waiting = self.lock();
        let place = waiting.get_mut(usize::from(identifier))?;
        place.as_mut().map(act)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Option<Waiting>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Takes the news in, unless there are better ones, and tells whom to wake.
    fn take_in(&mut self, news: News) -> Option<Waker> {
        let is_better = |current: &News| current.weight() < news.weight();
        if !self.news.as_ref().is_none_or(is_better) {
            return None;
        }
        self.news = Some(news);
        self.waker.take()
    }
}

/// Reads a socket until it is aborted or its endpoint is gone. No error ends it.
pub(super) async fn read(line: Arc<Line>, endpoint: Weak<Endpoint>) {
    let mut buffer = vec![0; RECEIVE_BUFFER];
    loop {
        let received = line.socket.recv(&mut buffer).await;
        let Some(endpoint) = endpoint.upgrade() else {
            return;
        };
        match received {
            Ok(length) => endpoint.received(&line, buffer.get(..length).unwrap_or_default()),
            Err(error) if super::socket::is_refusal(&error) => endpoint.refused(&line),
            Err(_) => {
                drop(endpoint);
                tokio::time::sleep_until(tokio::time::Instant::now() + AFTER_ERROR).await;
            }
        }
    }
}
