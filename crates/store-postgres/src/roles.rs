//! Administrative roles.

use async_trait::async_trait;
use sqlx::{query, query_as, query_scalar};
use vestibule_engine::{Role, RoleId};
use vestibule_store::{
    Authority, Holdings, ListQuery, Listing, RoleWrite, Roles, StoreError, Trail,
};

use crate::PostgresStore;
use crate::audit::Note;
use crate::error::{retrying, store_error};
use crate::lists::SNAPSHOT;
use crate::transaction::Transaction;
use vestibule_store_sql::{RoleRow, RoleValues, authority, bind_role, is_name_taken, role_columns};

const BY_ID: &str = concat!(
    "SELECT ",
    role_columns!(),
    " FROM administrative_roles r WHERE r.id = $1"
);

const AMONG: &str = concat!(
    "SELECT ",
    role_columns!(),
    " FROM administrative_roles r WHERE r.id = ANY($1) ORDER BY r.id"
);

const AUTHORITY: &str = "SELECT authority FROM admin_mfa";

/// One at a time: two administrators must not take everything from each other at once.
const LOCK_AUTHORITY: &str = "SELECT authority FROM admin_mfa FOR UPDATE";

/// Of a transaction that holds [`LOCK_AUTHORITY`].
pub(crate) const GROW_AUTHORITY: &str = "UPDATE admin_mfa SET authority = authority + 1";

const ADD: &str = "
    INSERT INTO administrative_roles (id, name, name_key, notes, tags, privileges, administering,
        created, updated, search, fields)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT DO NOTHING";

const IS_THERE: &str = "SELECT EXISTS (SELECT 1 FROM administrative_roles WHERE id = $1)";

const REPLACE: &str = "
    UPDATE administrative_roles SET name = $2, name_key = $3, notes = $4, tags = $5,
        privileges = $6, administering = $7, updated = $9, search = $10, fields = $11
    WHERE id = $1 AND $8 IS NOT NULL";

/// Whether somebody may do everything, and would without this role.
const NEEDED: &str = "
    WITH held AS (
        SELECT r.id FROM administrative_roles r WHERE r.administering AND EXISTS (
            SELECT 1 FROM users u
            WHERE NOT u.disabled AND u.roles <> '[]' AND u.roles ? r.id::text)
    )
    SELECT EXISTS (SELECT 1 FROM held) AND NOT EXISTS (SELECT 1 FROM held WHERE id <> $1)";

const IN_USE: &str = "
    SELECT EXISTS (SELECT 1 FROM users WHERE roles <> '[]' AND roles ? $1::text)";

#[async_trait]
impl Roles for PostgresStore {
    async fn role(&self, id: RoleId) -> Result<Option<Role>, StoreError> {
        let row: Option<RoleRow> = query_as(BY_ID)
            .bind(id.uuid())
            .fetch_optional(&self.connections)
            .await
            .map_err(store_error)?;
        row.map(Role::try_from).transpose()
    }

    async fn roles(&self, query: &ListQuery) -> Result<Listing<Role>, StoreError> {
        self.list_roles(query).await
    }

    async fn holdings(&self, roles: &[RoleId]) -> Result<Holdings, StoreError> {
        let ids: Vec<_> = roles.iter().map(|role| role.uuid()).collect();
        let mut read = Transaction::begin(&self.connections, SNAPSHOT).await?;
        let now: i64 = query_scalar(AUTHORITY)
            .fetch_one(read.on())
            .await
            .map_err(store_error)?;
        let rows: Vec<RoleRow> = query_as(AMONG)
            .bind(&ids)
            .fetch_all(read.on())
            .await
            .map_err(store_error)?;
        read.roll_back().await?;
        let roles = rows.into_iter().map(Role::try_from);
        Ok(Holdings {
            roles: roles.collect::<Result<_, _>>()?,
            authority: authority(now)?,
        })
    }

    async fn add_role(
        &self,
        role: &Role,
        decided: Authority,
        trail: Trail<'_>,
    ) -> Result<RoleWrite, StoreError> {
        let note = self.note(trail).await?;
        let written = retrying(|| self.try_add_role(role, decided, &note)).await;
        note.ended(written)
    }

    async fn replace_role(
        &self,
        role: &Role,
        decided: Authority,
        trail: Trail<'_>,
    ) -> Result<RoleWrite, StoreError> {
        let note = self.note(trail).await?;
        let written = retrying(|| self.try_replace_role(role, decided, &note)).await;
        note.ended(written)
    }

    async fn remove_role(
        &self,
        id: RoleId,
        decided: Authority,
        trail: Trail<'_>,
    ) -> Result<RoleWrite, StoreError> {
        let note = self.note(trail).await?;
        let written = retrying(|| self.try_remove_role(id, decided, &note)).await;
        note.ended(written)
    }
}

impl PostgresStore {
    async fn try_add_role(
        &self,
        role: &Role,
        decided: Authority,
        note: &Note,
    ) -> Result<RoleWrite, StoreError> {
        let values = RoleValues::from(role);
        let mut write = self.write().await?;
        if lock_authority(&mut write).await? != decided {
            return refused(write, RoleWrite::Moved).await;
        }
        if write.run(bind_role!(query(ADD), &values)).await? == 1 {
            note.write(&mut write).await?;
            write.commit().await?;
            return Ok(RoleWrite::Done);
        }
        let taken = if write.ask(IS_THERE, role.id).await? {
            RoleWrite::IdTaken
        } else {
            RoleWrite::NameTaken
        };
        refused(write, taken).await
    }

    async fn try_replace_role(
        &self,
        role: &Role,
        decided: Authority,
        note: &Note,
    ) -> Result<RoleWrite, StoreError> {
        let values = RoleValues::from(role);
        let mut write = self.write().await?;
        if lock_authority(&mut write).await? != decided {
            return refused(write, RoleWrite::Moved).await;
        }
        if !values.administering && write.ask(NEEDED, role.id).await? {
            return refused(write, RoleWrite::LastAdministrator).await;
        }
        match bind_role!(query(REPLACE), &values)
            .execute(write.on())
            .await
        {
            Ok(done) if done.rows_affected() == 1 => {}
            Ok(_) => return refused(write, RoleWrite::Moved).await,
            Err(error) if is_name_taken(&error) => {
                return refused(write, RoleWrite::NameTaken).await;
            }
            Err(error) => return Err(store_error(error)),
        }
        write.run(query(GROW_AUTHORITY)).await?;
        note.write(&mut write).await?;
        write.commit().await?;
        Ok(RoleWrite::Done)
    }

    async fn try_remove_role(
        &self,
        id: RoleId,
        decided: Authority,
        note: &Note,
    ) -> Result<RoleWrite, StoreError> {
        let mut write = self.write().await?;
        if lock_authority(&mut write).await? != decided {
            return refused(write, RoleWrite::Moved).await;
        }
        if write.ask(IN_USE, id).await? {
            return refused(write, RoleWrite::InUse).await;
        }
        let remove = query("DELETE FROM administrative_roles WHERE id = $1").bind(id.uuid());
        if write.run(remove).await? != 1 {
            return refused(write, RoleWrite::Moved).await;
        }
        write.run(query(GROW_AUTHORITY)).await?;
        note.write(&mut write).await?;
        write.commit().await?;
        Ok(RoleWrite::Done)
    }

    /// Whether what was decided at an authority, if at any, is out of date.
    pub(crate) async fn has_moved_since(
        &self,
        decided: Option<Authority>,
    ) -> Result<bool, StoreError> {
        let Some(decided) = decided else {
            return Ok(false);
        };
        let now: i64 = query_scalar(AUTHORITY)
            .fetch_one(&self.connections)
            .await
            .map_err(store_error)?;
        Ok(authority(now)? != decided)
    }
}

impl Transaction {
    /// Answers a question about a role.
    async fn ask(&mut self, question: &'static str, id: RoleId) -> Result<bool, StoreError> {
        let answer = query_scalar(question).bind(id.uuid());
        answer.fetch_one(self.on()).await.map_err(store_error)
    }
}

/// Holds who may do what until the write is over: the authority, which nobody else can make grow.
pub(crate) async fn lock_authority(write: &mut Transaction) -> Result<Authority, StoreError> {
    let now: i64 = query_scalar(LOCK_AUTHORITY)
        .fetch_one(write.on())
        .await
        .map_err(store_error)?;
    authority(now)
}

/// Gives up, having written nothing, for this reason.
async fn refused(write: Transaction, reason: RoleWrite) -> Result<RoleWrite, StoreError> {
    write.roll_back().await?;
    Ok(reason)
}
