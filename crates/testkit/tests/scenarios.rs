//! How systems like this one were broken, tried against the real server on SQLite and Postgres.
//!
//! The number in a test's name is the scenario's, for good; what each is about stands above it.
#![cfg(feature = "server")]
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

#[path = "scenarios/audit_radius.rs"]
mod audit_radius;
#[path = "scenarios/audit_trail.rs"]
mod audit_trail;
#[path = "scenarios/enrolment.rs"]
mod enrolment;
#[path = "scenarios/one_time_use.rs"]
mod one_time_use;
#[path = "scenarios/radius_budget.rs"]
mod radius_budget;
#[path = "scenarios/radius_changes.rs"]
mod radius_changes;
#[path = "scenarios/radius_decisions.rs"]
mod radius_decisions;
#[path = "scenarios/radius_dialogue.rs"]
mod radius_dialogue;
#[path = "scenarios/radius_forgery.rs"]
mod radius_forgery;
#[path = "scenarios/radius_freeradius.rs"]
mod radius_freeradius;
#[path = "scenarios/radius_passwords.rs"]
mod radius_passwords;
#[path = "scenarios/radius_push.rs"]
mod radius_push;
#[path = "scenarios/radius_servers.rs"]
mod radius_servers;
#[path = "scenarios/radius_stage.rs"]
mod radius_stage;
#[path = "scenarios/sessions.rs"]
mod sessions;

use vestibule_testkit::authenticator::Authenticator;
use vestibule_testkit::site::{ADMIN_PASSWORD, Backend, Server, Site};

/// Runs each scenario on both databases.
macro_rules! on_both_databases {
    ($($scenario:ident),+ $(,)?) => {
        mod sqlite { $(
            #[tokio::test]
            async fn $scenario() {
                super::$scenario(vestibule_testkit::site::Backend::Sqlite).await;
            }
        )+ }
        mod postgres { $(
            #[tokio::test]
            async fn $scenario() {
                super::$scenario(vestibule_testkit::site::Backend::Postgres).await;
            }
        )+ }
    };
}
use on_both_databases;

/// The password of every user but the administrator.
const PASSWORD: &str = "a user's own password";
/// A step.
const STEP: std::time::Duration = std::time::Duration::from_secs(30);

fn site(backend: Backend) -> Site {
    Site::new(env!("CARGO_BIN_EXE_vestibule-clocked"), backend)
}

/// The administrator, signed in: the token for administration, and the authenticator, whose code
/// of the present step is spent.
async fn admin(site: &Site, server: &Server) -> (String, Authenticator) {
    let client = server.client();
    let (authenticator, verified) = client.enrol("admin", ADMIN_PASSWORD, site.now()).await;
    (client.authorize(&verified).await.token(), authenticator)
}

/// A site with one server, the administrator's token, and the user `alice`.
async fn with_alice(backend: Backend) -> (Site, Server, String) {
    let site = site(backend);
    let (server, token) = with_alice_at(&site).await;
    (site, server, token)
}

/// The same, at a site that was made already.
async fn with_alice_at(site: &Site) -> (Server, String) {
    let server = site.start();
    let (token, _) = admin(site, &server).await;
    server
        .client()
        .add_user(&token, "alice", PASSWORD)
        .await
        .is(200);
    (server, token)
}
