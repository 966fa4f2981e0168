//! Another master key in the place of the one in use, while servers sign people in.
//!
//! The database says which key seals, and every server asks it each second. What the key before has
//! sealed is sealed anew a few rows at a time, each where what was read still lies: whoever is
//! interrupted begins again, and whoever writes meanwhile wins.

mod trail;
mod unopened;

use tracing::{error, info};
use uuid::Uuid;
use vestibule_engine::audit::{Entry, Event, OPERATOR, ObjectKind, Outcome, Retired};
use vestibule_store::{
    Canary, KeyReport, KeyRetirement, KeyState, Resealed, Retirement, Sealed, SealedAt,
    SealedCount, SealedKind, SealedThing, Swap,
};

use crate::bootstrap::{CANARY, CANARY_PLACE};
use crate::keyring::SealError;
use crate::providers::resealed_secrets;
use crate::second_factor::SeedPlace;
use crate::{ClientAddress, Inner, Origin, Place, Service, ServiceError};

use trail::{NOT_RETIRED, audit_place};

/// How often a key is tried to be retired when seals of it come in meanwhile.
const MOST_TRIES: u8 = 16;

/// How far a look at all that is sealed has come.
#[derive(Clone, Debug, Default)]
pub struct Resealing {
    /// What is looked at: of which kind, and after which thing.
    at: (usize, Option<Vec<u8>>),
    /// Secrets that were sealed anew.
    pub done: u64,
    /// What does not open, in words; not all of it, if there is a lot.
    pub unopened: Vec<String>,
    /// How much more does not open.
    pub more_unopened: u64,
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
    /// Uses the key that the database names, and forgets those that were retired. While another one
    /// is announced, or is being replaced, the database hears from this server, by its name, whether
    /// it has the new one.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn refresh_keys(&self, server: &str) -> Result<(), ServiceError> {
        let inner = &*self.inner;
        let state = inner.store.key_state().await?;
        let Some(named) = state.in_use() else {
            return Ok(());
        };
        inner.keyring.forget(state.retired());
        let was_missing = inner.keyring.missing().is_some();
        match inner.keyring.use_key(named) {
            Ok(true) => info!(key.id = %named, "This master key seals from now on"),
            Err(missing) if !was_missing => error!(
                "Not ready: {missing}; it is read again by itself. Until then sign-ins that need it are \
                 answered with 503"
            ),
            Ok(false) | Err(_) => {}
        }
        for key in inner.keyring.newly_lacking(state.replaced()) {
            let missing = SealError::MissingKey(key);
            error!(
                "Not ready: {missing}; it is read again by itself. Until then sign-ins that need it are \
                 answered with 503"
            );
        }
        let replaces = state.replaced().next().map(|_| named);
        if let Some(asked) = state.next().or(replaces) {
            let report = KeyReport {
                server: inner.server,
                name: server.to_owned(),
                key: asked,
                has: inner.keyring.has(asked),
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
        // Now, while the old key is here for certain: nothing needs it when it is retired.
        let sealed = inner.seal_audit_key(inner.keyring.key(from)?.audit(), NOT_RETIRED, key)?;
        let trail = [self.sign(self.about_key(Event::MasterKeyReplaced, from))];
        let begun = inner
            .store
            .begin_key(from, &canary, &sealed, &trail)
            .await?;
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
            for resealed in inner.resealed(thing) {
                match resealed {
                    Ok(resealed) => secrets.push(resealed),
                    Err(error) => inner.note_unopened(resealing, thing, error).await?,
                }
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
            for opened in self.inner.resealed(thing) {
                match opened {
                    Ok(_) => looking.done += 1,
                    Err(error) => self.inner.note_unopened(looking, thing, error).await?,
                }
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

    /// Retires a key that was replaced, unless it is still needed. The key itself need not be here.
    ///
    /// # Errors
    /// When the key in use is not here, or the store is unavailable.
    pub async fn retire_key(&self, key: Uuid) -> Result<Retirement, ServiceError> {
        let inner = &*self.inner;
        inner.keyring.check()?;
        let state = inner.store.key_state().await?;
        let Some(audit) = inner.replaced_audit_key(&state, key)? else {
            return Ok(Retirement::Moved);
        };
        for _ in 0..MOST_TRIES {
            let last = inner.store.last_seal().await?;
            let retired = Retired {
                last_seal: last.map_or(0, |seal| seal.number),
                at: inner.time.now().as_micros(),
            };
            let retirement = KeyRetirement {
                key,
                audit: inner.seal_audit_key(&audit, retired, inner.keyring.id())?,
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
            request: self.new_id(),
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
    /// A secret, sealed anew for where it lies.
    pub(crate) fn reseal(
        &self,
        at: SealedAt,
        old: &Sealed,
        place: Place<'_>,
    ) -> Result<Resealed, SealError> {
        let secret = self.keyring.open(old, place)?;
        let new = self.keyring.seal(&secret, place, &*self.random)?;
        let old = old.clone();
        Ok(Resealed { at, old, new })
    }

    /// The secrets of a thing, sealed anew for where they lie.
    fn resealed(&self, thing: &SealedThing) -> Vec<Result<Resealed, SealError>> {
        let one = |at, old: &Sealed, place: Place<'_>| vec![self.reseal(at, old, place)];
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

    /// Whether all keys are here that are not retired, and so may have sealed something.
    pub(crate) async fn check_keys(&self) -> Result<(), ServiceError> {
        let state = self.store.key_state().await?;
        for key in state.in_use().into_iter().chain(state.replaced()) {
            self.keyring.key(key)?;
        }
        Ok(())
    }
}
