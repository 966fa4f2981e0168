//! The master keys: whether all are there that something in the database is sealed with.

use std::collections::BTreeMap;
use std::path::Path;

use uuid::Uuid;
use vestibule_service::Keyring;
use vestibule_store::{Store, StoreError};

use super::database::failed;
use super::report::Finding;

/// Looks at the keys in a file, among which is the one in use.
pub(super) async fn examine(file: &Path, keyring: &Keyring, store: &dyn Store) -> Vec<Finding> {
    let needed = match needed(store).await {
        Ok(needed) => needed,
        Err(error) => return vec![failed("key", &error)],
    };
    let file = file.display();
    let missing = needed.into_iter().filter(|(key, _)| !keyring.has(*key));
    let findings: Vec<_> = missing
        .map(|(key, count)| {
            let what = format!(
                "the master key {key} is not in {file}, and {count} secrets are sealed with it"
            );
            let advice = "add that key to the file, from your backup or another server. If it is lost, \
                          `vestibule keys rotate` names what does not open, and `vestibule keys retire` \
                          forgets the key when nothing needs it";
            Finding::problem("key", what, advice)
        })
        .collect();
    if findings.is_empty() {
        let what = format!("{file} opens what is sealed in this database");
        return vec![Finding::ok("key", what)];
    }
    findings
}

/// The keys that have sealed something, or still may, with how much that is.
async fn needed(store: &dyn Store) -> Result<BTreeMap<Uuid, u64>, StoreError> {
    let mut needed = BTreeMap::new();
    for replaced in store.key_state().await?.replaced() {
        needed.insert(replaced, 0);
    }
    for count in store.sealed_counts().await? {
        *needed.entry(count.key).or_insert(0) += count.count;
    }
    Ok(needed)
}
