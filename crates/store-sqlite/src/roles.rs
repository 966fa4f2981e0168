//! Administrative roles.

use async_trait::async_trait;
use sqlx::types::Json;
use sqlx::{query, query_as, query_scalar};
use vestibule_engine::{Role, RoleId};
use vestibule_store::{
    Authority, Holdings, ListQuery, Listing, RoleWrite, Roles, StoreError, Trail,
};

use crate::SqliteStore;
use crate::error::store_error;
use crate::write::Write;
use vestibule_store_sql::{RoleRow, RoleValues, authority, bind_role, is_name_taken, role_columns};

const BY_ID: &str = concat!(
    "SELECT ",
    role_columns!(),
    " FROM administrative_roles r WHERE r.id = ?1"
);

const AMONG: &str = concat!(
    "SELECT ",
    role_columns!(),
    " FROM administrative_roles r
    WHERE r.id IN (SELECT unhex(replace(value, '-', '')) FROM json_each(?1)) ORDER BY r.id"
);

const AUTHORITY: &str = "SELECT revision FROM authority";

const ADD: &str = "
    INSERT INTO administrative_roles (id, name, name_key, notes, tags, privileges, administering,
        created, updated, search, fields)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
    ON CONFLICT DO NOTHING";

const IS_THERE: &str = "SELECT EXISTS (SELECT 1 FROM administrative_roles WHERE id = ?1)";

const REPLACE: &str = "
    UPDATE administrative_roles SET name = ?2, name_key = ?3, notes = ?4, tags = ?5,
        privileges = ?6, administering = ?7, updated = ?9, search = ?10, fields = ?11
    WHERE id = ?1 AND ?8 IS NOT NULL";

/// Whether somebody may do everything, and would without this role.
const NEEDED: &str = "
    WITH held AS (
        SELECT r.id FROM administrative_roles r WHERE r.administering AND r.id IN (
            SELECT unhex(replace(held.value, '-', '')) FROM users u, json_each(u.roles) held
            WHERE NOT u.disabled AND u.roles <> '[]')
    )
    SELECT EXISTS (SELECT 1 FROM held) AND NOT EXISTS (SELECT 1 FROM held WHERE id <> ?1)";

const IN_USE: &str = "
    SELECT ?1 IN (
        SELECT unhex(replace(held.value, '-', '')) FROM users u, json_each(u.roles) held
        WHERE u.roles <> '[]')";

#[async_trait]
impl Roles for SqliteStore {
    async fn role(&self, id: RoleId) -> Result<Option<Role>, StoreError> {
        let row: Option<RoleRow> = query_as(BY_ID)
            .bind(id.uuid())
            .fetch_optional(self.reads()?)
            .await
            .map_err(store_error)?;
        row.map(Role::try_from).transpose()
    }

    async fn roles(&self, query: &ListQuery) -> Result<Listing<Role>, StoreError> {
        self.list_roles(query).await
    }

    async fn holdings(&self, roles: &[RoleId]) -> Result<Holdings, StoreError> {
        let ids: Vec<_> = roles.iter().map(ToString::to_string).collect();
        let mut read = self.reads()?.begin().await.map_err(store_error)?;
        let now: i64 = query_scalar(AUTHORITY)
            .fetch_one(&mut *read)
            .await
            .map_err(store_error)?;
        let rows: Vec<RoleRow> = query_as(AMONG)
            .bind(Json(ids))
            .fetch_all(&mut *read)
            .await
            .map_err(store_error)?;
        read.rollback().await.map_err(store_error)?;
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
        let values = RoleValues::from(role);
        let mut write = self.write_with(trail).await?;
        if write.authority().await? != decided {
            return write.refused(RoleWrite::Moved).await;
        }
        if write.run(bind_role!(query(ADD), &values)).await? == 1 {
            write.commit().await?;
            return Ok(RoleWrite::Done);
        }
        let taken = if write.ask(IS_THERE, role.id).await? {
            RoleWrite::IdTaken
        } else {
            RoleWrite::NameTaken
        };
        write.refused(taken).await
    }

    async fn replace_role(
        &self,
        role: &Role,
        decided: Authority,
        trail: Trail<'_>,
    ) -> Result<RoleWrite, StoreError> {
        let values = RoleValues::from(role);
        let mut write = self.write_with(trail).await?;
        if write.authority().await? != decided {
            return write.refused(RoleWrite::Moved).await;
        }
        if !values.administering && write.ask(NEEDED, role.id).await? {
            return write.refused(RoleWrite::LastAdministrator).await;
        }
        match bind_role!(query(REPLACE), &values)
            .execute(write.on())
            .await
        {
            Ok(done) if done.rows_affected() == 1 => {}
            Ok(_) => return write.refused(RoleWrite::Moved).await,
            Err(error) if is_name_taken(&error) => {
                return write.refused(RoleWrite::NameTaken).await;
            }
            Err(error) => return Err(store_error(error)),
        }
        write.grow_authority().await?;
        write.commit().await?;
        Ok(RoleWrite::Done)
    }

    async fn remove_role(
        &self,
        id: RoleId,
        decided: Authority,
        trail: Trail<'_>,
    ) -> Result<RoleWrite, StoreError> {
        let mut write = self.write_with(trail).await?;
        if write.authority().await? != decided {
            return write.refused(RoleWrite::Moved).await;
        }
        if write.ask(IN_USE, id).await? {
            return write.refused(RoleWrite::InUse).await;
        }
        let remove = query("DELETE FROM administrative_roles WHERE id = ?1").bind(id.uuid());
        if write.run(remove).await? != 1 {
            return write.refused(RoleWrite::Moved).await;
        }
        write.grow_authority().await?;
        write.commit().await?;
        Ok(RoleWrite::Done)
    }
}

impl Write<'_> {
    /// The authority, which nobody else can make grow until the write is over.
    pub(crate) async fn authority(&mut self) -> Result<Authority, StoreError> {
        let now: i64 = query_scalar(AUTHORITY)
            .fetch_one(self.on())
            .await
            .map_err(store_error)?;
        authority(now)
    }

    pub(crate) async fn grow_authority(&mut self) -> Result<(), StoreError> {
        self.run(query("UPDATE authority SET revision = revision + 1"))
            .await?;
        Ok(())
    }

    /// Answers a question about a role.
    async fn ask(&mut self, question: &'static str, id: RoleId) -> Result<bool, StoreError> {
        let answer = query_scalar(question).bind(id.uuid());
        answer.fetch_one(self.on()).await.map_err(store_error)
    }
}
