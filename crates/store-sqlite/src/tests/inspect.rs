//! A look at a file, whether or not a server uses it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;

use vestibule_store::{Health as _, Inspect as _, Keys as _, Schema};

use super::{Site, canary, check_reason};
use crate::SqliteInspection;

impl Site {
    fn names(&self) -> BTreeSet<OsString> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect()
    }
}

#[tokio::test]
async fn who_looks_can_read_and_not_write() {
    let site = Site::new();
    let store = site.open().await;
    store.canary(&canary(1)).await.unwrap();
    store.close().await;
    let (names, octets) = (site.names(), fs::read(site.path()).unwrap());

    let alone = SqliteInspection::open(&site.path()).await.unwrap();
    assert_eq!(alone.schema().await.unwrap(), Schema::UpToDate);
    assert_eq!(alone.canary().await.unwrap(), Some(canary(1)));
    assert_eq!(site.names(), names, "no file is made, however briefly");
    let written = alone.store().canary(&canary(2)).await;
    check_reason(&written.unwrap_err(), "read-only");
    alone.store().close().await;
    assert_eq!(
        (site.names(), fs::read(site.path()).unwrap()),
        (names, octets)
    );

    let store = site.open().await;
    let beside = SqliteInspection::open(&site.path()).await.unwrap();
    assert_eq!(beside.schema().await.unwrap(), Schema::UpToDate);
    let written = beside.store().canary(&canary(2)).await;
    check_reason(&written.unwrap_err(), "read-only");
    store.check().await.unwrap();
}

#[tokio::test]
async fn what_is_not_there_is_not_made() {
    let site = Site::new();
    SqliteInspection::open(&site.path()).await.unwrap_err();
    assert!(site.names().is_empty());
}
