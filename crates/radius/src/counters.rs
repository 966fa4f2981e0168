//! What is counted of an endpoint, by the names of RFC 4668 where it has one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::{Answer, Discard, Verdict, Verified};

/// The upper bounds of [`RoundTrips::buckets`], in milliseconds. The last bucket has none.
const BOUNDS: [u64; 13] = [
    1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 5000, 15_000, 60_000,
];

macro_rules! counts {
    ($($(#[$doc:meta])* $variant:ident => $field:ident,)*) => {
        /// What can be counted.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum Count {
            $($(#[$doc])* $variant,)*
        }

        /// The counts of one endpoint. They only grow, and are in step only by and large.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($field: AtomicU64,)*
            round_trips: [AtomicU64; BOUNDS.len() + 1],
            round_trip_micros: AtomicU64,
        }

        /// The counts at one time.
        #[derive(Clone, Debug, Default, Eq, PartialEq)]
        pub struct Snapshot {
            $($(#[$doc])* pub $field: u64,)*
            /// How long signed answers took.
            pub round_trips: RoundTrips,
        }

        impl Counters {
            const fn of(&self, count: Count) -> &AtomicU64 {
                match count {
                    $(Count::$variant => &self.$field,)*
                }
            }

            /// The counts now.
            pub fn snapshot(&self) -> Snapshot {
                Snapshot {
                    $($field: self.$field.load(Ordering::Relaxed),)*
                    round_trips: RoundTrips {
                        buckets: self.round_trips.each_ref().map(|n| n.load(Ordering::Relaxed)),
                        sum: Duration::from_micros(self.round_trip_micros.load(Ordering::Relaxed)),
                    },
                }
            }
        }
    };
}

counts! {
    /// Access-Requests sent, repetitions not included.
    AccessRequests => access_requests,
    /// Access-Requests sent again.
    AccessRetransmissions => access_retransmissions,
    /// Signed Access-Accepts.
    AccessAccepts => access_accepts,
    /// Signed Access-Rejects.
    AccessRejects => access_rejects,
    /// Signed Access-Challenges.
    AccessChallenges => access_challenges,
    /// Signed answers that no server may send.
    BrokenResponses => broken_responses,
    /// Discarded: wrong lengths, or malformed attributes.
    MalformedAccessResponses => malformed_access_responses,
    /// Discarded: a wrong Response Authenticator or Message-Authenticator.
    BadAuthenticators => bad_authenticators,
    /// Discarded: no Message-Authenticator where one is required.
    MissingMessageAuthenticators => missing_message_authenticators,
    /// Discarded: an identifier of nothing that is pending.
    UnknownIdentifiers => unknown_identifiers,
    /// Discarded: another code than an answer has.
    UnknownTypes => unknown_types,
    /// Discarded: Protocol-Errors.
    ProtocolErrors => protocol_errors,
    /// Access-Requests that were given up without an answer.
    Timeouts => timeouts,
    /// Refusals (ICMP).
    Refusals => refusals,
    /// Status-Server requests sent.
    StatusRequests => status_requests,
    /// Signed answers to Status-Server requests.
    StatusResponses => status_responses,
    /// Status-Server requests without an answer.
    StatusTimeouts => status_timeouts,
}

impl Counters {
    /// Counts one.
    pub fn count(&self, count: Count) {
        self.of(count).fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a signed answer to an Access-Request, and how long it took since the first send.
    pub fn count_answer(&self, verified: &Verified, took: Duration) {
        self.count(Count::from(&verified.answer));
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|bound| bound.saturating_mul(1000) < micros);
        if let Some(bucket) = self.round_trips.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.round_trip_micros.fetch_add(micros, Ordering::Relaxed);
    }
}

impl From<&Answer> for Count {
    fn from(answer: &Answer) -> Self {
        match answer {
            Answer::Broken(_) => Self::BrokenResponses,
            Answer::Reply(reply) => match reply.verdict {
                Verdict::Accept => Self::AccessAccepts,
                Verdict::Reject => Self::AccessRejects,
                Verdict::Challenge { .. } => Self::AccessChallenges,
            },
        }
    }
}

impl From<Discard> for Count {
    fn from(discard: Discard) -> Self {
        match discard {
            Discard::TooShort
            | Discard::TooLong
            | Discard::WrongLength
            | Discard::MalformedAttributes
            | Discard::MessageAuthenticatorLength
            | Discard::MessageAuthenticatorTwice => Self::MalformedAccessResponses,
            Discard::UnknownIdentifier => Self::UnknownIdentifiers,
            Discard::ProtocolError => Self::ProtocolErrors,
            Discard::UnexpectedCode(_) => Self::UnknownTypes,
            Discard::MessageAuthenticatorMissing => Self::MissingMessageAuthenticators,
            Discard::WrongResponseAuthenticator | Discard::WrongMessageAuthenticator => {
                Self::BadAuthenticators
            }
        }
    }
}

/// How long answers took.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RoundTrips {
    /// How many took no longer than the bound of the same place, and longer than the one before.
    pub buckets: [u64; BOUNDS.len() + 1],
    /// How long all of them took together.
    pub sum: Duration,
}

impl RoundTrips {
    /// The bounds of the buckets; the last bucket has none.
    pub fn bounds() -> impl Iterator<Item = Duration> {
        BOUNDS.into_iter().map(Duration::from_millis)
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}
