//! Finds out whether the server can be trusted, before it is told anything.

use reqwest::Url;

use super::home::Home;
use super::prompt::Prompt;
use super::{LoginArgs, LoginError};
use crate::client::known_servers::KnownServers;
use crate::client::trust::{Rule, Verdict};
use crate::client::{self, Client, ClientError, Names};
use crate::fingerprint::Fingerprint;
use crate::output;

/// Reads the base URL of a server; `/admin` is what its path is if it has none.
pub(super) fn parse_url(text: &str) -> Result<Url, String> {
    let mut url = Url::parse(text).map_err(|error| error.to_string())?;
    if !["https", "http"].contains(&url.scheme()) || url.host_str().is_none_or(str::is_empty) {
        return Err("must begin with https:// and a host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user or a password; use --username".to_owned());
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(if path.is_empty() { "/admin" } else { &path });
    Ok(url)
}

/// Connects to a server that can be trusted, and asks what one can sign in with.
pub(super) async fn connect(
    args: &LoginArgs,
    home: &Home,
    prompt: Prompt,
) -> Result<(Client, Names), LoginError> {
    let in_clear = args.url.scheme() == "http" && !client::is_loopback(&args.url);
    if in_clear && !args.insecure {
        return Err(LoginError::Usage(
            "http:// would send the password in clear: use https://, or --insecure".to_owned(),
        ));
    }
    if args.insecure {
        output::note("Warning: --insecure: nobody verifies who gets your password.");
    }
    let connected = match rule(args, home)? {
        Basis::Given(rule) => first_call(args, rule).await,
        Basis::Pinned(fingerprint, known) => {
            let result = first_call(args, Rule::Pinned(fingerprint)).await;
            result.map_err(|error| changed(error, fingerprint, &known))
        }
        Basis::Unknown(known) => match first_call(args, Rule::system()).await {
            Err(LoginError::Client(ClientError::Untrusted { server, verdict })) => {
                pin(prompt, known, &server, &verdict)?;
                first_call(args, Rule::Pinned(verdict.fingerprint)).await
            }
            result => result,
        },
    };
    connected.map_err(|error| {
        if let LoginError::Client(ClientError::Untrusted { server, verdict }) = &error {
            let Verdict { fingerprint, reason } = verdict;
            return LoginError::Refused(format!(
                "the certificate of {server} is not trusted: {reason}\nIts fingerprint is {fingerprint}."
            ));
        }
        error
    })
}

/// What a decision rests on.
enum Basis {
    /// What the command line says.
    Given(Rule),
    /// What was decided earlier.
    Pinned(Fingerprint, KnownServers),
    /// The system, and then the person at the terminal.
    Unknown(KnownServers),
}

fn rule(args: &LoginArgs, home: &Home) -> Result<Basis, LoginError> {
    if args.insecure || args.url.scheme() == "http" {
        return Ok(Basis::Given(Rule::Anyone));
    }
    if let Some(path) = &args.ca_cert {
        return Rule::from_file(path)
            .map(Basis::Given)
            .map_err(LoginError::Usage);
    }
    if let Some(fingerprint) = args.fingerprint {
        return Ok(Basis::Given(Rule::Pinned(fingerprint)));
    }
    let known = KnownServers::open(&home.directory()?)?;
    let pinned = known.get(&client::server_of(&args.url))?;
    Ok(match pinned {
        Some(fingerprint) => Basis::Pinned(fingerprint, known),
        None => Basis::Unknown(known),
    })
}

/// Asks for the names of the providers, which tells the server nothing.
async fn first_call(args: &LoginArgs, rule: Rule) -> Result<(Client, Names), LoginError> {
    let mut client = Client::new(args.url.clone(), rule)?;
    let names = client.names().await?;
    let known = |name: &str| name.eq_ignore_ascii_case(&args.provider);
    if !names.data.is_empty() && !names.data.iter().any(|provider| known(&provider.name)) {
        let all: Vec<String> = names
            .data
            .iter()
            .map(|provider| client::printable(&provider.name))
            .collect();
        return Err(LoginError::Usage(format!(
            "{} has no identity provider {}; it has: {}",
            client.server(),
            args.provider,
            all.join(", ")
        )));
    }
    Ok((client, names))
}

/// Has a person decide, and remembers the decision.
fn pin(
    prompt: Prompt,
    mut known: KnownServers,
    server: &str,
    verdict: &Verdict,
) -> Result<(), LoginError> {
    let Verdict {
        fingerprint,
        reason,
    } = verdict;
    output::note(format_args!(
        "The certificate of {server} cannot be verified: {reason}.\nIts fingerprint is {fingerprint}."
    ));
    if !prompt.is_terminal() {
        return Err(LoginError::Refused(format!(
            "{server} is not trusted: compare the fingerprint with that in the server's log, and \
             give it as --fingerprint, or use --ca-cert"
        )));
    }
    output::note(
        "The server logs its fingerprint when it starts. Compare them: if they differ, somebody is in between.",
    );
    let answer = prompt.ask("Trust this certificate from now on? Type yes or no: ")?;
    if answer != "yes" {
        return Err(LoginError::Refused(format!("{server} is not trusted")));
    }
    known.pin(server, *fingerprint)?;
    output::note(format_args!("Remembered in {}.", known.path().display()));
    Ok(())
}

/// What to say when a certificate is not the one that was trusted.
fn changed(error: LoginError, pinned: Fingerprint, known: &KnownServers) -> LoginError {
    let LoginError::Client(ClientError::Untrusted { server, verdict }) = error else {
        return error;
    };
    LoginError::Refused(format!(
        "THE CERTIFICATE OF {server} HAS CHANGED.\n\
         Trusted: {pinned}\n\
         Shown:   {}\n\
         Somebody may be in between, and nothing was sent. If the server has a new certificate \
         (its log names the fingerprint), remove the line of {server} from {} and sign in again.",
        verdict.fingerprint,
        known.path().display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(
                parse_url(text).ok().as_ref().map(Url::as_str),
                expected,
                "{text}"
            );
        };
        check(
            "https://mfa.example.com",
            Some("https://mfa.example.com/admin"),
        );
        check(
            "https://mfa.example.com:8443/",
            Some("https://mfa.example.com:8443/admin"),
        );
        check(
            "https://mfa.example.com/admin/",
            Some("https://mfa.example.com/admin"),
        );
        check(
            "https://mfa.example.com/x/admin",
            Some("https://mfa.example.com/x/admin"),
        );
        check("http://[::1]:80/admin", Some("http://[::1]/admin"));
        for text in [
            "mfa.example.com",
            "ftp://mfa.example.com",
            "https://",
            "https://u:p@h/admin",
            "file:///x",
        ] {
            check(text, None);
        }
    }
}
