//! `vestibule keys status`

use std::path::Path;

use serde::Serialize;
use uuid::Uuid;
use vestibule_service::Keyring;
use vestibule_store::{SealedKind, Store};

use super::super::{Form, OperatorError};
use super::StatusArgs;
use crate::key;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    in_use: Option<Uuid>,
    next: Option<Uuid>,
    replaced: Vec<Uuid>,
    retired: Vec<Uuid>,
    in_file: Vec<Uuid>,
    paused: bool,
    sealed: Vec<Sealed>,
    /// Secrets that another key than the one in use has sealed.
    left: u64,
    servers: Vec<Server>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sealed {
    what: &'static str,
    key: Uuid,
    count: u64,
}

/// A server that has reported whether it has the key that is to be used next, or that is in use
/// while another one is being replaced.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Server {
    name: String,
    key: Uuid,
    has: bool,
}

impl Server {
    fn in_words(&self) -> String {
        let has = if self.has { "has" } else { "does not have" };
        format!("  The server {} {has} it.", self.name)
    }
}

pub(super) async fn run(
    args: &StatusArgs,
    file: &Path,
    store: &dyn Store,
) -> Result<String, OperatorError> {
    let state = store.key_state().await?;
    let counts = store.sealed_counts().await?;
    let in_use = state.in_use();
    let others = counts.iter().filter(|count| in_use != Some(count.key));
    let status = Status {
        in_use,
        next: state.next(),
        replaced: state.replaced().collect(),
        retired: state.retired().collect(),
        in_file: key::load(file)?.iter().map(Keyring::id_of).collect(),
        paused: state.paused,
        left: others.map(|count| count.count).sum(),
        sealed: counts
            .iter()
            .map(|count| Sealed {
                what: count.kind.as_str(),
                key: count.key,
                count: count.count,
            })
            .collect(),
        servers: store
            .key_reports()
            .await?
            .into_iter()
            .map(|report| Server {
                name: report.name,
                key: report.key,
                has: report.has,
            })
            .collect(),
    };
    if args.output == Form::Json {
        return Ok(serde_json::to_string_pretty(&status).map_err(std::io::Error::from)?);
    }
    Ok(in_words(&status, file))
}

fn in_words(status: &Status, file: &Path) -> String {
    let mut lines = Vec::new();
    let file = file.display();
    match status.in_use {
        None => lines.push("No key is in use: no server has been started yet.".to_owned()),
        Some(key) => {
            let missing = if status.in_file.contains(&key) {
                ""
            } else {
                ", but it is not in the key file here"
            };
            lines.push(format!("The key {key} is in use{missing}."));
            let servers = status.servers.iter().filter(|server| server.key == key);
            lines.extend(servers.map(Server::in_words));
        }
    }
    if let Some(next) = status.next {
        lines.push(format!(
            "The key {next} is to be used next: `vestibule keys rotate` begins with it."
        ));
        let servers = status.servers.iter().filter(|server| server.key == next);
        lines.extend(servers.map(Server::in_words));
    }
    for key in &status.replaced {
        let missing = if status.in_file.contains(key) {
            ""
        } else {
            ", but it is not in the key file here"
        };
        lines.push(format!(
            "The key {key} was replaced, and is not retired yet{missing}."
        ));
    }
    for key in &status.in_file {
        if status.retired.contains(key) {
            lines.push(format!(
                "The key {key} is retired, and still in {file}: `vestibule keys retire` takes it out."
            ));
        }
    }
    for kind in SealedKind::ALL {
        for sealed in status.sealed.iter().filter(|it| it.what == kind.as_str()) {
            let Sealed { what, key, count } = sealed;
            lines.push(format!("  {what}: {count} with {key}"));
        }
    }
    if status.left > 0 || !status.replaced.is_empty() {
        lines.push(format!("{} secrets are to be sealed anew.", status.left));
    }
    if status.paused {
        lines.push("Sealing anew is paused: `vestibule keys resume` goes on.".to_owned());
    }
    lines.join("\n")
}
