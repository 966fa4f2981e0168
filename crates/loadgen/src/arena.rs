//! Where contenders compete: one cluster, one server for each kind of database, and what each of
//! the contenders needs.

mod commit;
mod echo;
mod hashing;
mod initialize;
mod radius;
mod update;
mod venue;

pub(crate) use echo::{ARGUMENT as ECHO, serve as serve_echo};
pub(crate) use initialize::is_seeded;
pub(crate) use venue::{CONNECTIONS, Venue, Way};

use commit::Commit;
use echo::Echo;
use hashing::{Costly, halves};
use radius::Radius;
use update::Update;

use crate::args::Args;
use crate::fault::{Fault, OrFault as _, Result};
use crate::figures::Latencies;
use crate::rows::Contender;
use crate::site::{Database, Postgres};

/// Those whose server is over Postgres.
const ON_POSTGRES: [Contender; 7] = [
    Contender::Totp,
    Contender::Half,
    Contender::Initialize,
    Contender::Passwords,
    Contender::Calm,
    Contender::Beside,
    Contender::Radius,
];
/// Those of them whose users have authenticators.
const WITH_CODES: [Contender; 5] = [
    Contender::Totp,
    Contender::Half,
    Contender::Initialize,
    Contender::Calm,
    Contender::Beside,
];
const MISSING: &str = "a contender was not prepared";

/// What one contender did in one round.
pub(crate) struct Heat {
    pub(crate) per_second: f64,
    pub(crate) latencies: Latencies,
    /// What must not happen, and did.
    pub(crate) faults: Vec<String>,
}

/// All that takes part.
pub(crate) struct Arena<'a> {
    sessions: usize,
    /// Over Postgres.
    venue: Option<Venue<'a>>,
    update: Option<Update<'a>>,
    echo: Option<Echo>,
    radius: Option<Radius>,
    costly: Option<Costly>,
    /// What the last heat with codes has reached.
    maximum: Option<f64>,
    /// Over SQLite.
    in_file: Option<Venue<'a>>,
    commit: Option<Commit>,
}

impl<'a> Arena<'a> {
    /// Prepares for these contenders.
    pub(crate) async fn prepare(
        args: &Args,
        postgres: &'a Postgres,
        contenders: &[Contender],
    ) -> Result<Self> {
        let any = |these: &[Contender]| these.iter().any(|one| contenders.contains(one));
        let mut arena = Self {
            sessions: args.sessions,
            venue: None,
            update: None,
            echo: None,
            radius: None,
            costly: None,
            maximum: None,
            in_file: None,
            commit: None,
        };
        if any(&ON_POSTGRES) {
            let database = Database::in_cluster(postgres);
            let mut venue = Venue::open(&args.server, database, args.sessions).await?;
            if any(&WITH_CODES) {
                venue.enrol().await?;
            }
            if any(&[Contender::Radius]) {
                arena.radius = Some(Radius::start(&venue).await?);
            }
            if any(&[Contender::Passwords, Contender::Beside]) {
                arena.costly = Some(Costly::settle(&venue.site.database).await?);
            }
            venue.site.database.tidy().await?;
            arena.venue = Some(venue);
        }
        if any(&[Contender::Update]) {
            arena.update = Some(Update::prepare(postgres)?);
        }
        if any(&[Contender::Echo]) {
            arena.echo = Some(Echo::start()?);
        }
        if any(&[Contender::InFile]) {
            let database = Database::in_file()?;
            // A disk may be slow, and all that is prepared goes there as well.
            let users = args.sessions.div_ceil(2);
            let mut venue = Venue::open(&args.server, database, users).await?;
            venue.enrol().await?;
            venue.site.database.tidy().await?;
            arena.in_file = Some(venue);
        }
        if any(&[Contender::Commit]) {
            arena.commit = Some(Commit::prepare().await?);
        }
        Ok(arena)
    }

    /// Lets one of them run.
    pub(crate) async fn heat(&mut self, contender: Contender) -> Result<Heat> {
        let venue = self.venue.as_mut().or_fault(MISSING);
        let (alone, beside) = halves(self.sessions);
        match contender {
            Contender::Update => self.update.as_mut().or_fault(MISSING)?.heat(),
            Contender::Totp => {
                let heat = venue?.totp().await?;
                self.maximum = Some(heat.per_second);
                Ok(heat)
            }
            Contender::Half => {
                let maximum = self.maximum.or_fault(MISSING)?;
                venue?.at_a_fraction(maximum, 0.5).await
            }
            Contender::Echo => {
                let echo = self.echo.as_ref().or_fault(MISSING)?;
                echo.heat(self.sessions * echo::TIMES).await
            }
            Contender::Initialize => venue?.initialize().await,
            Contender::Argon2 => hashing::heat(),
            Contender::Passwords => {
                let costly = self.costly.as_ref().or_fault(MISSING)?;
                costly.heat(venue?.site.server.address()).await
            }
            Contender::Calm => venue?.calm(alone).await,
            Contender::Beside => {
                let costly = self.costly.as_ref().or_fault(MISSING)?;
                costly.beside(venue?, beside).await
            }
            Contender::Radius => {
                let radius = self.radius.as_ref().or_fault(MISSING)?;
                radius.heat(venue?).await
            }
            Contender::Commit => self.commit.as_mut().or_fault(MISSING)?.heat().await,
            Contender::InFile => self.in_file.as_mut().or_fault(MISSING)?.totp().await,
            Contender::Thousand | Contender::Million => {
                Err(Fault::new("they have an arena of their own"))
            }
        }
    }
}
