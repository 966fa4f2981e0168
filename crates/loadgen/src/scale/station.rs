//! Where work waits: cores that compute, and a log that is flushed.

use std::collections::VecDeque;

use super::Nanoseconds;

/// Cores that take whatever came first.
#[derive(Debug)]
pub(super) struct Cores<T> {
    idle: usize,
    waiting: VecDeque<(T, Nanoseconds)>,
    /// What all of them have computed.
    busy: Nanoseconds,
}

/// What begins now, and for how long.
pub(super) type Begun<T> = Option<(T, Nanoseconds)>;

impl<T> Cores<T> {
    pub(super) fn new(count: usize) -> Self {
        Self {
            idle: count.max(1),
            waiting: VecDeque::new(),
            busy: 0,
        }
    }

    /// Something is to be computed.
    pub(super) fn take(&mut self, work: T, cost: Nanoseconds) -> Begun<T> {
        self.waiting.push_back((work, cost));
        self.begin()
    }

    /// A core is free again.
    pub(super) fn release(&mut self) -> Begun<T> {
        self.idle += 1;
        self.begin()
    }

    fn begin(&mut self) -> Begun<T> {
        if self.idle == 0 {
            return None;
        }
        let (work, cost) = self.waiting.pop_front()?;
        self.idle -= 1;
        self.busy += cost;
        Some((work, cost))
    }

    pub(super) fn busy(&self) -> Nanoseconds {
        self.busy
    }
}

/// A log of which one flush is under way at a time: whoever comes meanwhile shares the next one.
#[derive(Debug)]
pub(super) struct Log<T> {
    is_flushing: bool,
    waiting: Vec<T>,
}

impl<T> Log<T> {
    pub(super) const fn new() -> Self {
        Self {
            is_flushing: false,
            waiting: Vec::new(),
        }
    }

    /// Something is to be kept; what is flushed now, if a flush begins.
    pub(super) fn take(&mut self, commit: T) -> Option<Vec<T>> {
        self.waiting.push(commit);
        self.begin()
    }

    /// A flush is over.
    pub(super) fn release(&mut self) -> Option<Vec<T>> {
        self.is_flushing = false;
        self.begin()
    }

    fn begin(&mut self) -> Option<Vec<T>> {
        if self.is_flushing || self.waiting.is_empty() {
            return None;
        }
        self.is_flushing = true;
        Some(std::mem::take(&mut self.waiting))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_take_what_came_first() {
        let mut cores = Cores::new(2);
        assert_eq!(cores.take('a', 5), Some(('a', 5)));
        assert_eq!(cores.take('b', 5), Some(('b', 5)));
        assert_eq!(cores.take('c', 5), None);
        assert_eq!(cores.take('d', 7), None);
        assert_eq!(cores.release(), Some(('c', 5)));
        assert_eq!(cores.release(), Some(('d', 7)));
        assert_eq!(cores.release(), None);
        assert_eq!(cores.busy(), 22);
    }

    #[test]
    fn a_flush_is_shared_by_those_who_came_during_the_one_before() {
        let mut log = Log::new();
        assert_eq!(log.take(1), Some(vec![1]));
        assert_eq!(log.take(2), None);
        assert_eq!(log.take(3), None);
        assert_eq!(log.release(), Some(vec![2, 3]));
        assert_eq!(log.release(), None);
        assert_eq!(log.take(4), Some(vec![4]));
    }
}
