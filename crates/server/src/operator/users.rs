//! `vestibule user …`

use std::sync::Arc;

use serde::Serialize;
use vestibule_engine::audit::{Detail, Event, Signed};
use vestibule_engine::role::SYSTEM_ADMINISTRATION;
use vestibule_engine::user::ADMIN;
use vestibule_engine::{Secret, Timestamp, User};
use vestibule_service::{
    ClientAddress, Clock, Conflict, Hasher, OsRandom, Service, ServiceError, UserDraft,
    good_new_password,
};
use vestibule_store::{ListQuery, Store, UserWrite};

use super::{
    AddArgs, ExemptArgs, Form, ListArgs, Named, OperatorError, PasswdArgs, UserCommand, conclude,
    find, open_service, password, show,
};
use crate::config::Config;
use crate::exit::Exit;
use crate::{serve, stores};

/// Runs a command.
pub(crate) async fn run(command: &UserCommand, config: &Config, clock: Arc<dyn Clock>) -> Exit {
    let store = match stores::open_existing(&config.database).await {
        Ok(store) => store,
        Err(error) => return conclude(Err(error.into())),
    };
    let now = clock.wall();
    let done = async {
        if let UserCommand::List(args) = command {
            return list(args, &*store).await;
        }
        if matches!(command, UserCommand::Add(_)) && !store.has_users().await? {
            // The first start also switches the second factor on; it must not find a user.
            return Err(OperatorError::Refused(
                "there is no user yet: start the server once, which makes the user admin"
                    .to_owned(),
            ));
        }
        let service = open_service(config, &store, clock).await?;
        let acting = Acting {
            store: &*store,
            service: &service,
            now,
        };
        let done = match command {
            UserCommand::Add(args) => add(args, &acting).await,
            UserCommand::Passwd(args) => passwd(args, config, &acting).await,
            UserCommand::Unlock(named) => unlock(named, &acting).await,
            UserCommand::Exempt(args) => exempt(args, &acting).await,
            UserCommand::Disable(named) => disable(named, true, &acting).await,
            UserCommand::Enable(named) => disable(named, false, &acting).await,
            UserCommand::Remove(named) => remove(named, &acting).await,
            UserCommand::List(args) => list(args, &*store).await,
        };
        service.seal_audit().await?;
        done
    };
    let done = done.await;
    store.close().await;
    conclude(done)
}

/// What an operator acts with.
struct Acting<'a> {
    store: &'a dyn Store,
    service: &'a Service,
    now: Timestamp,
}

impl Acting<'_> {
    /// What is written down of something that is done to a user.
    fn trail(&self, event: Event, user: &User) -> [Signed; 1] {
        [self.service.sign(self.service.by_operator(event, user))]
    }
}

async fn add(args: &AddArgs, acting: &Acting<'_>) -> Result<String, OperatorError> {
    let name = &args.passwd.named.name;
    let password = password::read(args.passwd.password_file.as_deref(), name)?;
    let or_name = |given: &Option<String>| Some(given.as_ref().unwrap_or(name).clone());
    let roles = args
        .administrator
        .then(|| SYSTEM_ADMINISTRATION.to_string());
    let draft = UserDraft {
        name: Some(name.clone()),
        first_name: or_name(&args.first_name),
        last_name: or_name(&args.last_name),
        password: Some(password),
        roles: roles.map(|role| vec![role]),
        ..UserDraft::default()
    };
    let added = acting.service.add_user_as_operator(draft).await;
    let user = added.map_err(explain)?;
    let what = if args.administrator {
        "administrator"
    } else {
        "user"
    };
    Ok(format!("Made the {what} {} ({}).", user.name, user.id))
}

/// What is wrong with a new user, for people.
fn explain(error: ServiceError) -> OperatorError {
    match error {
        ServiceError::Invalid(errors) => {
            let errors: Vec<String> = errors
                .errors()
                .iter()
                .map(|e| format!("{} {}", e.field, e.message))
                .collect();
            OperatorError::Usage(errors.join("; "))
        }
        ServiceError::Conflict(Conflict::UserName | Conflict::UserId) => {
            OperatorError::Refused("there is a user of this name already".to_owned())
        }
        other @ (ServiceError::SignInRefused(_)
        | ServiceError::SecondFactorRefused(_)
        | ServiceError::SecondFactorAskedAgain { .. }
        | ServiceError::AuthenticationServerSilent
        | ServiceError::AcceptedTooEarly { .. }
        | ServiceError::TooManyPushes { .. }
        | ServiceError::SecondFactorNotDue
        | ServiceError::SecondFactorDue { .. }
        | ServiceError::EnrolmentOver
        | ServiceError::TokenRefused(_)
        | ServiceError::Forbidden(_)
        | ServiceError::NotFound(_)
        | ServiceError::Conflict(_)
        | ServiceError::TooManyFailures { .. }
        | ServiceError::Unavailable(_)
        | ServiceError::Bug { .. }) => other.into(),
    }
}

async fn passwd(
    args: &PasswdArgs,
    config: &Config,
    acting: &Acting<'_>,
) -> Result<String, OperatorError> {
    let store = acting.store;
    let user = find(store, &args.named.name).await?;
    let password = password::read(args.password_file.as_deref(), user.name.as_str())?;
    let least = store.local_provider().await?.min_password_length;
    good_new_password(&password, least)
        .map_err(|wrong| OperatorError::Usage(format!("the password {wrong}")))?;
    let typed = Arc::new(Secret::new(password.expose().clone()));
    let hasher = Hasher::new(1);
    let hash = hasher.hash(typed, &OsRandom, ClientAddress::Local).await?;
    let trail = acting.trail(Event::PasswordSet, &user);
    let set = store.set_password(user.id, &hash, acting.now, &trail);
    found(set.await?, &user)?;
    if user.id == ADMIN {
        let file = serve::initial_password_file(&config.data_dir);
        serve::forget_initial_password(&file, serve::Gone::Changed);
    }
    let name = &user.name;
    Ok(format!(
        "Changed the password of {name}, and ended all sessions."
    ))
}

async fn unlock(named: &Named, acting: &Acting<'_>) -> Result<String, OperatorError> {
    let store = acting.store;
    let user = find(store, &named.name).await?;
    let trail = acting.trail(Event::UserUnlocked, &user);
    found(store.unlock(user.id, acting.now, &trail).await?, &user)?;
    let name = &user.name;
    Ok(format!(
        "Unlocked {name}: wrong passwords and wrong codes are forgotten."
    ))
}

async fn exempt(args: &ExemptArgs, acting: &Acting<'_>) -> Result<String, OperatorError> {
    let (store, now) = (acting.store, acting.now);
    let until = args
        .until
        .map(|until| Timestamp::from_micros(until.as_microsecond()));
    if let Some(until) = until.filter(|&until| until <= now) {
        return Err(OperatorError::Usage(format!(
            "{} is in the past: use --end",
            show(until)
        )));
    }
    let user = find(store, &args.named.name).await?;
    let entry = acting.service.by_operator(Event::UserExempted, &user);
    let entry = entry.with_some(Detail::Until, until.map(Timestamp::as_micros));
    let trail = [acting.service.sign(entry)];
    let set = store.set_exempt_until(user.id, until, now, &trail);
    found(set.await?, &user)?;
    let name = &user.name;
    Ok(match until {
        Some(until) => format!("Let {name} off the second factor until {}.", show(until)),
        None => format!("Ended the exemption of {name} from the second factor."),
    })
}

async fn disable(
    named: &Named,
    disabled: bool,
    acting: &Acting<'_>,
) -> Result<String, OperatorError> {
    let store = acting.store;
    let user = find(store, &named.name).await?;
    let event = if disabled {
        Event::UserDisabled
    } else {
        Event::UserEnabled
    };
    let trail = acting.trail(event, &user);
    let set = store.set_disabled(user.id, disabled, acting.now, &trail);
    written(set.await?, &user)?;
    let name = &user.name;
    Ok(if disabled {
        format!("Disabled {name}, and ended all sessions.")
    } else {
        format!("Enabled {name}.")
    })
}

async fn remove(named: &Named, acting: &Acting<'_>) -> Result<String, OperatorError> {
    let store = acting.store;
    let user = find(store, &named.name).await?;
    let trail = acting.trail(Event::UserDeleted, &user);
    written(store.remove_user(user.id, None, &trail).await?, &user)?;
    Ok(format!(
        "Removed {} and all that was of this user.",
        user.name
    ))
}

/// What became of a write, for people.
fn written(outcome: UserWrite, user: &User) -> Result<(), OperatorError> {
    match outcome {
        UserWrite::Done => Ok(()),
        UserWrite::Moved => found(false, user),
        UserWrite::LastAdministrator => Err(OperatorError::Refused(format!(
            "{} is the last enabled administrator: make another one first, with \
             `vestibule user add --administrator NAME`",
            user.name
        ))),
        UserWrite::NameTaken => Err(OperatorError::Refused(format!(
            "there is another user {} already",
            user.name
        ))),
    }
}

/// Another one may have removed the user meanwhile.
fn found(found: bool, user: &User) -> Result<(), OperatorError> {
    if found {
        Ok(())
    } else {
        Err(OperatorError::NoSuchUser(user.name.to_string()))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    name: String,
    id: String,
    first_name: String,
    last_name: String,
    administrator: bool,
    disabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    exempt_until: Option<String>,
    created: String,
}

impl From<&User> for Row {
    fn from(user: &User) -> Self {
        Self {
            name: user.name.to_string(),
            id: user.id.to_string(),
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            administrator: user.roles.contains(&SYSTEM_ADMINISTRATION),
            disabled: user.disabled,
            exempt_until: user.exempt_until.map(show),
            created: show(user.created),
        }
    }
}

impl Row {
    fn line(self) -> String {
        let mut line = self.name;
        if self.administrator {
            line.push_str(", administrator");
        }
        if self.disabled {
            line.push_str(", disabled");
        }
        if let Some(until) = self.exempt_until {
            line.push_str(", exempt until ");
            line.push_str(&until);
        }
        line
    }
}

async fn list(args: &ListArgs, store: &dyn Store) -> Result<String, OperatorError> {
    let users = store.users(&ListQuery::default()).await?.items;
    let rows: Vec<Row> = users.iter().map(Row::from).collect();
    if args.output == Form::Json {
        return Ok(serde_json::to_string_pretty(&rows).map_err(std::io::Error::from)?);
    }
    let lines: Vec<String> = rows.into_iter().map(Row::line).collect();
    Ok(lines.join("\n"))
}
