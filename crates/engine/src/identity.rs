//! The provider of identities: the users of this program's own database. There is no other.

use std::ops::RangeInclusive;

use uuid::Uuid;

use crate::password::LockoutPolicy;
use crate::user::BUILTIN_TAG;
use crate::{IdentityProviderId, Timestamp};

/// The id of the built-in provider.
pub const LOCAL: IdentityProviderId =
    IdentityProviderId::from_uuid(Uuid::from_u128(0xb5ea_7cf0_6e75_11e4_9803_0800_200c_9a66));
/// When it was made: before anybody configured anything.
pub const LOCAL_CREATED: Timestamp = Timestamp::from_micros(0);

/// What administrators may say about the built-in provider. Id and name are the same for good.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LocalProvider {
    /// What administrators wrote down.
    pub notes: String,
    /// Labels.
    pub tags: Vec<String>,
    /// When wrong passwords lock.
    pub lockout: LockoutPolicy,
    /// What passwords must have when they are set.
    pub min_password_length: MinPasswordLength,
    /// When it was last edited.
    pub updated: Timestamp,
}

impl LocalProvider {
    /// The provider as it is from the beginning.
    pub fn built_in() -> Self {
        Self {
            notes: "Built-in Identity Provider on local database.".to_owned(),
            tags: vec![BUILTIN_TAG.to_owned()],
            lockout: LockoutPolicy::default(),
            min_password_length: MinPasswordLength::default(),
            updated: LOCAL_CREATED,
        }
    }
}

/// Characters (Unicode scalar values) that a new password must have, at least. Passwords that are
/// there stay good. From the beginning it is 0: every password will do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct MinPasswordLength(u32);

impl MinPasswordLength {
    /// Lengths that may be chosen. A password of the longest one has its place in any script.
    pub const LENGTHS: RangeInclusive<u32> = 0..=256;

    /// A length, if it may be chosen.
    pub fn new(characters: u32) -> Option<Self> {
        Self::LENGTHS
            .contains(&characters)
            .then_some(Self(characters))
    }

    /// The number of characters.
    pub const fn characters(self) -> u32 {
        self.0
    }

    /// Whether a password is long enough.
    pub fn admits(self, password: &str) -> bool {
        let enough = usize::try_from(self.0).unwrap_or(usize::MAX);
        password.chars().take(enough).count() == enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_provider_is_as_clients_know_it() {
        assert_eq!(LOCAL.to_string(), "b5ea7cf0-6e75-11e4-9803-0800200c9a66");
        let local = LocalProvider::built_in();
        assert_eq!((local.lockout.threshold(), local.lockout.minutes()), (5, 1));
        assert_eq!(local.min_password_length.characters(), 0);
    }

    #[test]
    fn characters_are_counted() {
        let check = |least, password: &str, admitted| {
            let least = MinPasswordLength::new(least).map(|least| least.admits(password));
            assert_eq!(least, Some(admitted), "{password}");
        };
        check(0, "", true);
        check(1, "", false);
        check(4, "abc", false);
        check(4, "abcd", true);
        check(4, "äöü", false);
        check(4, "äöü€", true);
        assert_eq!(MinPasswordLength::new(257), None);
    }
}
