//! An Access-Accept on its way to a token.

use crate::{GuessBudget, MfaProviderId, SessionId, UserId};

/// An Access-Accept that a store is asked to redeem, by compare-and-set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Acceptance {
    pub(super) user: UserId,
    pub(super) session: SessionId,
    pub(super) revision: u64,
    pub(super) provider: MfaProviderId,
    pub(super) provider_revision: u64,
    pub(super) budget: GuessBudget,
}

impl Acceptance {
    /// Who was accepted.
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// In which session.
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// The revision that the second factor must still have.
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// The provider that asked, which must still be the one that is due…
    pub const fn provider(&self) -> MfaProviderId {
        self.provider
    }

    /// …as it was configured.
    pub const fn provider_revision(&self) -> u64 {
        self.provider_revision
    }

    /// The budget to store with it.
    pub const fn budget(&self) -> &GuessBudget {
        &self.budget
    }

    /// The proof that the partial token was spent for it.
    ///
    /// Only for a store whose compare-and-set is committed: said wrongly, it is a break-in.
    pub fn dangerous_redeemed(&self) -> Redeemed {
        Redeemed(self.clone())
    }
}

/// The proof that an acceptance was redeemed, which only a store can give.
#[derive(Debug)]
pub struct Redeemed(pub(super) Acceptance);
