//! A site, those who use it, and the rounds in which something is killed.

use std::path::Path;
use std::process::Command;

use futures_util::future::{join, join_all};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout};
use vestibule_testkit::client::Client;
use vestibule_testkit::postgres::Cluster;
use vestibule_testkit::random::SeededRandom;
use vestibule_testkit::site::{ADMIN_PASSWORD, Server, Site};

use crate::database::Database;
use crate::ledger::Ledger;
use crate::load::{Load, Mode, Trigger};
use crate::member::{Member, PASSWORD};
use crate::office::Office;
use crate::phones::Phones;
use crate::seed::Seed;

const MEMBERS: usize = 10;
const TOTP: &str = "03542d1e-733c-4c43-a567-d28fbc4649a7";
const SETTINGS: &str = "/admin/admin-mfa-settings";
/// After how many requests of a round something is killed, at most; and after how many codes.
const LATEST: usize = 100;
const LATEST_CODE: usize = 24;
/// What a survivor goes on to do, at most.
const AFTERWARDS: usize = 20;
/// How often others get their turn before the kill: this makes moments within the handling of a
/// request, and not only those at its beginning.
const MOMENTS: usize = 400;
/// A round.
const ROUND: std::time::Duration = std::time::Duration::from_secs(30);
/// How long a start may take on a machine that does much else.
const LONGEST_START: std::time::Duration = std::time::Duration::from_mins(1);
/// Rounds between two looks at the whole trail.
const BETWEEN_LOOKS: usize = 25;

/// What is killed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Killed<'c> {
    /// A server.
    Server(usize),
    /// The first process of Postgres, with which all end; it is started again.
    Postmaster(&'c Cluster),
    /// A process that works for the server; Postgres then starts all anew by itself.
    Backend,
}

/// A site under load.
pub(crate) struct World {
    id: &'static str,
    site: Site,
    seed: Seed,
    dice: SeededRandom,
    /// Where the second replica finds the database's socket, if there is a second.
    second: Option<String>,
    servers: Vec<Server>,
    admin: String,
    /// What the settings must name.
    provider: String,
    members: Vec<Member>,
    office: Office,
    phones: Phones,
    /// The providers: of codes that a RADIUS server judges, and of pushes.
    providers: [String; 2],
    ledger: Ledger,
}

impl World {
    /// A site with one server, or two on this cluster.
    pub(crate) async fn new(id: &'static str, site: Site, replicas: Option<&Cluster>) -> Self {
        let seed = Seed::choose();
        let second = replicas.map(|cluster| socket(&site, cluster.socket_directory()));
        let mut servers = vec![site.start()];
        if let Some(url) = &second {
            servers.push(site.start_with(&[("VESTIBULE_DATABASE_URL", url)]));
        }
        let client = servers[0].client().clone();
        let (_, verified) = client.enrol("admin", ADMIN_PASSWORD, site.now()).await;
        let admin = client.authorize(&verified).await.token();
        let names: Vec<_> = (0..MEMBERS).map(|n| format!("member-{n}")).collect();
        let added = names
            .iter()
            .map(|name| client.add_user(&admin, name, PASSWORD));
        for added in join_all(added).await {
            added.is(200);
        }
        let phones = Phones::start();
        let codes = phones.provider("codes", "OneFactor");
        let pushes = phones.provider("pushes", "Push");
        let providers = [
            client.add_provider(&admin, &codes).await,
            client.add_provider(&admin, &pushes).await,
        ];
        let member = |(n, name): (u64, String)| Member::new(name, seed.0.wrapping_add(n));
        let members = (1..).zip(names).map(member).collect();
        Self {
            id,
            site,
            dice: SeededRandom::new(seed.0),
            office: Office::new(seed.0.wrapping_sub(1)),
            seed,
            second,
            servers,
            admin,
            provider: TOTP.to_owned(),
            members,
            phones,
            providers,
            ledger: Ledger::default(),
        }
    }

    /// Kills so often, under load, and checks after each time what must be there.
    pub(crate) async fn survive<'c>(
        mut self,
        kills: usize,
        mut choose: impl FnMut(&SeededRandom) -> Killed<'c>,
    ) {
        for round in 1..=kills {
            let mode = match round % 10 {
                6 | 7 => Mode::Radius,
                8 | 9 => Mode::Pushes,
                _ => Mode::Codes,
            };
            self.switch_to(mode).await;
            let killed = choose(&self.dice);
            self.round(mode, killed).await;
            self.recover(killed).await;
            self.check().await;
            if round % BETWEEN_LOOKS == 0 {
                self.look_at_trail().await;
            }
        }
        self.say_goodbye().await;
        self.look_at_trail().await;
        self.ledger.note(self.id);
        drop(self.seed);
    }

    /// Chooses the second factor of the round. Another one ends what was begun with the last.
    async fn switch_to(&mut self, mode: Mode) {
        let provider = match mode {
            Mode::Codes => TOTP,
            Mode::Radius => &self.providers[0],
            Mode::Pushes => &self.providers[1],
        };
        if provider == self.provider {
            return;
        }
        self.provider = provider.to_owned();
        for member in &mut self.members {
            member.start_again();
        }
        let exempted = ["CN=admin,OU=local"];
        let client = self.servers[0].client();
        client
            .choose_provider(&self.admin, &self.provider, &exempted)
            .await;
    }

    /// Load, and the kill in the middle of it.
    async fn round(&mut self, mode: Mode, killed: Killed<'_>) {
        let trigger = if self.dice.below(3) == 0 {
            Trigger::Request(1 + self.dice.below(LATEST))
        } else {
            Trigger::Code(1 + self.dice.below(LATEST_CODE))
        };
        let turns = self.dice.below(MOMENTS);
        let survivors = self.servers.len() > 1;
        let afterwards = if survivors {
            self.dice.below(AFTERWARDS)
        } else {
            0
        };
        let mut database = Database::of_postgres(&self.site).await;
        let Self {
            servers,
            members,
            office,
            phones,
            ..
        } = self;
        let clients = servers.iter().map(|server| server.client().clone());
        let is_server = matches!(killed, Killed::Server(_));
        let load = Load::new(
            (mode, self.site.now()),
            &self.admin,
            &self.ledger,
            clients.collect(),
            !is_server,
        );
        let working = async {
            join_all(members.iter_mut().map(|member| member.work(&load, phones))).await;
            load.end();
        };
        let all = join(working, office.work(&load));
        let kill = async {
            load.reached(trigger).await;
            for _ in 0..turns {
                yield_now().await;
            }
            load.end_after(afterwards);
            match killed {
                Killed::Server(n) => servers.remove(n).kill(),
                Killed::Postmaster(cluster) => cluster.crash(),
                Killed::Backend => {
                    let backend = database.as_mut().unwrap().backend().await;
                    let pid = backend.unwrap().to_string();
                    let sent = Command::new("kill").args(["-9", &pid]).status();
                    assert!(sent.unwrap().success(), "the signal is sent");
                }
            }
        };
        join(all, kill).await;
        self.ledger.counted(|counts| counts.kills += 1);
    }

    /// A server is started again, and so is the first process of Postgres. Nothing else is done.
    async fn recover(&mut self, killed: Killed<'_>) {
        self.site.advance(ROUND);
        let begun = Instant::now();
        match killed {
            Killed::Server(n) => {
                if let Some(mut database) = Database::of_postgres(&self.site).await {
                    database.settled(n == 1).await;
                }
                let server = match &self.second {
                    Some(url) if n == 1 => self.site.start_with(&[("VESTIBULE_DATABASE_URL", url)]),
                    _ => self.site.start(),
                };
                self.servers.insert(n, server);
            }
            Killed::Postmaster(cluster) => cluster.start_again(),
            Killed::Backend => {}
        }
        let client = self.servers[0].client();
        let ready = async {
            while Client::send(client.call("GET", "/readyz")).await.status != 200 {
                yield_now().await;
            }
        };
        let ready = timeout(LONGEST_START, ready).await;
        assert!(ready.is_ok(), "it is not ready: {}", self.servers[0].log());
        let took = begun.elapsed();
        self.ledger
            .counted(|counts| counts.slowest_start = counts.slowest_start.max(took));
    }

    /// Looks at everything that was acknowledged and can be seen at once.
    async fn check(&mut self) {
        let mut database = Database::open(&self.site).await;
        let guesses = database.guesses().await;
        for member in &mut self.members {
            let found = guesses.get(member.name()).copied();
            member.check_guesses(found.unwrap_or(0));
        }
        let client = self.servers[0].client();
        let settings = client.get(SETTINGS, &self.admin).await;
        assert_eq!(settings.json()["providerId"], *self.provider);
        self.office.check(client, &self.admin, &mut database).await;
    }

    /// Everybody signs in once more, without any fault.
    async fn say_goodbye(&mut self) {
        self.switch_to(Mode::Codes).await;
        self.site.advance(ROUND * 3);
        let clients = self.servers.iter().map(|server| server.client().clone());
        let load = Load::new(
            (Mode::Codes, self.site.now()),
            &self.admin,
            &self.ledger,
            clients.collect(),
            false,
        );
        for member in &mut self.members {
            member.say_goodbye(&load).await;
        }
        self.check().await;
    }

    /// Looks at the whole audit trail.
    async fn look_at_trail(&mut self) {
        let mut database = Database::open(&self.site).await;
        self.ledger.check(&mut database).await;
        let (exit, said) = self.site.operate(&["audit", "verify"], "");
        assert!(exit.success(), "{said}");
    }
}

/// The URL of the site's database, by the socket in this directory.
fn socket(site: &Site, directory: &Path) -> String {
    format!("{}?host={}", site.database_url(), directory.display())
}
