//! Master keys, as stores know them: by their ids, what each is for, and what it has sealed.
//!
//! The canary names the key that seals. Another one takes its place in steps, each of them one
//! transaction: it is announced, it is used, all that the one before has sealed is sealed anew, and
//! the one before is retired. From then on no store takes anything that was sealed with it.

use async_trait::async_trait;
use uuid::Uuid;
use vestibule_engine::{MfaProviderId, SeedId, SessionId, TokenHash, UserId};

use crate::{Canary, Sealed, StoreError, StoredProvider, Swap, Trail};

/// Why a store takes nothing that was sealed with a key that was retired.
pub const RETIRED_KEY: &str = "the master key that this server seals with was retired: it uses the new one as soon as it has read which that is";

/// What is known of the master keys.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KeyState {
    /// What was sealed with the key in use; `None` in a new database.
    pub canary: Option<Canary>,
    /// Whether an operator has paused the sealing anew.
    pub paused: bool,
    /// The other keys, in the order of their ids.
    pub others: Vec<(Uuid, KeyStanding)>,
}

impl KeyState {
    /// The key in use.
    pub fn in_use(&self) -> Option<Uuid> {
        self.canary.as_ref().map(|canary| canary.key_id)
    }

    /// The key that is to be used next.
    pub fn next(&self) -> Option<Uuid> {
        let next = |standing: &_| matches!(standing, KeyStanding::Next);
        self.that_are(next).next()
    }

    /// The keys that were in use, and still may have sealed something.
    pub fn replaced(&self) -> impl Iterator<Item = Uuid> {
        self.that_are(|standing| matches!(standing, KeyStanding::Replaced(_)))
    }

    /// The keys that are needed no more.
    pub fn retired(&self) -> impl Iterator<Item = Uuid> {
        self.that_are(|standing| matches!(standing, KeyStanding::Retired(_)))
    }

    fn that_are(&self, are: impl Fn(&KeyStanding) -> bool) -> impl Iterator<Item = Uuid> {
        let others = self.others.iter();
        others.filter_map(move |(id, standing)| are(standing).then_some(*id))
    }
}

/// What a key other than the one in use is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KeyStanding {
    /// It is to be used next, and has sealed nothing yet.
    Next,
    /// Another one is in use now, but it may still have sealed something. What of it the audit trail
    /// needs is sealed here, with the one in use.
    Replaced(Sealed),
    /// It has sealed nothing any more. What of it the audit trail needs is sealed here.
    Retired(Sealed),
}

/// Whether a server has the key that is to be used next; or, while another one is being replaced,
/// uses the one in use.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyReport {
    /// Which server, since it started.
    pub server: Uuid,
    /// How people know it.
    pub name: String,
    /// The key.
    pub key: Uuid,
    /// Whether it has it.
    pub has: bool,
}

/// A key to be retired.
#[derive(Clone, Debug)]
pub struct KeyRetirement {
    /// Which.
    pub key: Uuid,
    /// What of it the audit trail needs.
    pub audit: Sealed,
    /// The last seal of the trail: none after it may be of the key.
    pub last_seal: u64,
}

/// What became of a key to be retired.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Retirement {
    /// It is retired.
    Done,
    /// So many secrets are sealed with it; nothing is written.
    Needed(u64),
    /// It is in use or unknown, or there are later seals of it; nothing is written.
    Moved,
}

/// Where secrets lie.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum SealedKind {
    /// Seeds of one-time passwords.
    Seeds,
    /// Secrets of RADIUS providers.
    RadiusSecrets,
    /// Dialogues with RADIUS servers, which lie with partial tokens.
    Dialogues,
    /// What the audit trail needs of keys that were replaced or retired.
    AuditKeys,
}

impl SealedKind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Seeds,
        Self::RadiusSecrets,
        Self::Dialogues,
        Self::AuditKeys,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seeds => "seeds",
            Self::RadiusSecrets => "radiusSecrets",
            Self::Dialogues => "dialogues",
            Self::AuditKeys => "auditKeys",
        }
    }
}

/// How many secrets a key has sealed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct SealedCount {
    /// Where.
    pub kind: SealedKind,
    /// Which key.
    pub key: Uuid,
    /// How many.
    pub count: u64,
}

/// A secret with all that it is sealed for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SealedThing {
    /// A seed.
    Seed {
        /// Whose.
        user: UserId,
        /// Which enrolment.
        seed: SeedId,
        /// Whether a code of it was seen.
        verified: bool,
        /// The sealed seed.
        sealed: Sealed,
    },
    /// The secrets of a provider.
    Provider(Box<StoredProvider>),
    /// A dialogue.
    Dialogue {
        /// The partial token.
        token: TokenHash,
        /// Its session.
        session: SessionId,
        /// Its user.
        user: UserId,
        /// The sealed dialogue.
        sealed: Sealed,
    },
    /// What the audit trail needs of a key that was replaced or retired.
    AuditKey {
        /// The key.
        key: Uuid,
        /// What of it.
        sealed: Sealed,
    },
}

impl SealedThing {
    /// The id that things of its kind are ordered by.
    pub fn id(&self) -> Vec<u8> {
        match self {
            Self::Seed { user, .. } => user.uuid().as_bytes().to_vec(),
            Self::Provider(stored) => stored.provider.id.uuid().as_bytes().to_vec(),
            Self::Dialogue { token, .. } => token.as_bytes().to_vec(),
            Self::AuditKey { key, .. } => key.as_bytes().to_vec(),
        }
    }
}

/// Where one secret lies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SealedAt {
    /// The seed of a user.
    Seed(UserId),
    /// The shared secret of a provider.
    SharedSecret(MfaProviderId),
    /// The challenge secret of a provider.
    ChallengeSecret(MfaProviderId),
    /// The dialogue of a partial token.
    Dialogue(TokenHash),
    /// What the audit trail needs of a key.
    AuditKey(Uuid),
}

/// A secret that was sealed anew.
#[derive(Clone, Debug)]
pub struct Resealed {
    /// Where it lies.
    pub at: SealedAt,
    /// What was read.
    pub old: Sealed,
    /// What takes its place, if it is still there.
    pub new: Sealed,
}

/// Master keys, by their ids.
#[async_trait]
pub trait Keys: Send + Sync {
    /// Stores the canary if there is none yet; the one that is there now.
    async fn canary(&self, new: &Canary) -> Result<Canary, StoreError>;

    /// What is known of the keys.
    async fn key_state(&self) -> Result<KeyState, StoreError>;

    /// Makes a key the one that is to be used next, in the place of any other that was; all that
    /// servers have reported is forgotten. `Moved` when it is in use, or ever was, and while another
    /// one is being replaced.
    async fn announce_key(&self, next: Uuid) -> Result<Swap, StoreError>;

    /// Notes whether a server has the key that is to be used next, or uses the one in use while
    /// another is being replaced; nothing is written when that is known, or it is neither.
    async fn report_key(&self, report: &KeyReport) -> Result<(), StoreError>;

    /// Forgets what servers have reported: those that run do it again.
    async fn ask_servers(&self) -> Result<(), StoreError>;

    /// What servers have reported since they were asked, by name.
    async fn key_reports(&self) -> Result<Vec<KeyReport>, StoreError>;

    /// Uses the key of this canary, in the place of `from`, which is replaced by it and leaves what
    /// the audit trail needs of it. `Moved` when another one is in use, or this one was not
    /// announced.
    async fn begin_key(
        &self,
        from: Uuid,
        canary: &Canary,
        audit: &Sealed,
        trail: Trail<'_>,
    ) -> Result<Swap, StoreError>;

    /// Pauses the sealing anew, on whatever machine it runs, or lets it go on.
    async fn pause_keys(&self, paused: bool) -> Result<(), StoreError>;

    /// How many secrets each key has sealed, those that have sealed any.
    async fn sealed_counts(&self) -> Result<Vec<SealedCount>, StoreError>;

    /// At most `most` things of a kind with a secret that another key than this one has sealed, in
    /// the order of their ids, from the one after `after` on.
    async fn sealed_things(
        &self,
        kind: SealedKind,
        except: Uuid,
        after: Option<&[u8]>,
        most: u32,
    ) -> Result<Vec<SealedThing>, StoreError>;

    /// Stores secrets that were sealed anew, each where what was read still lies; how many.
    /// Nothing else of their rows changes, and no revision grows.
    async fn reseal(&self, secrets: &[Resealed]) -> Result<u64, StoreError>;

    /// Retires a key that was replaced and has sealed nothing any more. Every write that began
    /// before is seen, and every one that comes later is refused if it brings something that was
    /// sealed with the key.
    async fn retire_key(
        &self,
        retirement: &KeyRetirement,
        trail: Trail<'_>,
    ) -> Result<Retirement, StoreError>;
}
