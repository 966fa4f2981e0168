//! Ids: one type for each kind of thing, so that one cannot stand for another.

use std::fmt;
use std::str::FromStr;

use uuid::{Builder, Uuid};

macro_rules! ids {
    ($($(#[doc = $doc:literal])+ $name:ident)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(Uuid);

        impl $name {
            /// The id with this value.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// A version 4 UUID (RFC 9562 section 5.4) from random bytes of the caller's.
            pub fn from_random(bytes: [u8; 16]) -> Self {
                Self(Builder::from_random_bytes(bytes).into_uuid())
            }

            /// The id as a UUID.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(Self(Uuid::from_str(text)?))
            }
        }
    )+};
}

ids! {
    /// A user, for good: names change, and a name that is free again is not the same user.
    UserId
    /// Everything that was minted from one authentication.
    SessionId
    /// The machine a client says it runs on.
    DeviceId
    /// A provider of second factors.
    MfaProviderId
    /// A provider of identities.
    IdentityProviderId
    /// An administrative role.
    RoleId
    /// One enrolment: a user who enrols again gets another.
    SeedId
    /// One push.
    PushId
}
