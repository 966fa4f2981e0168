//! Users.

use async_trait::async_trait;
use sqlx::types::Json;
use sqlx::{query, query_as, query_scalar};
use vestibule_engine::{NameKey, Timestamp, User, UserId};
use vestibule_store::{
    Accounts, Creation, ListQuery, Listing, NewUser, PasswordHash, StoreError, search_text,
};

use crate::PostgresStore;
use crate::error::{is_storable, retrying, store_error};
use crate::transaction::Transaction;
use vestibule_store_sql::{UserRow, stored_roles, user_columns};

const BY_NAME: &str = concat!(
    "SELECT ",
    user_columns!(),
    " FROM users u WHERE u.name_key = $1"
);

const ADD: &str = "
    INSERT INTO users (id, name, name_key, first_name, last_name, email, phone, notes, tags,
        disabled, password_hash, failed_login_attempts, lock_start, exempt_until, roles, created,
        updated, search)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
    ON CONFLICT DO NOTHING";

const SET_PASSWORD: &str = "
    UPDATE users SET password_hash = $2, updated = $3, failed_login_attempts = 0,
        lock_start = NULL
    WHERE id = $1";

const UNLOCK: &str = "
    UPDATE users SET updated = $2, failed_login_attempts = 0, lock_start = NULL WHERE id = $1";

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

    async fn add_user(&self, new: &NewUser) -> Result<Creation, StoreError> {
        loop {
            if retrying(|| self.insert_user(new)).await? {
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
                // Whoever was in the way has been removed since.
                None => {}
            }
        }
    }

    async fn set_password(
        &self,
        user: UserId,
        password: &PasswordHash,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        retrying(|| async move {
            let mut write = self.write().await?;
            let set = query(SET_PASSWORD)
                .bind(user.uuid())
                .bind(password.expose())
                .bind(now.as_micros());
            let found = write.run(set).await? == 1;
            end_tokens(&mut write, user).await?;
            end_device_failures(&mut write, user).await?;
            write.commit().await?;
            Ok(found)
        })
        .await
    }

    async fn set_disabled(
        &self,
        user: UserId,
        disabled: bool,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        retrying(|| async move {
            let mut write = self.write().await?;
            let set = query("UPDATE users SET disabled = $2, updated = $3 WHERE id = $1")
                .bind(user.uuid())
                .bind(disabled)
                .bind(now.as_micros());
            let found = write.run(set).await? == 1;
            if disabled {
                end_tokens(&mut write, user).await?;
            }
            write.commit().await?;
            Ok(found)
        })
        .await
    }

    async fn unlock(&self, user: UserId, now: Timestamp) -> Result<bool, StoreError> {
        retrying(|| async move {
            let mut write = self.write().await?;
            let unlock = query(UNLOCK).bind(user.uuid()).bind(now.as_micros());
            let found = write.run(unlock).await? == 1;
            write.run(query(FILL_BUDGET).bind(user.uuid())).await?;
            end_device_failures(&mut write, user).await?;
            write.commit().await?;
            Ok(found)
        })
        .await
    }

    async fn set_exempt_until(
        &self,
        user: UserId,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let set = query("UPDATE users SET exempt_until = $2, updated = $3 WHERE id = $1")
            .bind(user.uuid())
            .bind(until.map(Timestamp::as_micros))
            .bind(now.as_micros());
        let done = set.execute(&self.connections).await.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }

    async fn remove_user(&self, user: UserId) -> Result<bool, StoreError> {
        retrying(|| async move {
            let mut write = self.write().await?;
            // Foreign keys would remove the rest too, but in another order than locks are taken.
            let mut found = 0;
            for step in [
                "SELECT 1 FROM users WHERE id = $1 FOR UPDATE",
                "DELETE FROM tokens WHERE user_id = $1",
                "DELETE FROM second_factors WHERE user_id = $1",
                "DELETE FROM pushes WHERE user_id = $1",
                "DELETE FROM known_devices WHERE user_id = $1",
                "DELETE FROM users WHERE id = $1",
            ] {
                found = write.run(query(step).bind(user.uuid())).await?;
            }
            write.commit().await?;
            Ok(found == 1)
        })
        .await
    }
}

impl PostgresStore {
    async fn insert_user(&self, new: &NewUser) -> Result<bool, StoreError> {
        let user = &new.user;
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
            .bind(i64::from(user.password_failures.count))
            .bind(user.password_failures.lock_start.map(Timestamp::as_micros))
            .bind(user.exempt_until.map(Timestamp::as_micros))
            .bind(stored_roles(user))
            .bind(user.created.as_micros())
            .bind(user.updated.as_micros())
            .bind(search_text(user));
        let done = add.execute(&self.connections).await.map_err(store_error)?;
        Ok(done.rows_affected() == 1)
    }
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
