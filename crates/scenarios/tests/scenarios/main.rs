//! How systems like this one were broken, tried against the real server on SQLite and Postgres.
//!
//! The number in a test's name is the scenario's, for good; what each is about stands above it.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod a_one_time_use;
mod b_guessing;
mod c_sessions;
mod d_enrolment;
mod e_radius;
mod f_disclosure;
mod g_backups;
mod g_keys;
mod g_lost_keys;
mod radius_stage;
mod routes;

use vestibule_testkit::authenticator::Authenticator;
use vestibule_testkit::client::Client;
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

/// The setting by which [`measure`] can be asked.
const MEASURED: &str = "[metrics]\nlisten = \"127.0.0.1:0\"\n";

/// What a server has counted under a name.
async fn measure(server: &Server, name: &str) -> u64 {
    let log = server.log();
    let (_, address) = log.split_once("/metrics\",\"address\":\"").unwrap();
    let (address, _) = address.split_once('"').unwrap();
    let port = server.client().at(&format!("http://{address}"));
    let measures = Client::send(port.call("GET", "/metrics")).await.text;
    let mut lines = measures.lines();
    let count = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    count.unwrap().parse().unwrap()
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
