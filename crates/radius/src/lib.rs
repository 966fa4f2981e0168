//! A RADIUS client (RFC 2865) that believes only what is signed.
//!
//! The larger part is values: a [`AccessRequest`] is encoded with an [`Authenticator`] that the
//! caller drew, a datagram is [verified](verify) against the one that was asked with, and
//! identifiers, timers, health and pacing are told what the time is. Nothing in it does I/O, reads
//! a clock or draws a random number. The feature `udp` puts sockets below it.
//!
//! Time is a [`Duration`](std::time::Duration) since a moment that the caller chose once, by a
//! clock that never runs back. A random number is a `u32` of which every value is as likely.
//!
//! What is not signed by the shared secret never reaches a caller: it is a [`Discard`], to be
//! counted, and the wait goes on as if nothing had come.

mod attribute;
mod codec;
mod counters;
mod credential;
mod digest;
mod health;
mod identifiers;
mod order;
mod pacing;
mod reply;
mod request;
mod schedule;
mod secret;
mod sockets;
mod transaction;
#[cfg(feature = "udp")]
pub mod udp;
mod verify;

pub use attribute::{CallingStationId, NasIdentifier, State, StateError, TextError, UserName};
pub use counters::{Count, Counters, RoundTrips, Snapshot};
pub use credential::{Credential, Password, PasswordError};
pub use health::{Health, Observation, Probe, Standing};
pub use identifiers::Identifiers;
pub use order::{Candidate, Order, order};
pub use pacing::Pacing;
pub use reply::{Broken, Prompt, Reply, Verdict};
pub use request::{
    AccessRequest, Authenticator, ChapSeed, Datagram, EncodeError, encode_status_server,
};
pub use schedule::{Next, Pattern, Schedule, share_per_server};
pub use secret::{EmptySecret, SharedSecret};
pub use sockets::{Slot, SocketId, Sockets};
pub use transaction::{Effect, Env, Input, Outcome, Transaction, Transition};
pub use verify::{Alive, Answer, Discard, Verified, verify, verify_status};

/// Octets of the longest packet (RFC 2865 §3).
pub const LONGEST_PACKET: usize = 4096;

/// Octets of a receive buffer: one more than the longest packet, to see that one is longer.
pub const RECEIVE_BUFFER: usize = LONGEST_PACKET + 1;
