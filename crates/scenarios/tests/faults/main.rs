//! Faults of the database and hostile connections, against the real server: each ends in the right
//! answer, nothing is lost, nobody is let in, and the server goes on when the cause is gone.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod postgres;
mod sqlite;
mod stopping;

use std::cell::RefCell;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use futures_util::join;
use sqlx::{Connection as _, SqliteConnection};
use vestibule_testkit::authenticator::Authenticator;
use vestibule_testkit::client::{Answer, Client};
use vestibule_testkit::figures;
use vestibule_testkit::postgres::Cluster;
use vestibule_testkit::site::{ADMIN_PASSWORD, Backend, Server, Site};

const STEP: std::time::Duration = std::time::Duration::from_secs(30);

fn site(backend: Backend) -> Site {
    Site::new(env!("CARGO_BIN_EXE_vestibule-clocked"), backend)
}

/// What an operator and a client see while the database does not work.
#[track_caller]
fn is_unavailable(answer: &Answer) {
    assert_eq!(
        answer.json()["id"],
        "service unavailable",
        "{}",
        answer.text
    );
    answer.is(503);
    assert!(answer.headers.contains_key("retry-after"));
}

/// Somebody between the password and the code, while the database fails and recovers: the code is
/// not lost, not counted, and good once afterwards.
async fn outlives(
    site: &Site,
    server: &Server,
    fail: impl AsyncFnOnce(),
    recover: impl AsyncFnOnce(),
) {
    let client = server.client();
    let (authenticator, verified) = client.enrol("admin", ADMIN_PASSWORD, site.now()).await;
    let admin = client.authorize(&verified).await.token();
    site.advance(STEP);
    let partial = client.sign_in("admin", ADMIN_PASSWORD).await.token();
    let code = authenticator.code(site.now());
    let ready = async || Client::send(client.call("GET", "/readyz")).await.status;
    assert_eq!(ready().await, 200);

    fail().await;
    is_unavailable(&client.otp(&partial, &code).await);
    is_unavailable(
        &client
            .otp(&partial, &authenticator.wrong_code(site.now()))
            .await,
    );
    let (right, wrong) = join!(
        client.sign_in("admin", ADMIN_PASSWORD),
        client.sign_in("admin", "a wrong password")
    );
    is_unavailable(&right);
    is_unavailable(&wrong);
    assert_eq!(ready().await, 503);
    let live = Client::send(client.call("GET", "/livez")).await;
    live.is(200);

    recover().await;
    client.get("/admin/otp/seeds", &admin).await.is(200);
    let users = client.get("/admin/local-users", &admin).await.json();
    assert_eq!(
        users["data"][0]["failedLoginAttempts"], 0,
        "nobody pays for our fault"
    );
    // Five wrong codes are free, and with the fifth a wait begins: the one of before was none of them.
    for _ in 0..4 {
        let wrong = authenticator.wrong_code(site.now());
        client.otp(&partial, &wrong).await.is(401);
    }
    client.otp(&partial, &code).await.token();
    assert_eq!(ready().await, 200);
    // The code was spent by the sign-in that succeeded, and only by that one.
    let partial = client.sign_in("admin", ADMIN_PASSWORD).await.token();
    client.otp(&partial, &code).await.is(401);
    outlived("outlived without a restart");
}

/// Notes that the fault of this test ended as it should.
fn outlived(what: &str) {
    // The thread of a test bears its name.
    let thread = std::thread::current();
    let name = thread.name().and_then(|name| name.rsplit(':').next());
    figures::note(&format!("fault-{}", name.unwrap_or("")), what, 1);
}

#[tokio::test]
async fn sqlite_locked_by_another_program() {
    let site = site(Backend::Sqlite);
    let server = site.start();
    let url = format!("sqlite:{}", site.sqlite_file().display());
    let other = RefCell::new(None);
    outlives(
        &site,
        &server,
        async || {
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            sqlx::raw_sql("BEGIN IMMEDIATE")
                .execute(&mut connection)
                .await
                .unwrap();
            other.replace(Some(connection));
        },
        async || {
            let connection = other.take().unwrap();
            connection.close().await.unwrap();
        },
    )
    .await;
}

/// Whoever asks whether the server is ready, and hangs up while the file is locked, keeps nobody from
/// writing afterwards.
#[tokio::test]
async fn who_asks_whether_it_is_ready_and_leaves_holds_no_lock() {
    let site = site(Backend::Sqlite);
    let server = site.start();
    let client = server.client();
    client.sign_in("admin", ADMIN_PASSWORD).await.token();
    let url = format!("sqlite:{}", site.sqlite_file().display());
    let mut stranger = SqliteConnection::connect(&url).await.unwrap();
    let lock = sqlx::raw_sql("BEGIN IMMEDIATE");
    lock.execute(&mut stranger).await.unwrap();
    let address = client.origin().trim_start_matches("http://");
    let mut asks = TcpStream::connect(address).unwrap();
    let request = b"GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n";
    asks.write_all(request).unwrap();
    for _ in 0..3 {
        // Whoever is answered has come later.
        Client::send(client.call("GET", "/livez")).await.is(200);
    }
    drop(asks);
    for _ in 0..3 {
        Client::send(client.call("GET", "/livez")).await.is(200);
    }
    stranger.close().await.unwrap();
    client.sign_in("admin", ADMIN_PASSWORD).await.token();
}

#[tokio::test]
async fn sqlite_moved_away_and_back() {
    let site = site(Backend::Sqlite);
    let server = site.start();
    let file = site.sqlite_file();
    let elsewhere = site.directory().join("elsewhere");
    outlives(
        &site,
        &server,
        async || std::fs::rename(&file, &elsewhere).unwrap(),
        async || std::fs::rename(&elsewhere, &file).unwrap(),
    )
    .await;
}

#[tokio::test]
async fn postgres_stopped_and_started() {
    let cluster = Cluster::start();
    let site = Site::over(
        env!("CARGO_BIN_EXE_vestibule-clocked"),
        Some(cluster.fresh_database()),
    );
    let server = site.start();
    outlives(
        &site,
        &server,
        async || cluster.stop(),
        async || cluster.start_again(),
    )
    .await;
}

#[tokio::test]
async fn postgres_read_only() {
    let site = site(Backend::Postgres);
    let server = site.start();
    let url = site.database_url();
    let set = async |read_only: bool| {
        let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
        let database: String = sqlx::query_scalar("SELECT current_database()")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        let statement = format!(
            "ALTER DATABASE \"{database}\" SET default_transaction_read_only = {read_only}; \
             SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()"
        );
        for statement in ["SET default_transaction_read_only = false", &statement] {
            let statement = sqlx::AssertSqlSafe(statement.to_owned());
            sqlx::raw_sql(statement)
                .execute(&mut connection)
                .await
                .unwrap();
        }
    };
    outlives(
        &site,
        &server,
        async || set(true).await,
        async || set(false).await,
    )
    .await;
}

/// A key that does not fit is refused before anything is served.
#[tokio::test]
async fn another_master_key_is_refused_at_start() {
    let site = site(Backend::Sqlite);
    site.start().kill();
    let key = site.directory().join("master.key");
    let right = std::fs::read(&key).unwrap();
    let mut wrong = right.clone();
    wrong[0] = if wrong[0] == b'A' { b'B' } else { b'A' };
    std::fs::write(&key, wrong).unwrap();
    let (status, log) = site.try_start().err().unwrap();
    assert!(!status.success());
    assert!(log.contains("master key"), "{log}");
    std::fs::write(&key, right).unwrap();
    site.start();
}

fn connect(server: &Server) -> TcpStream {
    let address = server.client().origin().trim_start_matches("http://");
    TcpStream::connect(address).unwrap()
}

/// Raw bytes on a connection; what comes back before the server closes it.
fn raw(server: &Server, bytes: &[u8]) -> String {
    let mut stream = connect(server);
    // The server may close before it has read everything.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn floods_and_garbage_on_the_connection() {
    let site = site(Backend::Sqlite);
    let server = site.start();
    let many = "X: y\r\n".repeat(5_000);
    let flood = format!("GET /livez HTTP/1.1\r\nHost: h\r\n{many}\r\n");
    assert!(raw(&server, flood.as_bytes()).starts_with("HTTP/1.1 431"));
    let long = format!(
        "GET /livez HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n",
        "y".repeat(1_000_000)
    );
    assert!(raw(&server, long.as_bytes()).starts_with("HTTP/1.1 431"));
    assert!(raw(&server, b"\x16\x03\x01 this is no HTTP\r\n\r\n").starts_with("HTTP/1.1 400"));

    let body = format!("{{\"username\":\"{}\"}}", "x".repeat(1_000_000));
    let call = server
        .client()
        .call("POST", "/admin/authentication")
        .body(body);
    Client::send(call).await.is(413);
    let chunked = b"POST /admin/authentication HTTP/1.1\r\nHost: h\r\n\
        Accept: application/vnd.appgate.peer-v23+json\r\nTransfer-Encoding: chunked\r\n\
        Connection: close\r\n\r\nzz\r\n";
    assert!(raw(&server, chunked).starts_with("HTTP/1.1 400"));
    server
        .client()
        .sign_in("admin", ADMIN_PASSWORD)
        .await
        .token();
}

/// What is secret is in no log, at any level.
#[tokio::test]
async fn no_secret_is_logged() {
    let site = site(Backend::Sqlite).with_log("trace");
    let server = site.start();
    let client = server.client();
    let partial = client.sign_in("admin", ADMIN_PASSWORD).await.token();
    let shown = client.initialize(&partial).await.json();
    let secret = shown["secret"].as_str().unwrap().to_owned();
    let authenticator = Authenticator::from_base32(&secret);
    let wrong = authenticator.wrong_code(site.now());
    client.otp(&partial, &wrong).await.is(401);
    let code = authenticator.code(site.now());
    let verified = client.otp(&partial, &code).await.token();
    let admin = client.authorize(&verified).await.token();
    client
        .sign_in("admin", "a wrong password of ours")
        .await
        .is(401);
    client.sign_in("my password by mistake", "x").await.is(401);
    let logs = site.logs();
    assert!(logs.contains("Second factor passed"), "the log is there");
    for planted in [
        ADMIN_PASSWORD,
        "a wrong password of ours",
        "my password by mistake",
        &secret,
        &partial,
        &verified,
        &admin,
        shown["otpAuthUrl"].as_str().unwrap(),
    ] {
        assert!(!logs.contains(planted), "{planted}");
    }
    // A number of six digits may well be a part of a time or an id: only words are codes.
    let words: Vec<&str> = logs
        .split(|c: char| !c.is_ascii_alphanumeric() && !"-.:".contains(c))
        .collect();
    for code in [wrong, code] {
        assert!(!words.contains(&code.as_str()), "{code}");
    }
}
