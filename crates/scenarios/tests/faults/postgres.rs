//! Faults of Postgres: servers that fail over, connections that are cut or run out, locks, and a
//! server that says nothing at all.

use std::cell::RefCell;

use futures_util::future::join_all;
use sqlx::{Connection as _, Executor as _, PgConnection, query_scalar};
use vestibule_testkit::client::Client;
use vestibule_testkit::figures;
use vestibule_testkit::postgres::{Cluster, Database};
use vestibule_testkit::site::{ADMIN_PASSWORD, Backend, Site};

use crate::{STEP, is_unavailable, outlived, outlives, site};

/// Ends the connections of the program.
const CUT: &str = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity \
    WHERE datname = current_database() AND application_name = 'vestibule'";

fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_vestibule-clocked")
}

/// The server that takes writes is gone, and its standby takes them: what was acknowledged is
/// there, and the program finds it by itself.
#[tokio::test]
async fn postgres_failed_over_to_a_standby() {
    let primary = Cluster::start();
    let database = primary.fresh_database();
    let standby = primary.standby();
    let mut connection = PgConnection::connect(database.url()).await.unwrap();
    for statement in [
        "ALTER SYSTEM SET synchronous_standby_names = '*'",
        "SELECT pg_reload_conf()",
    ] {
        connection.execute(statement).await.unwrap();
    }
    let is_synchronous =
        "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')";
    let mut ready = false;
    while !ready {
        ready = query_scalar(is_synchronous)
            .fetch_one(&mut connection)
            .await
            .unwrap();
    }
    connection.close().await.unwrap();
    let name = database.url().rsplit('/').next().unwrap();
    let url = format!(
        "postgres://vestibule@127.0.0.1:{},127.0.0.1:{}/{name}?target_session_attrs=read-write",
        primary.port(),
        standby.port()
    );
    let site = Site::over(binary(), Some(Database::at(url)));
    let server = site.start();
    outlives(
        &site,
        &server,
        async || primary.stop(),
        async || standby.promote(),
    )
    .await;
}

/// Neither an answer nor an end of the connection: as when the machine or the network is gone.
#[tokio::test]
async fn postgres_that_hangs() {
    let cluster = Cluster::start();
    let site = Site::over(binary(), Some(cluster.fresh_database()));
    let server = site.start();
    outlives(
        &site,
        &server,
        async || cluster.freeze(true),
        async || cluster.freeze(false),
    )
    .await;
}

/// Other programs have all the connections that there are.
#[tokio::test]
async fn postgres_without_a_connection_left() {
    let cluster = Cluster::start_with("max_connections = 20\nsuperuser_reserved_connections = 0\n");
    let database = cluster.fresh_database();
    let url = database.url().to_owned();
    let site = Site::over(binary(), Some(database));
    let server = site.start();
    let others = RefCell::new(Vec::new());
    let take_all = async || {
        let mut taken = Vec::new();
        let mut left = 1_i64;
        while left > 0 {
            while let Ok(connection) = PgConnection::connect(&url).await {
                taken.push(connection);
            }
            let cut = query_scalar(CUT).fetch_one(taken.last_mut().unwrap());
            left = cut.await.unwrap();
        }
        others.replace(taken);
    };
    let leave = async || {
        for connection in others.take() {
            connection.close().await.unwrap();
        }
    };
    outlives(&site, &server, take_all, leave).await;
}

/// Again and again, while many are good: each of them is good, or told to come back.
#[tokio::test]
async fn postgres_connections_cut_under_load() {
    let site = site(Backend::Postgres);
    let server = site.start();
    let client = server.client();
    let (authenticator, verified) = client.enrol("admin", ADMIN_PASSWORD, site.now()).await;
    let admin = client.authorize(&verified).await.token();
    let mut connection = PgConnection::connect(&site.database_url()).await.unwrap();
    let (mut good, mut turned_away) = (0, 0);
    for _ in 0..10 {
        let calls = join_all((0..20).map(|_| client.get("/admin/local-users", &admin)));
        let cut = query_scalar::<_, i64>(CUT).fetch_one(&mut connection);
        let (answers, cut) = futures_util::join!(calls, cut);
        cut.unwrap();
        for answer in answers {
            if answer.status == 200 {
                good += 1;
            } else {
                is_unavailable(&answer);
                turned_away += 1;
            }
        }
    }
    figures::note("fault-connections-cut", "requests served", good);
    figures::note(
        "fault-connections-cut",
        "requests told to come back",
        turned_away,
    );
    assert!(good > 0, "nobody was served");
    site.advance(STEP);
    let partial = client.sign_in("admin", ADMIN_PASSWORD).await.token();
    let code = authenticator.code(site.now());
    client.otp(&partial, &code).await.token();
}

/// Somebody holds the user's rows: who waits for them is told to come back, nothing is counted, and
/// others are served.
#[tokio::test]
async fn postgres_rows_locked_by_somebody() {
    let site = site(Backend::Postgres);
    let server = site.start();
    let client = server.client();
    let (authenticator, verified) = client.enrol("admin", ADMIN_PASSWORD, site.now()).await;
    let admin = client.authorize(&verified).await.token();
    site.advance(STEP);
    let partial = client.sign_in("admin", ADMIN_PASSWORD).await.token();
    let mut stranger = PgConnection::connect(&site.database_url()).await.unwrap();
    for statement in [
        "BEGIN",
        "SELECT FROM users WHERE name = 'admin' FOR UPDATE",
        "SELECT FROM second_factors FOR UPDATE",
    ] {
        stranger.execute(statement).await.unwrap();
    }
    let code = authenticator.code(site.now());
    let wrong = authenticator.wrong_code(site.now());
    let (right, guess) =
        futures_util::join!(client.otp(&partial, &code), client.otp(&partial, &wrong));
    is_unavailable(&right);
    is_unavailable(&guess);
    let ready = Client::send(client.call("GET", "/readyz")).await;
    ready.is(200);
    client.get("/admin/local-users", &admin).await.is(200);
    stranger.execute("ROLLBACK").await.unwrap();
    client.otp(&partial, &code).await.token();
    let recent = "SELECT count(*) FROM audit_events WHERE event = 'secondFactor'";
    let rows: i64 = query_scalar(recent).fetch_one(&mut stranger).await.unwrap();
    assert_eq!(rows, 2, "what was not done is not written down as done");
    outlived("outlived without a restart");
}

/// The disk of the database is full: what needs room is told to come back, nothing is counted, and
/// when there is room again everything goes on.
#[tokio::test]
async fn postgres_on_a_full_disk() {
    let (cluster, database) = Cluster::with_small_disk();
    let site = Site::over(binary(), Some(database));
    let server = site.start();
    let client = server.client();
    let (authenticator, verified) = client.enrol("admin", ADMIN_PASSWORD, site.now()).await;
    let admin = client.authorize(&verified).await.token();
    site.advance(STEP);
    let partial = client.sign_in("admin", ADMIN_PASSWORD).await.token();
    let ready = async || Client::send(client.call("GET", "/readyz")).await.status;
    cluster.fill_disk();
    // There is room in pages that are there already, and then there is none.
    let mut refused = None;
    for n in 0..2_000 {
        let answer = client.sign_in(&format!("nobody {n}"), "wrong").await;
        if answer.status != 401 {
            refused = Some(answer);
            break;
        }
    }
    is_unavailable(&refused.unwrap());
    assert!(server.log().contains("no space left"));
    assert_eq!(ready().await, 503);
    Client::send(client.call("GET", "/livez")).await.is(200);

    cluster.make_room();
    let code = authenticator.code(site.now());
    client.otp(&partial, &code).await.token();
    assert_eq!(ready().await, 200);
    let users = client.get("/admin/local-users", &admin).await.json();
    assert_eq!(users["data"][0]["failedLoginAttempts"], 0);
    let partial = client.sign_in("admin", ADMIN_PASSWORD).await.token();
    client.otp(&partial, &code).await.is(401);
    outlived("outlived without a restart");
}
