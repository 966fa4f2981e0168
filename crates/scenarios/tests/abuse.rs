//! Those who would wear the server out: each has a limit, and everybody else goes on.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use futures_util::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use vestibule_testkit::client::{Answer, Client, DEVICE};
use vestibule_testkit::site::{ADMIN_PASSWORD, Backend, Server, Site};

fn site(settings: &str) -> Site {
    let binary = env!("CARGO_BIN_EXE_vestibule-clocked");
    Site::new(binary, Backend::Sqlite).with_settings(settings)
}

async fn connect(server: &Server) -> TcpStream {
    let address = server.client().origin().trim_start_matches("http://");
    TcpStream::connect(address).await.unwrap()
}

/// Somebody else, who is served meanwhile.
async fn is_served(server: &Server) {
    let client = server.client();
    client.sign_in("admin", ADMIN_PASSWORD).await.token();
    let ready = Client::send(client.call("GET", "/readyz")).await;
    ready.is(200);
}

/// A client that asked once, and keeps its connection.
async fn keeps_its_connection(server: &Server) -> TcpStream {
    let mut stream = connect(server).await;
    let request = b"GET /livez HTTP/1.1\r\nHost: h\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    stream
}

/// Five thousand clients that keep their connections take places, and nothing else.
#[tokio::test]
async fn five_thousand_idle_connections_cost_nobody_else_anything() {
    const IDLE: usize = 5_000;
    vestibule_testkit::site::allow_open_files(IDLE as u64 + 512);
    let site = site("");
    let server = site.start();
    let mut idle = Vec::new();
    for _ in 0..IDLE / 50 {
        idle.extend(join_all((0..50).map(|_| keeps_its_connection(&server))).await);
    }
    is_served(&server).await;
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid()));
    let open = open.unwrap().count();
    assert!(open >= IDLE, "{open} of {}", idle.len());
}

/// Who sends the head of a request for ever, octet by octet, is hung up on; so is who sends a body
/// that way. Others are served meanwhile.
#[tokio::test]
async fn who_sends_too_slowly_is_hung_up_on() {
    let site = site("");
    let server = site.start();
    let head = "GET /admin/version HTTP/1.1\r\nHost: h\r\nX-Slow: ";
    let body = "POST /admin/authentication HTTP/1.1\r\nHost: h\r\nContent-Length: 9999\r\n\
        Accept: application/vnd.appgate.peer-v23+json\r\nContent-Type: application/json\r\n\r\n{";
    let slow = |start: &'static str, octet: u8| {
        let server = &server;
        async move {
            let mut stream = connect(server).await;
            stream.write_all(start.as_bytes()).await.unwrap();
            let (mut read, mut write) = stream.split();
            let drips = async {
                let mut drip = tokio::time::interval(std::time::Duration::from_millis(200));
                loop {
                    drip.tick().await;
                    if write.write_all(&[octet]).await.is_err() {
                        return;
                    }
                }
            };
            let mut answer = Vec::new();
            // What was answered is there, whichever end hangs up on the other.
            let _ = futures_util::future::select(
                Box::pin(read.read_to_end(&mut answer)),
                Box::pin(async {
                    drips.await;
                    std::future::pending::<()>().await;
                }),
            )
            .await;
            answer
        }
    };
    let all = join_all((0..200).map(|n| {
        if n % 2 == 0 {
            slow(head, b'x')
        } else {
            slow(body, b' ')
        }
    }));
    let (answers, ()) = tokio::join!(all, is_served(&server));
    // What nobody waited for was not answered as if it had been whole.
    for (n, answer) in answers.iter().enumerate() {
        let text = String::from_utf8_lossy(answer);
        let is_told = text.starts_with("HTTP/1.1 408");
        assert!(is_told || n % 2 == 0 && text.is_empty(), "{n}: {text}");
    }
    is_served(&server).await;
}

/// Somebody at an address, behind a proxy that is trusted.
struct Somebody<'s> {
    client: &'s Client,
    address: &'s str,
}

impl Somebody<'_> {
    async fn asks(&self, method: &str, path: &str, token: Option<&str>) -> Answer {
        let call = self.client.call(method, path);
        let mut call = call.header("x-forwarded-for", self.address);
        if let Some(token) = token {
            call = call.bearer_auth(token);
        }
        Client::send(call).await
    }

    async fn signs_in(&self, username: &str, password: &str) -> Answer {
        let body = json!({
            "providerName": "local", "username": username, "password": password,
            "deviceId": DEVICE,
        });
        let call = self.client.call("POST", "/admin/authentication");
        let call = call.header("x-forwarded-for", self.address).json(&body);
        Client::send(call).await
    }
}

/// A site whose clients are known by what a proxy says, with a limit.
fn limited_site(limits: &str) -> Site {
    site(&format!(
        "[proxies]\ntrusted = [\"127.0.0.1\"]\n[limits]\n{limits}\n"
    ))
}

const NAMES: &str = "/admin/identity-providers/names";
const USERS: &str = "/admin/local-users";
const DUE: &str = "/admin/authorization";

/// Requests without a good token are limited by address, whatever they ask for and however they
/// are answered; who had a good one from there goes on, as does everybody elsewhere; and a minute
/// later it is forgotten.
#[tokio::test]
async fn who_asks_without_a_token_is_limited_by_address() {
    let site = limited_site("requests_without_token_per_minute = 20");
    let server = site.start();
    let client = server.client();
    let at = |address| Somebody { client, address };
    let (office, elsewhere) = (at("192.0.2.1"), at("192.0.2.2"));
    let partial = office.signs_in("admin", ADMIN_PASSWORD).await.token();
    let other = elsewhere.signs_in("admin", ADMIN_PASSWORD).await.token();
    // What a good token asks for is not counted, however often.
    for _ in 0..40 {
        office.asks("GET", DUE, Some(&partial)).await.is(412);
    }
    let guess = "A".repeat(43) + "=";
    for n in 1..20 {
        let (method, path, token, status) = match n % 8 {
            0 => ("GET", NAMES, None, 200),
            1 => ("GET", USERS, None, 401),
            2 => ("GET", USERS, Some(&*guess), 401),
            3 => ("GET", NAMES, Some("x"), 200),
            4 => ("PATCH", USERS, Some("x"), 405),
            5 => ("POST", "/admin/authentication", Some("x"), 400),
            6 => ("GET", "/admin/nothing", None, 404),
            _ => ("GET", "/admin/version", Some("x"), 200),
        };
        office.asks(method, path, token).await.is(status);
    }
    for path in [NAMES, USERS, DUE, "/admin/nothing", "/admin/version"] {
        for token in [None, Some("x"), Some(&*guess), Some(&*other)] {
            let limited = office.asks("GET", path, token).await;
            assert_eq!(limited.is(429).json()["id"], "too many requests");
            assert!(limited.headers.contains_key("retry-after"));
        }
    }
    office.asks("GET", DUE, Some(&partial)).await.is(412);
    elsewhere.asks("GET", NAMES, None).await.is(200);
    // Whoever looks after the server sees it from there, too.
    office.asks("GET", "/readyz", None).await.is(200);
    site.advance(std::time::Duration::from_mins(1));
    office.asks("GET", NAMES, None).await.is(200);
    office.asks("GET", DUE, Some(&partial)).await.is(412);
}

/// Requests that are under way count: bodies that never end are not read for everybody at once.
#[tokio::test]
async fn bodies_on_their_way_count_as_requests() {
    let site = limited_site("requests_without_token_per_minute = 20");
    let server = site.start();
    let client = server.client();
    let mut bodies = Vec::new();
    for _ in 0..20 {
        let mut stream = connect(&server).await;
        let head = "POST /admin/authentication HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\
            Expect: 100-continue\r\nX-Forwarded-For: 2001:db8::1\r\n\
            Accept: application/vnd.appgate.peer-v23+json\r\n\
            Content-Type: application/json\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        // The server waits for the body.
        let mut start = [0; 12];
        stream.read_exact(&mut start).await.unwrap();
        assert_eq!(&start, b"HTTP/1.1 100");
        bodies.push(stream);
    }
    let at = |address| Somebody { client, address };
    at("2001:db8::2").asks("GET", NAMES, None).await.is(429);
    at("2001:db8:0:1::2").asks("GET", NAMES, None).await.is(200);
}

/// Somebody who signs in is not kept waiting by a crowd that comes from few places.
#[tokio::test]
async fn a_crowd_of_passwords_does_not_keep_others_out() {
    let site = limited_site("hash_queue = 12\nsign_in_failures_per_minute = 100000");
    let server = site.start();
    let client = server.client();
    let addresses: Vec<_> = (1..=4).map(|n| format!("2001:db8:{n}::1")).collect();
    let crowd = join_all((0..240).map(|n| {
        let somebody = Somebody {
            client,
            address: &addresses[n % addresses.len()],
        };
        async move { somebody.signs_in("nobody", "wrong").await }
    }));
    let victim = Somebody {
        client,
        address: "192.0.2.7",
    };
    let (crowd, ()) = tokio::join!(crowd, async {
        for _ in 0..4 {
            victim.signs_in("admin", ADMIN_PASSWORD).await.token();
        }
    });
    let turned_away = crowd.iter().filter(|answer| answer.status == 503).count();
    assert!(turned_away > 0, "there was a crowd");
}

/// However many passwords arrive at once, so many are hashed as there are cores, a bounded number
/// waits, and the rest is told to come back.
#[tokio::test]
async fn passwords_wait_in_a_bounded_queue() {
    let site = site("[limits]\nhash_queue = 10\n");
    let server = site.start();
    let client = server.client();
    let answers = join_all((0..300).map(|_| client.sign_in("admin", ADMIN_PASSWORD))).await;
    let (in_time, late) = Client::successes(&answers);
    assert!(in_time > 0 && late > 0, "{in_time} and {late}");
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(answer.is(503).json()["id"], "service unavailable");
        assert!(answer.headers.contains_key("retry-after"));
    }
    is_served(&server).await;
}
