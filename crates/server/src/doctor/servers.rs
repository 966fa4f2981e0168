//! The RADIUS servers: each is asked, as a test through the API asks it.

use std::sync::Arc;

use vestibule_engine::audit::clean;
use vestibule_service::{Clock, Keyring, OsRandom, Parts, ProviderTest, Service};
use vestibule_store::Store;

use super::report::Finding;
use crate::config::Config;
use crate::serve;

/// Asks the servers of all providers.
pub(super) async fn examine(
    config: &Config,
    keyring: Keyring,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
) -> Vec<Finding> {
    let parts = Parts {
        store,
        clock,
        random: Arc::new(OsRandom),
        keyring,
        policy: serve::policy(config),
    };
    let service = Service::only_looking(parts);
    match service.test_all_mfa_providers().await {
        Err(error) => {
            let advice = "look at the log of the server";
            vec![Finding::problem("radius", error.to_string(), advice)]
        }
        Ok(tests) if tests.is_empty() => {
            vec![Finding::ok("radius", "there are no RADIUS providers")]
        }
        Ok(tests) => tests.into_iter().flat_map(in_words).collect(),
    }
}

fn in_words(test: ProviderTest) -> Vec<Finding> {
    let name = clean(&test.provider.name);
    let mut findings = Vec::new();
    if !test.requires_message_authenticator {
        let what = format!(
            "ANYBODY ON THE WAY to the servers of {name} can let anybody in: \
             requireMessageAuthenticator is false (CVE-2024-3596)"
        );
        let advice = "update the servers, then set requireMessageAuthenticator to true";
        findings.push(Finding::warning("radius", what, advice));
    }
    match test.outcome {
        Err(error) => {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
            let what = format!("{name} cannot be used: {error}{cause}");
            let advice = "enter its secrets again, with PUT /admin/mfa-providers/{id}";
            findings.push(Finding::problem("radius", what, advice));
        }
        Ok(tested) => match (tested.error, tested.warning) {
            (Some(error), _) if test.is_due => {
                let what = format!("{name}: {error}");
                let advice = "nobody whose second factor it is can sign in until then";
                findings.push(Finding::problem("radius", what, advice));
            }
            (Some(warning), _) | (None, Some(warning)) => {
                let what = format!("{name}: {warning}");
                let advice = "it is not needed to sign in, or works in spite of that";
                findings.push(Finding::warning("radius", what, advice));
            }
            (None, None) => {
                findings.push(Finding::ok(
                    "radius",
                    format!("the servers of {name} answer"),
                ));
            }
        },
    }
    findings
}
