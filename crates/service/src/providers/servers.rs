//! The servers of a provider as they were asked for, and what is wrong with them.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use vestibule_engine::Secret;
use vestibule_engine::invalid::Fields;
use vestibule_engine::provider::{RadiusMode, RadiusProtocol, RadiusSettings};
use vestibule_radius::NasIdentifier;

use super::MfaProviderDraft;
use super::draft::one_of;
use super::hostname;
use super::secrets::RadiusSecrets;
use crate::number::whole;

/// Most servers of one provider.
const MOST_SERVERS: usize = 16;
/// Longest secret that is shared with servers, in octets.
const LONGEST_SHARED_SECRET: usize = 256;
/// Longest challenge secret, in octets: it travels as a password (RFC 2865 section 5.2).
const LONGEST_CHALLENGE_SECRET: usize = 128;
/// Seconds, unless asked for otherwise.
const USUAL_TIMEOUT: u32 = 6;

/// What a stored provider lends to a draft that leaves it out.
pub(super) struct Base<'a> {
    settings: Option<&'a RadiusSettings>,
    shared: Option<Secret<Vec<u8>>>,
    challenge: Option<Secret<Vec<u8>>>,
    /// Whether it is not known what secrets there are: then none is missed.
    unknown: bool,
}

impl<'a> Base<'a> {
    /// There is no stored provider.
    pub(super) const fn nothing() -> Self {
        Self {
            settings: None,
            shared: None,
            challenge: None,
            unknown: false,
        }
    }

    /// Nobody knows what the stored provider has.
    pub(super) fn unknown() -> Self {
        Self {
            unknown: true,
            ..Self::nothing()
        }
    }

    /// The settings of a stored provider, and those of its secrets that may be used.
    pub(super) const fn stored(
        settings: &'a RadiusSettings,
        shared: Option<Secret<Vec<u8>>>,
        challenge: Option<Secret<Vec<u8>>>,
    ) -> Self {
        Self {
            settings: Some(settings),
            shared,
            challenge,
            unknown: false,
        }
    }
}

impl MfaProviderDraft {
    /// The servers that were asked for, with their secrets; notes all that is wrong with them.
    pub(super) fn servers(
        &self,
        base: Base<'_>,
        fields: &mut Fields,
    ) -> Option<(RadiusSettings, RadiusSecrets)> {
        let hostnames = self.good_hostnames(fields);
        let port = fields.required("port", self.port);
        let port = port.and_then(|port| fields.check("port", whole(port, 1..=u16::MAX)));
        let protocol = one_of(
            self.protocol.as_deref(),
            RadiusProtocol::Chap,
            RadiusProtocol::ALL,
            RadiusProtocol::as_str,
        );
        let protocol = fields.check("authenticationProtocol", protocol);
        let timeout = match self.timeout {
            None => Some(USUAL_TIMEOUT),
            Some(seconds) => fields.check("timeout", whole(seconds, 1..=300)),
        };
        let mode = one_of(
            self.mode.as_deref(),
            RadiusMode::Challenge,
            RadiusMode::ALL,
            RadiusMode::as_str,
        );
        let mode = fields.check("mode", mode);
        let nas_identifier = match self.nas_identifier.as_deref() {
            None => Some(base.settings.and_then(|was| was.nas_identifier.clone())),
            Some("") => Some(None),
            Some(text) => fields.check("nasIdentifier", good_nas_identifier(text).map(Some)),
        };
        let source_address = match self.source_address.as_deref() {
            None => Some(base.settings.and_then(|was| was.source_address)),
            Some("") => Some(None),
            Some(text) => fields.check("sourceAddress", own_address(text).map(Some)),
        };
        let require_message_authenticator =
            self.require_message_authenticator.unwrap_or_else(|| {
                base.settings
                    .is_none_or(|was| was.require_message_authenticator)
            });
        let status_server = self
            .status_server
            .unwrap_or_else(|| base.settings.is_some_and(|was| was.status_server));
        let secrets = self.secrets(base, mode, fields);
        let settings = RadiusSettings {
            hostnames: hostnames?,
            port: port?,
            protocol: protocol?,
            mode: mode?,
            timeout: Duration::from_secs(timeout?.into()),
            use_user_password: self.use_user_password,
            require_message_authenticator,
            nas_identifier: nas_identifier?,
            source_address: source_address?,
            status_server,
        };
        Some((settings, secrets?))
    }

    /// Whether it is about the same servers.
    pub(super) fn asks(&self, settings: &RadiusSettings) -> bool {
        let keys = |names: &[String]| -> BTreeSet<String> {
            names.iter().map(|name| hostname::key(name)).collect()
        };
        let port = self.port.and_then(|port| whole(port, 1..=u16::MAX).ok());
        let names = self.hostnames.as_deref().unwrap_or_default();
        port == Some(settings.port) && keys(names) == keys(&settings.hostnames)
    }

    fn good_hostnames(&self, fields: &mut Fields) -> Option<Vec<String>> {
        let names = fields.required("hostnames", self.hostnames.as_ref())?;
        if names.is_empty() {
            fields.refuse("hostnames", "may not be empty");
            return None;
        }
        if names.len() > MOST_SERVERS {
            fields.refuse("hostnames", "may not be more than 16");
            return None;
        }
        let mut seen = Vec::with_capacity(names.len());
        let mut good = true;
        for (n, name) in names.iter().enumerate() {
            let key = hostname::key(name);
            let checked = hostname::check(name).and_then(|()| {
                if seen.contains(&key) {
                    Err("is there already")
                } else {
                    Ok(())
                }
            });
            good &= fields.check(format!("hostnames[{n}]"), checked).is_some();
            seen.push(key);
        }
        good.then(|| names.clone())
    }

    /// The secrets that were given, or lent.
    fn secrets(
        &self,
        base: Base<'_>,
        mode: Option<RadiusMode>,
        fields: &mut Fields,
    ) -> Option<RadiusSecrets> {
        let shared = match &self.shared_secret {
            Some(given) => fields.check("sharedSecret", good_shared_secret(given)),
            None if base.shared.is_none() && !base.unknown => fields.required("sharedSecret", None),
            None => base.shared,
        };
        let challenge = match &self.challenge_secret {
            Some(given) => fields.check("challengeSharedSecret", good_challenge_secret(given)),
            None => base.challenge,
        };
        let asks_first = matches!(mode, Some(RadiusMode::Challenge | RadiusMode::Push));
        let absent = self.challenge_secret.is_none() && challenge.is_none();
        if asks_first && absent && !self.use_user_password && !base.unknown {
            fields.refuse(
                "challengeSharedSecret",
                "may not be null in the modes Challenge and Push, unless useUserPassword is true",
            );
        }
        if let (Some(shared), Some(challenge)) = (&shared, &challenge)
            && shared.same_as(challenge)
        {
            // What was not sent is not to blame.
            if self.challenge_secret.is_some() {
                fields.refuse("challengeSharedSecret", "may not be the sharedSecret");
            } else {
                fields.refuse("sharedSecret", "may not be the challengeSharedSecret");
            }
        }
        Some(RadiusSecrets {
            shared: shared?,
            challenge,
        })
    }
}

fn good_shared_secret(secret: &Secret<String>) -> Result<Secret<Vec<u8>>, String> {
    let secret = secret.expose();
    if secret.is_empty() {
        Err("may not be empty".to_owned())
    } else if secret.len() > LONGEST_SHARED_SECRET {
        Err(format!(
            "may not be longer than {LONGEST_SHARED_SECRET} bytes"
        ))
    } else {
        Ok(Secret::new(secret.as_bytes().to_vec()))
    }
}

fn good_challenge_secret(secret: &Secret<String>) -> Result<Secret<Vec<u8>>, String> {
    let secret = secret.expose();
    if secret.is_empty() {
        Err("may not be empty".to_owned())
    } else if secret.len() > LONGEST_CHALLENGE_SECRET {
        Err(format!(
            "may not be longer than {LONGEST_CHALLENGE_SECRET} bytes"
        ))
    } else if secret.contains('\0') {
        Err("may not contain a null character".to_owned())
    } else {
        Ok(Secret::new(secret.as_bytes().to_vec()))
    }
}

fn good_nas_identifier(text: &str) -> Result<String, &'static str> {
    if text.chars().any(char::is_control) {
        return Err("may not contain control characters");
    }
    match NasIdentifier::new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("may not be longer than 253 bytes"),
    }
}

fn own_address(text: &str) -> Result<IpAddr, &'static str> {
    let address: IpAddr = text.parse().or(Err("is not an IP address"))?;
    if address.is_unspecified() || address.is_multicast() {
        return Err("is not the address of a machine");
    }
    Ok(address)
}
