//! `vestibule seeds …`

use std::sync::Arc;

use serde::Serialize;
use vestibule_engine::DistinguishedName;
use vestibule_engine::audit::Event;
use vestibule_engine::subject::LOCAL_PROVIDER;
use vestibule_service::Clock;
use vestibule_store::{FactorReset, ListQuery, SeedSummary, Store};

use super::{Form, ListArgs, Named, OperatorError, SeedsCommand, conclude, find, open_service};
use crate::config::Config;
use crate::exit::Exit;
use crate::stores;

/// Runs a command.
pub(crate) async fn run(command: &SeedsCommand, config: &Config, clock: Arc<dyn Clock>) -> Exit {
    let store = match stores::open_existing(&config.database).await {
        Ok(store) => store,
        Err(error) => return conclude(Err(error.into())),
    };
    let done = match command {
        SeedsCommand::List(args) => list(args, &*store).await,
        SeedsCommand::Reset(named) => reset(named, &store, config, clock).await,
    };
    store.close().await;
    conclude(done)
}

async fn reset(
    named: &Named,
    store: &Arc<dyn Store>,
    config: &Config,
    clock: Arc<dyn Clock>,
) -> Result<String, OperatorError> {
    let user = find(&**store, &named.name).await?;
    let service = open_service(config, store, clock).await?;
    let trail = [service.sign(service.by_operator(Event::SeedReset, &user))];
    let reset = store.reset_factor(user.id, None, &trail).await?;
    service.seal_audit().await?;
    match reset {
        FactorReset::Reset => Ok(format!(
            "Deleted the seed of {}: the next sign-in shows a new one.",
            user.name
        )),
        FactorReset::Moved => Err(OperatorError::NoSuchUser(user.name.to_string())),
        FactorReset::NoSeed => Ok(format!(
            "{} had no seed: wrong codes are forgotten, and the next sign-in shows a new one.",
            user.name
        )),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    user_distinguished_name: String,
    username: String,
    provider_name: &'static str,
    verified: bool,
}

impl From<&SeedSummary> for Row {
    fn from(seed: &SeedSummary) -> Self {
        Self {
            user_distinguished_name: DistinguishedName::local(&seed.user_name).to_string(),
            username: seed.user_name.to_string(),
            provider_name: LOCAL_PROVIDER,
            verified: seed.verified,
        }
    }
}

async fn list(args: &ListArgs, store: &dyn Store) -> Result<String, OperatorError> {
    let seeds = store.seeds(&ListQuery::default()).await?.items;
    let rows: Vec<Row> = seeds.iter().map(Row::from).collect();
    if args.output == Form::Json {
        return Ok(serde_json::to_string_pretty(&rows).map_err(std::io::Error::from)?);
    }
    let state = |row: &Row| {
        if row.verified {
            "verified"
        } else {
            "not verified"
        }
    };
    let lines: Vec<String> = rows
        .iter()
        .map(|row| format!("{}, {}", row.username, state(row)))
        .collect();
    Ok(lines.join("\n"))
}
