//! Who needs no second factor.

use vestibule_engine::audit::clean;
use vestibule_store::{Store, StoreError};

use super::database::failed;
use super::report::Finding;

/// Looks at the settings of the second factor.
pub(super) async fn examine(store: &dyn Store) -> Vec<Finding> {
    match exempted(store).await {
        Ok(findings) => findings,
        Err(error) => vec![failed("factor", &error)],
    }
}

async fn exempted(store: &dyn Store) -> Result<Vec<Finding>, StoreError> {
    let Some(settings) = store.admin_mfa().await? else {
        let what = "is not set yet: the first start switches it on";
        return Ok(vec![Finding::ok("factor", what)]);
    };
    if settings.provider.is_none() {
        let what = "no second factor is due of anybody";
        let advice = "choose a provider in PUT /admin/admin-mfa-settings";
        return Ok(vec![Finding::warning("factor", what, advice)]);
    }
    let exempt = settings.exempted.iter().filter(|one| one.user.is_some());
    let findings: Vec<_> = exempt
        .map(|one| {
            let who = clean(&one.text);
            let what = format!("{who} needs no second factor, without end");
            let advice = "if it is a person, take them out of exemptedUsers; `vestibule user exempt \
                          --until` lets somebody off for a while";
            Finding::warning("factor", what, advice)
        })
        .collect();
    Ok(if findings.is_empty() {
        vec![Finding::ok("factor", "is due of everybody")]
    } else {
        findings
    })
}
