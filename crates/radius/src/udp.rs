//! The client over UDP: sockets, waiting, and which server to ask.
//!
//! A [`Client`] has [`Servers`] for each provider, and they [exchange](Servers::exchange) a request
//! for a signed reply. What decides lies in the rest of the crate; here it is told what came, what
//! the time is and what was drawn, and what it says is done.
//!
//! Nothing that is not signed ends a wait or reaches a caller, and no error of a socket ends the
//! task that reads it. Tasks end when the last handle is dropped.

mod attempt;
mod client;
mod clock;
mod endpoint;
mod error;
mod exchange;
mod hosts;
mod journal;
mod keeper;
mod line;
mod report;
mod servers;
mod settings;
mod socket;
mod ticket;

pub use client::{Client, EndpointStatus};
pub use error::{Attempted, Discarded, ExchangeError};
pub use exchange::{Exchange, Plan};
pub use hosts::{Resolve, Resolving};
pub use report::{HostOutcome, HostReport};
pub use servers::Servers;
pub use settings::{Limits, ServerSettings};

use crate::{Authenticator, ChapSeed};

/// The operating system's generator, or one with a seed in tests.
pub trait Random: Send + Sync {
    /// Fills the buffer with octets that nobody can foresee.
    fn fill(&self, buffer: &mut [u8]);
}

/// A number of which every value is as likely.
fn draw(random: &dyn Random) -> u32 {
    u32::from_be_bytes(octets(random))
}

/// The authenticator of one request.
fn authenticator(random: &dyn Random) -> Authenticator {
    Authenticator::from_random(octets(random))
}

/// What CHAP needs for one request.
fn chap_seed(random: &dyn Random) -> ChapSeed {
    ChapSeed::from_random(octets(random))
}

fn octets<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut octets = [0; N];
    random.fill(&mut octets);
    octets
}
