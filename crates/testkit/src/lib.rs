//! What the tests of several crates share. Never part of a product.
#![expect(
    clippy::expect_used,
    reason = "a test that cannot be set up has failed, and says so"
)]

pub mod authenticator;
pub mod clock;
pub mod figures;
pub mod freeradius;
pub mod people;
pub mod planted;
pub mod postgres;
pub mod radius;
pub mod random;
pub mod remote_clock;

#[cfg(feature = "server")]
pub mod client;
#[cfg(feature = "server")]
pub mod clocked;
#[cfg(feature = "server")]
pub mod site;
