//! Traces: a collector that is one in all but storage gets them, and never a secret.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;
use vestibule_testkit::client::{Client, DEVICE};
use vestibule_testkit::site::{ADMIN_PASSWORD, Backend};

use super::{CODE, PASSWORD, SECRET, WRONG, admin, provider, radius, site};

/// How long a collector is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// The trace of a caller, and the span that calls.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
/// What a caller sends along, and nobody else should see.
const STATE: &str = "vendor=planted-in-the-state";

/// All that spans may say.
const KEYS: [&str; 5] = [
    "vestibule.request.id",
    "http.request.method",
    "http.route",
    "http.response.status_code",
    "db.operation.name",
];

/// What takes traces on the loopback, by OTLP over HTTP.
struct Collector {
    url: String,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let bodies = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let taken = Arc::clone(&bodies);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take(stream, Arc::clone(&taken)));
            }
        });
        Self { url, bodies }
    }

    fn settings(&self) -> String {
        format!("[telemetry]\notlp = \"{}\"\n", self.url)
    }

    fn octets(&self) -> Vec<u8> {
        self.bodies.lock().unwrap().concat()
    }

    fn spans(&self) -> Vec<Span> {
        let bodies = self.bodies.lock().unwrap();
        let requests = bodies
            .iter()
            .map(|body| ExportTraceServiceRequest::decode(&**body).unwrap());
        let resources = requests.flat_map(|request| request.resource_spans);
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }
}

/// Takes what comes over a connection.
async fn take(stream: TcpStream, bodies: Arc<Mutex<Vec<Vec<u8>>>>) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
        assert!(line.starts_with("POST /v1/traces HTTP/1.1"), "{line}");
        let mut length = 0;
        loop {
            line.clear();
            stream.read_line(&mut line).await.unwrap();
            let header = line.trim().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        line.clear();
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        bodies.lock().unwrap().push(body);
        let answer =
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

fn hex(octets: &[u8]) -> String {
    octets
        .iter()
        .fold(String::new(), |text, octet| text + &format!("{octet:02x}"))
}

fn holds(octets: &[u8], text: &str) -> bool {
    octets
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

/// Checks that what is no `traceparent` begins a trace of its own.
async fn malformed_ones_are_ignored(client: &Client) {
    let right = format!("00-{TRACE}-{PARENT}-01");
    for malformed in [
        [""].as_slice(),
        &["00"],
        &["00-xyz-1-01"],
        &["00-1-2-01"],
        &["00-+1-+2-01"],
        &[&format!("0-{TRACE}-{PARENT}-1")],
        &[&format!("+0-{TRACE}-{PARENT}-+1")],
        &[&format!("{right}-")],
        &[&format!("00-{TRACE}-{PARENT}-001")],
        &[&format!("FE-{TRACE}-{PARENT}-01")],
        &[&format!("ff-{TRACE}-{PARENT}-01")],
        &[&right, &right.replace("4bf9", "4bfa")],
    ] {
        let mut call = client.call("GET", "/admin/version");
        for value in malformed {
            call = call.header("traceparent", *value);
        }
        let answer = Client::send(call).await;
        let response = answer.is(200).headers["traceresponse"].to_str().unwrap();
        assert!(!response.contains(TRACE), "{malformed:?}: {response}");
        let small = format!("-{:032x}-", 1);
        assert!(!response.contains(&small), "{malformed:?}: {response}");
    }
}

/// Checks that spans say what they may, and no more.
#[track_caller]
fn say_what_they_may(spans: &[Span]) {
    for span in spans {
        let keys = span
            .attributes
            .iter()
            .map(|attribute| attribute.key.as_str());
        let strange: Vec<_> = keys.filter(|key| !KEYS.contains(key)).collect();
        assert_eq!(strange, [""; 0], "{}", span.name);
        assert!(span.events.is_empty() && span.trace_state.is_empty());
    }
}

/// A sign-in continues the trace that it names, its parts are spans below it, and nothing leaves
/// that somebody typed.
async fn a_sign_in_is_a_trace(backend: Backend) {
    let collector = Collector::start().await;
    let site = site(backend).with_settings(&collector.settings());
    let server = site.start();
    let client = server.client();
    let token = admin(&site, &server).await;
    client
        .add_user(&token, "alice-planted", PASSWORD)
        .await
        .is(200);
    let radius = radius();
    let id = client.add_provider(&token, &provider(&radius)).await;
    client
        .choose_provider(&token, &id, &["CN=admin,OU=local"])
        .await;

    let body = json!({
        "providerName": "local", "username": "alice-planted", "password": PASSWORD,
        "deviceId": DEVICE,
    });
    let call = client.call("POST", "/admin/authentication").json(&body);
    let call = call.header("traceparent", format!("00-{TRACE}-{PARENT}-01"));
    let answer = Client::send(call.header("tracestate", STATE)).await;
    let partial = answer.token();
    let response = answer.headers["traceresponse"].to_str().unwrap();
    let own = response.strip_prefix(&format!("00-{TRACE}-")).unwrap();
    let own = own.strip_suffix("-01").unwrap().to_owned();
    assert_ne!(own, PARENT);
    client.otp(&partial, WRONG).await.is(401);
    let verified = client.otp(&partial, CODE).await.token();
    client
        .get("/admin/local-users/id-planted-in-the-path", &token)
        .await
        .is(404);
    let odd = client.call("PLANTED", "/admin/version");
    Client::send(odd).await.is(405);
    malformed_ones_are_ignored(client).await;
    let request = answer.headers["x-request-id"].to_str().unwrap().to_owned();
    assert!(
        server.log().contains(&format!("\"trace.id\":\"{TRACE}\"")),
        "the log names the trace"
    );
    server.terminate();
    assert!(server.wait().success());

    let spans = collector.spans();
    let named: Vec<_> = spans
        .iter()
        .filter(|span| hex(&span.trace_id) == TRACE)
        .collect();
    let root = named.iter().find(|span| hex(&span.span_id) == own).unwrap();
    assert_eq!(root.name, "POST /admin/authentication");
    assert_eq!(hex(&root.parent_span_id), PARENT);
    let attributes = format!("{:?}", root.attributes);
    for part in [
        "http.response.status_code",
        "/admin/authentication",
        &request,
    ] {
        assert!(attributes.contains(part), "{part}: {attributes}");
    }
    for part in [
        "store password_standing",
        "password hash",
        "store start_session",
    ] {
        let span = named.iter().find(|span| span.name == part);
        let span = span.unwrap_or_else(|| panic!("no {part}: {named:#?}"));
        assert_eq!(hex(&span.parent_span_id), own, "{part}");
    }
    say_what_they_may(&spans);
    let has = |name: &str| spans.iter().any(|span| span.name == name);
    assert!(has("radius exchange") && has("store redeem"));
    assert!(has("GET /admin/local-users/{id}") && has("_OTHER /admin/version"));
    let octets = collector.octets();
    assert!(
        holds(&octets, "vestibule.request.id"),
        "the search finds what is there"
    );
    for secret in [
        "planted",
        PASSWORD,
        ADMIN_PASSWORD,
        SECRET,
        CODE,
        WRONG,
        &token,
        &partial,
        &verified,
        "127.0.0.1",
        DEVICE,
    ] {
        assert!(!holds(&octets, secret), "{secret} leaves the server");
    }
}

/// Nobody collects: nothing is in the answers, and the log has the traces no more.
#[tokio::test]
async fn nobody_asked_for_traces() {
    let site = site(Backend::Sqlite);
    let server = site.start();
    let call = server.client().call("GET", "/admin/version");
    let call = call.header("traceparent", format!("00-{TRACE}-{PARENT}-01"));
    let answer = Client::send(call).await;
    assert!(!answer.is(200).headers.contains_key("traceresponse"));
    assert!(!server.log().contains(TRACE));
}

/// A collector that is away costs nothing but the traces.
#[tokio::test]
async fn a_collector_that_is_away_stops_nothing() {
    let site = site(Backend::Sqlite).with_settings("[telemetry]\notlp = \"http://127.0.0.1:1\"\n");
    let server = site.start();
    admin(&site, &server).await;
    server.terminate();
    assert!(server.wait().success());
    assert!(site.logs().contains("Traces are lost"), "{}", site.logs());
}

/// What takes connections and says nothing; each time somebody has sent something is told.
async fn silent() -> (String, UnboundedReceiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (told, asked) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let told = told.clone();
            tokio::spawn(async move {
                let mut octets = [0; 4096];
                while stream.read(&mut octets).await.unwrap_or(0) > 0 {
                    let _ = told.send(());
                }
            });
        }
    });
    (url, asked)
}

/// While a collector is waited for nobody else waits, and the end is not put off for longer than one
/// may wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_hangs_stops_nothing() {
    let (url, mut asked) = silent().await;
    let settings = format!("[telemetry]\notlp = \"{url}\"\n");
    let site = site(Backend::Sqlite).with_settings(&settings);
    let server = site.start();
    admin(&site, &server).await;
    asked.recv().await.unwrap();
    let begun = Instant::now();
    for _ in 0..20 {
        let call = server.client().call("GET", "/admin/version");
        Client::send(call).await.is(200);
    }
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
    server.terminate();
    let begun = Instant::now();
    assert!(server.wait().success());
    assert!(begun.elapsed() < PATIENCE * 3, "{:?}", begun.elapsed());
    assert!(site.logs().contains("Traces are lost"), "{}", site.logs());
}

// The collector goes on in another thread while a server ends.
mod sqlite {
    #[tokio::test(flavor = "multi_thread")]
    async fn a_sign_in_is_a_trace() {
        super::a_sign_in_is_a_trace(super::Backend::Sqlite).await;
    }
}

mod postgres {
    #[tokio::test(flavor = "multi_thread")]
    async fn a_sign_in_is_a_trace() {
        super::a_sign_in_is_a_trace(super::Backend::Postgres).await;
    }
}
