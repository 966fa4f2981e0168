//! The simulation: what happens next happens, until the time is over.

use std::collections::VecDeque;

use vestibule_testkit::random::SeededRandom;

use super::Nanoseconds;
use super::plan::{Event, Job, Plan, Statement, Work};
use super::station::{Begun, Cores, Log};
use super::world::{Arrivals, Figures, Kind, Primary, Step, World};

/// The same in every run.
const SEED: u64 = 16_667;
/// Of the time, this part is not counted: the beginning, when nobody waits yet.
const WARM_UP: Nanoseconds = 5;

/// Those who wait at a replica for the next statement of a kind.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Job>,
    is_at_work: bool,
}

struct Simulation<'w> {
    world: &'w World,
    random: SeededRandom,
    now: Nanoseconds,
    from: Nanoseconds,
    plan: Plan,
    /// Of each replica, and then of the primary; or of everybody.
    cores: Vec<Cores<Work>>,
    log: Log<Statement>,
    flushing: Nanoseconds,
    /// Of each replica: reads and claims.
    queues: Vec<[Queue; 2]>,
    latencies: Vec<Nanoseconds>,
}

/// Simulates so much time.
pub(super) fn simulate(world: &World, time: Nanoseconds) -> Figures {
    let mut cores: Vec<_> = match world.primary {
        Primary::Apart(_) => (0..world.replicas)
            .map(|_| Cores::new(world.cores))
            .collect(),
        Primary::Beside => Vec::new(),
    };
    cores.push(Cores::new(match world.primary {
        Primary::Apart(cores) => cores,
        Primary::Beside => world.cores,
    }));
    let mut simulation = Simulation {
        world,
        random: SeededRandom::new(SEED),
        now: 0,
        from: time / WARM_UP,
        plan: Plan::default(),
        cores,
        log: Log::new(),
        flushing: 0,
        queues: (0..world.replicas)
            .map(|_| <[Queue; 2]>::default())
            .collect(),
        latencies: Vec::new(),
    };
    for replica in 0..world.replicas {
        let come = match world.arrivals {
            Arrivals::Closed(clients) => clients,
            Arrivals::Open(_) => 1,
        };
        for _ in 0..come {
            simulation.plan(0, Event::Arrives(replica));
        }
    }
    while let Some((at, event)) = simulation.plan.next() {
        if at > time {
            break;
        }
        simulation.now = at;
        simulation.happen(event);
    }
    simulation.figures(time)
}

impl Simulation<'_> {
    fn plan(&mut self, after: Nanoseconds, event: Event) {
        self.plan.add(self.now.saturating_add(after), event);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrives(replica) => {
                if let Arrivals::Open(rate) = self.world.arrivals {
                    let each = replicas(self.world) / rate;
                    let after = nanoseconds(each * self.exponential());
                    self.plan(after, Event::Arrives(replica));
                }
                self.arrive(replica);
            }
            Event::Sent(statement) => {
                let primary = self.cores.len() - 1;
                let cost = statement.cost;
                self.compute(primary, Work::Statement(statement), cost);
            }
            Event::Computed(station, work) => {
                let begun = self.cores.get_mut(station).and_then(Cores::release);
                self.begun(station, begun);
                match work {
                    Work::Job(job) => self.next(job),
                    Work::Statement(statement) if statement.commits => {
                        let flushed = self.log.take(statement);
                        self.flush(flushed);
                    }
                    Work::Statement(statement) => self.answer(statement),
                    Work::Answer(statement) => self.answered(statement),
                }
            }
            Event::Flushed(statements) => {
                for statement in statements {
                    self.answer(statement);
                }
                let flushed = self.log.release();
                self.flush(flushed);
            }
            Event::Answered(statement) => {
                let station = self.station(statement.replica);
                let cost = statement.answer;
                self.compute(station, Work::Answer(statement), cost);
            }
        }
    }

    fn arrive(&mut self, replica: usize) {
        let (step, born) = (0, self.now);
        self.step(Job {
            replica,
            step,
            born,
        });
    }

    /// A step is over.
    fn next(&mut self, job: Job) {
        let step = job.step + 1;
        self.step(Job { step, ..job });
    }

    /// Begins with the step that is next.
    fn step(&mut self, job: Job) {
        match self.world.steps.get(job.step) {
            Some(Step::Compute(cost)) => {
                let cost = self.wandering(*cost);
                let station = self.station(job.replica);
                self.compute(station, Work::Job(job), cost);
            }
            Some(Step::Together { kind, .. }) => {
                if let Some(queue) = self.queue(job.replica, *kind) {
                    queue.waiting.push_back(job);
                }
                self.send_together(job.replica, *kind);
            }
            Some(Step::Alone { cost, commits }) => {
                let statement = Statement {
                    jobs: vec![job],
                    kind: None,
                    replica: job.replica,
                    cost: self.wandering(*cost),
                    answer: 0,
                    commits: *commits,
                };
                self.plan(self.world.round_trip / 2, Event::Sent(statement));
            }
            None => self.done(job),
        }
    }

    fn done(&mut self, job: Job) {
        if self.now >= self.from {
            self.latencies.push(self.now - job.born);
        }
        if let Arrivals::Closed(_) = self.world.arrivals {
            self.arrive(job.replica);
        }
    }

    fn queue(&mut self, replica: usize, kind: Kind) -> Option<&mut Queue> {
        self.queues.get_mut(replica)?.get_mut(kind as usize)
    }

    /// Sends a statement for all who wait, unless one is under way.
    fn send_together(&mut self, replica: usize, kind: Kind) {
        let most = self.world.most;
        let Some(queue) = self.queue(replica, kind) else {
            return;
        };
        if queue.is_at_work || queue.waiting.is_empty() {
            return;
        }
        queue.is_at_work = true;
        let count = queue.waiting.len().min(most);
        let jobs: Vec<_> = queue.waiting.drain(..count).collect();
        // A kind may be asked for in several steps, which need not cost the same.
        let (mut cost, mut of_answer) = (0, 0);
        for (n, job) in jobs.iter().enumerate() {
            if let Some(Step::Together {
                statement,
                each,
                answer,
                ..
            }) = self.world.steps.get(job.step)
            {
                cost += each;
                if n == 0 {
                    cost += statement;
                    of_answer += answer;
                }
            }
        }
        let statement = Statement {
            jobs,
            kind: Some(kind),
            replica,
            cost: self.wandering(cost),
            answer: self.wandering(of_answer),
            commits: kind == Kind::Claim,
        };
        self.plan(self.world.round_trip / 2, Event::Sent(statement));
    }

    /// Where a replica computes: where everybody does, if it has no cores of its own.
    fn station(&self, replica: usize) -> usize {
        replica.min(self.cores.len() - 1)
    }

    fn compute(&mut self, station: usize, work: Work, cost: Nanoseconds) {
        let cores = self.cores.get_mut(station);
        let begun = cores.and_then(|cores| cores.take(work, cost));
        self.begun(station, begun);
    }

    fn begun(&mut self, station: usize, begun: Begun<Work>) {
        if let Some((work, cost)) = begun {
            self.plan(cost, Event::Computed(station, work));
        }
    }

    fn flush(&mut self, statements: Option<Vec<Statement>>) {
        if let Some(statements) = statements {
            let cost = self.wandering(self.world.flush);
            self.flushing += cost;
            self.plan(cost, Event::Flushed(statements));
        }
    }

    fn answer(&mut self, statement: Statement) {
        self.plan(self.world.round_trip / 2, Event::Answered(statement));
    }

    fn answered(&mut self, statement: Statement) {
        let Statement {
            jobs,
            kind,
            replica,
            ..
        } = statement;
        // Those who ask again at once are in the next statement, as the server waits for them.
        for job in jobs {
            self.next(job);
        }
        if let Some(kind) = kind {
            if let Some(queue) = self.queue(replica, kind) {
                queue.is_at_work = false;
            }
            self.send_together(replica, kind);
        }
    }

    /// From half to one and a half of a mean, if it wanders.
    fn wandering(&self, mean: Nanoseconds) -> Nanoseconds {
        if self.world.wanders {
            nanoseconds(seconds(mean) * (0.5 + self.uniform()))
        } else {
            mean
        }
    }

    /// Between 0 and 1, neither of them.
    fn uniform(&self) -> f64 {
        const PARTS: u32 = 1 << 30;
        let part = self.random.below(PARTS as usize);
        (f64::from(u32::try_from(part).unwrap_or_default()) + 0.5) / f64::from(PARTS)
    }

    /// Of the mean 1: the time to the next of those who know nothing of each other.
    fn exponential(&self) -> f64 {
        -self.uniform().ln()
    }

    fn figures(mut self, time: Nanoseconds) -> Figures {
        self.latencies.sort_unstable();
        let counted = seconds(time - self.from);
        let count = number(self.latencies.len());
        let total: f64 = self.latencies.iter().map(|latency| seconds(*latency)).sum();
        let rank = (self.latencies.len() * 99).div_ceil(100).saturating_sub(1);
        let p99 = self.latencies.get(rank).copied().unwrap_or_default();
        let (primary, replicas) = match self.cores.split_last() {
            Some((primary, replicas)) => (primary.busy(), replicas.iter().map(Cores::busy).sum()),
            None => (0, 0),
        };
        let all = seconds(time);
        let of_primary = match self.world.primary {
            Primary::Apart(cores) => cores,
            Primary::Beside => self.world.cores,
        };
        let of_replicas = number(self.world.replicas * self.world.cores);
        Figures {
            per_second: count / counted,
            mean: total / count.max(1.0),
            p99: seconds(p99),
            primary: seconds(primary) / all / number(of_primary),
            replicas: seconds(replicas) / all / of_replicas,
            log: seconds(self.flushing) / all,
        }
    }
}

fn replicas(world: &World) -> f64 {
    number(world.replicas)
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn seconds(time: Nanoseconds) -> f64 {
    std::time::Duration::from_nanos(time).as_secs_f64()
}

/// For ever, if it is longer than can be told.
fn nanoseconds(seconds: f64) -> Nanoseconds {
    let time = std::time::Duration::try_from_secs_f64(seconds).unwrap_or(std::time::Duration::MAX);
    Nanoseconds::try_from(time.as_nanos()).unwrap_or(Nanoseconds::MAX)
}

#[cfg(test)]
mod tests;
