//! Runs a scene once for every order of its turns, or for as many as time allows.
//!
//! A run is decided by its choices alone. So the next run repeats the choices of the last one up to
//! the last of them that can be made otherwise; when there is none, all were made. Where that takes
//! too long, as many more runs choose by a seeded generator.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Builder;
use vestibule_service::Random;
use vestibule_testkit::random::SeededRandom;

use crate::scene::{Ended, Scene};
use crate::stage::Stage;
use crate::turns::{Happened, ONE_OF_MANY, Turn};

/// Runs of one scene in the normal run of the tests, at most; as many again at random.
pub(crate) const MOST: usize = 1_500;
/// Makes that so many times as many.
const VARIABLE: &str = "VESTIBULE_SCHEDULES";

/// How much was tried.
#[derive(Debug)]
pub(crate) struct Tried {
    pub(crate) in_order: usize,
    pub(crate) at_random: usize,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at_random {
            0 => write!(f, "{} schedules, which are all", self.in_order),
            random => write!(
                f,
                "{} schedules in order and {random} at random",
                self.in_order
            ),
        }
    }
}

/// A schedule after which something does not hold.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) what: String,
    happened: Vec<Happened>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, after:", self.what)?;
        self.happened
            .iter()
            .try_for_each(|one| write!(f, "\n  {one}"))
    }
}

/// Runs a scene in many orders; the first after which something does not hold.
pub(crate) fn explore(scene: &Scene) -> Result<Tried, Found> {
    let times = std::env::var(VARIABLE).ok();
    let times = times.map_or(1, |times| times.parse().expect("a number"));
    let most = scene.most * times;
    let mut choices = InOrder::default();
    for in_order in 1..=most {
        run(scene, &mut |of| choices.choose(of))?;
        if !choices.next() {
            return Ok(Tried {
                in_order,
                at_random: 0,
            });
        }
    }
    for seed in 0..most {
        let random = SeededRandom::new(u64::try_from(seed).expect("a number"));
        run(scene, &mut |of| {
            let bytes: [u8; 4] = (&random as &dyn Random).bytes();
            usize::try_from(u32::from_be_bytes(bytes)).expect("a number") % of
        })?;
    }
    Ok(Tried {
        in_order: most,
        at_random: most,
    })
}

/// All sequences of choices, one after the other.
#[derive(Default)]
struct InOrder {
    /// What was chosen, and of how many.
    chosen: Vec<(usize, usize)>,
    at: usize,
}

impl InOrder {
    fn choose(&mut self, of: usize) -> usize {
        if self.at == self.chosen.len() {
            self.chosen.push((0, of));
        }
        let (choice, known) = self.chosen[self.at];
        assert_eq!(known, of, "a run depends on more than its choices");
        self.at += 1;
        choice
    }

    /// Goes to the next sequence; whether there is one.
    fn next(&mut self) -> bool {
        self.at = 0;
        while let Some((choice, of)) = self.chosen.pop() {
            if choice + 1 < of {
                self.chosen.push((choice + 1, of));
                return true;
            }
        }
        false
    }
}

/// What can happen next.
#[derive(Clone, Copy)]
enum Event {
    Turn(usize, Turn),
    Pass(Duration),
    Rest,
}

fn run(scene: &Scene, choose: &mut dyn FnMut(usize) -> usize) -> Result<(), Found> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let mut happened = Vec::new();
    let held = runtime.block_on(play(scene, choose, &mut happened));
    // Whoever died still waits, and goes with the runtime.
    drop(runtime);
    held.map_err(|what| Found { what, happened })
}

async fn play(
    scene: &Scene,
    choose: &mut dyn FnMut(usize) -> usize,
    happened: &mut Vec<Happened>,
) -> Result<(), String> {
    let stage = Stage::set(scene.fault).await;
    let clients = (scene.enter)(&stage).await;
    let ended: Arc<Mutex<Vec<Option<Ended>>>> = Arc::default();
    let shared = stage.replica(ONE_OF_MANY).await;
    for (n, client) in clients.into_iter().enumerate() {
        lock(&ended).push(None);
        stage.turns.begin();
        let (turns, ended) = (Arc::clone(&stage.turns), Arc::clone(&ended));
        let service = if scene.one_server {
            shared.clone()
        } else {
            stage.replica(n).await
        };
        tokio::spawn(async move {
            let how = client(service).await;
            lock(&ended)[n] = Some(how);
            turns.end();
        });
    }
    let (mut deaths, mut passes) = (scene.deaths, scene.passes.iter());
    let mut next_pass = passes.next();
    loop {
        let (waiting, resting) = if scene.rests {
            stage.turns.waiting_or_resting().await
        } else {
            (stage.turns.waiting().await, false)
        };
        if waiting.is_empty() && !resting {
            break;
        }
        let turns = [Turn::Go, Turn::Die, Turn::GoAndDie];
        let turns = &turns[..if deaths == 0 { 1 } else { 3 }];
        let all = turns
            .iter()
            .flat_map(|turn| waiting.iter().map(|n| Event::Turn(*n, *turn)));
        let mut all: Vec<_> = all.collect();
        all.extend(next_pass.map(|by| Event::Pass(*by)));
        all.extend(resting.then_some(Event::Rest));
        happened.push(match all[choose(all.len())] {
            Event::Turn(client, turn) => {
                deaths -= usize::from(turn != Turn::Go);
                stage.turns.give(client, turn)
            }
            Event::Pass(by) => {
                stage.clock.advance(by);
                next_pass = passes.next();
                Happened::Passed(by.as_secs())
            }
            Event::Rest => {
                stage.turns.rest().await;
                Happened::Rested
            }
        });
    }
    let ended = lock(&ended).clone();
    (scene.check)(&stage, &ended).await
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
