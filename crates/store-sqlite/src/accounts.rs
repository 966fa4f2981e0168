//! Users.

use async_trait::async_trait;
use sqlx::{query, query_as, query_scalar};
use uuid::Uuid;
use vestibule_engine::{NameKey, RoleId, Timestamp, User, UserId};
use vestibule_store::{
    Accounts, Authority, Creation, ListQuery, Listing, NewUser, PasswordHash, StoreError, Trail,
    UserChange, UserWrite,
};

use crate::SqliteStore;
use crate::error::store_error;
use crate::write::Write;
use vestibule_store_sql::{UserRow, bind_user, is_name_taken, user_columns};

const BY_NAME: &str = concat!(
    "SELECT ",
    user_columns!(),
    " FROM users u WHERE u.name_key = ?1"
);

const BY_ID: &str = concat!("SELECT ", user_columns!(), " FROM users u WHERE u.id = ?1");

const ADD: &str = "
    INSERT INTO users (id, name, name_key, first_name, last_name, email, phone, notes, tags,
        disabled, password_hash, failed_login_attempts, lock_start, roles, updated, search,
        fields, exempt_until, created)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
    ON CONFLICT DO NOTHING";

const REPLACE: &str = "
    UPDATE users SET name = ?2, name_key = ?3, first_name = ?4, last_name = ?5, email = ?6,
        phone = ?7, notes = ?8, tags = ?9, disabled = ?10,
        password_hash = coalesce(?11, password_hash), failed_login_attempts = ?12,
        lock_start = ?13, roles = ?14, updated = ?15, search = ?16, fields = ?17
    WHERE id = ?1";

/// Whether another one than this user can sign in and holds one of the roles that allow everything.
const HAS_OTHER: &str = "
    SELECT EXISTS (SELECT 1 FROM users u WHERE NOT u.disabled AND u.roles <> '[]' AND u.id <> ?1
        AND EXISTS (SELECT 1 FROM json_each(u.roles) held JOIN administrative_roles r
            ON r.administering AND r.id = unhex(replace(held.value, '-', ''))))";

#[async_trait]
impl Accounts for SqliteStore {
    async fn has_users(&self) -> Result<bool, StoreError> {
        query_scalar("SELECT EXISTS (SELECT 1 FROM users)")
            .fetch_one(self.reads()?)
            .await
            .map_err(store_error)
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        let row: Option<UserRow> = query_as(BY_ID)
            .bind(id.uuid())
            .fetch_optional(self.reads()?)
            .await
            .map_err(store_error)?;
        row.map(User::try_from).transpose()
    }

    async fn user_by_name(&self, name: &NameKey) -> Result<Option<User>, StoreError> {
        let row: Option<UserRow> = query_as(BY_NAME)
            .bind(name.as_str())
            .fetch_optional(self.reads()?)
            .await
            .map_err(store_error)?;
        row.map(User::try_from).transpose()
    }

    async fn users(&self, query: &ListQuery) -> Result<Listing<User>, StoreError> {
        self.list_users(query).await
    }

    async fn add_user(&self, new: &NewUser, trail: Trail<'_>) -> Result<Creation, StoreError> {
        let user = &new.user;
        let mut write = self.write_with(trail).await?;
        if let Some(decided) = new.authority
            && write.authority().await? != decided
        {
            return write.refused(Creation::Moved).await;
        }
        let add = bind_user!(query(ADD), user, new.password.as_ref())
            .bind(user.exempt_until.map(Timestamp::as_micros))
            .bind(user.created.as_micros());
        if write.run(add).await? == 1 {
            write.commit().await?;
            return Ok(Creation::Created);
        }
        let id_taken: bool = query_scalar("SELECT EXISTS (SELECT 1 FROM users WHERE id = ?1)")
            .bind(user.id.uuid())
            .fetch_one(write.on())
            .await
            .map_err(store_error)?;
        let _ = write.moved().await?;
        Ok(if id_taken {
            Creation::IdTaken
        } else {
            Creation::NameTaken
        })
    }

    async fn replace_user(
        &self,
        change: &UserChange,
        trail: Trail<'_>,
    ) -> Result<UserWrite, StoreError> {
        let UserChange {
            user,
            password,
            authority,
        } = change;
        let mut write = self.write_with(trail).await?;
        let stays = |administering: &[RoleId]| user.holds_one_of(administering);
        let before = match found(&mut write, user.id, Some(*authority), stays).await? {
            Ok(before) => before,
            Err(refused) => return write.refused(refused).await,
        };
        let replace = bind_user!(query(REPLACE), user, password.as_ref());
        match replace.execute(write.on()).await {
            Ok(_) => {}
            Err(error) if is_name_taken(&error) => {
                return write.refused(UserWrite::NameTaken).await;
            }
            Err(error) => return Err(store_error(error)),
        }
        if user.roles != before.roles {
            write.grow_authority().await?;
        }
        if change.renames(&before) {
            let end = "UPDATE admin_mfa_exemptions SET user_id = NULL WHERE user_id = ?1";
            write.run(query(end).bind(user.id.uuid())).await?;
        }
        if change.ends_sessions() {
            end_tokens(&mut write, user.id).await?;
        }
        if password.is_some() {
            end_device_failures(&mut write, user.id).await?;
        }
        write.commit().await?;
        Ok(UserWrite::Done)
    }

    async fn set_password(
        &self,
        user: UserId,
        password: &PasswordHash,
        now: Timestamp,
        trail: Trail<'_>,
    ) -> Result<bool, StoreError> {
        let mut write = self.write_with(trail).await?;
        let set = query("UPDATE users SET password_hash = ?2, updated = ?3 WHERE id = ?1")
            .bind(user.uuid())
            .bind(password.expose())
            .bind(now.as_micros());
        if write.run(set).await? != 1 {
            return write.refused(false).await;
        }
        end_failures(&mut write, user).await?;
        end_tokens(&mut write, user).await?;
        write.commit().await?;
        Ok(true)
    }

    async fn set_disabled(
        &self,
        user: UserId,
        disabled: bool,
        now: Timestamp,
        trail: Trail<'_>,
    ) -> Result<UserWrite, StoreError> {
        let mut write = self.write_with(trail).await?;
        if let Err(refused) = found(&mut write, user, None, |_| !disabled).await? {
            return write.refused(refused).await;
        }
        let set = query(
            "UPDATE users SET disabled = ?2, updated = ?3,
                fields = json_set(fields, '$.disabled', iif(?2, 'true', 'false')) WHERE id = ?1",
        )
        .bind(user.uuid())
        .bind(disabled)
        .bind(now.as_micros());
        write.run(set).await?;
        if disabled {
            end_tokens(&mut write, user).await?;
        }
        write.commit().await?;
        Ok(UserWrite::Done)
    }

    async fn unlock(
        &self,
        user: UserId,
        now: Timestamp,
        trail: Trail<'_>,
    ) -> Result<bool, StoreError> {
        let mut write = self.write_with(trail).await?;
        let touch = query("UPDATE users SET updated = ?2 WHERE id = ?1")
            .bind(user.uuid())
            .bind(now.as_micros());
        if write.run(touch).await? != 1 {
            return write.refused(false).await;
        }
        end_failures(&mut write, user).await?;
        let fill = "UPDATE second_factors SET revision = revision + 1,
            budget_row = budget_row + 1, streak = 0, waiting_until = NULL, recent = x'',
            closed = 0
            WHERE user_id = ?1";
        write.run(query(fill).bind(user.uuid())).await?;
        write.commit().await?;
        Ok(true)
    }

    async fn set_exempt_until(
        &self,
        user: UserId,
        until: Option<Timestamp>,
        now: Timestamp,
        trail: Trail<'_>,
    ) -> Result<bool, StoreError> {
        let mut write = self.write_with(trail).await?;
        let set = query("UPDATE users SET exempt_until = ?2, updated = ?3 WHERE id = ?1")
            .bind(user.uuid())
            .bind(until.map(Timestamp::as_micros))
            .bind(now.as_micros());
        if write.run(set).await? != 1 {
            return write.refused(false).await;
        }
        write.commit().await?;
        Ok(true)
    }

    async fn remove_user(
        &self,
        user: UserId,
        authority: Option<Authority>,
        trail: Trail<'_>,
    ) -> Result<UserWrite, StoreError> {
        let mut write = self.write_with(trail).await?;
        if let Err(refused) = found(&mut write, user, authority, |_| false).await? {
            return write.refused(refused).await;
        }
        // All else goes with the user, by its foreign key.
        let remove = query("DELETE FROM users WHERE id = ?1").bind(user.uuid());
        write.run(remove).await?;
        write.commit().await?;
        Ok(UserWrite::Done)
    }
}

/// A user who is written to; what speaks against it. Whether the user stays one who may do
/// everything follows from the roles that allow it.
async fn found(
    write: &mut Write<'_>,
    user: UserId,
    authority: Option<Authority>,
    stays: impl FnOnce(&[RoleId]) -> bool,
) -> Result<Result<User, UserWrite>, StoreError> {
    let row: Option<UserRow> = query_as(BY_ID)
        .bind(user.uuid())
        .fetch_optional(write.on())
        .await
        .map_err(store_error)?;
    let Some(row) = row else {
        return Ok(Err(UserWrite::Moved));
    };
    let before = User::try_from(row)?;
    let moved = match authority {
        None => false,
        Some(decided) => write.authority().await? != decided,
    };
    let administering: Vec<Uuid> =
        query_scalar("SELECT id FROM administrative_roles WHERE administering")
            .fetch_all(write.on())
            .await
            .map_err(store_error)?;
    let administering: Vec<_> = administering.into_iter().map(RoleId::from_uuid).collect();
    let has_other: bool = query_scalar(HAS_OTHER)
        .bind(user.uuid())
        .fetch_one(write.on())
        .await
        .map_err(store_error)?;
    let administers = before.holds_one_of(&administering);
    let refused = UserWrite::refused(moved, administers, stays(&administering), || has_other);
    Ok(match refused {
        None => Ok(before),
        Some(refused) => Err(refused),
    })
}

/// Ends the failures of an account and of its devices.
async fn end_failures(write: &mut Write<'_>, user: UserId) -> Result<(), StoreError> {
    let end = "UPDATE users SET failed_login_attempts = 0, lock_start = NULL WHERE id = ?1";
    write.run(query(end).bind(user.uuid())).await?;
    end_device_failures(write, user).await
}

async fn end_device_failures(write: &mut Write<'_>, user: UserId) -> Result<(), StoreError> {
    let end = "UPDATE known_devices SET failures = 0, lock_start = NULL WHERE user_id = ?1";
    write.run(query(end).bind(user.uuid())).await?;
    Ok(())
}

async fn end_tokens(write: &mut Write<'_>, user: UserId) -> Result<(), StoreError> {
    let end = query("DELETE FROM tokens WHERE user_id = ?1").bind(user.uuid());
    write.run(end).await?;
    Ok(())
}
