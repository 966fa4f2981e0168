//! Snapshots: nothing that the database holds is left out by mistake.

use std::collections::BTreeSet;

use sqlx::{query_as, query_scalar};
use vestibule_store_sql::{SETTINGS, TABLES};

use super::Site;

/// Tables that are in no snapshot, each for its reason.
const LEFT_OUT: [&str; 6] = [
    // What the program makes anew.
    "_sqlx_migrations",
    // What must not live again.
    "tokens",
    "pushes",
    // One row of `settings` together.
    "admin_mfa",
    "authority",
    // What servers say of a key that is to be used next.
    "key_reports",
];

/// Whoever adds a table or a column has to say whether it is in backups.
#[tokio::test]
async fn every_table_and_column_is_in_a_snapshot_or_left_out_on_purpose() {
    let site = Site::new();
    drop(site.open().await);
    let mut stranger = site.stranger().await;
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let tables: Vec<String> = query_scalar(tables).fetch_all(&mut stranger).await.unwrap();
    let mut compared = 0;
    for name in tables.iter().filter(|name| !LEFT_OUT.contains(&&***name)) {
        let table = TABLES.iter().find(|table| table.name == name);
        let table = table.unwrap_or_else(|| panic!("{name} is in no snapshot"));
        let columns = "SELECT name, 0 FROM pragma_table_info(?1) WHERE name <> 'one'";
        let columns: Vec<(String, i64)> = query_as(columns)
            .bind(name)
            .fetch_all(&mut stranger)
            .await
            .unwrap();
        let there: BTreeSet<&str> = columns.iter().map(|(name, _)| &**name).collect();
        let names = table.names();
        let taken: BTreeSet<&str> = names.split(", ").collect();
        assert_eq!(there, taken, "{name}");
        compared += 1;
    }
    // The settings are the only ones that lie elsewhere.
    assert_eq!(compared, TABLES.len() - 1);
    assert!(TABLES.iter().any(|table| table.name == SETTINGS));
}
