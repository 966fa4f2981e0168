//! What was acknowledged, for good.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use vestibule_testkit::client::Answer;
use vestibule_testkit::figures;

use crate::database::Database;

/// What a test did, in numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) kills: usize,
    pub(crate) answered: usize,
    pub(crate) in_doubt: usize,
    pub(crate) passes: usize,
    pub(crate) wrong_guesses: usize,
    pub(crate) tried_twice: usize,
    pub(crate) good_the_second_time: usize,
    pub(crate) resets: usize,
    pub(crate) enrolments: usize,
    pub(crate) settings: usize,
    pub(crate) radius: usize,
    pub(crate) pushes: usize,
    pub(crate) dead_tokens_tried: usize,
    pub(crate) accepted_twice: usize,
    pub(crate) lost: usize,
    pub(crate) slowest_start: Duration,
}

/// What was acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    counts: RefCell<Counts>,
    requests: RefCell<HashSet<String>>,
    passes: RefCell<HashMap<(String, i64), usize>>,
}

impl Ledger {
    /// Counts something.
    pub(crate) fn counted(&self, count: impl FnOnce(&mut Counts)) {
        count(&mut self.counts.borrow_mut());
    }

    pub(crate) fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    /// This answer left a row in the audit trail.
    pub(crate) fn audited(&self, answer: &Answer) {
        let request = answer.headers["x-request-id"].to_str().unwrap();
        self.requests.borrow_mut().insert(request.replace('-', ""));
    }

    /// A code of this step let the user in.
    pub(crate) fn passed(&self, name: &str, step: i64) {
        self.counted(|counts| counts.passes += 1);
        let mut passes = self.passes.borrow_mut();
        let times = passes.entry((name.to_owned(), step)).or_default();
        *times += 1;
        assert_eq!(
            *times, 1,
            "a code of {name} was accepted twice: step {step}"
        );
    }

    /// Checks that the trail has all of it, and no code twice.
    pub(crate) async fn check(&self, database: &mut Database) {
        let written = database.requests().await;
        let passes = database.passes().await;
        let requests = self.requests.borrow();
        let lost: Vec<_> = requests.difference(&written).collect();
        let mut once = HashSet::new();
        let is_again = |pass: &&(String, i64)| !once.insert((*pass).clone());
        let twice: Vec<_> = passes.iter().filter(is_again).collect();
        let passes = self.passes.borrow();
        let unknown: Vec<_> = passes.keys().filter(|pass| !once.contains(*pass)).collect();
        self.counted(|counts| {
            counts.accepted_twice = twice.len();
            counts.lost = lost.len() + unknown.len();
        });
        assert!(
            lost.is_empty(),
            "rows of the audit trail are lost: {lost:?}"
        );
        assert!(twice.is_empty(), "accepted twice: {twice:?}");
        assert!(
            unknown.is_empty(),
            "passes that nobody wrote down: {unknown:?}"
        );
    }

    /// Tells the numbers.
    pub(crate) fn note(&self, id: &str) {
        let counts = self.counts();
        let requests = self.requests.borrow().len();
        for (what, number) in [
            ("kills survived", counts.kills),
            ("requests answered", counts.answered),
            ("requests in doubt", counts.in_doubt),
            ("codes accepted", counts.passes),
            ("codes accepted twice", counts.accepted_twice),
            ("codes in doubt tried again", counts.tried_twice),
            ("of these good the second time", counts.good_the_second_time),
            ("wrong guesses", counts.wrong_guesses),
            ("enrolments", counts.enrolments),
            ("resets", counts.resets),
            ("changes of settings and users", counts.settings),
            ("RADIUS codes", counts.radius),
            ("pushes", counts.pushes),
            ("ended tokens tried", counts.dead_tokens_tried),
            ("audit rows of acknowledged requests looked for", requests),
            ("acknowledged and lost", counts.lost),
            (
                "slowest start in ms",
                counts.slowest_start.as_millis() as usize,
            ),
        ] {
            figures::note(id, what, number);
        }
    }
}
