//! The command line.

use std::ffi::OsString;
use std::future::Future;
use std::sync::Arc;

use clap::{Parser, Subcommand};
use vestibule_service::{Clock, OsRandom, Random};

use crate::config::{Config, Environment, Flags, Settings};
use crate::doctor::DoctorArgs;
use crate::exit::Exit;
use crate::login::LoginArgs;
use crate::operator::{
    AuditCommand, BackupArgs, ExplainArgs, KeysCommand, RestoreArgs, SeedsCommand, UserCommand,
};
use crate::telemetry::{Telemetry, TraceLayer};
use crate::{doctor, healthcheck, logging, login, operator, output, serve};

/// A self-hosted controller for multi-factor authentication.
#[derive(Debug, Parser)]
#[command(
    name = "vestibule",
    version,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the controller
    #[command(
        after_help = "Without any setting, `vestibule serve` in an empty directory is a working controller.
The password of the first user, admin, is then in vestibule-data/initial-admin-password.

The log goes to stderr; VESTIBULE_LOG says how much of it (default: info)."
    )]
    Serve(Flags),
    Login(LoginArgs),
    /// Say what is wrong with the settings, or which ones are in effect
    CheckConfig(Flags),
    /// Say what is wrong, or soon will be, and what to do; changes nothing
    #[command(
        after_help = "Each line is ok, a warning or a problem. Ends with 1 if there is a problem, else with 0."
    )]
    Doctor(DoctorArgs),
    /// Ask the running server whether it lives
    Healthcheck(Flags),
    /// Print the OpenAPI document of the API
    Openapi,
    /// Act on users, directly in the database
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Show the audit trail, or check that nobody changed it
    Audit(Box<AuditCommand>),
    /// Say in plain words how a request ended, and why
    Explain(ExplainArgs),
    /// Act on the seeds of one-time passwords, directly in the database
    Seeds {
        #[command(subcommand)]
        command: SeedsCommand,
    },
    /// Put another master key in the place of the one in use, while servers run
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Write all that the database holds to a file, while servers run
    Backup(BackupArgs),
    /// Put what a backup holds into a database that nobody has used, of whatever kind
    Restore(RestoreArgs),
}

/// Reads a command line.
///
/// # Errors
/// How to end: it is wrong, or asked for help, and that has been said.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, Exit> {
    Cli::try_parse_from(arguments).map_err(|error| {
        let exit = if error.use_stderr() {
            Exit::Usage
        } else {
            Exit::Success
        };
        // If it cannot be said, there is nobody to say it to.
        let _ = error.print();
        exit
    })
}

/// Does what the command line says, by this clock.
pub fn run(cli: Cli, clock: Arc<dyn Clock>) -> Exit {
    // Commands say themselves what they did. A server starts its log when its settings are known:
    // they may want traces.
    if !matches!(cli.command, Command::Serve(_))
        && let Err(exit) = start_log("warn", None)
    {
        return exit;
    }
    match cli.command {
        Command::Serve(flags) => with_settings(&flags, |settings| {
            serve_until_stopped(settings.config, clock, Arc::new(OsRandom))
        }),
        Command::Login(args) => small_runtime(login::run(args)),
        Command::CheckConfig(flags) => with_settings(&flags, |settings| {
            printed(output::line(settings.to_string().trim_end()))
        }),
        Command::Doctor(args) => small_runtime(doctor::run(&args, clock)),
        Command::Healthcheck(flags) => with_settings(&flags, |settings| {
            small_runtime(healthcheck::run(&settings.config))
        }),
        Command::Openapi => match vestibule_http::document() {
            Ok(document) => printed(output::line(document.trim_end())),
            Err(error) => failed(&error),
        },
        Command::User { command } => with_settings(command.flags(), |settings| {
            small_runtime(operator::user(&command, &settings.config, clock))
        }),
        Command::Audit(command) => with_settings(command.flags(), |settings| {
            small_runtime(operator::audit(&command, &settings.config, clock))
        }),
        Command::Explain(args) => with_settings(args.flags(), |settings| {
            small_runtime(operator::explain(&args, &settings.config))
        }),
        Command::Seeds { command } => with_settings(command.flags(), |settings| {
            small_runtime(operator::seeds(&command, &settings.config, clock))
        }),
        Command::Keys { command } => with_settings(command.flags(), |settings| {
            small_runtime(operator::keys(&command, &settings.config, clock))
        }),
        Command::Backup(args) => with_settings(args.flags(), |settings| {
            small_runtime(operator::backup(&args, &settings.config, clock))
        }),
        Command::Restore(args) => with_settings(args.flags(), |settings| {
            small_runtime(operator::restore(&args, &settings.config, clock))
        }),
    }
}

/// Runs a server on all cores until it is told to stop.
pub fn serve_until_stopped(config: Config, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Exit {
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let otlp = config.otlp.as_ref();
    let telemetry = otlp.map(|base| Telemetry::start(base, runtime.handle().clone()));
    let telemetry = match telemetry.transpose() {
        Ok(telemetry) => telemetry,
        Err(error) => return failed(&error),
    };
    if let Err(exit) = start_log("info", telemetry.as_ref().map(Telemetry::layer)) {
        return exit;
    }
    let ended = runtime.block_on(async {
        let ended = serve::run(config, clock, random).await;
        if let Some(telemetry) = telemetry {
            telemetry.shut_down().await;
        }
        ended
    });
    match ended {
        Ok(()) => Exit::Success,
        Err(error) => failed(&error),
    }
}

/// Starts the log; how to end if what it should hold makes no sense.
fn start_log(default: &str, traces: Option<TraceLayer>) -> Result<(), Exit> {
    let filter = std::env::var(logging::VARIABLE).ok();
    logging::start(filter.as_deref(), default, traces).map_err(|error| {
        output::note(format_args!("vestibule: {error}"));
        Exit::Usage
    })
}

/// Loads the settings of this process, or says what is wrong with them.
pub fn with_settings(flags: &Flags, act: impl FnOnce(Settings) -> Exit) -> Exit {
    let directory = std::path::Path::new("");
    match Config::load(flags, &Environment::of_process(), directory) {
        Ok(settings) => act(settings),
        Err(problems) => {
            output::note(format_args!("vestibule: {problems}"));
            Exit::Usage
        }
    }
}

/// Runs a command that does one thing after the other.
fn small_runtime(command: impl Future<Output = Exit>) -> Exit {
    match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => failed(&error),
    }
}

fn printed(result: std::io::Result<()>) -> Exit {
    match result {
        Ok(()) => Exit::Success,
        Err(error) => failed(&error),
    }
}

/// Says what went wrong, down to the first cause.
pub(crate) fn failed(error: &dyn std::error::Error) -> Exit {
    output::note(format_args!("vestibule: {}", Chain(error)));
    Exit::Failure
}

/// An error with its causes.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            // Some errors repeat their cause in their own words.
            if !said.ends_with(&text) {
                write!(f, ": {text}")?;
            }
            said = text;
            source = cause.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_wrong_command_line_is_usage() {
        let parse = |line: &str| parse(line.split(' ').map(OsString::from)).err();
        assert_eq!(parse("vestibule serve --lisen x"), Some(Exit::Usage));
        assert_eq!(parse("vestibule frobnicate"), Some(Exit::Usage));
        assert_eq!(parse("vestibule serve --listen 127.0.0.1:1"), None);
        assert_eq!(parse("vestibule --version"), Some(Exit::Success));
        assert_eq!(parse("vestibule user exempt alice"), Some(Exit::Usage));
        assert_eq!(
            parse("vestibule login --insecure --ca-cert x"),
            Some(Exit::Usage)
        );
    }
}
