//! Users.

use async_trait::async_trait;
use sqlx::types::Json;
use sqlx::{query, query_as, query_scalar};
use vestibule_engine::{NameKey, Timestamp, User, UserId};
use vestibule_store::{
    Accounts, Creation, ListQuery, Listing, NewUser, PasswordHash, StoreError, search_text,
};

use crate::error::store_error;
use crate::{SqliteStore, Write};
use vestibule_store_sql::{UserRow, stored_roles, user_columns};

const BY_NAME: &str = concat!(
    "SELECT ",
    user_columns!(),
    " FROM users u WHERE u.name_key = ?1"
);

const ADD: &str = "
    INSERT INTO users (id, name, name_key, first_name, last_name, email, phone, notes, tags,
        disabled, password_hash, failed_login_attempts, lock_start, exempt_until, roles, created,
        updated, search)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
    ON CONFLICT DO NOTHING";

#[async_trait]
impl Accounts for SqliteStore {
    async fn has_users(&self) -> Result<bool, StoreError> {
        query_scalar("SELECT EXISTS (SELECT 1 FROM users)")
            .fetch_one(self.reads()?)
            .await
            .map_err(store_error)
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

    async fn add_user(&self, new: &NewUser) -> Result<Creation, StoreError> {
        let user = &new.user;
        let mut write = self.write().await?;
        let add = query(ADD)
            .bind(user.id.uuid())
            .bind(user.name.as_str())
            .bind(user.name.key().as_str().to_owned())
            .bind(&user.first_name)
            .bind(&user.last_name)
            .bind(&user.email)
            .bind(&user.phone)
            .bind(&user.notes)
            .bind(Json(&user.tags))
            .bind(user.disabled)
            .bind(new.password.as_ref().map(PasswordHash::expose))
            .bind(user.password_failures.count)
            .bind(user.password_failures.lock_start.map(Timestamp::as_micros))
            .bind(user.exempt_until.map(Timestamp::as_micros))
            .bind(stored_roles(user))
            .bind(user.created.as_micros())
            .bind(user.updated.as_micros())
            .bind(search_text(user));
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

    async fn set_password(
        &self,
        user: UserId,
        password: &PasswordHash,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut write = self.write().await?;
        let set = query("UPDATE users SET password_hash = ?2, updated = ?3 WHERE id = ?1")
            .bind(user.uuid())
            .bind(password.expose())
            .bind(now.as_micros());
        let found = write.run(set).await? == 1;
        end_failures(&mut write, user).await?;
        end_tokens(&mut write, user).await?;
        write.commit().await?;
        Ok(found)
    }

    async fn set_disabled(
        &self,
        user: UserId,
        disabled: bool,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut write = self.write().await?;
        let set = query("UPDATE users SET disabled = ?2, updated = ?3 WHERE id = ?1")
            .bind(user.uuid())
            .bind(disabled)
            .bind(now.as_micros());
        let found = write.run(set).await? == 1;
        if disabled {
            end_tokens(&mut write, user).await?;
        }
        write.commit().await?;
        Ok(found)
    }

    async fn unlock(&self, user: UserId, now: Timestamp) -> Result<bool, StoreError> {
        let mut write = self.write().await?;
        let touch = query("UPDATE users SET updated = ?2 WHERE id = ?1")
            .bind(user.uuid())
            .bind(now.as_micros());
        let found = write.run(touch).await? == 1;
        end_failures(&mut write, user).await?;
        let fill = "UPDATE second_factors SET revision = revision + 1,
            budget_row = budget_row + 1, streak = 0, waiting_until = NULL, recent = x'',
            closed = 0
            WHERE user_id = ?1";
        write.run(query(fill).bind(user.uuid())).await?;
        write.commit().await?;
        Ok(found)
    }

    async fn set_exempt_until(
        &self,
        user: UserId,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut write = self.write().await?;
        let set = query("UPDATE users SET exempt_until = ?2, updated = ?3 WHERE id = ?1")
            .bind(user.uuid())
            .bind(until.map(Timestamp::as_micros))
            .bind(now.as_micros());
        let found = write.run(set).await? == 1;
        write.commit().await?;
        Ok(found)
    }

    async fn remove_user(&self, user: UserId) -> Result<bool, StoreError> {
        let mut write = self.write().await?;
        // All else goes with the user, by its foreign key.
        let remove = query("DELETE FROM users WHERE id = ?1").bind(user.uuid());
        let found = write.run(remove).await? == 1;
        write.commit().await?;
        Ok(found)
    }
}

/// Ends the failures of an account and of its devices.
async fn end_failures(write: &mut Write<'_>, user: UserId) -> Result<(), StoreError> {
    for end in [
        "UPDATE users SET failed_login_attempts = 0, lock_start = NULL WHERE id = ?1",
        "UPDATE known_devices SET failures = 0, lock_start = NULL WHERE user_id = ?1",
    ] {
        write.run(query(end).bind(user.uuid())).await?;
    }
    Ok(())
}

async fn end_tokens(write: &mut Write<'_>, user: UserId) -> Result<(), StoreError> {
    let end = query("DELETE FROM tokens WHERE user_id = ?1").bind(user.uuid());
    write.run(end).await?;
    Ok(())
}
