//! The program and its database killed under load, again and again: what was acknowledged is
//! there, what was not is there or not, and no code opens twice.
//!
//! The load is that of many users and an administrator, through whom a model learns what was
//! acknowledged and what is in doubt. Each test kills a few times; `VESTIBULE_KILLS=200` is the long
//! form, and `VESTIBULE_SEED` the seed of a run that failed.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed"
)]

mod database;
mod ledger;
mod load;
mod member;
mod office;
mod phones;
mod seed;
mod world;

use vestibule_testkit::postgres::Cluster;
use vestibule_testkit::site::{Backend, Site};

use world::{Killed, World};

/// Kills of each test, unless told otherwise.
const KILLS: usize = 8;

/// Kills of Postgres at most: each takes seconds until it has recovered.
const MOST_OF_POSTGRES: usize = 40;

fn kills() -> usize {
    std::env::var("VESTIBULE_KILLS").map_or(KILLS, |kills| kills.parse().unwrap())
}

fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_vestibule-clocked")
}

#[tokio::test]
async fn the_server_on_sqlite() {
    let site = Site::new(binary(), Backend::Sqlite);
    let world = World::new("crash-sqlite", site, None).await;
    world.survive(kills(), |_| Killed::Server(0)).await;
}

#[tokio::test]
async fn the_server_on_postgres() {
    let site = Site::new(binary(), Backend::Postgres);
    let world = World::new("crash-postgres", site, None).await;
    world.survive(kills(), |_| Killed::Server(0)).await;
}

/// One of two dies, and the other one goes on.
#[tokio::test]
async fn a_replica_on_postgres_while_the_other_goes_on() {
    let site = Site::new(binary(), Backend::Postgres);
    let world = World::new("crash-replicas", site, Some(Cluster::shared())).await;
    world
        .survive(kills(), |dice| Killed::Server(dice.below(2)))
        .await;
}

/// The database dies, and the server is not restarted. Files are synced here as they are in
/// production; a crash of the machine this is not, as nothing that the system holds is lost.
#[tokio::test]
async fn postgres_itself() {
    let cluster = Cluster::durable();
    let site = Site::over(binary(), Some(cluster.fresh_database()));
    let world = World::new("crash-database", site, None).await;
    world
        .survive(kills().div_ceil(3).min(MOST_OF_POSTGRES), |dice| {
            if dice.below(2) == 0 {
                Killed::Postmaster(&cluster)
            } else {
                Killed::Backend
            }
        })
        .await;
}
