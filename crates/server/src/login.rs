//! `vestibule login`: signs in at the terminal.
//!
//! What is for the person goes to stderr and what is for a program, the token, to stdout.

mod home;
mod prompt;
mod qr;
mod second_factor;
mod server;

use std::path::PathBuf;

use reqwest::Url;
use serde::Serialize;
use vestibule_engine::Secret;

use crate::client::known_servers::KnownServersError;
use crate::client::{Authorized, ClientError};
use crate::exit::Exit;
use crate::fingerprint::Fingerprint;
use crate::output;

use home::Home;
use prompt::{Prompt, PromptError};

/// Sign in against a server and print a token
///
/// The token goes to stdout, everything else to stderr. When stdin is no terminal, answers are read
/// from it line by line in the order of the questions: the password, then the code.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit status: 0 signed in, 1 refused, 64 wrong arguments, 69 server unreachable.

Examples:
  vestibule login --username alice
  TOKEN=$(vestibule login --url https://mfa.example.com:8443/admin --username alice)
  vestibule login --ca-cert ca.pem --username alice --output json < answers"
)]
pub struct LoginArgs {
    /// Base URL of the server
    #[arg(long, value_name = "URL", default_value = "https://127.0.0.1:8443/admin", value_parser = server::parse_url)]
    url: Url,
    /// Who signs in; asked for if not given
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// Identity provider to sign in with
    #[arg(long, value_name = "NAME", default_value = "local")]
    provider: String,
    /// Trust only the certificate authorities in this file, PEM
    #[arg(long, value_name = "FILE", conflicts_with_all = ["fingerprint", "insecure"])]
    ca_cert: Option<PathBuf>,
    /// Trust only the certificate with this fingerprint
    #[arg(long, value_name = "sha256:HEX", conflicts_with = "insecure")]
    fingerprint: Option<Fingerprint>,
    /// Trust whoever answers, and send the password there
    #[arg(long)]
    insecure: bool,
    /// What is printed to stdout
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

/// What is printed to stdout.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
enum Output {
    /// The token
    Text,
    /// {"token", "expires", "user"}
    Json,
}

/// Why nobody signed in.
#[derive(Debug, thiserror::Error)]
enum LoginError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Prompt(#[from] PromptError),
    #[error(transparent)]
    KnownServers(#[from] KnownServersError),
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Refused(String),
    #[error("the result cannot be printed: {0}")]
    Output(#[from] std::io::Error),
}

impl LoginError {
    const fn exit(&self) -> Exit {
        match self {
            Self::Client(ClientError::Unreachable { .. }) => Exit::Unavailable,
            Self::Usage(_) => Exit::Usage,
            Self::Client(
                ClientError::Untrusted { .. }
                | ClientError::Refused(_)
                | ClientError::Garbled { .. }
                | ClientError::Setup(_),
            )
            | Self::Prompt(_)
            | Self::KnownServers(_)
            | Self::Refused(_)
            | Self::Output(_) => Exit::Failure,
        }
    }
}

/// Runs the command.
pub async fn run(args: LoginArgs) -> Exit {
    match sign_in(&args).await {
        Ok(()) => Exit::Success,
        Err(error) => {
            output::note(format_args!("vestibule: {error}"));
            error.exit()
        }
    }
}

async fn sign_in(args: &LoginArgs) -> Result<(), LoginError> {
    let home = Home::of_process();
    let prompt = Prompt::of_process();
    let (mut client, names) = server::connect(args, &home, prompt).await?;
    if let Some(banner) = names.banner.filter(|banner| !banner.is_empty()) {
        output::note(crate::client::printable(&banner));
    }
    let name = match &args.username {
        Some(name) => name.clone(),
        None => prompt.ask("User name: ")?,
    };
    let password = prompt.ask_hidden(&format!("Password of {name}: "))?;
    let credentials = Credentials {
        provider_name: &args.provider,
        device_id: home.device_id()?.to_string(),
        username: &name,
        password: password.expose(),
    };
    let session = client.authenticate(&credentials).await?;
    let mut authorized = client.authorize(&session.token).await?;
    if authorized.is_none() {
        let token = second_factor::show(&mut client, prompt, &session.token, &password).await?;
        authorized = client.authorize(&token).await?;
    }
    let still_due = || LoginError::Refused("the server still asks for a second factor".to_owned());
    print(args.output, &authorized.ok_or_else(still_due)?)?;
    Ok(())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Credentials<'a> {
    provider_name: &'a str,
    device_id: String,
    username: &'a str,
    password: &'a str,
}

fn print(form: Output, authorized: &Authorized) -> std::io::Result<()> {
    let Authorized {
        user,
        token,
        expires,
        message_of_the_day,
    } = authorized;
    if let Some(message) = message_of_the_day {
        output::note(crate::client::printable(message));
    }
    match form {
        Output::Text => {
            let name = crate::client::printable(&user.name);
            output::note(format_args!(
                "Signed in as {name} until {}.",
                crate::client::printable(expires)
            ));
            output::line(token.expose())
        }
        Output::Json => {
            let printed = Printed {
                token: token.expose(),
                expires,
                user: &user.name,
            };
            let line = Secret::new(serde_json::to_string(&printed)?);
            output::line(line.expose())
        }
    }
}

#[derive(Serialize)]
struct Printed<'a> {
    token: &'a str,
    expires: &'a str,
    user: &'a str,
}
