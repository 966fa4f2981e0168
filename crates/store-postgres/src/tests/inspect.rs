//! A look at a database.

use uuid::Uuid;
use vestibule_store::{Inspect as _, Schema, Sealed};
use vestibule_testkit::postgres::Cluster;

use crate::{PostgresInspection, PostgresStore};

#[tokio::test]
async fn who_looks_can_read_and_not_write() {
    let database = Cluster::shared().fresh_database();
    let empty = PostgresInspection::open(database.url()).await.unwrap();
    assert_eq!(empty.schema().await.unwrap(), Schema::Missing);
    PostgresStore::open(database.url()).await.unwrap();
    let looking = PostgresInspection::open(database.url()).await.unwrap();
    assert_eq!(looking.schema().await.unwrap(), Schema::UpToDate);
    assert_eq!(looking.canary().await.unwrap(), None);
    looking.check_writable().await.unwrap();
    assert!(looking.time().await.unwrap().is_some());
    let canary = Sealed {
        key_id: Uuid::nil(),
        bytes: vec![1],
    };
    let error = looking.store().canary(&canary).await.unwrap_err();
    assert!(error.to_string().contains("read-only"), "{error}");
    assert_eq!(looking.canary().await.unwrap(), None);
}
