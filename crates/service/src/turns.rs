//! Turns at something that only so many can do at once: each client has its turn, however many
//! others it sends.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::ClientAddress;
use crate::limiter::customer_of;

/// Who waits, client by client.
#[derive(Clone, Debug)]
pub(crate) struct Turns(Arc<Mutex<Queue>>);

#[derive(Debug)]
struct Queue {
    /// How many more may have a turn now.
    free: usize,
    /// How many may wait.
    places: usize,
    waiting: usize,
    of: HashMap<Client, VecDeque<oneshot::Sender<Turn>>>,
    /// Those who wait, in the order of their turns.
    next: VecDeque<Client>,
}

/// Whoever is taken for one. `None` are the programs of this machine.
type Client = Option<IpAddr>;

/// A turn, which ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn(Option<Turns>);

/// There was no place to wait.
#[derive(Debug)]
pub(crate) struct NoPlace;

impl Turns {
    /// Turns for so many at once, for which so many may wait.
    pub(crate) fn new(at_once: usize, places: usize) -> Self {
        Self(Arc::new(Mutex::new(Queue {
            free: at_once,
            places,
            waiting: 0,
            of: HashMap::new(),
            next: VecDeque::new(),
        })))
    }

    /// Waits for a turn.
    ///
    /// When all places are taken, the last of those who wait for the client that has the most of
    /// them gives way; so nobody who comes alone is turned away because others come in crowds.
    ///
    /// # Errors
    /// When there is no place, or it went to somebody else.
    pub(crate) async fn take(&self, address: ClientAddress) -> Result<Turn, NoPlace> {
        let client = match address {
            ClientAddress::Local => None,
            ClientAddress::Known(address) => Some(customer_of(address)),
            ClientAddress::Unknown => Some(IpAddr::from([0; 4])),
        };
        let turn = {
            let mut queue = self.queue();
            if queue.free > 0 {
                queue.free -= 1;
                return Ok(Turn(Some(self.clone())));
            }
            queue.wait(client)?
        };
        turn.await.map_err(|_| NoPlace)
    }

    /// How many have a turn or wait, of so many who may have one at once.
    pub(crate) fn length(&self, at_once: usize) -> usize {
        let queue = self.queue();
        at_once.saturating_sub(queue.free) + queue.waiting
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nobody panics in between.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn wait(&mut self, client: Client) -> Result<oneshot::Receiver<Turn>, NoPlace> {
        if self.waiting >= self.places {
            let own = self.of.get(&client).map_or(0, VecDeque::len);
            let (most, others) = self
                .of
                .iter()
                .max_by_key(|(_, others)| others.len())
                .ok_or(NoPlace)?;
            if others.len() <= own + 1 {
                return Err(NoPlace);
            }
            let most = *most;
            self.of.get_mut(&most).and_then(VecDeque::pop_back);
            self.waiting -= 1;
        }
        let (given, turn) = oneshot::channel();
        let waiting = self.of.entry(client).or_default();
        if waiting.is_empty() {
            self.next.push_back(client);
        }
        waiting.push_back(given);
        self.waiting += 1;
        Ok(turn)
    }

    /// Whoever is next.
    fn pop(&mut self) -> Option<oneshot::Sender<Turn>> {
        let client = self.next.pop_front()?;
        let waiting = self.of.get_mut(&client)?;
        let first = waiting.pop_front()?;
        self.waiting -= 1;
        if waiting.is_empty() {
            self.of.remove(&client);
        } else {
            self.next.push_back(client);
        }
        Some(first)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        while let Some(turns) = self.0.take() {
            let mut queue = turns.queue();
            let Some(next) = queue.pop() else {
                queue.free += 1;
                return;
            };
            drop(queue);
            // Who has gone meanwhile does not take it.
            if let Err(mut turn) = next.send(Self(Some(turns))) {
                self.0 = turn.0.take();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use futures_util::future::BoxFuture;

    use super::*;

    fn known(text: &str) -> ClientAddress {
        ClientAddress::Known(text.parse().unwrap())
    }

    type Waits<'t> = BoxFuture<'t, Result<Turn, NoPlace>>;

    /// Begins to wait.
    fn waits<'t>(turns: &'t Turns, address: &str) -> Waits<'t> {
        let address = known(address);
        let mut waits = turns.take(address).boxed();
        assert!((&mut waits).now_or_never().is_none(), "{address}");
        waits
    }

    fn first(turns: &Turns) -> Turn {
        turns
            .take(known("192.0.2.9"))
            .now_or_never()
            .unwrap()
            .unwrap()
    }

    /// Those who have their turns one after the other, when all of them wait.
    fn order(mut turn: Turn, mut waiting: Vec<(&'static str, Waits<'_>)>) -> Vec<&'static str> {
        let mut order = Vec::new();
        while !waiting.is_empty() {
            drop(turn);
            let mut ready = waiting
                .iter_mut()
                .enumerate()
                .filter_map(|(n, (_, waits))| Some((n, waits.now_or_never()?.unwrap())));
            let (n, next) = ready.next().unwrap();
            assert!(ready.next().is_none(), "one at a time");
            drop(ready);
            turn = next;
            order.push(waiting.remove(n).0);
        }
        order
    }

    #[test]
    fn each_client_has_its_turn() {
        let turns = Turns::new(1, 8);
        let turn = first(&turns);
        let waiting = vec![
            ("crowd 1", waits(&turns, "192.0.2.1")),
            ("crowd 2", waits(&turns, "192.0.2.1")),
            ("crowd 3", waits(&turns, "192.0.2.1")),
            ("one", waits(&turns, "192.0.2.2")),
            ("site 1", waits(&turns, "2001:db8:0:1::1")),
            ("site 2", waits(&turns, "2001:db8:0:2::1")),
        ];
        assert_eq!(turns.length(1), 7);
        let expected = ["crowd 1", "one", "site 1", "crowd 2", "site 2", "crowd 3"];
        assert_eq!(order(turn, waiting), expected);
        assert_eq!(turns.length(1), 0);
    }

    #[test]
    fn a_crowd_makes_room_for_who_comes_alone() {
        let turns = Turns::new(1, 3);
        let turn = first(&turns);
        let mut crowd: Vec<_> = (0..3).map(|_| waits(&turns, "192.0.2.1")).collect();
        let one_more = turns.take(known("192.0.2.1")).now_or_never();
        assert!(matches!(one_more, Some(Err(NoPlace))));
        let alone = waits(&turns, "192.0.2.2");
        let given_up = crowd.pop().unwrap().now_or_never();
        assert!(matches!(given_up, Some(Err(NoPlace))));
        let mut waiting: Vec<_> = crowd.into_iter().map(|waits| ("crowd", waits)).collect();
        waiting.push(("alone", alone));
        assert_eq!(order(turn, waiting), ["crowd", "alone", "crowd"]);
    }

    #[test]
    fn who_has_gone_is_passed_over() {
        let turns = Turns::new(1, 8);
        let turn = first(&turns);
        let gone = waits(&turns, "192.0.2.1");
        let here = waits(&turns, "192.0.2.2");
        drop(gone);
        assert_eq!(order(turn, vec![("here", here)]), ["here"]);
        drop(first(&turns));
        assert_eq!(turns.length(1), 0);
    }

    #[test]
    fn a_turn_that_nobody_takes_is_free_again() {
        let turns = Turns::new(1, 8);
        let turn = first(&turns);
        let gone = waits(&turns, "192.0.2.1");
        drop(turn);
        // It was given, and not looked at.
        drop(gone);
        drop(first(&turns));
    }
}
