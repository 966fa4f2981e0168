//! Sign-ins, sessions and resets.

use serde_json::json;
use vestibule_testkit::client::{Answer, DEVICE};

use super::{Acted, Guesses, InDoubt, Member, PASSWORD, Partial, Phone};
use crate::load::Load;

impl Member {
    pub(super) async fn sign_in(&mut self, load: &Load<'_>) -> Acted {
        let body = json!({
            "providerName": "local", "username": self.name, "password": PASSWORD,
            "deviceId": DEVICE,
        });
        let answer = load
            .ask(&self.dice, |client| {
                client.call("POST", "/admin/authentication").json(&body)
            })
            .await
            .ok_or(InDoubt)?;
        let token = answer.token();
        load.ledger.audited(&answer);
        let made = load.now.as_micros() / 1_000_000;
        self.partials.push(Partial { token, made });
        Ok(())
    }

    /// Ends a session; a token of which nobody knows whether it is dead is not used again.
    pub(super) async fn log_out(&mut self, load: &Load<'_>) -> Acted {
        let Some(token) = self.verified.pop() else {
            return Ok(());
        };
        let answer = load
            .ask(&self.dice, |client| {
                let call = client.call("POST", "/admin/authentication/logout");
                call.bearer_auth(&token)
            })
            .await
            .ok_or(InDoubt)?;
        load.ledger.audited(answer.is(204));
        self.bury(token);
        Ok(())
    }

    /// Asks for administration with a token.
    async fn authorize(&self, load: &Load<'_>, token: &str) -> Result<Answer, InDoubt> {
        let answer = load.ask(&self.dice, |client| {
            let call = client.call("GET", "/admin/authorization");
            call.bearer_auth(token)
        });
        answer.await.ok_or(InDoubt)
    }

    /// A token that was rotated, logged out or ended by a reset.
    pub(super) async fn try_dead_token(&mut self, load: &Load<'_>) -> Acted {
        if self.dead.is_empty() {
            return Ok(());
        }
        let token = &self.dead[self.dice.below(self.dead.len())];
        let answer = self.authorize(load, token).await?;
        answer.is(401);
        load.ledger.counted(|counts| counts.dead_tokens_tried += 1);
        Ok(())
    }

    /// A token that the second factor has yielded: that of somebody without privileges.
    pub(super) async fn try_live_token(&mut self, load: &Load<'_>) -> Acted {
        if self.verified.is_empty() {
            return Ok(());
        }
        let token = &self.verified[self.dice.below(self.verified.len())];
        let answer = self.authorize(load, token).await?;
        load.ledger.audited(answer.is(403));
        Ok(())
    }

    /// The second factor has passed with this partial token: it was rotated.
    pub(super) fn admitted(&mut self, partial: Partial, verified: String) {
        self.bury(partial.token);
        if self.verified.len() == 4 {
            self.verified.remove(0);
        }
        self.verified.push(verified);
        self.streak = 0;
    }

    /// The administrator resets the seed.
    pub(super) async fn be_reset(&mut self, load: &Load<'_>) -> Acted {
        let path = format!("/admin/otp/seeds/CN={},OU=local", self.name);
        let answer = load
            .ask(&self.dice, |client| {
                client.call("DELETE", &path).bearer_auth(load.admin)
            })
            .await;
        (self.spent, self.doubtful) = (None, None);
        let phone = std::mem::replace(&mut self.phone, Phone::None);
        let mut partials: Vec<_> = self.partials.drain(..).collect();
        let (had_seed, authenticator) = match phone {
            Phone::None => (None, None),
            Phone::Shown(authenticator, partial) => {
                partials.push(partial);
                (Some(true), Some(authenticator))
            }
            Phone::Verified(authenticator) => (Some(true), Some(authenticator)),
            Phone::Unsure(authenticator) => (None, Some(authenticator)),
        };
        let Some(answer) = answer else {
            self.phone = authenticator.map_or(Phone::None, Phone::Unsure);
            self.guesses = Guesses {
                counted: 0,
                in_doubt: self.guesses.counted + self.guesses.in_doubt,
            };
            return Err(InDoubt);
        };
        // Where there was none, there may be one that was shown to nobody.
        match had_seed {
            Some(true) => {
                answer.is(204);
            }
            _ => assert!(matches!(answer.status, 204 | 404), "{}", answer.text),
        }
        load.ledger.audited(&answer);
        load.ledger.counted(|counts| counts.resets += 1);
        for partial in partials {
            // Where there was no seed, partial tokens stay.
            if answer.status == 204 {
                self.bury(partial.token);
            }
        }
        (self.guesses, self.streak) = (Guesses::default(), 0);
        Ok(())
    }
}
