//! A row of the trail in plain words.

use vestibule_engine::Timestamp;
use vestibule_engine::audit::{Detail, Entry, Event, clean};

use super::show;

/// What a row says, for people.
pub(super) fn explain(entry: &Entry) -> String {
    let at = show(Timestamp::from_micros(entry.at));
    let who = clean(&entry.actor);
    let object = entry.object.as_deref().map(clean).unwrap_or_default();
    let what = match Event::from_word(&entry.event) {
        Some(event) => in_words(event).to_owned(),
        None => clean(&entry.event),
    };
    let on = if object.is_empty() || object == who {
        String::new()
    } else {
        format!(", on {object}")
    };
    let (outcome, from) = (clean(&entry.outcome), clean(&entry.address));
    let mut text = format!("{at}: {what}: {outcome}, by {who} from {from}{on}.");
    if let Some(reason) = entry.reason.as_deref().map(clean) {
        text.push_str("\n  Because ");
        text.push_str(&reason);
        text.push('.');
    }
    for sentence in details(entry) {
        text.push_str("\n  ");
        text.push_str(&sentence);
    }
    text
}

const fn in_words(event: Event) -> &'static str {
    match event {
        Event::SignIn => "sign-in with a password",
        Event::PasswordLocked => "the password is locked",
        Event::SecondFactorBegun => "a RADIUS server asked for the second factor",
        Event::SecondFactor => "second factor",
        Event::GuessesWait => "the guess budget waits",
        Event::GuessesClosed => "the second factor is closed until an administrator resets it",
        Event::PushStarted => "a push was sent",
        Event::PushEnded => "a push ended",
        Event::SeedShown => "a new seed was shown",
        Event::SeedVerified => "the seed was verified by its first code",
        Event::SeedReset => "resetting a seed",
        Event::Admission => "admission to administration",
        Event::Logout => "logout",
        Event::UserCreated => "making a user",
        Event::UserReplaced => "changing a user",
        Event::UserDeleted => "deleting a user",
        Event::PasswordSet => "setting a password",
        Event::UserDisabled => "disabling a user",
        Event::UserEnabled => "enabling a user",
        Event::UserUnlocked => "unlocking a user",
        Event::UserExempted => "letting a user off the second factor, or no longer",
        Event::MfaProviderCreated => "making an MFA provider",
        Event::MfaProviderReplaced => "changing an MFA provider",
        Event::MfaProviderDeleted => "deleting an MFA provider",
        Event::MfaProviderTested => "testing an MFA provider",
        Event::AdministrativeRoleCreated => "making an administrative role",
        Event::AdministrativeRoleReplaced => "changing an administrative role",
        Event::AdministrativeRoleDeleted => "deleting an administrative role",
        Event::IdentityProviderReplaced => "changing the identity provider",
        Event::AdminMfaReplaced => "changing the settings of the second factor",
        Event::MasterKeyReplaced => "another master key seals from now on",
        Event::MasterKeyRetired => "retiring a master key",
        Event::DatabaseRestored => "restoring the database from a backup",
        Event::AccessDenied => "an administrator was denied something",
        Event::TokenRefused => "a token was refused",
    }
}

fn details(entry: &Entry) -> Vec<String> {
    let value = |detail| entry.detail(detail).map(clean);
    let time = |detail| {
        let micros = entry.detail(detail)?.parse().ok()?;
        Some(show(Timestamp::from_micros(micros)))
    };
    let mut said = Vec::new();
    if let Some(offset) = value(Detail::Offset) {
        said.push(format!(
            "The clock of the authenticator is {offset} steps of 30 s ahead."
        ));
    }
    if let (Some(last), Some(step)) = (value(Detail::LastStep), value(Detail::Step)) {
        said.push(format!(
            "The present step is {step}; the last one that is spent is {last}."
        ));
    } else if let Some(step) = value(Detail::Step) {
        said.push(format!("The step is {step}."));
    }
    if let Some(streak) = value(Detail::Streak) {
        let all = value(Detail::Failures30Days).unwrap_or_default();
        said.push(format!("{streak} failures in a row, {all} within 30 days."));
    }
    if let Some(until) = time(Detail::WaitingUntil) {
        said.push(format!("The guess budget waits until {until}."));
    }
    if let Some(failures) = value(Detail::PasswordFailures) {
        said.push(format!("{failures} wrong passwords in a row."));
    }
    if let Some(until) = time(Detail::LockedUntil) {
        said.push(format!("Passwords are not looked at until {until}."));
    }
    if let Some(until) = time(Detail::Until) {
        said.push(format!("Until {until}."));
    }
    match (value(Detail::Server), value(Detail::Reply)) {
        (Some(server), Some(reply)) => {
            let message = value(Detail::ReplyMessage);
            let message = message.map(|text| format!(": {text}")).unwrap_or_default();
            said.push(format!("RADIUS server {server} answered {reply}{message}."));
        }
        (None, Some(reply)) => said.push(format!("RADIUS: {reply}.")),
        (_, None) => {}
    }
    if let (Some(kind), Some(target)) = (value(Detail::Privilege), value(Detail::Target)) {
        said.push(format!("It takes the privilege {kind} on {target}."));
    }
    said
}
