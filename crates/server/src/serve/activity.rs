//! When a connection was last of use: it has a request under way, or it has been idle since then.
//!
//! Bytes that arrive are no use by themselves. A client of HTTP/2 that only answers pings would
//! otherwise hold its place for ever.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// What goes on in one connection. Shared by the connection and its requests.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    under_way: usize,
    idle_since: Instant,
}

impl Activity {
    /// A new connection, which has been of no use so far.
    pub(super) fn start() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            under_way: 0,
            idle_since: Instant::now(),
        })))
    }

    /// A request begins, and goes on until its value is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> UnderWay {
        self.state().under_way += 1;
        UnderWay(Arc::clone(self))
    }

    /// Since when there has been no request; nothing while there is one.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        (state.under_way == 0).then_some(state.idle_since)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nobody panics in between, and the numbers are right at any point.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request under way.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<Activity>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.under_way = state.under_way.saturating_sub(1);
        state.idle_since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn idle_is_who_has_no_request() {
        let activity = Activity::start();
        let start = Instant::now();
        assert_eq!(activity.idle_since(), Some(start));
        let (one, two) = (activity.begin(), activity.begin());
        assert_eq!(activity.idle_since(), None);
        drop(one);
        assert_eq!(activity.idle_since(), None);
        advance(Duration::from_secs(9)).await;
        drop(two);
        assert_eq!(activity.idle_since(), Some(start + Duration::from_secs(9)));
    }
}
