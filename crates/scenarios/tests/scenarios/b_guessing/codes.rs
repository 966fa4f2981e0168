//! Codes that are guessed: S11 to S17 and S20, for one-time codes of ours.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use sqlx::{Connection as _, Executor as _, PgConnection, SqliteConnection};
use vestibule_testkit::authenticator::Authenticator;
use vestibule_testkit::client::{Answer, Client};
use vestibule_testkit::figures;
use vestibule_testkit::site::{Backend, Server, Site};

use crate::f_disclosure::audit_trail::trail;
use crate::{
    MEASURED, PASSWORD, STEP, measure, on_both_databases, site, with_alice, with_alice_at,
};

on_both_databases!(
    s11_signing_in_again_buys_no_new_guesses,
    s12_who_hangs_up_has_guessed,
    s13_of_a_thousand_guesses_at_once_five_are_looked_at,
    s14_all_spellings_of_a_name_share_the_guesses,
    s16_the_token_that_used_up_the_guesses_is_dead,
    s17_a_start_is_no_guess_and_a_wait_that_is_over_leaves_one,
    s20_starting_anew_buys_no_new_guesses,
);

/// `alice` with a verified seed, whose present code is fresh.
struct Victim {
    site: Site,
    server: Server,
    authenticator: Authenticator,
}

impl Victim {
    async fn new(backend: Backend) -> Self {
        let site = site(backend).with_settings(MEASURED);
        let (server, _) = with_alice_at(&site).await;
        let (authenticator, _) = server.client().enrol("alice", PASSWORD, site.now()).await;
        site.advance(STEP);
        Self {
            site,
            server,
            authenticator,
        }
    }

    fn client(&self) -> &Client {
        self.server.client()
    }

    async fn partial(&self) -> String {
        self.client().sign_in("alice", PASSWORD).await.token()
    }

    /// A wrong code; the answer to it.
    async fn guess(&self, partial: &str) -> Answer {
        let wrong = self.authenticator.wrong_code(self.site.now());
        let answer = self.client().otp(partial, &wrong).await;
        answer.is(401);
        answer
    }

    async fn right(&self, partial: &str) -> Answer {
        let code = self.authenticator.code(self.site.now());
        self.client().otp(partial, &code).await
    }

    /// How many codes were compared with anything.
    /// The server answers others.
    async fn goes_on(&self) {
        for _ in 0..3 {
            let alive = self.client().call("GET", "/livez");
            Client::send(alive).await.is(200);
        }
    }

    fn looked_at(&self) -> usize {
        let tried = trail(&self.site, &["--event", "secondFactor"]);
        let wrong = |row: &&serde_json::Value| row["reason"] == "the code is wrong";
        tried.iter().filter(wrong).count()
    }
}

/// Three guesses in one session and two in another are five.
async fn s11_signing_in_again_buys_no_new_guesses(backend: Backend) {
    let victim = Victim::new(backend).await;
    let first = victim.partial().await;
    for _ in 0..3 {
        victim.guess(&first).await;
    }
    let second = victim.partial().await;
    for _ in 0..2 {
        victim.guess(&second).await;
    }
    for _ in 0..3 {
        let another = victim.partial().await;
        victim.right(&another).await.is(401);
    }
    assert_eq!(victim.looked_at(), 5);
}

/// The count is committed before anybody hears of it.
async fn s12_who_hangs_up_has_guessed(backend: Backend) {
    let victim = Victim::new(backend).await;
    let partial = victim.partial().await;
    let wrong = victim.authenticator.wrong_code(victim.site.now());
    let lock = Lock::take(&victim.site, backend).await;
    let body = json!({ "otp": wrong }).to_string();
    let request = format!(
        "POST /admin/authentication/otp HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {partial}\r\n\
        Accept: application/vnd.appgate.peer-v23+json\r\nContent-Type: application/json\r\n\
        Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    // Each is recognised before its code is looked at, and counted after that.
    let recognised = r#"vestibule_store_call_duration_seconds_count{call="bearer"}"#;
    let before = measure(&victim.server, recognised).await;
    let mut guesses = Vec::new();
    for _ in 0..5 {
        let address = victim.client().origin().trim_start_matches("http://");
        let mut guess = TcpStream::connect(address).unwrap();
        guess.write_all(request.as_bytes()).unwrap();
        guesses.push(guess);
    }
    while measure(&victim.server, recognised).await < before + 5 {}
    victim.goes_on().await;
    drop(guesses);
    victim.goes_on().await;
    lock.release().await;
    let mut tries = 0..500;
    while victim.server.log().matches("the code is wrong").count() < 5 && tries.next().is_some() {
        victim.goes_on().await;
    }
    let another = victim.partial().await;
    victim.right(&another).await.is(401);
    victim.site.advance(STEP);
    victim.right(&another).await.token();
}

/// Somebody else's lock, for which whoever counts a guess waits.
enum Lock {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Lock {
    async fn take(site: &Site, backend: Backend) -> Self {
        match backend {
            Backend::Sqlite => {
                let url = format!("sqlite:{}", site.sqlite_file().display());
                let mut stranger = SqliteConnection::connect(&url).await.unwrap();
                stranger.execute("BEGIN IMMEDIATE").await.unwrap();
                Self::Sqlite(stranger)
            }
            Backend::Postgres => {
                let mut stranger = PgConnection::connect(&site.database_url()).await.unwrap();
                stranger.execute("BEGIN").await.unwrap();
                let lock = stranger.execute("SELECT FROM second_factors FOR UPDATE");
                lock.await.unwrap();
                Self::Postgres(stranger)
            }
        }
    }

    async fn release(self) {
        match self {
            Self::Sqlite(stranger) => stranger.close().await.unwrap(),
            Self::Postgres(stranger) => stranger.close().await.unwrap(),
        }
    }
}

/// A thousand wrong codes, over many sessions and two replicas, and the right one among them.
async fn s13_of_a_thousand_guesses_at_once_five_are_looked_at(backend: Backend) {
    const GUESSES: usize = 1_000;
    let victim = Victim::new(backend).await;
    let replica = victim.site.start();
    let partials = join_all((0..20).map(|_| victim.partial())).await;
    let wrong = victim.authenticator.wrong_code(victim.site.now());
    let guesses = (0..GUESSES).map(|n| {
        let clients = [victim.client(), replica.client()];
        clients[n % 2].otp(&partials[n / 2 % partials.len()], &wrong)
    });
    let answers = join_all(guesses).await;
    assert_eq!(Client::successes(&answers), (0, GUESSES));
    assert!(answers.iter().all(|answer| answer.status == 401));
    assert_eq!(victim.looked_at(), 5);
    let partial = victim.partial().await;
    victim.right(&partial).await.is(401);
    figures::note("S13", "guesses at once", GUESSES);
}

/// Letters, white space, composed and decomposed accents: one user, one budget, one lock.
async fn s14_all_spellings_of_a_name_share_the_guesses(backend: Backend) {
    let (site, server, admin) = with_alice(backend).await;
    let client = server.client();
    let composed = "J\u{f6}hn";
    client.add_user(&admin, composed, PASSWORD).await.is(200);
    let (authenticator, _) = client.enrol(composed, PASSWORD, site.now()).await;
    site.advance(STEP);
    let spellings = [
        "JO\u{308}HN",
        "j\u{f6}hn",
        " J\u{f6}hn",
        "jo\u{308}hn ",
        "J\u{d6}HN",
    ];
    let mut known = Vec::new();
    for spelling in spellings {
        let signed_in = client.sign_in(spelling, PASSWORD).await;
        // A spelling that is not the user's name at all gets nobody anywhere.
        if signed_in.status == 200 {
            let wrong = authenticator.wrong_code(site.now());
            client.otp(&signed_in.token(), &wrong).await.is(401);
            known.push(spelling);
        }
    }
    assert!(known.len() >= 3, "{known:?}");
    for _ in known.len()..5 {
        let partial = client.sign_in(composed, PASSWORD).await.token();
        let wrong = authenticator.wrong_code(site.now());
        client.otp(&partial, &wrong).await.is(401);
    }
    for spelling in &known {
        let partial = client.sign_in(spelling, PASSWORD).await.token();
        let code = authenticator.code(site.now());
        client.otp(&partial, &code).await.is(401);
    }

    let stranger = "99999999-9999-4999-8999-999999999999";
    for spelling in known.iter().cycle().take(5) {
        let wrong = client.sign_in_from(spelling, "wrong", stranger).await;
        wrong.is(401);
    }
    // With the right password, but from where nobody is known: five failures have locked it.
    let locked = client.sign_in_from(composed, PASSWORD, stranger).await;
    locked.is(401);
    let alice = client.sign_in_from("alice", PASSWORD, stranger).await;
    alice.token();
}

/// When the wait is over, the password is needed again.
async fn s16_the_token_that_used_up_the_guesses_is_dead(backend: Backend) {
    let victim = Victim::new(backend).await;
    let partial = victim.partial().await;
    for _ in 0..5 {
        victim.guess(&partial).await;
    }
    victim.site.advance(STEP);
    let dead = victim.right(&partial).await;
    assert_eq!(dead.is(401).json().get("failureType"), None);
    victim.client().initialize(&partial).await.is(401);
    let again = victim.partial().await;
    victim.right(&again).await.token();
}

/// After a wait there is one guess, then a wait of twice the length; asking what comes next
/// costs nothing, however often.
async fn s17_a_start_is_no_guess_and_a_wait_that_is_over_leaves_one(backend: Backend) {
    let victim = Victim::new(backend).await;
    let partial = victim.partial().await;
    for _ in 0..50 {
        victim.client().initialize(&partial).await.is(200);
    }
    for _ in 0..4 {
        victim.guess(&partial).await;
    }
    victim.client().initialize(&partial).await.is(200);
    victim.guess(&partial).await;
    for wait in [30, 60, 120] {
        victim.site.advance(Duration::from_secs(wait - 1));
        let early = victim.partial().await;
        victim.right(&early).await.is(401);
        victim.site.advance(Duration::from_secs(1));
        victim.guess(&early).await;
    }
    victim.site.advance(Duration::from_mins(4));
    let partial = victim.partial().await;
    victim.right(&partial).await.token();
}

/// Not a new start, not another session, not another replica makes the budget full.
async fn s20_starting_anew_buys_no_new_guesses(backend: Backend) {
    let victim = Victim::new(backend).await;
    let replica = victim.site.start();
    for n in 0..5 {
        let partial = victim.partial().await;
        for client in [victim.client(), replica.client()] {
            client.initialize(&partial).await.is(200);
        }
        let wrong = victim.authenticator.wrong_code(victim.site.now());
        let client = if n % 2 == 0 {
            victim.client()
        } else {
            replica.client()
        };
        client.otp(&partial, &wrong).await.is(401);
    }
    let partial = victim.partial().await;
    victim.client().initialize(&partial).await.is(200);
    victim.right(&partial).await.is(401);
    let code = victim.authenticator.code(victim.site.now());
    replica.client().otp(&partial, &code).await.is(401);
}
