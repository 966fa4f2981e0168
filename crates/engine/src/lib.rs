//! The decisions of multi-factor authentication, as values.
//!
//! Nothing here reads a clock, draws a random number, waits, or talks to anybody: a value and an
//! input go in, a value and effects come out. Time and random bytes are arguments. Whoever runs
//! the effects (the service, a test, another program) holds all the I/O.
//!
//! Read in this order: who ([`subject`], [`identity`]), the first factor ([`password`]), the second
//! ([`totp`], [`budget`], [`enrolment`], [`attempt`], or [`provider`], [`radius`], [`push`]), what one holds afterwards ([`token`]), and what one may do
//! with it ([`privilege`]). What is written down of all this is in [`audit`].

mod id;
mod secret;
mod time;

pub mod attempt;
pub mod audit;
pub mod budget;
pub mod enrolment;
pub mod identity;
pub mod invalid;
pub mod mfa;
pub mod password;
pub mod privilege;
pub mod provider;
pub mod push;
pub mod radius;
pub mod role;
pub mod subject;
pub mod token;
pub mod totp;
pub mod user;

pub use attempt::{Attempt, ClaimedStep, Effect, Input, Refusal, StepToClaim, Verdict, WrongGuess};
pub use budget::GuessBudget;
pub use id::{
    DeviceId, IdentityProviderId, MfaProviderId, PushId, RoleId, SeedId, SessionId, UserId,
};
pub use identity::LocalProvider;
pub use invalid::{FieldError, FieldErrors};
pub use provider::MfaProvider;
pub use push::{Push, PushOutcome};
pub use radius::{Acceptance, Redeemed};
pub use role::Role;
pub use secret::Secret;
pub use subject::{DistinguishedName, NameKey, UserName};
pub use time::Timestamp;
pub use token::{NewToken, Token, TokenHash, TokenKind, TokenRecord};
pub use totp::{Otp, Seed, TotpStep};
pub use user::User;
