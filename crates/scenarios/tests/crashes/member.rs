//! A user, who remembers what the server has acknowledged, and what is in doubt.

mod codes;
mod remote;
mod tokens;

use std::collections::VecDeque;

use vestibule_testkit::authenticator::Authenticator;
use vestibule_testkit::random::SeededRandom;

use crate::load::{Load, Mode};
use crate::phones::Phones;

/// The password of all of them.
pub(crate) const PASSWORD: &str = "a user's own password";
/// Failures in a row after which a user becomes careful: one more would begin a wait.
const CAREFUL: u32 = 4;
/// Failures after which a user asks for a reset: a hundred would close the second factor.
const MANY: u32 = 80;
/// Ended tokens that are remembered, to be tried again.
const REMEMBERED: usize = 8;
/// For how many seconds a partial token is used.
const USED_FOR: i64 = 14 * 60;

/// An answer did not come: this user is done for the round.
pub(crate) struct InDoubt;

type Acted = Result<(), InDoubt>;

/// What the user has to show codes with.
enum Phone {
    /// There is no seed.
    None,
    /// A seed was shown, to the session of this partial token, and no code was accepted yet.
    Shown(Authenticator, Partial),
    /// A code was accepted.
    Verified(Authenticator),
    /// The first code, or a reset, got no answer.
    Unsure(Authenticator),
}

/// A partial token that must be good.
struct Partial {
    token: String,
    /// In seconds.
    made: i64,
}

/// Wrong guesses since the last reset, as far as they are known.
#[derive(Clone, Copy, Debug, Default)]
struct Guesses {
    counted: u32,
    in_doubt: u32,
}

/// A user.
pub(crate) struct Member {
    name: String,
    dice: SeededRandom,
    phone: Phone,
    partials: Vec<Partial>,
    /// Tokens that the second factor yielded.
    verified: Vec<String>,
    /// Tokens that must be good for nothing.
    dead: VecDeque<String>,
    /// The first step of which no code was sent.
    next_step: i64,
    /// The code that was accepted last, and its step.
    spent: Option<(i64, String)>,
    /// A code that got no answer.
    doubtful: Option<(i64, String)>,
    /// A code for the RADIUS server that got no answer.
    doubtful_remote: Option<String>,
    guesses: Guesses,
    /// Failures in a row, at most.
    streak: u32,
    number: u64,
}

impl Member {
    pub(crate) fn new(name: String, seed: u64) -> Self {
        Self {
            name,
            dice: SeededRandom::new(seed),
            phone: Phone::None,
            partials: Vec::new(),
            verified: Vec::new(),
            dead: VecDeque::new(),
            next_step: 0,
            spent: None,
            doubtful: None,
            doubtful_remote: None,
            guesses: Guesses::default(),
            streak: 0,
            number: 0,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Acts until the round is over, or an answer fails to come.
    pub(crate) async fn work(&mut self, load: &Load<'_>, phones: &Phones) {
        self.forget_expired(load);
        while load.goes_on() {
            if self.act(load, phones).await.is_err() {
                return;
            }
        }
    }

    /// Partial tokens are good for fifteen minutes.
    fn forget_expired(&mut self, load: &Load<'_>) {
        let now = load.now.as_micros() / 1_000_000;
        let is_good = |partial: &Partial| now < partial.made + USED_FOR;
        self.partials.retain(is_good);
        if matches!(&self.phone, Phone::Shown(_, partial) if !is_good(partial)) {
            self.phone = Phone::None;
        }
    }

    async fn act(&mut self, load: &Load<'_>, phones: &Phones) -> Acted {
        if self.guesses.counted + self.guesses.in_doubt > MANY {
            return self.be_reset(load).await;
        }
        // What all rounds have.
        match self.dice.below(40) {
            0 | 1 => return self.sign_in(load).await,
            2 => return self.log_out(load).await,
            3 | 4 => return self.try_dead_token(load).await,
            5 => return self.try_live_token(load).await,
            6 => return self.be_reset(load).await,
            _ => {}
        }
        if self.partials.is_empty() {
            self.sign_in(load).await?;
        }
        match load.mode {
            Mode::Codes => self.use_code(load).await,
            Mode::Radius => self.use_remote_code(load, phones).await,
            Mode::Pushes => self.approve(load).await,
        }
    }

    /// Another second factor is due: whoever was on the way has to begin again.
    pub(crate) fn start_again(&mut self) {
        for partial in std::mem::take(&mut self.partials) {
            self.bury(partial.token);
        }
        self.phone = match std::mem::replace(&mut self.phone, Phone::None) {
            Phone::Shown(_, partial) => {
                self.bury(partial.token);
                Phone::None
            }
            phone @ (Phone::None | Phone::Verified(_) | Phone::Unsure(_)) => phone,
        };
    }

    /// Checks what is counted against the user.
    pub(crate) fn check_guesses(&mut self, found: u32) {
        let Guesses { counted, in_doubt } = self.guesses;
        assert!(
            (counted..=counted + in_doubt).contains(&found),
            "{}: {found} wrong guesses are counted, after {counted} and {in_doubt} in doubt",
            self.name
        );
        // What was in doubt is decided.
        self.guesses = Guesses {
            counted: found,
            in_doubt: 0,
        };
    }

    /// A wrong guess without an answer.
    fn guess_in_doubt(&mut self) {
        self.guesses.in_doubt += 1;
        self.streak += 1;
    }

    /// A wrong guess that was refused.
    fn guess_counted(&mut self, load: &Load<'_>) {
        self.guesses.counted += 1;
        self.streak += 1;
        load.ledger.counted(|counts| counts.wrong_guesses += 1);
    }

    /// Forgets a token that must be good for nothing from now on.
    fn bury(&mut self, token: String) {
        if self.dead.len() == REMEMBERED {
            self.dead.pop_front();
        }
        self.dead.push_back(token);
    }
}
