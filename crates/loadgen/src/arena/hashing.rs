//! Passwords that are hashed for real, and what finishes notice of it.

use std::net::SocketAddr;
use std::ops::Range;
use std::thread::{self, available_parallelism};
use std::time::Duration;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::time::{Instant, interval_at};
use vestibule_wire::LoginResponse;

use super::Heat;
use super::venue::{PATIENCE, Venue};
use crate::fault::{Fault, OrFault as _, Result};
use crate::figures::{Latencies, per_second};
use crate::http::{Answer, Request};
use crate::load::{Load, Tempo, drive};
use crate::site::{Crowd, Database};

/// KiB, passes and lanes: what the server hashes new passwords with.
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);
/// How its hashes begin then.
const FORM: &str = "$argon2id$v=19$m=19456,t=2,p=1$";
/// How long the reference computes.
const TIME: Duration = Duration::from_secs(4);
/// Sign-ins of a heat, for each core: some four seconds of it.
const SIGN_INS: usize = 160;
/// Sign-ins that are under way at once, for each core: more than it can compute, and fewer than are
/// turned away.
const AT_ONCE: usize = 8;

/// From one finish to the next.
const EVERY: Duration = Duration::from_millis(5);
/// Finishes of a heat.
const FINISHES: usize = 2_000;
/// How long passwords are hashed before the first of them, and after the last.
const LEAD: Duration = Duration::from_secs(1);

/// Users whose hashes cost what those of a server do.
pub(super) struct Costly {
    crowd: Crowd,
    cores: usize,
}

/// What argon2id can do on all cores, with memory that is there already.
pub(super) fn heat() -> Result<Heat> {
    let threads = (0..cores()).map(|_| thread::spawn(hash_for_a_while));
    let threads: Vec<_> = threads.collect();
    let mut heat = Heat {
        per_second: 0.0,
        latencies: Latencies::default(),
        faults: Vec::new(),
    };
    for thread in threads {
        let (latencies, elapsed) = thread
            .join()
            .map_err(|_| Fault::new("a thread that hashes has ended"))??;
        heat.per_second += per_second(latencies.len(), elapsed);
        heat.latencies = Latencies::all([&heat.latencies, &latencies]);
    }
    Ok(heat)
}

fn hash_for_a_while() -> Result<(Latencies, Duration)> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).or_fault("argon2id")?;
    let mut memory = vec![Block::default(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let (start, mut latencies) = (Instant::now(), Latencies::default());
    let mut hash = [0; 32];
    while start.elapsed() < TIME {
        let begun = Instant::now();
        let salt = hash;
        argon2
            .hash_password_into_with_memory(b"password", &salt, &mut hash, &mut memory)
            .or_fault("argon2id")?;
        latencies.push(begun.elapsed());
    }
    Ok((latencies, start.elapsed()))
}

fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}

impl Costly {
    /// Writes the users. Their hash is one that the server has made: the administrator's.
    pub(super) async fn settle(database: &Database<'_>) -> Result<Self> {
        let query = format!(
            "SELECT count(*) FROM users
             WHERE name_key = 'admin' AND substr(password_hash, 1, {}) = '{FORM}';",
            FORM.len()
        );
        if database.count(&query).await? != 1 {
            return Err(Fault::new(format!("the server's hashes are not {FORM}…")));
        }
        let cores = cores();
        let crowd = Crowd::settle_costly(database, SIGN_INS * cores).await?;
        Ok(Self { crowd, cores })
    }

    /// Everybody signs in with a password.
    pub(super) async fn heat(&self, address: SocketAddr) -> Result<Heat> {
        let requests = self.crowd.passwords(0..SIGN_INS * self.cores)?;
        let load = self.sign_in(address, requests, PATIENCE).await?;
        let mut faults = load.faults(|answer| signed_in(answer.or_fault("lost: no answer came")?));
        faults.extend(self.wrong_ones(address).await?);
        Ok(Heat {
            per_second: load.throughput(),
            latencies: load.latencies,
            faults,
        })
    }

    /// A wrong password must not pass, whatever the load.
    async fn wrong_ones(&self, address: SocketAddr) -> Result<Vec<String>> {
        let wrong = self.crowd.wrong_passwords(0..self.cores)?;
        let load = self.sign_in(address, wrong, PATIENCE).await?;
        Ok(load.faults(|answer| match answer {
            Some(answer) if answer.status == 401 => Ok(()),
            Some(answer) => Err(Fault::new(format!("wrong: a wrong password: {answer}"))),
            None => Err(Fault::new("lost: no answer came")),
        }))
    }

    /// Finishes at a pace of their own, while as many passwords are hashed as can be.
    pub(super) async fn beside(&self, venue: &mut Venue<'_>, which: Range<usize>) -> Result<Heat> {
        let address = venue.site.server.address();
        let (sessions, requests) = venue.begin(which).await?;
        let count = u32::try_from(requests.len()).or_fault("too many finishes")?;
        let within = LEAD + EVERY * count + LEAD;
        // More than can be answered in that time.
        let seconds = usize::try_from(within.as_secs()).or_fault("too long")?;
        let all = 0..SIGN_INS * self.cores;
        let turns = std::iter::repeat_n(self.crowd.passwords(all)?, seconds);
        let hashing = self.sign_in(address, turns.flatten().collect(), within);
        let finishing = async {
            interval_at(Instant::now() + LEAD, LEAD).tick().await;
            venue.finish(&sessions, requests, Tempo::Every(EVERY)).await
        };
        let (hashed, finished) = tokio::join!(hashing, finishing);
        let (hashed, mut heat) = (hashed?, finished?);
        let answers = hashed.answers.iter().flatten();
        let wrong = answers.filter_map(|answer| signed_in(answer).err());
        heat.faults.extend(wrong.map(|fault| fault.to_string()));
        if hashed.elapsed < within.saturating_sub(LEAD) {
            let fault = "wrong: the passwords had ended before the finishes";
            heat.faults.push(fault.to_owned());
        }
        Ok(heat)
    }

    async fn sign_in(
        &self,
        address: SocketAddr,
        requests: Vec<Request>,
        within: Duration,
    ) -> Result<Load> {
        let connections = AT_ONCE * self.cores;
        drive(address, connections, requests, Tempo::Closed, within).await
    }
}

impl Venue<'_> {
    /// The same finishes while nothing else happens.
    pub(super) async fn calm(&mut self, which: Range<usize>) -> Result<Heat> {
        let (sessions, requests) = self.begin(which).await?;
        self.finish(&sessions, requests, Tempo::Every(EVERY)).await
    }
}

/// Those who finish while nothing else happens, and while passwords are hashed, of so many users.
pub(super) fn halves(users: usize) -> (Range<usize>, Range<usize>) {
    let half = FINISHES.min(users / 2);
    (0..half, half..half * 2)
}

fn signed_in(answer: &Answer) -> Result<()> {
    let response: LoginResponse = answer.read()?;
    if !response.user.need_two_factor_auth {
        return Err(Fault::new("wrong: no second factor is due"));
    }
    Ok(())
}
