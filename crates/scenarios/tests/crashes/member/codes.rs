//! Time-based codes: enrolment, right and wrong ones, and those that come again.

use serde_json::{Value, json};
use vestibule_testkit::authenticator::Authenticator;
use vestibule_testkit::client::Answer;

use super::{Acted, CAREFUL, InDoubt, Member, Partial, Phone};
use crate::load::Load;

/// The number of the step.
fn step(load: &Load<'_>) -> i64 {
    load.now.as_micros() / 30_000_000
}

impl Member {
    pub(super) async fn use_code(&mut self, load: &Load<'_>) -> Acted {
        match &self.phone {
            Phone::None | Phone::Unsure(_) => self.enrol(load).await,
            Phone::Shown(..) => match self.dice.below(4) {
                0 => self.be_shown_again(load).await,
                1 => self.guess(load).await,
                _ => self.verify(load).await,
            },
            Phone::Verified(_) if self.doubtful.is_some() => self.try_again(load).await,
            Phone::Verified(_) => match self.dice.below(10) {
                0..4 => self.enter(load).await,
                4 | 5 => self.enter_twice(load).await,
                6 => self.replay(load).await,
                7 => self.enrol(load).await,
                _ => self.guess(load).await,
            },
        }
    }

    async fn initialize(&self, load: &Load<'_>, partial: &str) -> Result<Value, InDoubt> {
        let path = "/admin/authentication/otp/initialize";
        let answer = load
            .ask(&self.dice, |client| {
                let call = client.call("POST", path);
                call.bearer_auth(partial).json(&json!({}))
            })
            .await
            .ok_or(InDoubt)?;
        Ok(answer.is(200).json())
    }

    /// Asks for a seed; who has one is told so.
    async fn enrol(&mut self, load: &Load<'_>) -> Acted {
        let Some(partial) = self.partials.pop() else {
            return Ok(());
        };
        let shown = self.initialize(load, &partial.token).await?;
        let phone = std::mem::replace(&mut self.phone, Phone::None);
        let secret = shown["secret"].as_str();
        self.phone = match (phone, secret) {
            (Phone::Verified(authenticator) | Phone::Unsure(authenticator), None) => {
                assert_eq!(shown["type"], "AlreadySeeded");
                self.partials.push(partial);
                Phone::Verified(authenticator)
            }
            (Phone::None | Phone::Unsure(_), Some(secret)) => {
                self.doubtful = None;
                Phone::Shown(Authenticator::from_base32(secret), partial)
            }
            _ => panic!("{}: a seed is lost, or made up: {shown}", self.name),
        };
        Ok(())
    }

    /// The same seed for the same session.
    async fn be_shown_again(&mut self, load: &Load<'_>) -> Acted {
        let Phone::Shown(authenticator, partial) = &self.phone else {
            return Ok(());
        };
        let shown = self.initialize(load, &partial.token).await?;
        let again = Authenticator::from_base32(shown["secret"].as_str().unwrap());
        assert_eq!(again.code(load.now), authenticator.code(load.now));
        Ok(())
    }

    /// The first code.
    async fn verify(&mut self, load: &Load<'_>) -> Acted {
        let Some(step) = self.free_step(load) else {
            return self.guess(load).await;
        };
        let Phone::Shown(authenticator, partial) = std::mem::replace(&mut self.phone, Phone::None)
        else {
            return Ok(());
        };
        let code = self.code(load, &authenticator, step);
        let Some(answer) = load.enter(&self.dice, &partial.token, &code).await else {
            self.phone = Phone::Unsure(authenticator);
            self.doubtful = Some((step, code));
            return Err(InDoubt);
        };
        load.ledger.counted(|counts| counts.enrolments += 1);
        self.phone = Phone::Verified(authenticator);
        self.entered(load, partial, (step, code), &answer);
        Ok(())
    }

    /// A right code.
    async fn enter(&mut self, load: &Load<'_>) -> Acted {
        let Some((partial, step, code)) = self.right(load) else {
            return Ok(());
        };
        let Some(answer) = load.enter(&self.dice, &partial.token, &code).await else {
            self.doubtful = Some((step, code));
            return Err(InDoubt);
        };
        self.entered(load, partial, (step, code), &answer);
        Ok(())
    }

    /// A right code, by two sessions at once: for one of them.
    async fn enter_twice(&mut self, load: &Load<'_>) -> Acted {
        if self.partials.len() < 2 {
            return Ok(());
        }
        let Some((one, step, code)) = self.right(load) else {
            return Ok(());
        };
        let Some(other) = self.partials.pop() else {
            return Ok(());
        };
        let (first, second) = futures_util::join!(
            load.enter(&self.dice, &one.token, &code),
            load.enter(&self.dice, &other.token, &code)
        );
        let is_sure = first.is_some() && second.is_some();
        let mut let_in = 0;
        for (partial, answer) in [(one, first), (other, second)] {
            match answer {
                Some(answer) if answer.status == 200 => {
                    let_in += 1;
                    self.entered(load, partial, (step, code.clone()), &answer);
                }
                Some(answer) => {
                    load.ledger.audited(answer.is(401));
                    self.partials.push(partial);
                }
                None => {}
            }
        }
        if is_sure {
            assert_eq!(let_in, 1, "{}: a seed or token is lost", self.name);
            return Ok(());
        }
        if let_in == 0 {
            self.doubtful = Some((step, code));
        }
        Err(InDoubt)
    }

    /// The code that got no answer, with another partial token: it is good if it was not accepted.
    async fn try_again(&mut self, load: &Load<'_>) -> Acted {
        let Some((step, code)) = self.doubtful.take() else {
            return Ok(());
        };
        if step < self::step(load) - 1 {
            // Too old by now: a wrong code like any other.
            return Ok(());
        }
        let Some(partial) = self.partials.pop() else {
            self.doubtful = Some((step, code));
            return Ok(());
        };
        load.ledger.counted(|counts| counts.tried_twice += 1);
        let Some(answer) = load.enter(&self.dice, &partial.token, &code).await else {
            self.doubtful = Some((step, code));
            return Err(InDoubt);
        };
        if answer.status == 200 {
            let good = |counts: &mut crate::ledger::Counts| counts.good_the_second_time += 1;
            load.ledger.counted(good);
            self.entered(load, partial, (step, code), &answer);
        } else {
            load.ledger.audited(answer.is(401));
            self.partials.push(partial);
            // It is spent: that is no guess.
            self.spent = Some((step, code));
        }
        Ok(())
    }

    /// A code that was accepted before.
    async fn replay(&mut self, load: &Load<'_>) -> Acted {
        let Some((step, code)) = self.spent.clone() else {
            return Ok(());
        };
        let (Some(partial), true) = (self.partials.last(), step >= self::step(load) - 1) else {
            return Ok(());
        };
        let answer = load.enter(&self.dice, &partial.token, &code).await;
        let answer = answer.ok_or(InDoubt)?;
        load.ledger.audited(answer.is(401));
        Ok(())
    }

    /// A wrong code.
    async fn guess(&mut self, load: &Load<'_>) -> Acted {
        let (authenticator, partial) = match &self.phone {
            Phone::Shown(authenticator, partial) => (authenticator, Some(partial)),
            Phone::Verified(authenticator) => (authenticator, self.partials.last()),
            Phone::None | Phone::Unsure(_) => return Ok(()),
        };
        let Some(partial) = partial else {
            return Ok(());
        };
        if self.streak >= CAREFUL {
            return self.be_reset(load).await;
        }
        let code = authenticator.wrong_code(load.now);
        let Some(answer) = load.enter(&self.dice, &partial.token, &code).await else {
            self.guess_in_doubt();
            return Err(InDoubt);
        };
        load.ledger.audited(answer.is(401));
        self.guess_counted(load);
        Ok(())
    }

    /// Signs in once more, whatever happened, and tries what must not be good any more.
    pub(crate) async fn say_goodbye(&mut self, load: &Load<'_>) {
        self.forget_expired(load);
        let goodbye = async {
            self.sign_in(load).await?;
            self.sign_in(load).await?;
            if matches!(self.phone, Phone::None | Phone::Unsure(_)) {
                self.enrol(load).await?;
            }
            let is_shown = matches!(self.phone, Phone::Shown(..));
            if is_shown {
                self.verify(load).await?;
            } else {
                self.try_again(load).await?;
                self.enter(load).await?;
            }
            self.replay(load).await?;
            for _ in 0..4 {
                self.try_dead_token(load).await?;
                self.try_live_token(load).await?;
            }
            Ok::<_, InDoubt>(())
        };
        assert!(goodbye.await.is_ok(), "{}: no answer", self.name);
        assert!(self.spent.is_some(), "{}: nothing was accepted", self.name);
    }

    /// A partial token, and a code that is right and new.
    fn right(&mut self, load: &Load<'_>) -> Option<(Partial, i64, String)> {
        let step = self.free_step(load)?;
        let Phone::Verified(authenticator) = &self.phone else {
            return None;
        };
        let code = authenticator.code_at(load.now, i32::try_from(step - self::step(load)).unwrap());
        let partial = self.partials.pop()?;
        self.next_step = step + 1;
        Some((partial, step, code))
    }

    /// A step of which no code was sent, and a code would be right now.
    fn free_step(&self, load: &Load<'_>) -> Option<i64> {
        let now = step(load);
        let step = self.next_step.max(now - 1);
        (step <= now + 1).then_some(step)
    }

    fn code(&mut self, load: &Load<'_>, authenticator: &Authenticator, step: i64) -> String {
        self.next_step = step + 1;
        authenticator.code_at(load.now, i32::try_from(step - self::step(load)).unwrap())
    }

    /// A code must have been accepted.
    fn entered(
        &mut self,
        load: &Load<'_>,
        partial: Partial,
        spent: (i64, String),
        answer: &Answer,
    ) {
        let lost = format!("{}: a seed or token is lost: {}", self.name, answer.text);
        assert_eq!(answer.status, 200, "{lost}");
        load.ledger.audited(answer);
        load.ledger.passed(&self.name, spent.0);
        self.spent = Some(spent);
        self.admitted(partial, answer.token());
    }
}
