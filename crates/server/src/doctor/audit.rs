//! The audit trail, and the clock, which may not be before it.

use std::time::Duration;

use vestibule_engine::Timestamp;
use vestibule_service::AuditQuery;
use vestibule_store::{OpenChain, RowsOf, Store, StoreError};

use super::database::failed;
use super::report::Finding;

/// How far the clock may be behind what is written down: replicas are apart by as much.
const TOLERATED: Duration = Duration::from_secs(2);
/// How far behind codes are judged wrongly.
const STEP: Duration = Duration::from_secs(30);
/// How long a row may be without a seal: a server that runs seals each second, and what one that is
/// gone has left after a minute.
const UNSEALED: Duration = Duration::from_mins(3);

/// Looks at the end of the trail.
pub(super) async fn examine(store: &dyn Store, now: Timestamp) -> Vec<Finding> {
    let clock = match clock(store, now).await {
        Ok(finding) => finding,
        Err(error) => failed("clock", &error),
    };
    let seals = match seals(store, now).await {
        Ok(finding) => finding,
        Err(error) => failed("audit", &error),
    };
    vec![clock, seals]
}

async fn clock(store: &dyn Store, now: Timestamp) -> Result<Finding, StoreError> {
    let query = AuditQuery {
        range: Some((0, 0)),
        ..AuditQuery::default()
    };
    let rows = store.audit_events(&query).await?.items;
    let last = rows.first().map(|row| row.signed.entry.at);
    let behind = last.map(|at| Timestamp::from_micros(at).since(now));
    let behind = behind.unwrap_or_default();
    if behind < TOLERATED {
        return Ok(Finding::ok(
            "clock",
            "is not before what was written down here",
        ));
    }
    let what = format!(
        "the clock is {} s before what was written down here last",
        behind.as_secs()
    );
    let advice = "set it by NTP: codes are judged by it, and those of spent steps are refused. If it \
                  is right now it was wrong then";
    Ok(if behind < STEP {
        Finding::warning("clock", what, advice)
    } else {
        Finding::problem("clock", what, advice)
    })
}

async fn seals(store: &dyn Store, now: Timestamp) -> Result<Finding, StoreError> {
    let mut oldest = None;
    for chain in store.open_chains().await? {
        let first = first_unsealed(store, chain).await?;
        oldest = oldest.into_iter().chain(first).min();
    }
    let since = oldest.map(|at| now.since(at)).unwrap_or_default();
    if since < UNSEALED {
        return Ok(Finding::ok("audit", "its rows are sealed"));
    }
    let minutes = since.as_secs() / 60;
    let what = format!("rows of the audit trail have had no seal for {minutes} minutes");
    let advice = "start a server, which seals them; if one runs, its log says why it does not. Then \
                  run `vestibule audit verify`";
    Ok(Finding::warning("audit", what, advice))
}

/// When the first row was written that is under no seal.
async fn first_unsealed(
    store: &dyn Store,
    chain: OpenChain,
) -> Result<Option<Timestamp>, StoreError> {
    let rows = RowsOf {
        chain: chain.chain,
        after: chain.sealed,
        last: chain.last,
    };
    let rows = store.audit_rows(rows, 1).await?;
    let first = rows.first().map(|row| row.signed.entry.at);
    Ok(first.map(Timestamp::from_micros))
}
