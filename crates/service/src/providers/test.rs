//! A test of the servers of a provider, and what came of it in words for who sets it up.

use std::net::IpAddr;
use std::time::Duration;

use vestibule_engine::Secret;
use vestibule_engine::provider::{RadiusProtocol, RadiusSettings};
use vestibule_radius::udp::{HostOutcome, HostReport};
use vestibule_radius::{
    AccessRequest, Credential, NasIdentifier, Password, SharedSecret, UserName,
};

use super::SHORT_SECRET;
use crate::radius::server_settings;
use crate::{Inner, ServiceError};

/// Who is asked about; whoever reads the log of a server sees what it was.
const NOBODY: &str = "vestibule-test";
/// For how long an administrator waits at most.
const LONGEST: Duration = Duration::from_secs(10);
/// Code of an Access-Accept (RFC 2865 section 4.2).
const ACCEPT: u8 = 2;

/// What a test of a provider found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MfaProviderTest {
    /// Why it does not work; it does if there is nothing.
    pub error: Option<String>,
    /// What to think of although it works.
    pub warning: Option<String>,
}

/// Asks every server about a user who does not exist.
pub(super) async fn ask(
    inner: &Inner,
    settings: &RadiusSettings,
    shared: &Secret<Vec<u8>>,
) -> Result<MfaProviderTest, ServiceError> {
    let unusable = |error| ServiceError::bug("a RADIUS provider cannot be tested", error);
    let secret = SharedSecret::new(shared.expose().clone()).map_err(|e| unusable(e.to_string()))?;
    let is_short = shared.expose().len() < SHORT_SECRET;
    let server_settings = server_settings(settings, secret);
    let request = request(inner, settings, &server_settings.nas_identifier)
        .map_err(|error| unusable(error.to_string()))?;
    let servers = inner.radius.servers(server_settings);
    let reports = servers.test(&request, settings.timeout.min(LONGEST)).await;
    Ok(in_words(&reports, settings, is_short))
}

/// A sign-in of nobody, with a password that nobody has.
fn request(
    inner: &Inner,
    settings: &RadiusSettings,
    nas_identifier: &str,
) -> Result<AccessRequest, Box<dyn std::error::Error + Send + Sync>> {
    let random: [u8; 16] = inner.random.bytes();
    let password = Password::from_text(&format!("{:032x}", u128::from_be_bytes(random)))?;
    Ok(AccessRequest {
        user_name: UserName::new(NOBODY)?,
        credential: match settings.protocol {
            RadiusProtocol::Pap => Credential::Pap(password),
            RadiusProtocol::Chap => Credential::Chap(password),
        },
        state: None,
        nas_identifier: NasIdentifier::new(nas_identifier)?,
        nas_ip: None,
        calling_station_id: None,
    })
}

/// A server whose answer can be believed is a success, whatever it said; the others are then a
/// warning.
fn in_words(reports: &[HostReport], settings: &RadiusSettings, is_short: bool) -> MfaProviderTest {
    let failures: Vec<_> = reports
        .iter()
        .filter_map(|report| failure(report, settings.source_address))
        .collect();
    if failures.len() == reports.len() {
        let error = if failures.is_empty() {
            "No server was asked.".to_owned()
        } else {
            failures.join(" ")
        };
        return MfaProviderTest {
            error: Some(error),
            warning: None,
        };
    }
    let mut warnings = failures;
    warnings.extend(reports.iter().filter_map(|one| doubt(one, settings)));
    let all_sign = reports
        .iter()
        .all(|one| matches!(one.outcome, HostOutcome::Answered { signed: true, .. }));
    if all_sign && !settings.require_message_authenticator {
        warnings.push(
            "Every server sends Message-Authenticator: set requireMessageAuthenticator to true, \
             or whoever is on the way can forge answers (CVE-2024-3596)."
                .to_owned(),
        );
    }
    if is_short {
        warnings.push(format!(
            "The shared secret has fewer than {SHORT_SECRET} bytes and can be guessed from one \
             packet: use 24 random ones or more."
        ));
    }
    MfaProviderTest {
        error: None,
        warning: (!warnings.is_empty()).then(|| warnings.join(" ")),
    }
}

/// Why a server cannot be used, and what to do.
fn failure(report: &HostReport, source: Option<IpAddr>) -> Option<String> {
    let server = server(report);
    let us = us(report);
    Some(match &report.outcome {
        HostOutcome::Answered { .. } => return None,
        HostOutcome::Unresolved(why) if report.address.is_none() => format!(
            "{server} has no address ({why}): correct the name, or what this machine is told \
             about it."
        ),
        HostOutcome::Unresolved(why) => match source {
            Some(source) => format!(
                "{server} cannot be asked from {source} ({why}): is sourceAddress an address of \
                 this machine, and of the same kind as the server's?"
            ),
            None => format!("{server} cannot be asked ({why}): is there a route to it?"),
        },
        HostOutcome::WrongSecretOrUnregistered => format!(
            "{server} does not answer: register {us} there as a client, with the same shared \
             secret, and see that nothing between filters UDP."
        ),
        HostOutcome::BadAuthenticator => format!(
            "{server} answers, and signs with another secret: set the same shared secret there \
             for {us}, and here."
        ),
        HostOutcome::MissingMessageAuthenticator => format!(
            "{server} answers without Message-Authenticator, so that its answers can be forged \
             (CVE-2024-3596): update the server, or take the risk and set \
             requireMessageAuthenticator to false."
        ),
        HostOutcome::Refused => format!(
            "{server} is there, but nothing listens at that port: start the server, or correct \
             the port."
        ),
        HostOutcome::Silent => format!(
            "{server} has answered before and does not now: see whether it runs, and still knows \
             {us}."
        ),
    })
}

/// What to think of a server that can be used.
fn doubt(report: &HostReport, settings: &RadiusSettings) -> Option<String> {
    let HostOutcome::Answered { signed, code, .. } = report.outcome else {
        return None;
    };
    let server = server(report);
    if !signed {
        return Some(format!(
            "{server} answers without Message-Authenticator, so that its answers can be forged \
             (CVE-2024-3596): update the server."
        ));
    }
    // What answers Status-Server is an Access-Accept as well.
    (code == ACCEPT && !settings.status_server).then(|| {
        format!(
            "{server} accepted the user {NOBODY} with a random password: does it accept everybody?"
        )
    })
}

/// The server as it was called, and what that stands for.
fn server(report: &HostReport) -> String {
    match report.address {
        Some(address) if address.ip().to_string() == report.hostname => address.to_string(),
        Some(address) => format!("{} ({address})", report.hostname),
        None => report.hostname.clone(),
    }
}

/// What the server must know us by.
fn us(report: &HostReport) -> String {
    match report.our_address {
        Some(address) => address.ip().to_canonical().to_string(),
        None => "the address of this machine".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vestibule_engine::provider::RadiusMode;

    fn settings() -> RadiusSettings {
        RadiusSettings {
            hostnames: vec!["a.example".to_owned()],
            port: 1812,
            protocol: RadiusProtocol::Chap,
            mode: RadiusMode::Challenge,
            timeout: Duration::from_secs(6),
            use_user_password: false,
            require_message_authenticator: true,
            nas_identifier: None,
            source_address: None,
            status_server: false,
        }
    }

    fn report(outcome: HostOutcome) -> HostReport {
        HostReport {
            hostname: "a.example".to_owned(),
            address: "192.0.2.1:1812".parse().ok(),
            our_address: "192.0.2.7:40000".parse().ok(),
            outcome,
        }
    }

    const fn answered(signed: bool, code: u8) -> HostOutcome {
        HostOutcome::Answered {
            round_trip: Duration::from_millis(1),
            signed,
            code,
        }
    }

    const REJECT: u8 = 3;
    const CHALLENGE: u8 = 11;

    #[track_caller]
    fn fails(outcome: HostOutcome, says: &[&str]) {
        let found = in_words(&[report(outcome)], &settings(), true);
        let error = found.error.unwrap();
        for part in says {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert_eq!(found.warning, None, "{error}");
    }

    #[test]
    fn a_failure_says_who_and_what_to_do() {
        use HostOutcome::{
            BadAuthenticator, MissingMessageAuthenticator, Refused, Silent,
            WrongSecretOrUnregistered,
        };
        let who = "a.example (192.0.2.1:1812)";
        let us = "192.0.2.7";
        fails(WrongSecretOrUnregistered, &[who, us, "register"]);
        fails(BadAuthenticator, &[who, us, "shared secret"]);
        fails(
            MissingMessageAuthenticator,
            &[who, "update the server", "requireMessageAuthenticator"],
        );
        fails(Refused, &[who, "nothing listens", "port"]);
        fails(Silent, &[who, us, "before"]);
        let nowhere = HostOutcome::Unresolved("no route".to_owned());
        fails(nowhere.clone(), &[who, "no route"]);
        let unresolved = HostReport {
            address: None,
            ..report(nowhere.clone())
        };
        let found = in_words(&[unresolved], &settings(), false).error.unwrap();
        assert!(found.starts_with("a.example has no address (no route)"));
        let bound = RadiusSettings {
            source_address: "198.51.100.1".parse().ok(),
            ..settings()
        };
        let found = in_words(&[report(nowhere)], &bound, false).error.unwrap();
        assert!(found.contains("from 198.51.100.1"), "{found}");
        assert!(in_words(&[], &settings(), false).error.is_some());
    }

    #[track_caller]
    fn works(reports: &[HostReport], settings: &RadiusSettings, says: &[&str]) {
        let found = in_words(reports, settings, false);
        assert_eq!(found.error, None);
        let warning = found.warning.unwrap_or_default();
        assert_eq!(says.is_empty(), warning.is_empty(), "{warning}");
        for part in says {
            assert!(warning.contains(part), "{part}: {warning}");
        }
    }

    #[test]
    fn every_answer_that_is_signed_is_a_success() {
        works(&[report(answered(true, REJECT))], &settings(), &[]);
        works(&[report(answered(true, CHALLENGE))], &settings(), &[]);
        let status = RadiusSettings {
            status_server: true,
            ..settings()
        };
        works(&[report(answered(true, ACCEPT))], &status, &[]);
    }

    #[test]
    fn a_success_can_leave_something_to_think_of() {
        let everybody = report(answered(true, ACCEPT));
        works(&[everybody], &settings(), &["accepted the user"]);
        let lax = RadiusSettings {
            require_message_authenticator: false,
            ..settings()
        };
        let unsigned = report(answered(false, REJECT));
        works(&[unsigned], &lax, &["a.example", "update the server"]);
        let signed = report(answered(true, REJECT));
        works(
            std::slice::from_ref(&signed),
            &lax,
            &["requireMessageAuthenticator to true"],
        );
        let down = HostReport {
            hostname: "192.0.2.1".to_owned(),
            ..report(HostOutcome::Refused)
        };
        works(
            &[signed.clone(), down],
            &settings(),
            &["192.0.2.1:1812 is there, but nothing listens"],
        );
        let short = in_words(&[signed], &settings(), true);
        assert_eq!(short.error, None);
        assert!(short.warning.unwrap().contains("fewer than 12 bytes"));
    }
}
