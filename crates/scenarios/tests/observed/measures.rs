//! `/metrics`: what it shows, what it does not, and that the documentation names all of it.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use futures_util::join;
use vestibule_testkit::client::Client;
use vestibule_testkit::site::{ADMIN_PASSWORD, Backend, Server};

use super::{CODE, PASSWORD, SECRET, WRONG, admin, logged, provider, radius, site};

const SETTINGS: &str = "[metrics]\nlisten = \"127.0.0.1:0\"\n";
/// Where the documentation lies.
const OPERATIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/OPERATIONS.md");

/// The port of the measures.
fn port(server: &Server) -> Client {
    let address = logged(
        server,
        "Measures are shown at /metrics\",\"address\":\"",
        '"',
    );
    server.client().at(&format!("http://{address}"))
}

async fn measures(port: &Client) -> String {
    let answer = Client::send(port.call("GET", "/metrics")).await;
    let kind = answer.headers["content-type"].to_str().unwrap();
    assert!(
        kind.starts_with("application/openmetrics-text; version=1.0.0"),
        "{kind}"
    );
    assert!(answer.is(200).text.ends_with("# EOF\n"));
    answer.text
}

/// The value, a whole number, of the one sample that begins so, name and labels.
#[track_caller]
fn value(measures: &str, sample: &str) -> u64 {
    let mut found = measures
        .lines()
        .filter_map(|line| line.strip_prefix(sample));
    let rest = found
        .next()
        .unwrap_or_else(|| panic!("no {sample} in {measures}"));
    assert_eq!(found.next(), None, "{sample} is not one sample");
    let number = rest.trim();
    let number = number.strip_suffix(".0").unwrap_or(number);
    number.parse().unwrap_or_else(|_| panic!("{sample}{rest}"))
}

/// The names and types of all measures, as the documentation calls them.
fn shown(measures: &str) -> BTreeSet<(String, String)> {
    let types = measures
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "));
    let split = types.map(|line| line.split_once(' ').unwrap());
    let named = split.map(|(name, kind)| match kind {
        "counter" => (format!("{name}_total"), kind.to_owned()),
        "info" => (format!("{name}_info"), "gauge".to_owned()),
        kind => (name.to_owned(), kind.to_owned()),
    });
    named.collect()
}

/// The table of the documentation.
fn documented() -> BTreeSet<(String, String)> {
    let text = std::fs::read_to_string(OPERATIONS).unwrap();
    let (measures, alerts) = text.split_once("### Alerts").unwrap();
    let rows = measures
        .lines()
        .filter_map(|line| line.strip_prefix("| `vestibule_"));
    let cells = rows.map(|row| row.split('|').map(|cell| cell.trim().trim_matches('`')));
    let named = cells.map(|mut cells| {
        let (name, kind) = (cells.next().unwrap(), cells.next().unwrap());
        (format!("vestibule_{name}"), kind.to_owned())
    });
    let named: BTreeSet<_> = named.collect();
    let is_in_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = alerts.split(|c| !is_in_name(c));
    for word in words.filter(|word| word.starts_with("vestibule_")) {
        let is_named = named.iter().any(|(name, _)| name == word);
        assert!(is_named, "{word} is alerted on and is no measure");
    }
    named
}

/// Every decision over a sign-in, and what it takes, can be seen; the documentation names all that
/// is shown, and nothing else; nobody's name is in it.
async fn what_happens_is_measured(backend: Backend) {
    let site = site(backend).with_settings(SETTINGS);
    let server = site.start();
    let (client, port) = (server.client(), port(&server));
    let before = measures(&port).await;
    let of = |factor: &str, outcome: &str| {
        format!("vestibule_sign_ins_total{{factor=\"{factor}\",outcome=\"{outcome}\"}}")
    };
    assert_eq!(value(&before, &of("totp", "success")), 0);
    assert_eq!(
        value(
            &before,
            "vestibule_guess_budget_refusals_total{state=\"waiting\"}"
        ),
        0
    );

    let token = admin(&site, &server).await;
    client.sign_in("admin", "a wrong password").await.is(401);
    client.add_user(&token, "alice", PASSWORD).await.is(200);
    let radius = radius();
    let id = client.add_provider(&token, &provider(&radius)).await;
    client
        .choose_provider(&token, &id, &["CN=admin,OU=local"])
        .await;
    let partial = client.sign_in("alice", PASSWORD).await.token();
    for _ in 0..5 {
        client.otp(&partial, WRONG).await.is(401);
    }
    let partial = client.sign_in("alice", PASSWORD).await.token();
    client.otp(&partial, CODE).await.is(401);
    client
        .get("/admin/local-users/no-id-of-anybody", &token)
        .await
        .is(404);
    client.get("/no-such-route/alice", &token).await.is(404);

    let after = measures(&port).await;
    let is = |sample: &str, expected: u64| {
        assert_eq!(value(&after, sample), expected, "{sample}");
    };
    is(&of("password", "success"), 3);
    is(&of("password", "failure"), 1);
    is(&of("totp", "success"), 1);
    // Five that were asked for, and one that the budget barred.
    is(&of("radius", "failure"), 6);
    is(
        "vestibule_guess_budget_refusals_total{state=\"waiting\"}",
        1,
    );
    is(
        "vestibule_audit_rows_total{event=\"userCreated\",outcome=\"success\"}",
        2,
    );
    let server_of = format!("{{provider=\"{id}\",server=\"{}\"}}", radius.address());
    is(
        &format!("vestibule_radius_access_requests_total{server_of}"),
        5,
    );
    is(
        &format!("vestibule_radius_access_rejects_total{server_of}"),
        5,
    );
    is(&format!("vestibule_radius_server_alive{server_of}"), 1);
    is(
        "vestibule_http_requests_total{method=\"GET\",route=\"/admin/local-users/{id}\",status=\"4xx\"}",
        1,
    );
    is(
        "vestibule_http_requests_total{method=\"GET\",route=\"none\",status=\"4xx\"}",
        1,
    );
    is("vestibule_store_up", 1);
    is("vestibule_ready", 1);
    assert!(value(&after, "vestibule_password_hashes_total") >= 5);
    assert!(value(&after, "vestibule_store_connections{state=\"idle\"}") >= 1);
    assert!(value(&after, "vestibule_process_resident_memory_bytes") > 1_000_000);

    for secret in [
        "alice",
        "admin\"",
        SECRET,
        PASSWORD,
        ADMIN_PASSWORD,
        CODE,
        &token,
    ] {
        assert!(!after.contains(secret), "{secret} in {after}");
    }
    let known = documented();
    assert!(known.len() > 40, "{known:?}");
    assert_eq!(shown(&after), known);
}

/// The port shows measures, and nothing else; what the API does is not there, nor the other way
/// round.
#[tokio::test]
async fn the_port_shows_nothing_else() {
    let site = site(Backend::Sqlite).with_settings(SETTINGS);
    let server = site.start();
    let port = port(&server);
    for path in ["/", "/livez", "/admin/version", "/metrics/", "/metrics/x"] {
        Client::send(port.call("GET", path)).await.is(404);
    }
    Client::send(port.call("POST", "/metrics")).await.is(405);
    Client::send(server.client().call("GET", "/metrics"))
        .await
        .is(404);
}

/// Without a setting there is no port.
#[tokio::test]
async fn nobody_asked_for_measures() {
    let site = site(Backend::Sqlite);
    let server = site.start();
    assert!(!server.log().contains("/metrics"));
}

/// Whoever keeps the port busy keeps only others from it who look on: sign-ins go on.
#[tokio::test]
async fn a_flood_at_the_port_stops_nothing_else() {
    let site = site(Backend::Sqlite).with_settings(SETTINGS);
    let server = site.start();
    let address = port(&server)
        .origin()
        .trim_start_matches("http://")
        .to_owned();
    let open = || TcpStream::connect(&address).unwrap();
    let idle: Vec<_> = (0..40).map(|_| open()).collect();
    admin(&site, &server).await;
    drop(idle);
    let mut last = open();
    write!(
        last,
        "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut text = String::new();
    last.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
}

/// As many as there are places, which ask again and again: sign-ins go on, and all are answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_questions_at_the_port_stops_nothing_else() {
    let site = site(Backend::Sqlite).with_settings(SETTINGS);
    let server = site.start();
    let port = port(&server);
    let asking = join_all((0..16).map(|_| async {
        for _ in 0..50 {
            assert_eq!(value(&measures(&port).await, "vestibule_store_up"), 1);
        }
    }));
    let ((), _) = join!(asking.map(drop), admin(&site, &server));
}

/// Two servers over one database each count what they did.
#[tokio::test]
async fn each_server_counts_its_own() {
    let site = site(Backend::Sqlite).with_settings(SETTINGS);
    let (one, other) = (site.start(), site.start());
    admin(&site, &one).await;
    let sign_ins = "vestibule_sign_ins_total{factor=\"totp\",outcome=\"success\"}";
    assert_eq!(value(&measures(&port(&one)).await, sign_ins), 1);
    assert_eq!(value(&measures(&port(&other)).await, sign_ins), 0);
    let behind = "vestibule_clock_behind_seconds";
    assert_eq!(value(&measures(&port(&one)).await, behind), 0);
    site.set_back(std::time::Duration::from_secs(90));
    assert_eq!(value(&measures(&port(&one)).await, behind), 90);
}

mod sqlite {
    #[tokio::test]
    async fn what_happens_is_measured() {
        super::what_happens_is_measured(super::Backend::Sqlite).await;
    }
}

mod postgres {
    #[tokio::test]
    async fn what_happens_is_measured() {
        super::what_happens_is_measured(super::Backend::Postgres).await;
    }
}
