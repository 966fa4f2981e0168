//! Users.

use async_trait::async_trait;
use sqlx::{query, query_as, query_scalar};
use uuid::Uuid;
use vestibule_engine::{NameKey, RoleId, Timestamp, User, UserId};
use vestibule_store::{
    Accounts, Authority, Creation, ListQuery, Listing, NewUser, PasswordHash, StoreError, Swap,
    Trail, UserChange, UserWrite,
};

use crate::PostgresStore;
use crate::audit::{Note, noted};
use crate::error::{is_storable, retrying, store_error};
use crate::roles::{GROW_AUTHORITY, lock_authority};
use crate::transaction::Transaction;
use vestibule_store_sql::{UserRow, bind_user, integer, is_name_taken, user_columns};

const BY_NAME: &str = concat!(
    "SELECT ",
    user_columns!(),
    " FROM users u WHERE u.name_key = $1"
);

const BY_ID: &str = concat!("SELECT ", user_columns!(), " FROM users u WHERE u.id = $1");

const ADD: &str = concat!(
    "WITH added AS (
    INSERT INTO users (id, name, name_key, first_name, last_name, email, phone, notes, tags,
        disabled, password_hash, failed_login_attempts, lock_start, roles, updated, search,
        fields, exempt_until, created)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19
    WHERE $20::bigint IS NULL
        OR EXISTS (SELECT 1 FROM admin_mfa WHERE authority = $20 FOR KEY SHARE)
    ON CONFLICT DO NOTHING RETURNING 1
    )",
    noted!("added", "$21"),
    " SELECT 1 FROM added"
);

const REPLACE: &str = "
    UPDATE users SET name = $2, name_key = $3, first_name = $4, last_name = $5, email = $6,
        phone = $7, notes = $8, tags = $9, disabled = $10,
        password_hash = coalesce($11, password_hash), failed_login_attempts = $12,
        lock_start = $13, roles = $14, updated = $15, search = $16, fields = $17
    WHERE id = $1";

const HOLD: &str = concat!(
    "SELECT ",
    user_columns!(),
    " FROM users u WHERE u.id = $1 FOR UPDATE"
);

/// The roles that allow everything, and whether another one than this user may do so.
const ADMINISTERING: &str = "
    WITH administering AS (
        SELECT coalesce(array_agg(id), '{}') AS ids FROM administrative_roles WHERE administering
    )
    SELECT ids, EXISTS (SELECT 1 FROM users WHERE NOT disabled AND roles <> '[]'
        AND roles ?| ids::text[] AND id <> $1)
    FROM administering";

const SET_PASSWORD: &str = "
    UPDATE users SET password_hash = $2, updated = $3, failed_login_attempts = 0,
        lock_start = NULL
    WHERE id = $1";

const UNLOCK: &str = "
    UPDATE users SET updated = $2, failed_login_attempts = 0, lock_start = NULL WHERE id = $1";

const EXEMPT: &str = concat!(
    "WITH exempted AS (
        UPDATE users SET exempt_until = $2, updated = $3 WHERE id = $1 RETURNING 1
    )",
    noted!("exempted", "$4"),
    " SELECT 1 FROM exempted"
);

const FILL_BUDGET: &str = "
    UPDATE second_factors SET revision = revision + 1, budget_row = budget_row + 1, streak = 0,
        waiting_until = NULL, recent = '', closed = FALSE
    WHERE user_id = $1";

#[async_trait]
impl Accounts for PostgresStore {
    async fn has_users(&self) -> Result<bool, StoreError> {
        query_scalar("SELECT EXISTS (SELECT 1 FROM users)")
            .fetch_one(&self.connections)
            .await
            .map_err(store_error)
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        let row: Option<UserRow> = query_as(BY_ID)
            .bind(id.uuid())
            .fetch_optional(&self.connections)
            .await
            .map_err(store_error)?;
        row.map(User::try_from).transpose()
    }

    async fn user_by_name(&self, name: &NameKey) -> Result<Option<User>, StoreError> {
        if !is_storable(name.as_str()) {
            return Ok(None);
        }
        let row: Option<UserRow> = query_as(BY_NAME)
            .bind(name.as_str())
            .fetch_optional(&self.connections)
            .await
            .map_err(store_error)?;
        row.map(User::try_from).transpose()
    }

    async fn users(&self, query: &ListQuery) -> Result<Listing<User>, StoreError> {
        self.list_users(query).await
    }

    async fn add_user(&self, new: &NewUser, trail: Trail<'_>) -> Result<Creation, StoreError> {
        loop {
            let note = self.note(trail).await?;
            let added = retrying(|| self.insert_user(new, &note)).await;
            if note.ended(added)? == Swap::Done {
                return Ok(Creation::Created);
            }
            let name = new.user.name.key();
            let taken = "SELECT id = $1 FROM users WHERE id = $1 OR name_key = $2
                ORDER BY id = $1 DESC LIMIT 1";
            let taken: Option<bool> = query_scalar(taken)
                .bind(new.user.id.uuid())
                .bind(name.as_str())
                .fetch_optional(&self.connections)
                .await
                .map_err(store_error)?;
            match taken {
                Some(true) => return Ok(Creation::IdTaken),
                Some(false) => return Ok(Creation::NameTaken),
                None if self.has_moved_since(new.authority).await? => return Ok(Creation::Moved),
                // Whoever was in the way has been removed since.
                None => {}
            }
        }
    }

    async fn replace_user(
        &self,
        change: &UserChange,
        trail: Trail<'_>,
    ) -> Result<UserWrite, StoreError> {
        let note = self.note(trail).await?;
        let replaced = retrying(|| self.try_replace_user(change, &note)).await;
        note.ended(replaced)
    }

    async fn set_password(
        &self,
        user: UserId,
        password: &PasswordHash,
        now: Timestamp,
        trail: Trail<'_>,
    ) -> Result<bool, StoreError> {
        let note = self.note(trail).await?;
        let set = retrying(|| async {
            let mut write = self.write().await?;
            let set = query(SET_PASSWORD)
                .bind(user.uuid())
                .bind(password.expose())
                .bind(now.as_micros());
            if write.run(set).await? != 1 {
                write.roll_back().await?;
                return Ok(false);
            }
            end_tokens(&mut write, user).await?;
            end_device_failures(&mut write, user).await?;
            note.write(&mut write).await?;
            write.commit().await?;
            Ok(true)
        })
        .await;
        note.ended(set)
    }

    async fn set_disabled(
        &self,
        user: UserId,
        disabled: bool,
        now: Timestamp,
        trail: Trail<'_>,
    ) -> Result<UserWrite, StoreError> {
        let note = self.note(trail).await?;
        let set = retrying(|| async {
            let mut write = self.write().await?;
            if let Err(refused) = hold(&mut write, user, None, |_| !disabled).await? {
                write.roll_back().await?;
                return Ok(refused);
            }
            let set = query(
                "UPDATE users SET disabled = $2, updated = $3,
                fields = jsonb_set(fields, '{disabled}', to_jsonb($2::text)) WHERE id = $1",
            )
            .bind(user.uuid())
            .bind(disabled)
            .bind(now.as_micros());
            write.run(set).await?;
            if disabled {
                end_tokens(&mut write, user).await?;
            }
            note.write(&mut write).await?;
            write.commit().await?;
            Ok(UserWrite::Done)
        })
        .await;
        note.ended(set)
    }

    async fn unlock(
        &self,
        user: UserId,
        now: Timestamp,
        trail: Trail<'_>,
    ) -> Result<bool, StoreError> {
        let note = self.note(trail).await?;
        let unlocked = retrying(|| async {
            let mut write = self.write().await?;
            let unlock = query(UNLOCK).bind(user.uuid()).bind(now.as_micros());
            if write.run(unlock).await? != 1 {
                write.roll_back().await?;
                return Ok(false);
            }
            write.run(query(FILL_BUDGET).bind(user.uuid())).await?;
            end_device_failures(&mut write, user).await?;
            note.write(&mut write).await?;
            write.commit().await?;
            Ok(true)
        })
        .await;
        note.ended(unlocked)
    }

    async fn set_exempt_until(
        &self,
        user: UserId,
        until: Option<Timestamp>,
        now: Timestamp,
        trail: Trail<'_>,
    ) -> Result<bool, StoreError> {
        let note = self.note(trail).await?;
        let set = query(EXEMPT)
            .bind(user.uuid())
            .bind(until.map(Timestamp::as_micros))
            .bind(now.as_micros())
            .bind(note.rows());
        let set = self.swap(set).await;
        Ok(note.ended(set)? == Swap::Done)
    }

    async fn remove_user(
        &self,
        user: UserId,
        authority: Option<Authority>,
        trail: Trail<'_>,
    ) -> Result<UserWrite, StoreError> {
        let note = self.note(trail).await?;
        let removed = retrying(|| async {
            let mut write = self.write().await?;
            if let Err(refused) = hold(&mut write, user, authority, |_| false).await? {
                write.roll_back().await?;
                return Ok(refused);
            }
            // Foreign keys would remove the rest too, but in another order than locks are taken.
            for step in [
                "DELETE FROM tokens WHERE user_id = $1",
                "DELETE FROM second_factors WHERE user_id = $1",
                "DELETE FROM pushes WHERE user_id = $1",
                "DELETE FROM known_devices WHERE user_id = $1",
                "DELETE FROM users WHERE id = $1",
            ] {
                write.run(query(step).bind(user.uuid())).await?;
            }
            note.write(&mut write).await?;
            write.commit().await?;
            Ok(UserWrite::Done)
        })
        .await;
        note.ended(removed)
    }
}

impl PostgresStore {
    async fn insert_user(&self, new: &NewUser, note: &Note) -> Result<Swap, StoreError> {
        let user = &new.user;
        let add = bind_user!(query(ADD), user, new.password.as_ref())
            .bind(user.exempt_until.map(Timestamp::as_micros))
            .bind(user.created.as_micros())
            .bind(
                new.authority
                    .map(|decided| integer(decided.0))
                    .transpose()?,
            )
            .bind(note.rows());
        self.swap(add).await
    }

    async fn try_replace_user(
        &self,
        change: &UserChange,
        note: &Note,
    ) -> Result<UserWrite, StoreError> {
        let UserChange {
            user,
            password,
            authority,
        } = change;
        let mut write = self.write().await?;
        let stays = |administering: &[RoleId]| user.holds_one_of(administering);
        let before = match hold(&mut write, user.id, Some(*authority), stays).await? {
            Ok(before) => before,
            Err(refused) => {
                write.roll_back().await?;
                return Ok(refused);
            }
        };
        let replace = bind_user!(query(REPLACE), user, password.as_ref());
        match replace.execute(write.on()).await {
            Ok(_) => {}
            Err(error) if is_name_taken(&error) => {
                write.roll_back().await?;
                return Ok(UserWrite::NameTaken);
            }
            Err(error) => return Err(store_error(error)),
        }
        if user.roles != before.roles {
            write.run(query(GROW_AUTHORITY)).await?;
        }
        if change.renames(&before) {
            let end = "UPDATE admin_mfa_exemptions SET user_id = NULL WHERE user_id = $1";
            write.run(query(end).bind(user.id.uuid())).await?;
        }
        if change.ends_sessions() {
            end_tokens(&mut write, user.id).await?;
        }
        if password.is_some() {
            end_device_failures(&mut write, user.id).await?;
        }
        note.write(&mut write).await?;
        write.commit().await?;
        Ok(UserWrite::Done)
    }
}

/// Holds a user, and who may do what, until the write is over; what speaks against it. Whether the
/// user stays one who may do everything follows from the roles that allow it.
async fn hold(
    write: &mut Transaction,
    user: UserId,
    authority: Option<Authority>,
    stays: impl FnOnce(&[RoleId]) -> bool,
) -> Result<Result<User, UserWrite>, StoreError> {
    let now = lock_authority(write).await?;
    let row: Option<UserRow> = query_as(HOLD)
        .bind(user.uuid())
        .fetch_optional(write.on())
        .await
        .map_err(store_error)?;
    let Some(row) = row else {
        return Ok(Err(UserWrite::Moved));
    };
    let before = User::try_from(row)?;
    let (administering, has_other): (Vec<Uuid>, bool) = query_as(ADMINISTERING)
        .bind(user.uuid())
        .fetch_one(write.on())
        .await
        .map_err(store_error)?;
    let administering: Vec<_> = administering.into_iter().map(RoleId::from_uuid).collect();
    let refused = UserWrite::refused(
        authority.is_some_and(|decided| decided != now),
        before.holds_one_of(&administering),
        stays(&administering),
        || has_other,
    );
    Ok(match refused {
        None => Ok(before),
        Some(refused) => Err(refused),
    })
}

/// Ends the tokens of a user whose row is locked.
async fn end_tokens(write: &mut Transaction, user: UserId) -> Result<(), StoreError> {
    let end = query("DELETE FROM tokens WHERE user_id = $1").bind(user.uuid());
    write.run(end).await?;
    Ok(())
}

async fn end_device_failures(write: &mut Transaction, user: UserId) -> Result<(), StoreError> {
    let end = "UPDATE known_devices SET failures = 0, lock_start = NULL WHERE user_id = $1";
    write.run(query(end).bind(user.uuid())).await?;
    Ok(())
}
