//! What rows of the audit trail say about sign-ins: every decision over one is a row, and is
//! counted when its row is written, and not otherwise.

use vestibule_engine::Refusal;
use vestibule_engine::audit::{Detail, Entry, Event};
use vestibule_engine::provider::RadiusMode;

use super::labels::{Budget, FACTORS, SignIn, outcome};

/// The sign-in that a row is about, if it is about one.
pub(super) fn sign_in(entry: &Entry) -> Option<SignIn> {
    let [password, totp, radius, push] = FACTORS;
    let event = Event::from_word(&entry.event)?;
    let factor = if event == Event::SignIn {
        password
    } else if event == Event::SecondFactor {
        match entry.detail(Detail::Mode)? {
            "TOTP" => totp,
            mode if mode == RadiusMode::Push.as_str() => push,
            _ => radius,
        }
    } else {
        return None;
    };
    let outcome = outcome(entry);
    Some(SignIn { factor, outcome })
}

/// The guess budget that a second factor was refused for, if it was.
pub(super) fn barred(entry: &Entry) -> Option<Budget> {
    let reason = entry.reason.as_deref()?;
    if entry.event != Event::SecondFactor.as_str() {
        return None;
    }
    let is = |refusal: Refusal| reason == refusal.to_string();
    if is(Refusal::Waiting) {
        Some(Budget::WAITING)
    } else if is(Refusal::Closed) {
        Some(Budget::CLOSED)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use vestibule_engine::Timestamp;
    use vestibule_engine::audit::Outcome;

    use super::*;

    fn row(event: Event, outcome: Outcome) -> Entry {
        Entry::new(Uuid::nil(), Timestamp::from_unix_seconds(0), event, outcome)
    }

    #[track_caller]
    fn is_sign_in(entry: &Entry, expected: Option<(&'static str, &'static str)>) {
        let found = sign_in(entry).map(|sign_in| (sign_in.factor, sign_in.outcome));
        assert_eq!(found, expected);
    }

    #[test]
    fn a_factor_is_known_by_its_row() {
        let second = |mode| row(Event::SecondFactor, Outcome::Failure).with(Detail::Mode, mode);
        is_sign_in(
            &row(Event::SignIn, Outcome::Success),
            Some(("password", "success")),
        );
        is_sign_in(&second("TOTP"), Some(("totp", "failure")));
        is_sign_in(&second("OneFactor"), Some(("radius", "failure")));
        is_sign_in(&second("Challenge"), Some(("radius", "failure")));
        is_sign_in(&second("Push"), Some(("push", "failure")));
        is_sign_in(&row(Event::PushEnded, Outcome::Error), None);
        is_sign_in(&row(Event::UserCreated, Outcome::Success), None);
    }

    #[test]
    fn a_budget_is_known_by_its_reason() {
        let refused = |reason| row(Event::SecondFactor, Outcome::Failure).because(reason);
        assert_eq!(barred(&refused(Refusal::Waiting)), Some(Budget::WAITING));
        assert_eq!(barred(&refused(Refusal::Closed)), Some(Budget::CLOSED));
        assert_eq!(barred(&refused(Refusal::WrongCode)), None);
        assert_eq!(barred(&row(Event::SecondFactor, Outcome::Success)), None);
    }
}
