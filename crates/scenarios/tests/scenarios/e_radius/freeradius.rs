//! The whole way, from a client of the API to a real FreeRADIUS and back: S36, S39, S43 and S45 as
//! its users see them.

use futures_util::future::join_all;
use serde_json::{Value, json};
use vestibule_testkit::client::Client;
use vestibule_testkit::freeradius::{
    CODE, FreeRadius, LONG_PASSWORD, NEXT, PASSWORD as THEIRS, Setup, versions,
};
use vestibule_testkit::site::{Backend, Server, Site};

use crate::radius_stage::{EXEMPTED, asks, is_wrong, state};
use crate::{PASSWORD, on_both_databases, site, with_alice_at};

on_both_databases!(
    s39_users_of_freeradius_sign_in,
    s39_users_of_freeradius_sign_in_at_the_terminal,
);

/// A site with the users of this FreeRADIUS, and it.
struct Stage {
    site: Site,
    server: Server,
    admin: String,
    radius: FreeRadius,
    /// The provider, if there is one yet.
    id: Option<String>,
}

/// A stage for each FreeRADIUS that is here.
async fn stages(backend: Backend, users: &[&str]) -> Vec<Stage> {
    let mut stages = Vec::new();
    for version in versions() {
        let radius = FreeRadius::start(version, &Setup::default());
        let site = site(backend);
        let (server, admin) = with_alice_at(&site).await;
        let client = server.client();
        let added = users
            .iter()
            .map(|name| client.add_user(&admin, name, PASSWORD));
        for added in join_all(added).await {
            added.is(200);
        }
        stages.push(Stage {
            site,
            server,
            admin,
            radius,
            id: None,
        });
    }
    stages
}

impl Stage {
    /// Makes the second factor this one.
    async fn ask_for(&mut self, mode: &str, protocol: &str, settings: &Value) {
        let mut provider = json!({
            "name": "FreeRADIUS", "type": "Radius", "hostnames": ["127.0.0.1"],
            "port": self.radius.address().port(), "sharedSecret": self.radius.secret(),
            "authenticationProtocol": protocol, "mode": mode, "timeout": 30,
        });
        let all = provider.as_object_mut().unwrap();
        all.extend(settings.as_object().unwrap().clone());
        let client = self.server.client();
        if let Some(id) = &self.id {
            let path = format!("/admin/mfa-providers/{id}");
            client.put(&path, &self.admin, &provider).await.is(200);
        } else {
            let test = "/admin/mfa-providers/test";
            let tested = client.post(test, &self.admin, &provider).await;
            assert_eq!(tested.is(200).json(), json!({ "success": true }));
            let id = client.add_provider(&self.admin, &provider).await;
            client.choose_provider(&self.admin, &id, &[EXEMPTED]).await;
            self.id = Some(id);
        }
    }

    fn client(&self) -> &Client {
        self.server.client()
    }

    async fn partial(&self, user: &str) -> String {
        self.client().sign_in(user, PASSWORD).await.token()
    }
}

/// Codes, questions in two and three rounds, and pushes, by PAP and by CHAP.
async fn s39_users_of_freeradius_sign_in(backend: Backend) {
    let users = [
        "bob", "long", "jürgen", "denied", "otp", "pushfast", "pushno",
    ];
    let stages = stages(backend, &users).await;
    join_all(stages.into_iter().map(all_modes)).await;
}

async fn all_modes(mut stage: Stage) {
    for protocol in ["PAP", "CHAP"] {
        let greeted = stage.radius.accepted("jürgen");
        stage.ask_for("OneFactor", protocol, &json!({})).await;
        let logins = [
            ("bob", THEIRS, 200),
            ("bob", "wrong", 401),
            ("denied", THEIRS, 401),
            ("long", LONG_PASSWORD, 200),
            ("jürgen", "pässwörd", 200),
            // This one asks, where nothing is asked for.
            ("otp", THEIRS, 401),
        ];
        join_all(logins.map(async |(user, typed, status)| {
            let partial = stage.partial(user).await;
            let answer = stage.client().otp(&partial, typed).await;
            assert_eq!(answer.status, status, "{protocol} {user} {}", answer.text);
        }))
        .await;
        assert_eq!(stage.radius.accepted("jürgen") - greeted, 1);

        let secret = json!({ "challengeSharedSecret": THEIRS });
        let password = json!({ "useUserPassword": true });
        for with in [&secret, &password] {
            stage.ask_for("Challenge", protocol, with).await;
            two_and_three_rounds(&stage).await;
            stage.ask_for("Push", protocol, with).await;
            pushes(&stage).await;
            // Three in a minute are the most.
            stage.site.advance(std::time::Duration::from_mins(1));
        }
    }
}

async fn two_and_three_rounds(stage: &Stage) {
    let client = stage.client();
    let begin = async || {
        let partial = stage.partial("otp").await;
        let begun = client.initialize_with(&partial, THEIRS).await;
        let message = &begun.is(200).json()["responseMessage"];
        assert_eq!(message, "Enter your one-time code");
        (partial, state(&begun))
    };
    let accepted = stage.radius.accepted("otp");
    let (partial, handle) = begin().await;
    client.otp_with(&partial, CODE, &handle).await.token();
    let (partial, handle) = begin().await;
    let again = client.otp_with(&partial, NEXT, &handle).await;
    asks(
        &again,
        "Wait for the code to change, then enter the new code",
    );
    client.otp_with(&partial, CODE, &handle).await.token();
    assert_eq!(stage.radius.accepted("otp") - accepted, 2);
    let (partial, _) = begin().await;
    is_wrong(&client.otp(&partial, "654321").await);
}

async fn pushes(stage: &Stage) {
    let client = stage.client();
    let phones = [("pushfast", 200), ("pushno", 401)];
    join_all(phones.map(async |(user, status)| {
        let pushes = stage.radius.pushes(user);
        let partial = stage.partial(user).await;
        let begun = client.initialize(&partial).await.json();
        assert_eq!(begun["type"], "Push");
        client.otp(&partial, THEIRS).await.is(status);
        assert_eq!(stage.radius.pushes(user) - pushes, 1);
    }))
    .await;
}

/// `vestibule login`, which shows the server's questions and waits for the phone.
async fn s39_users_of_freeradius_sign_in_at_the_terminal(backend: Backend) {
    for mut stage in stages(backend, &[]).await {
        let url = format!("{}/admin", stage.client().origin());
        for user in ["otp", "pushfast"] {
            let add = ["user", "add", "--administrator", user];
            let (status, _) = stage.site.operate(&add, &format!("{PASSWORD}\n"));
            assert!(status.success());
        }
        let secret = json!({ "challengeSharedSecret": THEIRS });
        for (mode, user, typed) in [
            ("Challenge", "otp", format!("{PASSWORD}\n{CODE}\n")),
            ("Challenge", "otp", format!("{PASSWORD}\n{NEXT}\n{CODE}\n")),
            ("Push", "pushfast", format!("{PASSWORD}\n")),
        ] {
            stage.ask_for(mode, "PAP", &secret).await;
            let login = ["login", "--url", &url, "--username", user];
            let (status, token) = stage.site.operate(&login, &typed);
            assert!(status.success(), "{mode} {}", stage.site.logs());
            stage.client().authorize(token.trim()).await.is(200);
        }
    }
}
