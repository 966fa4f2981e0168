//! Pages that somebody wrote over.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;

use sqlx::{Connection as _, query, query_as};
use vestibule_engine::NameKey;
use vestibule_store::{Accounts as _, Health as _, Inspect as _};

use super::{Site, check_reason};
use crate::{SqliteInspection, SqliteStore};

/// What a page holds here.
const PAGE: u64 = 4096;

impl Site {
    /// The trees of the database: their names, and the numbers of their root pages.
    async fn trees(&self) -> Vec<(String, u64)> {
        let mut stranger = self.stranger().await;
        let trees = query_as("SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0");
        let trees = trees.fetch_all(&mut stranger).await.unwrap();
        stranger.close().await.unwrap();
        trees
    }

    /// The root page of this tree.
    async fn root(&self, tree: &str) -> u64 {
        let trees = self.trees().await;
        trees.into_iter().find(|(name, _)| name == tree).unwrap().1
    }

    /// Writes noise over a page.
    fn damage(&self, page: u64) {
        let file = OpenOptions::new().write(true).open(self.path()).unwrap();
        file.write_all_at(&[0xa5; 4096], (page - 1) * PAGE).unwrap();
    }
}

#[tokio::test]
async fn a_database_with_one_damaged_tree_is_not_opened() {
    let site = Site::new();
    site.open().await.close().await;
    let right = fs::read(site.path()).unwrap();
    let trees = site.trees().await;
    for table in ["users", "tokens", "known_devices", "audit_events"] {
        assert!(trees.iter().any(|(name, _)| name == table), "{table}");
    }
    for (name, root) in trees {
        site.damage(root);
        let Err(error) = SqliteStore::open(&site.path()).await else {
            panic!("the damage to {name} was not found");
        };
        check_reason(&error, "corrupt");
        fs::write(site.path(), &right).unwrap();
    }
    site.open().await.check().await.unwrap();
}

#[tokio::test]
async fn what_is_somebody_elses_in_the_file_is_let_be() {
    let site = Site::new();
    site.open().await.close().await;
    let mut stranger = site.stranger().await;
    for statement in [
        r#"CREATE TABLE "a ""b" (c)"#,
        r#"CREATE INDEX "d ""e" ON "a ""b" (c) where c > 0"#,
    ] {
        query(statement).execute(&mut stranger).await.unwrap();
    }
    site.open().await.check().await.unwrap();
}

#[tokio::test]
async fn who_has_met_damage_does_not_work_until_another_start() {
    let (site, other) = (Site::new(), Site::new());
    site.open().await.close().await;
    let right = fs::read(site.path()).unwrap();
    let names = site.root("sqlite_autoindex_users_2").await;
    let (store, well) = (site.open().await, other.open().await);
    site.damage(names);
    let asked = store.user_by_name(&NameKey::of("somebody")).await;
    check_reason(&asked.unwrap_err(), "corrupt");
    for _ in 0..2 {
        check_reason(&store.check().await.unwrap_err(), "corrupt");
        well.check().await.unwrap();
    }
    fs::write(site.path(), &right).unwrap();
    check_reason(&store.check().await.unwrap_err(), "corrupt");
    store.close().await;
    site.open().await.check().await.unwrap();
}

#[tokio::test]
async fn who_looks_finds_damage() {
    let site = Site::new();
    site.open().await.close().await;
    let found = async || {
        let inspection = SqliteInspection::open(&site.path()).await.unwrap();
        let found = inspection.damage().await.unwrap();
        inspection.store().close().await;
        found
    };
    assert_eq!(found().await, None);
    let users = site.root("users").await;
    site.damage(users);
    assert!(found().await.is_some());
}
