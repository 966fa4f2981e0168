//! Master keys, and what they have sealed.

use std::collections::BTreeMap;

use async_trait::async_trait;
use uuid::Uuid;
use vestibule_store::{
    Canary, KeyReport, KeyRetirement, KeyStanding, KeyState, Keys, RETIRED_KEY, Resealed,
    Retirement, Sealed, SealedAt, SealedCount, SealedKind, SealedThing, StoreError, Swap, Trail,
};

use crate::MemoryStore;
use crate::tables::Tables;

/// The keys other than the one in use.
#[derive(Debug, Default)]
pub(crate) struct KeyTables {
    paused: bool,
    others: BTreeMap<Uuid, KeyStanding>,
    reports: BTreeMap<Uuid, KeyReport>,
}

impl KeyTables {
    /// Nothing comes in that was sealed with a key that was retired.
    pub(crate) fn take<'s>(
        &self,
        sealed: impl IntoIterator<Item = &'s Sealed>,
    ) -> Result<(), StoreError> {
        let mut keys = sealed.into_iter().map(|sealed| sealed.key_id);
        if keys.any(|key| self.is_retired(key)) {
            return Err(StoreError::unavailable(RETIRED_KEY));
        }
        Ok(())
    }

    fn is_being_replaced(&self) -> bool {
        let mut standings = self.others.values();
        standings.any(|standing| matches!(standing, KeyStanding::Replaced(_)))
    }

    pub(crate) fn is_retired(&self, key: Uuid) -> bool {
        matches!(self.others.get(&key), Some(KeyStanding::Retired(_)))
    }
}

#[async_trait]
impl Keys for MemoryStore {
    async fn canary(&self, new: &Canary) -> Result<Canary, StoreError> {
        let mut tables = self.tables();
        Ok(tables.canary.get_or_insert_with(|| new.clone()).clone())
    }

    async fn key_state(&self) -> Result<KeyState, StoreError> {
        let tables = self.tables();
        let others = tables.keys.others.iter();
        Ok(KeyState {
            canary: tables.canary.clone(),
            paused: tables.keys.paused,
            others: others
                .map(|(id, standing)| (*id, standing.clone()))
                .collect(),
        })
    }

    async fn announce_key(&self, next: Uuid) -> Result<Swap, StoreError> {
        let mut tables = self.tables();
        let in_use = tables.canary.as_ref().map(|canary| canary.key_id);
        let is_next = |standing: &KeyStanding| *standing == KeyStanding::Next;
        let keys = &mut tables.keys;
        if keys.is_being_replaced() {
            return Ok(Swap::Moved);
        }
        if in_use.is_none_or(|key| key == next)
            || keys.others.get(&next).is_some_and(|it| !is_next(it))
        {
            return Ok(Swap::Moved);
        }
        keys.others.retain(|_, standing| !is_next(standing));
        keys.others.insert(next, KeyStanding::Next);
        keys.reports.clear();
        Ok(Swap::Done)
    }

    async fn report_key(&self, report: &KeyReport) -> Result<(), StoreError> {
        let tables = &mut *self.tables();
        let in_use = tables.canary.as_ref().map(|canary| canary.key_id);
        let keys = &mut tables.keys;
        let is_next = keys.others.get(&report.key) == Some(&KeyStanding::Next);
        if is_next || keys.is_being_replaced() && in_use == Some(report.key) {
            keys.reports.insert(report.server, report.clone());
        }
        Ok(())
    }

    async fn ask_servers(&self) -> Result<(), StoreError> {
        self.tables().keys.reports.clear();
        Ok(())
    }

    async fn key_reports(&self) -> Result<Vec<KeyReport>, StoreError> {
        let mut reports: Vec<_> = self.tables().keys.reports.values().cloned().collect();
        reports.sort_by(|one, other| (&one.name, one.server).cmp(&(&other.name, other.server)));
        Ok(reports)
    }

    async fn begin_key(
        &self,
        from: Uuid,
        canary: &Canary,
        audit: &Sealed,
        trail: Trail<'_>,
    ) -> Result<Swap, StoreError> {
        let mut tables = self.tables();
        let in_use = tables.canary.as_ref().map(|canary| canary.key_id);
        let keys = &mut tables.keys;
        if in_use != Some(from) || keys.others.get(&canary.key_id) != Some(&KeyStanding::Next) {
            return Ok(Swap::Moved);
        }
        keys.others.remove(&canary.key_id);
        let replaced = KeyStanding::Replaced(audit.clone());
        keys.others.insert(from, replaced);
        keys.reports.clear();
        tables.canary = Some(canary.clone());
        tables.write_down(trail);
        Ok(Swap::Done)
    }

    async fn pause_keys(&self, paused: bool) -> Result<(), StoreError> {
        self.tables().keys.paused = paused;
        Ok(())
    }

    async fn sealed_counts(&self) -> Result<Vec<SealedCount>, StoreError> {
        Ok(self.tables().sealed_counts())
    }

    async fn sealed_things(
        &self,
        kind: SealedKind,
        except: Uuid,
        after: Option<&[u8]>,
        most: u32,
    ) -> Result<Vec<SealedThing>, StoreError> {
        let tables = self.tables();
        let mut things = tables.things(kind);
        things.retain(|thing| {
            let mut secrets = secrets(thing).into_iter();
            let is_later = after.is_none_or(|after| thing.id().as_slice() > after);
            is_later && secrets.any(|sealed| sealed.key_id != except)
        });
        things.sort_by_key(SealedThing::id);
        things.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        Ok(things)
    }

    async fn reseal(&self, secrets: &[Resealed]) -> Result<u64, StoreError> {
        let mut tables = self.tables();
        tables.keys.take(secrets.iter().map(|secret| &secret.new))?;
        let mut count = 0;
        for secret in secrets {
            let Some(place) = tables.sealed_at(secret.at) else {
                continue;
            };
            if *place == secret.old {
                *place = secret.new.clone();
                count += 1;
            }
        }
        Ok(count)
    }

    async fn retire_key(
        &self,
        retirement: &KeyRetirement,
        trail: Trail<'_>,
    ) -> Result<Retirement, StoreError> {
        let mut tables = self.tables();
        let key = retirement.key;
        let counts = tables.sealed_counts();
        let counts = counts.iter().filter(|count| count.key == key);
        let needed: u64 = counts.map(|count| count.count).sum();
        if needed > 0 {
            return Ok(Retirement::Needed(needed));
        }
        let standing = tables.keys.others.get(&key);
        let is_replaced = matches!(standing, Some(KeyStanding::Replaced(_)));
        if !is_replaced || tables.audit.has_seal_of(key, retirement.last_seal) {
            return Ok(Retirement::Moved);
        }
        let retired = KeyStanding::Retired(retirement.audit.clone());
        tables.keys.others.insert(key, retired);
        tables.write_down(trail);
        Ok(Retirement::Done)
    }
}

/// What is sealed of a thing.
fn secrets(thing: &SealedThing) -> Vec<&Sealed> {
    match thing {
        SealedThing::Seed { sealed, .. }
        | SealedThing::Dialogue { sealed, .. }
        | SealedThing::AuditKey { sealed, .. } => vec![sealed],
        SealedThing::Provider(stored) => {
            let secrets = [&stored.shared_secret, &stored.challenge_secret];
            secrets.into_iter().flatten().collect()
        }
    }
}

impl Tables {
    fn sealed_counts(&self) -> Vec<SealedCount> {
        let mut counts = BTreeMap::new();
        for kind in SealedKind::ALL {
            for thing in self.things(kind) {
                for sealed in secrets(&thing) {
                    *counts.entry((kind, sealed.key_id)).or_insert(0) += 1;
                }
            }
        }
        let counts = counts.into_iter();
        counts
            .map(|((kind, key), count)| SealedCount { kind, key, count })
            .collect()
    }

    fn things(&self, kind: SealedKind) -> Vec<SealedThing> {
        match kind {
            SealedKind::Seeds => {
                let seeds = self.factors.iter();
                let seeds = seeds.filter_map(|(user, factor)| Some((user, factor.seed.as_ref()?)));
                seeds
                    .map(|(user, seed)| SealedThing::Seed {
                        user: *user,
                        seed: seed.id,
                        verified: matches!(seed.state, vestibule_store::SeedState::Verified { .. }),
                        sealed: seed.sealed.clone(),
                    })
                    .collect()
            }
            SealedKind::RadiusSecrets => {
                let all = self.providers.values();
                all.map(|provider| SealedThing::Provider(Box::new(provider.stored.clone())))
                    .collect()
            }
            SealedKind::Dialogues => {
                let dialogues = self.tokens.values();
                let dialogues =
                    dialogues.filter_map(|it| Some((&it.record, it.dialogue.as_ref()?)));
                dialogues
                    .map(|(record, sealed)| SealedThing::Dialogue {
                        token: record.hash,
                        session: record.session,
                        user: record.user,
                        sealed: sealed.clone(),
                    })
                    .collect()
            }
            SealedKind::AuditKeys => {
                let keys = self.keys.others.iter();
                keys.filter_map(|(key, standing)| match standing {
                    KeyStanding::Replaced(sealed) | KeyStanding::Retired(sealed) => {
                        Some(SealedThing::AuditKey {
                            key: *key,
                            sealed: sealed.clone(),
                        })
                    }
                    KeyStanding::Next => None,
                })
                .collect()
            }
        }
    }

    fn sealed_at(&mut self, at: SealedAt) -> Option<&mut Sealed> {
        match at {
            SealedAt::Seed(user) => Some(&mut self.factors.get_mut(&user)?.seed.as_mut()?.sealed),
            SealedAt::SharedSecret(id) => {
                self.providers.get_mut(&id)?.stored.shared_secret.as_mut()
            }
            SealedAt::ChallengeSecret(id) => self
                .providers
                .get_mut(&id)?
                .stored
                .challenge_secret
                .as_mut(),
            SealedAt::Dialogue(token) => self.tokens.get_mut(&token)?.dialogue.as_mut(),
            SealedAt::AuditKey(key) => match self.keys.others.get_mut(&key)? {
                KeyStanding::Replaced(sealed) | KeyStanding::Retired(sealed) => Some(sealed),
                KeyStanding::Next => None,
            },
        }
    }
}
