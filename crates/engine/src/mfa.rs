//! Of whom a second factor is due.

use uuid::Uuid;

use crate::{MfaProviderId, Timestamp};

/// The built-in provider of time-based one-time passwords.
pub const TOTP_PROVIDER: MfaProviderId =
    MfaProviderId::from_uuid(Uuid::from_u128(0x0354_2d1e_733c_4c43_a567_d28f_bc46_49a7));
/// The built-in FIDO2 provider. It is no provider for administrators.
pub const FIDO2_PROVIDER: MfaProviderId =
    MfaProviderId::from_uuid(Uuid::from_u128(0x3ae9_8d53_c520_437f_99e4_451f_936e_6d2c));

/// Why a user may be let off.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Exemption {
    /// The settings list this user, by the id that bore the listed name when they were saved.
    pub listed: bool,
    /// An operator has let this user off until then.
    pub until: Option<Timestamp>,
}

impl Exemption {
    /// Whether it holds now.
    pub fn holds(self, now: Timestamp) -> bool {
        self.listed || self.until.is_some_and(|until| now < until)
    }
}

/// The provider of the second factor that is due of a user, if one is due: whatever the user's
/// privileges, unless there is none at all or the user is exempt.
pub fn due(
    provider: Option<MfaProviderId>,
    exemption: Exemption,
    now: Timestamp,
) -> Option<MfaProviderId> {
    provider.filter(|_| !exemption.holds(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_unless_exempt() {
        let now = Timestamp::from_unix_seconds(1_000);
        let check = |listed, until: Option<i64>, is_due| {
            let until = until.map(Timestamp::from_unix_seconds);
            let found = due(Some(TOTP_PROVIDER), Exemption { listed, until }, now);
            assert_eq!(found.is_some(), is_due, "{listed} {until:?}");
        };
        check(false, None, true);
        check(true, None, false);
        check(false, Some(1_001), false);
        check(false, Some(1_000), true);
        assert_eq!(due(None, Exemption::default(), now), None);
    }

    #[test]
    fn built_in_ids() {
        assert_eq!(
            TOTP_PROVIDER.to_string(),
            "03542d1e-733c-4c43-a567-d28fbc4649a7"
        );
        assert_eq!(
            FIDO2_PROVIDER.to_string(),
            "3ae98d53-c520-437f-99e4-451f936e6d2c"
        );
    }
}
