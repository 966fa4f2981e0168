//! What the start of the second factor shows: a seed, or nothing.

use std::time::Duration;

use crate::attempt::{Enrolment, Standing, UNVERIFIED_SEED_LIVES};
use crate::{Seed, Timestamp};

/// What to answer to a user who starts the second factor.
#[derive(Debug)]
pub enum Initialization<'a> {
    /// The user has a verified seed. It is never shown again, and this was a read.
    AlreadySeeded,
    /// The seed that this session was shown before.
    ShowAgain(&'a Seed),
    /// A seed that nobody was shown, which replaces any unverified one: whoever saw that may be a
    /// thief of the password, waiting for the user to verify it.
    ShowNew,
    /// The user had to enrol earlier.
    TooLate,
}

/// Decides what to show to someone who stands like this, whose account was made at `created`,
/// when users may enrol for `within` after that, or for ever.
pub fn initialize(
    standing: &Standing,
    created: Timestamp,
    within: Option<Duration>,
    now: Timestamp,
) -> Initialization<'_> {
    match &standing.enrolment {
        Enrolment::Verified { .. } => Initialization::AlreadySeeded,
        _ if within.is_some_and(|within| now >= created.after(within)) => Initialization::TooLate,
        Enrolment::Unverified {
            seed,
            shown_to,
            created,
            ..
        } if *shown_to == standing.session && now < created.after(UNVERIFIED_SEED_LIVES) => {
            Initialization::ShowAgain(seed)
        }
        Enrolment::Unverified { .. } | Enrolment::Missing => Initialization::ShowNew,
    }
}
