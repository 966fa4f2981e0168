//! What goes into a store and comes out of it.

use uuid::Uuid;
use vestibule_engine::attempt::StepToClaim;
use vestibule_engine::mfa::Exemption;
use vestibule_engine::password::{Device, Lane, LockoutPolicy};
use vestibule_engine::privilege::{Object, Privileges, Target};
use vestibule_engine::{
    Acceptance, DeviceId, GuessBudget, MfaProvider, MfaProviderId, NameKey, NewToken, Push, Role,
    SeedId, SessionId, Timestamp, TokenHash, TokenRecord, TotpStep, User, UserId, UserName,
};

/// A password hash in PHC form. It does not print.
#[derive(Clone, Eq, PartialEq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// A hash as the hasher made it.
    pub fn new(phc: impl Into<String>) -> Self {
        Self(phc.into())
    }

    /// The PHC string, to be stored or verified.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Something encrypted, with the id of the key that opens it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sealed {
    /// Which key.
    pub key_id: Uuid,
    /// Nonce and ciphertext.
    pub bytes: Vec<u8>,
}

/// Something known that was sealed with the master key when the database was new.
pub type Canary = Sealed;

/// A user to be made.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The user.
    pub user: User,
    /// The password; a user without one cannot sign in.
    pub password: Option<PasswordHash>,
    /// What it rests on that the user may be made with these roles, if on anything.
    pub authority: Option<Authority>,
}

/// A revision of who may do what: it grows whenever somebody's roles change, or what holders of a
/// role may do. Whoever decided over somebody by what they may do decided at an authority.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Authority(pub u64);

/// Roles, as of one moment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Holdings {
    /// The roles, in the order of their ids.
    pub roles: Vec<Role>,
    /// The moment.
    pub authority: Authority,
}

impl Holdings {
    /// What who holds all of the roles may do.
    pub fn privileges(&self) -> Privileges {
        let each = self.roles.iter().flat_map(|role| role.privileges.iter());
        Privileges::new(each.cloned().collect())
    }
}

/// A user in the place of one who is there.
#[derive(Clone, Debug)]
pub struct UserChange {
    /// The user. The id, when the user was made, and until when an operator has let the user off
    /// stay what they are.
    pub user: User,
    /// The new password; without one the old one stays.
    pub password: Option<PasswordHash>,
    /// What it rests on that this may be done.
    pub authority: Authority,
}

impl UserChange {
    /// Whether all sessions of the user end.
    pub const fn ends_sessions(&self) -> bool {
        self.user.disabled || self.password.is_some()
    }

    /// Whether the one who was there `before` bore another name, and not only another spelling.
    pub fn renames(&self, before: &User) -> bool {
        self.user.name.key() != before.name.key()
    }
}

/// What decides over a sign-in.
#[derive(Clone, Debug)]
pub struct PasswordStanding {
    /// The user.
    pub user: User,
    /// The password; a user without one cannot sign in.
    pub password: Option<PasswordHash>,
    /// What is known of the device.
    pub device: Option<Device>,
    /// When wrong passwords lock, of the account and of devices.
    pub lockout: LockoutPolicy,
    /// The provider of second factors for administrators, if there is one.
    pub provider: Option<MfaProviderId>,
    /// Whether the settings exempt the user.
    pub exemption: Exemption,
}

/// Whose failures a write is about, and what they must still be.
#[derive(Clone, Debug)]
pub struct DeviceLane {
    /// The user.
    pub user: UserId,
    /// The device that signs in.
    pub device: DeviceId,
    /// The failures that the decision rests on.
    pub lane: Lane,
}

/// A wrong password to be counted.
#[derive(Clone, Debug)]
pub struct PasswordFailure {
    /// Whose failures, and what they were.
    pub lane: DeviceLane,
    /// What they are now.
    pub failures: vestibule_engine::password::PasswordFailures,
}

/// A right password, and what it earns.
#[derive(Clone, Debug)]
pub struct SessionStart {
    /// Whose failures, and what they were. They end: those of the lane, and those of the account.
    pub lane: DeviceLane,
    /// The password that was compared; it must still be the user's, who must not be disabled.
    pub password: PasswordHash,
    /// The partial token.
    pub partial: NewToken,
}

/// What is known of the bearer of a token.
#[derive(Clone, Debug)]
pub struct Bearer {
    /// The token. Whether it is still live is for the caller to see.
    pub token: TokenRecord,
    /// Its user.
    pub user: User,
    /// What the user's roles allow.
    pub privileges: Privileges,
    /// As of when.
    pub authority: Authority,
    /// The provider of second factors for administrators, if there is one.
    pub provider: Option<ProviderVersion>,
    /// Whether the settings exempt the user.
    pub exemption: Exemption,
    /// The user's second factor.
    pub factor: SecondFactor,
    /// The sealed RADIUS dialogue of the token, if one is under way.
    pub dialogue: Option<Sealed>,
    /// The last completed sign-in from the token's device, if it was within memory.
    pub device_completed: Option<Timestamp>,
}

/// Which provider, as it was configured at some moment.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ProviderVersion {
    /// The provider.
    pub id: MfaProviderId,
    /// Its revision.
    pub revision: u64,
}

/// A user's second factor. Who never had one has the default: revision 0, no seed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SecondFactor {
    /// Grows with every change.
    pub revision: u64,
    /// What is left of wrong answers.
    pub budget: GuessBudget,
    /// The seed.
    pub seed: Option<StoredSeed>,
}

/// A seed at rest.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredSeed {
    /// Which enrolment.
    pub id: SeedId,
    /// The sealed seed.
    pub sealed: Sealed,
    /// How far it may be trusted.
    pub state: SeedState,
}

/// How far a seed may be trusted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SeedState {
    /// It was shown, and no code of it was seen yet.
    Unverified {
        /// To which session.
        shown_to: SessionId,
        /// When it was made.
        created: Timestamp,
    },
    /// A code of it was seen.
    Verified {
        /// The last step whose code was accepted.
        last_step: TotpStep,
    },
}

/// A new seed for a user who has no verified one.
#[derive(Clone, Debug)]
pub struct ProposedSeed {
    /// Whose.
    pub user: UserId,
    /// The revision that the second factor must still have; it then has no verified seed.
    pub revision: u64,
    /// The new enrolment.
    pub id: SeedId,
    /// The sealed seed.
    pub sealed: Sealed,
    /// The session that is shown it.
    pub shown_to: SessionId,
    /// When it was made.
    pub created: Timestamp,
}

/// A right code, and all that follows from it.
#[derive(Clone, Debug)]
pub struct Finish {
    /// The step to claim.
    pub claim: StepToClaim,
    /// The partial token, which becomes…
    pub partial: TokenHash,
    /// …this one, in the same row.
    pub verified: NewToken,
    /// The seed sealed anew as verified, when this code verifies it.
    pub verified_seed: Option<Sealed>,
    /// When; also noted for the device, unless `None`: it was noted lately.
    pub device_completed: Option<Timestamp>,
}

/// A new budget, and what becomes of the session's RADIUS dialogue and its partial token.
pub type Settlement = vestibule_engine::radius::Settle<Sealed>;

/// What becomes of a RADIUS dialogue.
pub type DialogueChange = vestibule_engine::radius::DialogueChange<Sealed>;

/// An Access-Accept, and all that follows from it.
#[derive(Clone, Debug)]
pub struct Redemption {
    /// What is redeemed.
    pub acceptance: Acceptance,
    /// The partial token, which becomes…
    pub partial: TokenHash,
    /// …this one, in the same row; its dialogue ends.
    pub verified: NewToken,
    /// When; also noted for the device, unless `None`: it was noted lately.
    pub device_completed: Option<Timestamp>,
}

/// A push that is about to be sent.
#[derive(Clone, Debug)]
pub struct PushStart {
    /// The push; its session must have a partial token.
    pub push: Push,
    /// The revision that the user's second factor must still have; it grows.
    pub revision: u64,
}

/// A provider of second factors with its secrets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoredProvider {
    /// The provider.
    pub provider: MfaProvider,
    /// The sealed RADIUS secret.
    pub shared_secret: Option<Sealed>,
    /// The sealed secret of the first request of a challenge or a push.
    pub challenge_secret: Option<Sealed>,
}

impl Object for StoredProvider {
    const TARGET: Target = MfaProvider::TARGET;

    fn uuid(&self) -> Uuid {
        self.provider.uuid()
    }

    fn tags(&self) -> &[String] {
        self.provider.tags()
    }
}

/// What an administrator's reset of a second factor found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FactorReset {
    /// There was a seed. It is gone, the budget is full again, and the partial tokens ended.
    Reset,
    /// There is no such user, or no seed. The budget is full again all the same.
    NoSeed,
    /// Somebody may do other things than when it was decided; nothing is written.
    Moved,
}

/// A seed, as lists show it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SeedSummary {
    /// Whose.
    pub user: UserId,
    /// The user's name.
    pub user_name: UserName,
    /// Whether a code of it was seen.
    pub verified: bool,
}

/// The settings of the second factor for administrators.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AdminMfa {
    /// The provider; none is due when there is none.
    pub provider: Option<MfaProviderId>,
    /// Who is let off, in the order and the words of whoever wrote it.
    pub exempted: Vec<ExemptionEntry>,
}

/// One entry of the list of exempt users.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExemptionEntry {
    /// As it was written.
    pub text: String,
    /// Who bore the name when it was written; nobody is exempt by a name that nobody bore.
    pub user: Option<UserId>,
}

/// New settings of the second factor for administrators.
#[derive(Clone, Debug)]
pub struct AdminMfaChange {
    /// The provider.
    pub provider: Option<MfaProviderId>,
    /// Who is let off: the text as written, and the key of the local user that it names. The
    /// store binds each to the user who bears the name now.
    pub exempted: Vec<(String, Option<NameKey>)>,
}
