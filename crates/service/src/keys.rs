//! Another master key in the place of the one in use, while servers sign people in.
//!
//! The database says which key seals, and every server asks it each second. What the key before has
//! sealed is sealed anew a few rows at a time, each where what was read still lies: whoever is
//! interrupted begins again, and whoever writes meanwhile wins.

use tracing::{error, info};
use uuid::Uuid;
use vestibule_engine::audit::{
    AuditKey, AuditKeys, Entry, Event, OPERATOR, ObjectKind, Outcome, Retired,
};
use vestibule_store::{
    Canary, KeyReport, KeyRetirement, KeyStanding, KeyState, Resealed, Retirement, Sealed,
    SealedAt, SealedCount, SealedKind, SealedThing, Swap,
};
use zeroize::Zeroizing;

use crate::bootstrap::{CANARY, CANARY_PLACE};
use crate::keyring::SealError;
use crate::providers::resealed_secrets;
use crate::second_factor::SeedPlace;
use crate::{ClientAddress, Inner, Origin, Place, Service, ServiceError};

/// How often a key is tried to be retired when seals of it come in meanwhile.
const MOST_TRIES: u8 = 16;

/// How far a look at all that is sealed has come.
#[derive(Clone, Debug, Default)]
pub struct Resealing {
    /// What is looked at: of which kind, and after which thing.
    at: (usize, Option<Vec<u8>>),
    /// Secrets that were sealed anew.
    pub done: u64,
    /// What does not open, in words.
    pub unopened: Vec<String>,
}

/// What became of a few rows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress {
    /// There may be more.
    More,
    /// All were looked at.
    Ended,
    /// An operator has said to wait.
    Paused,
}

impl Service {
    /// Uses the key that the database names. While another one is announced, the database hears
    /// from this server, by its name, whether it has it.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn refresh_keys(&self, server: &str) -> Result<(), ServiceError> {
        let inner = &*self.inner;
        let state = inner.store.key_state().await?;
        let Some(named) = state.in_use() else {
            return Ok(());
        };
        let was_missing = inner.keyring.check().is_err();
        match inner.keyring.use_key(named) {
            Ok(true) => info!(key.id = %named, "This master key seals from now on"),
            Err(missing) if !was_missing => error!(
                "Not ready: {missing}; it is read again by itself. Until then sign-ins that need it are \
                 answered with 503"
            ),
            Ok(false) | Err(_) => {}
        }
        if let Some(next) = state.next() {
            let report = KeyReport {
                server: inner.server,
                name: server.to_owned(),
                key: next,
                has: inner.keyring.key(next).is_ok(),
            };
            inner.store.report_key(&report).await?;
        }
        Ok(())
    }

    /// The id of the master key that seals.
    pub fn key_id(&self) -> Uuid {
        self.inner.keyring.id()
    }

    /// What is known of the keys, and how much each has sealed.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn key_state(&self) -> Result<(KeyState, Vec<SealedCount>), ServiceError> {
        let state = self.inner.store.key_state().await?;
        Ok((state, self.inner.store.sealed_counts().await?))
    }

    /// Uses a key that was announced, in the place of the one in use. Whether it did: somebody else
    /// may have been faster, or have announced another one.
    ///
    /// # Errors
    /// When the key is not here, or the store is unavailable.
    pub async fn begin_key(&self, key: Uuid) -> Result<bool, ServiceError> {
        let inner = &*self.inner;
        let from = inner.keyring.id();
        let canary: Canary = inner
            .keyring
            .key(key)?
            .seal(CANARY, CANARY_PLACE, &*inner.random)?;
        let trail = [self.sign(self.about_key(Event::MasterKeyReplaced, from))];
        let begun = inner.store.begin_key(from, &canary, &trail).await?;
        if begun == Swap::Moved {
            return Ok(false);
        }
        inner.keyring.use_key(key)?;
        Ok(true)
    }

    /// Seals anew, with the key in use, at most `most` things that another one has sealed.
    ///
    /// # Errors
    /// When a key is not here, or the store is unavailable. What was sealed anew stays so.
    pub async fn reseal(
        &self,
        resealing: &mut Resealing,
        most: u32,
    ) -> Result<Progress, ServiceError> {
        let inner = &*self.inner;
        let state = inner.store.key_state().await?;
        if state.paused {
            return Ok(Progress::Paused);
        }
        if let Some(named) = state.in_use() {
            inner.keyring.use_key(named)?;
        }
        let in_use = inner.keyring.id();
        let Some(things) = self.next_things(resealing, in_use, most).await? else {
            return Ok(Progress::Ended);
        };
        let mut secrets = Vec::new();
        for thing in &things {
            match inner.resealed(thing) {
                Ok(resealed) => secrets.extend(resealed),
                Err(ServiceError::Bug { .. }) => resealing.unopened.push(in_words(thing)),
                Err(other) => return Err(other),
            }
        }
        secrets.retain(|secret| secret.old.key_id != in_use);
        resealing.done += inner.store.reseal(&secrets).await?;
        Ok(Progress::More)
    }

    /// Opens at most `most` things that are sealed, with any key; whether there may be more.
    ///
    /// # Errors
    /// When a key is not here, or the store is unavailable.
    pub async fn open_sealed(
        &self,
        looking: &mut Resealing,
        most: u32,
    ) -> Result<bool, ServiceError> {
        // No key has this id.
        let Some(things) = self.next_things(looking, Uuid::nil(), most).await? else {
            return Ok(false);
        };
        for thing in &things {
            match self.inner.resealed(thing) {
                Ok(opened) => looking.done += u64::try_from(opened.len()).unwrap_or(u64::MAX),
                Err(ServiceError::Bug { .. }) => looking.unopened.push(in_words(thing)),
                Err(other) => return Err(other),
            }
        }
        Ok(true)
    }

    /// The things that follow, of the next kind that has any.
    async fn next_things(
        &self,
        Resealing { at, .. }: &mut Resealing,
        except: Uuid,
        most: u32,
    ) -> Result<Option<Vec<SealedThing>>, ServiceError> {
        while let Some(kind) = SealedKind::ALL.get(at.0) {
            let after = at.1.as_deref();
            let store = &self.inner.store;
            let things = store.sealed_things(*kind, except, after, most).await?;
            match things.last() {
                Some(last) => {
                    at.1 = Some(last.id());
                    return Ok(Some(things));
                }
                None => *at = (at.0 + 1, None),
            }
        }
        Ok(None)
    }

    /// Retires a key that was replaced, unless it is still needed.
    ///
    /// # Errors
    /// When the key is not here, or the store is unavailable.
    pub async fn retire_key(&self, key: Uuid) -> Result<Retirement, ServiceError> {
        let inner = &*self.inner;
        let audit = inner.keyring.key(key)?;
        for _ in 0..MOST_TRIES {
            let last = inner.store.last_seal().await?;
            let retired = Retired {
                last_seal: last.map_or(0, |seal| seal.number),
                at: inner.time.now().as_micros(),
            };
            let retirement = KeyRetirement {
                key,
                audit: inner.seal_audit_key(audit.audit(), retired)?,
                last_seal: retired.last_seal,
            };
            let trail = [self.sign(self.about_key(Event::MasterKeyRetired, key))];
            let outcome = inner.store.retire_key(&retirement, &trail).await?;
            // A seal of the key may have come in meanwhile.
            if outcome != Retirement::Moved || !self.is_replaced(key).await? {
                return Ok(outcome);
            }
        }
        Err(ServiceError::contended())
    }

    async fn is_replaced(&self, key: Uuid) -> Result<bool, ServiceError> {
        let state = self.inner.store.key_state().await?;
        Ok(state.replaced().any(|replaced| replaced == key))
    }

    /// A row about a key.
    fn about_key(&self, event: Event, key: Uuid) -> Entry {
        let origin = Origin {
            request: self.random_uuid(),
            address: ClientAddress::Local,
        };
        let entry = self.inner.entry(origin, event, Outcome::Success);
        let entry = entry.by(OPERATOR);
        let id = key.to_string();
        // It has no other name.
        entry.to(ObjectKind::MasterKey, Some(&id), Some(&id))
    }
}

impl Inner {
    /// The secrets of a thing, sealed anew for where they lie.
    fn resealed(&self, thing: &SealedThing) -> Result<Vec<Resealed>, ServiceError> {
        let one = |at, old: &Sealed, place: Place<'_>| -> Result<Vec<Resealed>, ServiceError> {
            let secret = self.keyring.open(old, place)?;
            let new = self.keyring.seal(&secret, place, &*self.random)?;
            let old = old.clone();
            Ok(vec![Resealed { at, old, new }])
        };
        match thing {
            SealedThing::Seed {
                user,
                seed,
                verified,
                sealed,
            } => {
                let place = SeedPlace::new(*user, *seed, *verified);
                one(SealedAt::Seed(*user), sealed, place.place())
            }
            SealedThing::Provider(stored) => resealed_secrets(self, stored),
            SealedThing::Dialogue {
                token,
                session,
                user,
                sealed,
            } => {
                let user = user.uuid();
                let place = crate::radius::dialogue_place(*session, &user);
                one(SealedAt::Dialogue(*token), sealed, place)
            }
            SealedThing::AuditKey { key, sealed } => {
                one(SealedAt::AuditKey(*key), sealed, audit_place(*key))
            }
        }
    }

    /// All keys that the audit trail can have been written with.
    pub(crate) async fn audit_keys(&self) -> Result<AuditKeys, ServiceError> {
        let state = self.store.key_state().await?;
        let mut keys = AuditKeys::default();
        for (id, standing) in &state.others {
            if let KeyStanding::Retired(sealed) = standing {
                let opened = self.keyring.open(sealed, audit_place(*id))?;
                let (key, retired) = read_audit_key(*id, &opened)
                    .ok_or_else(|| ServiceError::from(SealError::Altered))?;
                keys = keys.with(key, Some(retired));
            }
        }
        for key in self.keyring.all() {
            if !state.retired().any(|retired| retired == key.id()) {
                keys = keys.with(AuditKey::restore(key.id(), *key.audit().expose()), None);
            }
        }
        Ok(keys)
    }

    /// What the audit trail needs of a key that goes, sealed with the key in use.
    fn seal_audit_key(&self, key: &AuditKey, retired: Retired) -> Result<Sealed, SealError> {
        let octets = Zeroizing::new(
            [
                key.expose().as_slice(),
                &retired.last_seal.to_be_bytes(),
                &retired.at.to_be_bytes(),
            ]
            .concat(),
        );
        let place = audit_place(key.id());
        self.keyring.seal(&octets, place, &*self.random)
    }
}

fn read_audit_key(id: Uuid, octets: &[u8]) -> Option<(AuditKey, Retired)> {
    let (key, rest) = octets.split_first_chunk()?;
    let (last_seal, rest) = rest.split_first_chunk()?;
    let retired = Retired {
        last_seal: u64::from_be_bytes(*last_seal),
        at: i64::from_be_bytes(rest.try_into().ok()?),
    };
    Some((AuditKey::restore(id, *key), retired))
}

const fn audit_place(key: Uuid) -> Place<'static> {
    Place {
        table: "master_keys",
        row: key,
        purpose: "audit key",
        detail: b"",
    }
}

/// What does not open, and what an operator can do about it.
fn in_words(thing: &SealedThing) -> String {
    match thing {
        SealedThing::Seed { user, .. } => {
            format!("the seed of the user {user}: reset it, and the user enrols again")
        }
        SealedThing::Provider(stored) => format!(
            "a secret of the MFA provider {}: enter it again",
            stored.provider.id
        ),
        SealedThing::Dialogue { user, .. } => {
            format!("a RADIUS dialogue of the user {user}: it ends by itself")
        }
        SealedThing::AuditKey { key, .. } => {
            format!("the audit key of the master key {key}: restore a backup")
        }
    }
}
