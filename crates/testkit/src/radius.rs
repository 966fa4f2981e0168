//! A RADIUS server that misbehaves on demand.
//!
//! [`RadiusSimulator`] is one UDP socket and one task, and carries ten thousand requests that wait
//! for an answer. What it answers, and how wrongly, a handler says for each request. It reads and
//! writes packets by itself (its own `codec`), so that what it says about a client does not rest on the
//! client's own code.

mod answer;
mod cache;
mod codec;
mod counters;
mod loss;
mod received;
mod server;

pub use answer::{Action, Answer, Flaw, Origin};
pub use counters::Counters;
pub use received::{Received, Signature};

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;

use loss::Loss;
use server::{Handler, Shared};

/// Codes of packets, RFC 2865 section 3.
pub mod code {
    /// Access-Request.
    pub const REQUEST: u8 = 1;
    /// Access-Accept.
    pub const ACCEPT: u8 = 2;
    /// Access-Reject.
    pub const REJECT: u8 = 3;
    /// Access-Challenge.
    pub const CHALLENGE: u8 = 11;
    /// Status-Server, RFC 5997.
    pub const STATUS_SERVER: u8 = 12;
    /// Protocol-Error, RFC 7930.
    pub const PROTOCOL_ERROR: u8 = 52;
}

/// Types of attributes, RFC 2865 section 5, that this module or its users name.
pub mod attribute {
    /// User-Name.
    pub const USER_NAME: u8 = 1;
    /// User-Password.
    pub const USER_PASSWORD: u8 = 2;
    /// CHAP-Password.
    pub const CHAP_PASSWORD: u8 = 3;
    /// Reply-Message.
    pub const REPLY_MESSAGE: u8 = 18;
    /// State.
    pub const STATE: u8 = 24;
    /// Vendor-Specific.
    pub const VENDOR_SPECIFIC: u8 = 26;
    /// CHAP-Challenge.
    pub const CHAP_CHALLENGE: u8 = 60;
    /// Message-Authenticator, RFC 3579 section 3.2.
    pub const MESSAGE_AUTHENTICATOR: u8 = 80;
}

/// What the simulator does with Status-Server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusServer {
    /// Nothing, as most servers do unless told otherwise.
    Silent,
    /// An Access-Accept with Message-Authenticator, as of FreeRADIUS 3.2.7.
    Signed,
    /// An Access-Accept without, as of FreeRADIUS 3.2.1.
    Unsigned,
}

/// A server of one secret. It needs a tokio runtime to run in, and stops when it is dropped.
pub struct RadiusSimulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for RadiusSimulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RadiusSimulator")
            .field("address", &self.address)
            .field("counters", &self.counters())
            .finish_non_exhaustive()
    }
}

impl RadiusSimulator {
    /// A server on a free port of the IPv4 loopback.
    pub fn start(
        secret: &[u8],
        handler: impl Fn(&Received) -> Vec<Action> + Send + Sync + 'static,
    ) -> Self {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), secret, handler)
    }

    /// A server at an address; port 0 is any that is free.
    ///
    /// # Panics
    ///
    /// When the address cannot be bound.
    pub fn start_at(
        address: SocketAddr,
        secret: &[u8],
        handler: impl Fn(&Received) -> Vec<Action> + Send + Sync + 'static,
    ) -> Self {
        let handler: Box<Handler> = Box::new(handler);
        let shared = Arc::new(Shared::new(secret, handler));
        let socket = server::bind(address).expect("the address of the simulator is free");
        let address = socket.local_addr().expect("it is bound");
        let task = tokio::spawn(server::run(Arc::clone(&shared), socket));
        Self {
            address,
            shared,
            task: Mutex::new(Some(task)),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers otherwise from now on.
    pub fn handle(&self, handler: impl Fn(&Received) -> Vec<Action> + Send + Sync + 'static) {
        self.shared.set_handler(Box::new(handler));
    }

    /// What it does with Status-Server; silent at first.
    pub fn answer_status_server(&self, how: StatusServer) {
        self.shared
            .configure(|settings| settings.status_server = how);
    }

    /// Whether requests with a wrong Message-Authenticator are handled; they are dropped at first.
    pub fn trust_all_requests(&self, trust: bool) {
        self.shared.configure(|settings| settings.trust_all = trust);
    }

    /// Whether the same request again is told from a new one; it is at first.
    ///
    /// Without it the handler sees each datagram, as with servers that detect no duplicates.
    pub fn detect_duplicates(&self, detect: bool) {
        self.shared
            .configure(|settings| settings.detect_duplicates = detect);
    }

    /// How long an answer is sent again to who asks again, 5 s at first. Who asks later is asked
    /// for anew, which rings the phone once more.
    pub fn keep_answers(&self, kept: Duration) {
        self.shared
            .configure(|settings| settings.answers_kept = kept);
    }

    /// Loses one datagram in `n`, in both directions; 0 loses none. Which ones is chosen by a
    /// generator with a seed, the same in each run.
    pub fn lose_every(&self, n: u32) {
        self.shared.set_loss(Loss::one_in(n));
    }

    /// Sends all answers that are held back, and says how many they are.
    pub fn release(&self) -> usize {
        self.shared.release(std::mem::take)
    }

    /// Sends the answer that was held back last.
    pub fn release_last(&self) -> usize {
        self.shared.release(|held| held.pop().into_iter().collect())
    }

    /// How many answers are held back.
    pub fn held(&self) -> usize {
        self.shared.held()
    }

    /// What was seen so far.
    pub fn counters(&self) -> Counters {
        *self.shared.counters().borrow()
    }

    /// Waits until the counters are as told. Not for paused time, which would run ahead.
    ///
    /// # Panics
    ///
    /// When it takes longer than 30 s: what the test waits for will not come.
    pub async fn wait_until(&self, mut reached: impl FnMut(&Counters) -> bool) -> Counters {
        let mut counters = self.shared.counters();
        let waiting = counters.wait_for(|counters| reached(counters));
        let waited = tokio::time::timeout(Duration::from_secs(30), waiting).await;
        if let Ok(Ok(counters)) = waited {
            return *counters;
        }
        panic!("in vain, with {:?}", self.counters());
    }

    /// Closes the port, and waits until it is closed: whoever sends now is refused by the system.
    pub async fn stop(&self) {
        let task = self.task().take();
        if let Some(task) = task {
            task.abort();
            let _ = task.await;
        }
        self.shared.forget();
    }

    /// Listens again on the same port, having forgotten what was there before it stopped.
    ///
    /// # Panics
    ///
    /// When something else has taken the port.
    pub fn start_again(&self) {
        let mut task = self.task();
        if task.is_none() {
            let socket = server::bind(self.address).expect("the port of the simulator is free");
            *task = Some(tokio::spawn(server::run(Arc::clone(&self.shared), socket)));
        }
    }

    fn task(&self) -> std::sync::MutexGuard<'_, Option<JoinHandle<()>>> {
        self.task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RadiusSimulator {
    fn drop(&mut self) {
        if let Some(task) = self.task().take() {
            task.abort();
        }
    }
}
