//! Codes and approvals that a RADIUS server judges.

use super::{Acted, CAREFUL, InDoubt, Member};
use crate::load::Load;
use crate::phones::Phones;

impl Member {
    /// A right or a wrong code, or the one that got no answer.
    pub(super) async fn use_remote_code(&mut self, load: &Load<'_>, phones: &Phones) -> Acted {
        if self.streak >= CAREFUL {
            return self.be_reset(load).await;
        }
        let Some(partial) = self.partials.pop() else {
            return Ok(());
        };
        self.number += 1;
        let is_wrong = self.doubtful_remote.is_none() && self.dice.below(4) == 0;
        let (code, is_again) = match self.doubtful_remote.take() {
            Some(code) => {
                load.ledger.counted(|counts| counts.tried_twice += 1);
                (code, true)
            }
            None if is_wrong => (Phones::wrong(self.number), false),
            None => (Phones::right(&self.name, self.number), false),
        };
        load.ledger.counted(|counts| counts.radius += 1);
        let Some(answer) = load.enter(&self.dice, &partial.token, &code).await else {
            // It was counted before it was sent.
            self.guess_in_doubt();
            self.doubtful_remote = (!is_wrong).then_some(code);
            return Err(InDoubt);
        };
        load.ledger.audited(&answer);
        // The RADIUS server takes a code once: it may have had this one already.
        if is_wrong || is_again && answer.status == 401 {
            answer.is(401);
            self.guess_counted(load);
            self.partials.push(partial);
        } else {
            let token = answer.token();
            assert!(phones.has_accepted(&code), "nobody has accepted it");
            self.admitted(partial, token);
        }
        Ok(())
    }

    /// An approval: at most three in a minute, and one at a time.
    pub(super) async fn approve(&mut self, load: &Load<'_>) -> Acted {
        let Some(partial) = self.partials.pop() else {
            return Ok(());
        };
        load.ledger.counted(|counts| counts.pushes += 1);
        let answer = load.enter(&self.dice, &partial.token, "push").await;
        // A partial token whose push got no answer waits for its end: it is left alone.
        let answer = answer.ok_or(InDoubt)?;
        load.ledger.audited(&answer);
        if answer.status == 429 {
            self.partials.push(partial);
            return Err(InDoubt);
        }
        self.admitted(partial, answer.token());
        Ok(())
    }
}
