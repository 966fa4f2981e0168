//! Others who use the server meanwhile, few and at a pace of their own.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval_at};

use crate::fault::{OrFault as _, Result};
use crate::http::Request;
use crate::load::{Pace, Paced, paced};
use crate::site::Session;

/// What they ask for, in this order.
pub(super) const NAMES: [&str; 2] = ["provider names", "initialize"];

/// From one request to the next: a hundred a second of each kind.
const EVERY: Duration = Duration::from_millis(5);

/// Others under way.
pub(super) struct Watch {
    stop: oneshot::Sender<()>,
    asking: JoinHandle<Result<Paced>>,
}

impl Watch {
    /// Begins to ask for what needs no token, and for what one session needs.
    pub(super) fn start(address: SocketAddr, session: &Session) -> Result<Self> {
        let pace = Pace {
            requests: vec![
                Request::get("/admin/identity-providers/names", None),
                session.initialize()?,
            ],
            every: EVERY,
        };
        let (stop, stopped) = oneshot::channel();
        let asking = tokio::spawn(paced(address, pace, stopped));
        Ok(Self { stop, asking })
    }

    /// Stops asking.
    pub(super) async fn stop(self) -> Result<Paced> {
        // Who has stopped already has a fault to tell of.
        let _ = self.stop.send(());
        self.asking.await.or_fault("others ended")?
    }

    /// Stops asking when so much time has passed.
    pub(super) async fn for_a_while(self, time: Duration) -> Result<Paced> {
        interval_at(Instant::now() + time, time).tick().await;
        self.stop().await
    }
}
