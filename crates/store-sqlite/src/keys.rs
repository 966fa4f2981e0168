//! Master keys, and what they have sealed.

use async_trait::async_trait;
use sqlx::{query, query_as, query_scalar};
use uuid::Uuid;
use vestibule_store::{
    Canary, KeyReport, KeyRetirement, KeyState, Keys, Resealed, Retirement, Sealed, SealedAt,
    SealedCount, SealedKind, SealedThing, StoreError, Swap, Trail,
};
use vestibule_store_sql::{
    CountRow, KEY_REPORTS, KEY_STATE, KeyRow, ReportRow, SEALED_COUNTS, SealedAuditKeyRow,
    SealedDialogueRow, SealedSeedRow, StoredProviderRow, integer, key_state, octets_after,
    stored_provider_columns, uuid_after,
};

use crate::SqliteStore;
use crate::error::store_error;
use crate::write::Write;

/// The key is neither in use nor ever was, and none is being replaced.
const ANNOUNCE: &str = "
    INSERT INTO master_keys (key_id, state) SELECT ?1, 'next'
    WHERE EXISTS (SELECT 1 FROM canary WHERE key_id <> ?1)
        AND NOT EXISTS (SELECT 1 FROM master_keys WHERE state = 'replaced')
    ON CONFLICT DO NOTHING";

const REPORT: &str = "
    INSERT INTO key_reports (server, name, key_id, has) SELECT ?1, ?2, ?3, ?4
    WHERE EXISTS (SELECT 1 FROM master_keys WHERE key_id = ?3 AND state = 'next')
        OR EXISTS (SELECT 1 FROM canary WHERE key_id = ?3)
            AND EXISTS (SELECT 1 FROM master_keys WHERE state = 'replaced')
    ON CONFLICT (server) DO UPDATE SET name = ?2, key_id = ?3, has = ?4
        WHERE key_reports.key_id <> ?3 OR key_reports.has <> ?4";

const REPLACED: &str = "
    INSERT INTO master_keys (key_id, state, audit_key_id, audit_sealed)
    VALUES (?1, 'replaced', ?2, ?3)";

const SEEDS: &str = "
    SELECT user_id, seed_id, verified, seed_key_id, seed_sealed FROM second_factors
    WHERE user_id >= ?2 AND seed_key_id IS NOT NULL AND seed_key_id <> ?1
    ORDER BY user_id LIMIT ?3";

const PROVIDERS: &str = concat!(
    "SELECT ",
    stored_provider_columns!(),
    " FROM mfa_providers p
      WHERE id >= ?2 AND (shared_secret_key_id <> ?1 OR challenge_secret_key_id <> ?1)
      ORDER BY id LIMIT ?3"
);

const DIALOGUES: &str = "
    SELECT hash, session, user_id, dialogue_key_id, dialogue_sealed FROM tokens
    WHERE hash >= ?2 AND dialogue_key_id IS NOT NULL AND dialogue_key_id <> ?1
    ORDER BY hash LIMIT ?3";

const AUDIT_KEYS: &str = "
    SELECT key_id, audit_key_id, audit_sealed FROM master_keys
    WHERE key_id >= ?2 AND audit_key_id IS NOT NULL AND audit_key_id <> ?1
    ORDER BY key_id LIMIT ?3";

#[async_trait]
impl Keys for SqliteStore {
    async fn canary(&self, new: &Canary) -> Result<Canary, StoreError> {
        let mut write = self.write().await?;
        let insert = "
            INSERT INTO canary (one, key_id, sealed) VALUES (1, ?1, ?2) ON CONFLICT DO NOTHING";
        write
            .run(query(insert).bind(new.key_id).bind(&new.bytes))
            .await?;
        let (key_id, bytes) = query_as("SELECT key_id, sealed FROM canary")
            .fetch_one(write.on())
            .await
            .map_err(store_error)?;
        write.commit().await?;
        Ok(Sealed { key_id, bytes })
    }

    async fn key_state(&self) -> Result<KeyState, StoreError> {
        let rows: Vec<KeyRow> = query_as(KEY_STATE)
            .fetch_all(self.reads()?)
            .await
            .map_err(store_error)?;
        key_state(rows)
    }

    async fn announce_key(&self, next: Uuid) -> Result<Swap, StoreError> {
        let mut write = self.write().await?;
        write
            .run(query("DELETE FROM master_keys WHERE state = 'next'"))
            .await?;
        if write.run(query(ANNOUNCE).bind(next)).await? != 1 {
            return write.moved().await;
        }
        write.run(query("DELETE FROM key_reports")).await?;
        write.done().await
    }

    async fn report_key(&self, report: &KeyReport) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        let note = query(REPORT)
            .bind(report.server)
            .bind(&report.name)
            .bind(report.key)
            .bind(report.has);
        write.run(note).await?;
        write.commit().await
    }

    async fn ask_servers(&self) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        write.run(query("DELETE FROM key_reports")).await?;
        write.commit().await
    }

    async fn key_reports(&self) -> Result<Vec<KeyReport>, StoreError> {
        let rows: Vec<ReportRow> = query_as(KEY_REPORTS)
            .fetch_all(self.reads()?)
            .await
            .map_err(store_error)?;
        Ok(rows.into_iter().map(KeyReport::from).collect())
    }

    async fn begin_key(
        &self,
        from: Uuid,
        canary: &Canary,
        audit: &Sealed,
        trail: Trail<'_>,
    ) -> Result<Swap, StoreError> {
        let mut write = self.write_with(trail).await?;
        let announced = query("DELETE FROM master_keys WHERE key_id = ?1 AND state = 'next'");
        if write.run(announced.bind(canary.key_id)).await? != 1 {
            return write.moved().await;
        }
        let begin = query("UPDATE canary SET key_id = ?2, sealed = ?3 WHERE key_id = ?1");
        let begin = begin.bind(from).bind(canary.key_id).bind(&canary.bytes);
        if write.run(begin).await? != 1 {
            return write.moved().await;
        }
        let replaced = query(REPLACED)
            .bind(from)
            .bind(audit.key_id)
            .bind(&audit.bytes);
        write.run(replaced).await?;
        write.run(query("DELETE FROM key_reports")).await?;
        write.done().await
    }

    async fn pause_keys(&self, paused: bool) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        let pause = query("UPDATE canary SET paused = ?1").bind(paused);
        write.run(pause).await?;
        write.commit().await
    }

    async fn sealed_counts(&self) -> Result<Vec<SealedCount>, StoreError> {
        let rows: Vec<CountRow> = query_as(SEALED_COUNTS)
            .fetch_all(self.reads()?)
            .await
            .map_err(store_error)?;
        let counts = rows.into_iter().map(SealedCount::try_from);
        let mut counts = counts.collect::<Result<Vec<_>, _>>()?;
        counts.sort();
        Ok(counts)
    }

    async fn sealed_things(
        &self,
        kind: SealedKind,
        except: Uuid,
        after: Option<&[u8]>,
        most: u32,
    ) -> Result<Vec<SealedThing>, StoreError> {
        macro_rules! things {
            ($row:ty, $statement:expr, $from:expr) => {{
                let rows = query_as($statement).bind(except).bind($from).bind(most);
                let rows: Vec<$row> = rows.fetch_all(self.reads()?).await.map_err(store_error)?;
                rows.into_iter().map(SealedThing::try_from).collect()
            }};
        }
        match kind {
            SealedKind::Seeds => things!(SealedSeedRow, SEEDS, uuid_after(after)),
            SealedKind::RadiusSecrets => {
                things!(StoredProviderRow, PROVIDERS, uuid_after(after))
            }
            SealedKind::Dialogues => things!(SealedDialogueRow, DIALOGUES, octets_after(after)),
            SealedKind::AuditKeys => things!(SealedAuditKeyRow, AUDIT_KEYS, uuid_after(after)),
        }
    }

    async fn reseal(&self, secrets: &[Resealed]) -> Result<u64, StoreError> {
        let mut write = self.write().await?;
        let mut count = 0;
        for secret in secrets {
            count += reseal(&mut write, secret).await?;
        }
        write.commit().await?;
        Ok(count)
    }

    async fn retire_key(
        &self,
        retirement: &KeyRetirement,
        trail: Trail<'_>,
    ) -> Result<Retirement, StoreError> {
        let mut write = self.write_with(trail).await?;
        let rows: Vec<CountRow> = query_as(SEALED_COUNTS)
            .fetch_all(write.on())
            .await
            .map_err(store_error)?;
        let mut needed = 0;
        for row in rows {
            let count = SealedCount::try_from(row)?;
            if count.key == retirement.key {
                needed += count.count;
            }
        }
        if needed > 0 {
            return write.refused(Retirement::Needed(needed)).await;
        }
        let later = "SELECT EXISTS (SELECT 1 FROM audit_seals WHERE number > ?1 AND key_id = ?2)";
        let later: bool = query_scalar(later)
            .bind(integer(retirement.last_seal)?)
            .bind(retirement.key)
            .fetch_one(write.on())
            .await
            .map_err(store_error)?;
        let retire = "
            UPDATE master_keys SET state = 'retired', audit_key_id = ?2, audit_sealed = ?3
            WHERE key_id = ?1 AND state = 'replaced'";
        let retire = query(retire)
            .bind(retirement.key)
            .bind(retirement.audit.key_id)
            .bind(&retirement.audit.bytes);
        if later || write.run(retire).await? != 1 {
            return write.refused(Retirement::Moved).await;
        }
        write.commit().await?;
        Ok(Retirement::Done)
    }
}

async fn reseal(write: &mut Write<'_>, secret: &Resealed) -> Result<u64, StoreError> {
    let (old, new) = (&secret.old, &secret.new);
    macro_rules! swap {
        ($statement:literal, $id:expr) => {
            query($statement)
                .bind($id)
                .bind(old.key_id)
                .bind(&old.bytes)
                .bind(new.key_id)
                .bind(&new.bytes)
        };
    }
    let swap = match secret.at {
        SealedAt::Seed(user) => swap!(
            "UPDATE second_factors SET seed_key_id = ?4, seed_sealed = ?5
             WHERE user_id = ?1 AND seed_key_id = ?2 AND seed_sealed = ?3",
            user.uuid()
        ),
        SealedAt::SharedSecret(provider) => swap!(
            "UPDATE mfa_providers SET shared_secret_key_id = ?4, shared_secret_sealed = ?5
             WHERE id = ?1 AND shared_secret_key_id = ?2 AND shared_secret_sealed = ?3",
            provider.uuid()
        ),
        SealedAt::ChallengeSecret(provider) => swap!(
            "UPDATE mfa_providers SET challenge_secret_key_id = ?4, challenge_secret_sealed = ?5
             WHERE id = ?1 AND challenge_secret_key_id = ?2 AND challenge_secret_sealed = ?3",
            provider.uuid()
        ),
        SealedAt::Dialogue(token) => swap!(
            "UPDATE tokens SET dialogue_key_id = ?4, dialogue_sealed = ?5
             WHERE hash = ?1 AND dialogue_key_id = ?2 AND dialogue_sealed = ?3",
            token.as_bytes().to_vec()
        ),
        SealedAt::AuditKey(key) => swap!(
            "UPDATE master_keys SET audit_key_id = ?4, audit_sealed = ?5
             WHERE key_id = ?1 AND audit_key_id = ?2 AND audit_sealed = ?3",
            key
        ),
    };
    write.run(swap).await
}
