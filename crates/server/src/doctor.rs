//! `vestibule doctor`: says what is wrong, or soon will be, and what to do about it.
//!
//! It only looks, whether or not the server runs: it makes, migrates and writes nothing. RADIUS
//! servers alone hear of it, as they do of a test through the API.

mod audit;
mod database;
mod files;
mod key;
mod needed_keys;
mod people;
mod report;
mod servers;
mod tls;

use std::path::Path;
use std::sync::Arc;

use clap::Args;
use vestibule_service::Clock;
use vestibule_store::Inspect;

use crate::cli;
use crate::config::{Config, Environment, Flags, Network, Settings, Transport};
use crate::exit::Exit;
use crate::operator::Form;
use crate::output;
use report::{Finding, Report};

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Form of the report
    #[arg(long, value_enum, default_value = "text")]
    output: Form,
    #[command(flatten)]
    settings: Flags,
}

/// Looks at everything, and says what was found.
pub(crate) async fn run(args: &DoctorArgs, clock: Arc<dyn Clock>) -> Exit {
    let mut report = Report::default();
    match Config::load(&args.settings, &Environment::of_process(), Path::new("")) {
        Err(problems) => report.extend(problems.iter().map(|problem| {
            let advice = "correct it; nothing else was looked at";
            Finding::problem("settings", problem.to_string(), advice)
        })),
        Ok(settings) => examine(&settings, clock, &mut report).await,
    }
    let printed = match args.output {
        Form::Text => output::line(&report),
        Form::Json => report.json().and_then(output::line),
    };
    match printed {
        Err(error) => cli::failed(&error),
        Ok(()) if report.has_problems() => Exit::Failure,
        Ok(()) => Exit::Success,
    }
}

async fn examine(settings: &Settings, clock: Arc<dyn Clock>, report: &mut Report) {
    let config = &settings.config;
    let now = clock.wall();
    report.add(Finding::ok("settings", "nothing is wrong with them"));
    report.extend(proxies(config));
    report.extend(files::examine(config));
    report.add(tls::examine(config, now));
    let Some(database) = database::examine(config, now, report).await else {
        report.add(key::alone(config));
        return;
    };
    look_into(config, &*database, clock, report).await;
    database.store().close().await;
}

/// What a database says whose schema is up to date.
async fn look_into(
    config: &Config,
    database: &dyn Inspect,
    clock: Arc<dyn Clock>,
    report: &mut Report,
) {
    let now = clock.wall();
    let store = database.store();
    report.extend(audit::examine(&*store, now).await);
    report.extend(people::examine(&*store).await);
    if let Some(keyring) = key::examine(config, database, report).await {
        report.extend(servers::examine(config, keyring, store, clock).await);
    }
}

/// Whose word about the address of a client is taken.
fn proxies(config: &Config) -> Vec<Finding> {
    let trusted = &config.trusted_proxies;
    let mut findings: Vec<_> = trusted.iter().filter_map(proxy).collect();
    findings.extend(together(trusted));
    if findings.is_empty() {
        let what = match (trusted.len(), &config.transport) {
            (0, Transport::Http) => {
                "none is trusted: without TLS only programs of this machine can connect"
            }
            (0, Transport::SelfSigned | Transport::Certificate { .. }) => {
                "none is trusted: clients are known by their own address"
            }
            (_, _) => "only machines of yours can say where a client is",
        };
        findings.push(Finding::ok("proxies", what));
    }
    findings
}

/// What to do about networks that are too large.
const NAME_PROXIES: &str =
    "name the addresses of your proxies in [proxies] trusted, and nothing else";

/// What is wrong with a network that is trusted.
fn proxy(network: &Network) -> Option<Finding> {
    if network.prefix() == 0 {
        let what = format!("{network} is everybody: each client can claim any address");
        return Some(Finding::problem("proxies", what, NAME_PROXIES));
    }
    network.is_vast().then(|| {
        let what =
            format!("{network} is a large network: each machine in it can claim any address");
        Finding::warning("proxies", what, NAME_PROXIES)
    })
}

/// What is wrong with networks none of which is everybody.
fn together(networks: &[Network]) -> Option<Finding> {
    let is_one = networks.iter().any(|network| network.prefix() == 0);
    (!is_one && Network::are_everybody(networks)).then(|| {
        let what = "the networks together are everybody: each client can claim any address";
        Finding::problem("proxies", what, NAME_PROXIES)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use report::Level;

    #[track_caller]
    fn check(network: &str, expected: Option<Level>) {
        let finding = proxy(&network.parse().unwrap());
        assert_eq!(finding.map(|finding| finding.level), expected, "{network}");
    }

    #[test]
    fn whoever_trusts_everybody_is_told() {
        check("0.0.0.0/0", Some(Level::Problem));
        check("::/0", Some(Level::Problem));
        check("64.0.0.0/4", Some(Level::Warning));
        check("2000::/3", Some(Level::Warning));
        check("10.0.0.0/8", None);
        check("fd00::/8", None);
        check("127.0.0.1", None);
        let halves = ["0.0.0.0/1", "128.0.0.0/1"].map(|half| half.parse().unwrap());
        assert_eq!(together(&halves).unwrap().level, Level::Problem);
        assert!(together(&halves[..1]).is_none());
    }
}
