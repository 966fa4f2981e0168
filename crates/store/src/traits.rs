//! The questions, by subject.

use async_trait::async_trait;
use vestibule_engine::{
    LocalProvider, MfaProvider, MfaProviderId, NameKey, NewToken, Push, PushId, PushOutcome, Role,
    RoleId, SessionId, Timestamp, TokenHash, User, UserId,
};

use crate::{
    AdminMfa, AdminMfaChange, Authority, Bearer, Claim, Creation, FactorReset, Finish, Holdings,
    ListQuery, Listing, NewUser, PasswordFailure, PasswordHash, PasswordStanding, Pool,
    ProposedSeed, PushStart, Redeeming, Redemption, Removal, Replacement, RoleWrite, SeedSummary,
    SessionStart, Settlement, StoreError, StoredProvider, Swap, Trail, UserChange, UserWrite,
};

/// Everything that the service asks.
pub trait Store:
    Accounts
    + crate::Audit
    + FirstFactors
    + Health
    + IdentityProviders
    + crate::Keys
    + MfaProviders
    + Pushes
    + Roles
    + SecondFactors
    + Settings
    + Tokens
{
}

impl<T> Store for T where
    T: Accounts
        + crate::Audit
        + FirstFactors
        + Health
        + IdentityProviders
        + crate::Keys
        + MfaProviders
        + Pushes
        + Roles
        + SecondFactors
        + Settings
        + Tokens
{
}

/// Passwords.
#[async_trait]
pub trait FirstFactors: Send + Sync {
    /// What decides over a sign-in with this name from this device, in one read that waits for no
    /// write.
    async fn password_standing(
        &self,
        name: &NameKey,
        device: vestibule_engine::DeviceId,
    ) -> Result<Option<PasswordStanding>, StoreError>;

    /// Counts a wrong password, if the lane's failures are still what they were.
    async fn count_password_failure(
        &self,
        failure: &PasswordFailure,
        trail: Trail<'_>,
    ) -> Result<Swap, StoreError>;

    /// Starts a session: ends the failures of the lane and of the account, and stores the partial
    /// token. `Moved` when the lane's failures, the password, or whether the user is enabled are
    /// not what they were.
    async fn start_session(
        &self,
        start: &SessionStart,
        trail: Trail<'_>,
    ) -> Result<Swap, StoreError>;

    /// Forgets at most `most` known devices from which the last sign-in was completed before
    /// `last_completed_before`; how many it forgot. Whoever comes from one of them uses the tries
    /// of the account again.
    async fn forget_devices(
        &self,
        last_completed_before: Timestamp,
        most: u32,
    ) -> Result<u64, StoreError>;
}

/// Second factors.
#[async_trait]
pub trait SecondFactors: Send + Sync {
    /// Stores a new unverified seed, in the place of any unverified one; the revision grows.
    /// `Moved` when the revision is another, a verified seed is there, or the user is gone.
    async fn propose_seed(&self, seed: &ProposedSeed, trail: Trail<'_>)
    -> Result<Swap, StoreError>;

    /// Stores a new budget, and does to the dialogue and the partial token of the session what the
    /// settlement says; the revision grows. `Moved` when the revision is another, or the session
    /// has no partial token any more.
    async fn settle(&self, settlement: &Settlement, trail: Trail<'_>) -> Result<Swap, StoreError>;

    /// Claims the step, stores the budget, verifies the seed if it is new, rotates the partial
    /// token in its row and notes the device: all or nothing; the revision grows.
    ///
    /// Of concurrent calls for one step exactly one gets [`Claim::Fresh`]. Answering `Moved`
    /// wrongly costs a retry; answering `Fresh` wrongly is a break-in. `Moved` when the revision or
    /// the seed is another, the step is not later than the last one, or the partial token is gone.
    async fn finish(&self, finish: &Finish, trail: Trail<'_>) -> Result<Claim, StoreError>;

    /// Redeems an Access-Accept: stores the budget, rotates the partial token in its row, ends its
    /// dialogue and notes the device: all or nothing; the revision grows.
    ///
    /// Of concurrent calls for one partial token at most one gets [`Redeeming::Fresh`]. `Moved` when
    /// the revision is another, the partial token is gone, or the provider is not the one of the
    /// settings any more, as it was configured.
    async fn redeem(
        &self,
        redemption: &Redemption,
        trail: Trail<'_>,
    ) -> Result<Redeeming, StoreError>;

    /// Deletes a user's seed, makes the budget full again and ends the user's partial tokens; the
    /// revision grows, and never starts again. It rests on an authority, or on none.
    async fn reset_factor(
        &self,
        user: UserId,
        authority: Option<Authority>,
        trail: Trail<'_>,
    ) -> Result<FactorReset, StoreError>;

    /// Users with a seed. Ordered by the user's name, whatever the order asked for.
    async fn seeds(&self, query: &ListQuery) -> Result<Listing<SeedSummary>, StoreError>;
}

/// Pushes.
#[async_trait]
pub trait Pushes: Send + Sync {
    /// All pushes of a user that are kept, in the order in which they were started.
    async fn pushes(&self, user: UserId) -> Result<Vec<Push>, StoreError>;

    /// One push, if it is kept.
    async fn push(&self, push: PushId) -> Result<Option<Push>, StoreError>;

    /// Stores a push before it is sent; the revision of the user's second factor grows. `Moved`
    /// when that is another, or the session has no partial token any more: whoever decided on what
    /// they had read before somebody else began a push decides again.
    async fn start_push(&self, start: &PushStart, trail: Trail<'_>) -> Result<Swap, StoreError>;

    /// Stores the outcome of a push, unless it has one or is gone.
    async fn end_push(
        &self,
        push: PushId,
        outcome: PushOutcome,
        trail: Trail<'_>,
    ) -> Result<(), StoreError>;

    /// Notes that its session has heard of the outcome of a push.
    async fn collect_push(&self, push: PushId) -> Result<(), StoreError>;

    /// Removes at most `most` pushes that are of no use any more (see [`Push::useless_from`]); how
    /// many it removed.
    async fn remove_useless_pushes(&self, now: Timestamp, most: u32) -> Result<u64, StoreError>;
}

/// Providers of second factors. The two that are built in are there from the beginning.
#[async_trait]
pub trait MfaProviders: Send + Sync {
    /// A provider with its secrets.
    async fn provider(&self, id: MfaProviderId) -> Result<Option<StoredProvider>, StoreError>;

    /// Providers.
    async fn providers(&self, query: &ListQuery) -> Result<Listing<MfaProvider>, StoreError>;

    /// Makes a provider.
    async fn add_provider(
        &self,
        new: &StoredProvider,
        trail: Trail<'_>,
    ) -> Result<Creation, StoreError>;

    /// Replaces a provider, whose revision must be one less than the new one's. Its id and the
    /// time it was made stay what they are.
    async fn replace_provider(
        &self,
        new: &StoredProvider,
        trail: Trail<'_>,
    ) -> Result<Replacement, StoreError>;

    /// Deletes a provider, unless it is the one of the settings.
    async fn remove_provider(
        &self,
        id: MfaProviderId,
        trail: Trail<'_>,
    ) -> Result<Removal, StoreError>;
}

/// The provider of identities: one, which is there from the beginning.
#[async_trait]
pub trait IdentityProviders: Send + Sync {
    /// The built-in provider.
    async fn local_provider(&self) -> Result<LocalProvider, StoreError>;

    /// Replaces it as a whole, whatever it was: of concurrent calls the last one stays. Every
    /// [`FirstFactors::password_standing`] that begins afterwards has the new lockout.
    async fn set_local_provider(
        &self,
        new: &LocalProvider,
        trail: Trail<'_>,
    ) -> Result<(), StoreError>;
}

/// Tokens.
#[async_trait]
pub trait Tokens: Send + Sync {
    /// All that is known of the bearer of a token, in one read.
    async fn bearer(&self, token: &TokenHash) -> Result<Option<Bearer>, StoreError>;

    /// Stores one more token of the bearer's session and, if `completed` says so, notes that a
    /// sign-in was completed from its device. `Moved` when the bearer's token is gone or the user
    /// disabled: an end of the session and a mint in it never pass each other.
    async fn mint(
        &self,
        bearer: &TokenHash,
        token: &NewToken,
        completed: Option<Timestamp>,
        trail: Trail<'_>,
    ) -> Result<Swap, StoreError>;

    /// Ends a user's session with all its tokens.
    async fn end_session(
        &self,
        user: UserId,
        session: SessionId,
        trail: Trail<'_>,
    ) -> Result<(), StoreError>;

    /// Removes at most `most` tokens that expired before `now`; how many it removed.
    async fn remove_expired(&self, now: Timestamp, most: u32) -> Result<u64, StoreError>;
}

/// Administrative roles. The two that are built in are there from the beginning.
#[async_trait]
pub trait Roles: Send + Sync {
    /// A role.
    async fn role(&self, id: RoleId) -> Result<Option<Role>, StoreError>;

    /// Roles.
    async fn roles(&self, query: &ListQuery) -> Result<Listing<Role>, StoreError>;

    /// Those of these roles that there are, and the authority, as of one moment.
    async fn holdings(&self, roles: &[RoleId]) -> Result<Holdings, StoreError>;

    /// Makes a role.
    async fn add_role(
        &self,
        role: &Role,
        authority: Authority,
        trail: Trail<'_>,
    ) -> Result<RoleWrite, StoreError>;

    /// Puts a role in the place of the one with the id; when it was made stays. The authority
    /// grows.
    async fn replace_role(
        &self,
        role: &Role,
        authority: Authority,
        trail: Trail<'_>,
    ) -> Result<RoleWrite, StoreError>;

    /// Deletes a role that nobody holds. The authority grows.
    async fn remove_role(
        &self,
        id: RoleId,
        authority: Authority,
        trail: Trail<'_>,
    ) -> Result<RoleWrite, StoreError>;
}

/// Users.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Whether there is any user.
    async fn has_users(&self) -> Result<bool, StoreError>;

    /// A user by id.
    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// A user by name.
    async fn user_by_name(&self, name: &NameKey) -> Result<Option<User>, StoreError>;

    /// Users.
    async fn users(&self, query: &ListQuery) -> Result<Listing<User>, StoreError>;

    /// Makes a user.
    async fn add_user(&self, user: &NewUser, trail: Trail<'_>) -> Result<Creation, StoreError>;

    /// Puts a user in the place of the one with the id. A new password, and to be disabled, end all
    /// of the user's sessions; a new password also ends the failures of the devices. Who gets
    /// another name is exempt by it no longer. With other roles the authority grows.
    async fn replace_user(
        &self,
        change: &UserChange,
        trail: Trail<'_>,
    ) -> Result<UserWrite, StoreError>;

    /// Changes a user's password, which ends all of the user's sessions, the failures of the
    /// account and those of its devices. Whether there is such a user.
    async fn set_password(
        &self,
        user: UserId,
        password: &PasswordHash,
        now: Timestamp,
        trail: Trail<'_>,
    ) -> Result<bool, StoreError>;

    /// Disables a user, which ends all of the user's sessions, or enables one.
    async fn set_disabled(
        &self,
        user: UserId,
        disabled: bool,
        now: Timestamp,
        trail: Trail<'_>,
    ) -> Result<UserWrite, StoreError>;

    /// Ends the failures of a user's account and devices, and makes the guess budget full again.
    /// The seed stays. Whether there is such a user.
    async fn unlock(
        &self,
        user: UserId,
        now: Timestamp,
        trail: Trail<'_>,
    ) -> Result<bool, StoreError>;

    /// Lets a user off the second factor until then, or no longer. Whether there is such a user.
    async fn set_exempt_until(
        &self,
        user: UserId,
        until: Option<Timestamp>,
        now: Timestamp,
        trail: Trail<'_>,
    ) -> Result<bool, StoreError>;

    /// Deletes a user with everything that is the user's; an exemption by name then exempts nobody.
    /// It rests on an authority, or on none.
    async fn remove_user(
        &self,
        user: UserId,
        authority: Option<Authority>,
        trail: Trail<'_>,
    ) -> Result<UserWrite, StoreError>;
}

/// Settings.
#[async_trait]
pub trait Settings: Send + Sync {
    /// The settings of the second factor for administrators; `None` if they were never written.
    async fn admin_mfa(&self) -> Result<Option<AdminMfa>, StoreError>;

    /// Replaces them, binding each exemption to the user who bears its name now. When another
    /// provider becomes due, the partial tokens of all who are not exempt by the new list end.
    /// `None` when there is no such provider; nothing is written.
    async fn set_admin_mfa(
        &self,
        change: &AdminMfaChange,
        trail: Trail<'_>,
    ) -> Result<Option<AdminMfa>, StoreError>;
}

/// Whether the store works.
#[async_trait]
pub trait Health: Send + Sync {
    /// Finds out whether it could be read and written now, and writes nothing.
    async fn check(&self) -> Result<(), StoreError>;

    /// Does what keeps it fast, from time to time; nothing that can be read changes by it.
    async fn tidy(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// How many connections it has, if it has any.
    fn pool(&self) -> Option<Pool> {
        None
    }

    /// Gives up its connections, after the writes under way.
    async fn close(&self);
}
