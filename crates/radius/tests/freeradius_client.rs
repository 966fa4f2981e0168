//! The client against real servers: FreeRADIUS from before CVE-2024-3596 and from after it.
//!
//! Versions that are not on this machine are passed over, with a message; so are tests that take
//! minutes, unless `VESTIBULE_LONG_TESTS` is set.
#![cfg(feature = "udp")]
#![expect(
    clippy::expect_used,
    reason = "a test that cannot go on has failed, and says why"
)]

#[path = "freeradius_client/bench.rs"]
mod bench;
#[path = "freeradius_client/dialogues.rs"]
mod dialogues;
#[path = "freeradius_client/failover.rs"]
mod failover;
#[path = "freeradius_client/logins.rs"]
mod logins;
#[path = "freeradius_client/long.rs"]
mod long;
#[path = "freeradius_client/many.rs"]
mod many;
#[path = "freeradius_client/protection.rs"]
mod protection;
#[path = "freeradius_client/pushes.rs"]
mod pushes;
