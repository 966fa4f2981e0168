//! What the API has of an identity provider, and this program does not.

use std::borrow::Cow;

use uuid::Uuid;
use vestibule_engine::invalid::Fields;

use super::IdentityProviderDraft;
use crate::number::whole;

/// What clients find on the built-in provider, and may send back as they found it. It is about
/// networks and devices, of which this program knows nothing, so it is the same for ever. All
/// switches of that kind are off, and all lists but the one here are empty.
#[derive(Clone, Debug)]
pub struct NotOurs {
    /// The pool of IPv4 addresses.
    pub ip_pool_v4: Uuid,
    /// The pool of IPv6 addresses.
    pub ip_pool_v6: Uuid,
    /// How many devices a user may have.
    pub device_limit_per_user: u32,
    /// Minutes after which idle clients sign out; never, if 0.
    pub inactivity_timeout_minutes: u32,
    /// Which claims users get, in any order.
    pub claim_mappings: [ClaimMapping; 7],
}

/// From which attribute of a user a claim comes. None is encrypted.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ClaimMapping {
    /// The attribute.
    pub attribute: Cow<'static, str>,
    /// The claim.
    pub claim: Cow<'static, str>,
    /// Whether it is a list.
    pub list: bool,
    /// Whether it is encrypted.
    pub encrypt: bool,
}

/// As it is found in the original.
pub static NOT_OURS: NotOurs = NotOurs {
    ip_pool_v4: Uuid::from_u128(0xf572_b4ab_7963_4a90_9e5a_3bf0_33bf_e2cc),
    ip_pool_v6: Uuid::from_u128(0x6935_b379_205d_4fdd_847f_a0b5_f14a_ff53),
    device_limit_per_user: 100_000,
    inactivity_timeout_minutes: 0,
    claim_mappings: [
        claim("tags", "tags", true),
        claim("username", "username", false),
        claim("firstName", "firstName", false),
        claim("email", "emails", true),
        claim("lastName", "lastName", false),
        claim("id", "id", false),
        claim("phone", "phone", false),
    ],
};

const fn claim(attribute: &'static str, claim: &'static str, list: bool) -> ClaimMapping {
    ClaimMapping {
        attribute: Cow::Borrowed(attribute),
        claim: Cow::Borrowed(claim),
        list,
        encrypt: false,
    }
}

impl NotOurs {
    /// Notes what a draft would change.
    pub(super) fn check(&self, draft: &IdentityProviderDraft, fields: &mut Fields) {
        let pool = |text: &Option<String>, ours: Uuid| {
            let same = |text: &String| Uuid::try_parse(text) == Ok(ours);
            text.as_ref().is_none_or(same)
        };
        let number = |number: Option<f64>, ours: u32| {
            number.is_none_or(|number| whole(number, ours..=ours).is_ok())
        };
        for (field, is_ours) in [
            ("ipPoolV4", pool(&draft.ip_pool_v4, self.ip_pool_v4)),
            ("ipPoolV6", pool(&draft.ip_pool_v6, self.ip_pool_v6)),
            (
                "deviceLimitPerUser",
                number(draft.device_limit_per_user, self.device_limit_per_user),
            ),
            (
                "inactivityTimeoutMinutes",
                number(
                    draft.inactivity_timeout_minutes,
                    self.inactivity_timeout_minutes,
                ),
            ),
            (
                "claimMappings",
                draft.claim_mappings.as_deref().is_none_or(|claims| {
                    let sorted = |claims: &[ClaimMapping]| {
                        let mut claims = claims.to_vec();
                        claims.sort();
                        claims
                    };
                    sorted(claims) == sorted(&self.claim_mappings)
                }),
            ),
        ] {
            if !is_ours {
                fields.refuse(field, "may not be changed: it is not supported");
            }
        }
        for field in &draft.unsupported {
            fields.refuse(*field, "is not supported");
        }
    }
}
