//! In which order the servers of a provider are tried.

use crate::Standing;

/// A server as it stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Candidate {
    /// How it is.
    pub standing: Standing,
    /// Whether it takes this kind of request now; see [`Health::admits`](crate::Health::admits).
    pub admits: bool,
}

/// Which servers to try, by their places in what was asked about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Order {
    /// These, one after the other; one at least.
    Try(Vec<usize>),
    /// None is alive, but none of them may be as dead as it seems: all of them, once each and for
    /// two seconds.
    LastResort(Vec<usize>),
}

/// The order in which to try servers: one that may be back, since nothing else would find it out;
/// then those that are alive, beginning with a random one and going round; then the suspects. The
/// dead are passed over, unless all are.
///
/// Whoever sends to a half-open one says so with [`Observation::Tried`](crate::Observation::Tried).
pub fn order(candidates: &[Candidate], draw: u32) -> Order {
    let having = |wanted: fn(Standing) -> bool| {
        let all = candidates.iter().enumerate();
        let fitting = all.filter(move |(_, one)| one.admits && wanted(one.standing));
        fitting.map(|(place, _)| place)
    };
    let mut places: Vec<_> = having(|standing| standing == Standing::Alive).collect();
    if !places.is_empty() {
        let first = usize::try_from(draw).unwrap_or_default() % places.len();
        places.rotate_left(first);
    }
    places.extend(having(|standing| standing == Standing::Suspect));
    let returning = having(|standing| standing == Standing::HalfOpen).next();
    let places: Vec<_> = returning.into_iter().chain(places).collect();
    if places.is_empty() {
        return Order::LastResort((0..candidates.len()).collect());
    }
    Order::Try(places)
}
