//! The secrets of RADIUS providers, sealed and opened.
//!
//! What decides where a secret goes and how it is used there is part of its place: servers that
//! were changed in the database, or a check that was switched off there, do not get the secret.

use std::net::IpAddr;

use sha2::{Digest as _, Sha256};
use vestibule_engine::provider::{ProviderKind, RadiusSettings};
use vestibule_engine::{MfaProvider, MfaProviderId, Secret};
use vestibule_store::{Resealed, Sealed, SealedAt, StoredProvider};

use crate::{Inner, Place, SealError, ServiceError};

const SHARED_SECRET: &str = "shared secret";
const CHALLENGE_SECRET: &str = "challenge secret";

/// The secrets of a RADIUS provider.
#[derive(Debug)]
pub(crate) struct RadiusSecrets {
    /// What is shared with the servers.
    pub(crate) shared: Secret<Vec<u8>>,
    /// What the first request of a challenge or a push carries, if it is not the user's password.
    pub(crate) challenge: Option<Secret<Vec<u8>>>,
}

/// A RADIUS provider that can be used.
#[derive(Debug)]
pub(crate) struct OpenedProvider {
    /// How its servers are asked.
    pub(crate) settings: RadiusSettings,
    /// What is shared with the servers.
    pub(crate) shared_secret: Secret<Vec<u8>>,
    /// What the first request of a challenge or a push carries, if it is not the user's password.
    pub(crate) challenge_secret: Option<Secret<Vec<u8>>>,
}

/// Opens the secrets of a RADIUS provider.
///
/// # Errors
/// [`ServiceError::Bug`] for a provider of another type, and when a secret was altered, moved, or
/// sealed for other servers or with another key.
pub(crate) fn open_secrets(
    inner: &Inner,
    stored: &StoredProvider,
) -> Result<OpenedProvider, ServiceError> {
    let ProviderKind::Radius(settings) = &stored.provider.kind else {
        return Err(ServiceError::bug(
            "a provider that asks no servers was opened",
            stored.provider.kind.as_str(),
        ));
    };
    let Some(shared_secret) = open_shared(inner, stored)? else {
        return Err(ServiceError::bug(
            "a RADIUS provider cannot be used",
            "it has no shared secret",
        ));
    };
    Ok(OpenedProvider {
        settings: settings.clone(),
        shared_secret,
        challenge_secret: open_challenge(inner, stored)?,
    })
}

/// The secret that is shared with the servers, if there is one.
pub(super) fn open_shared(
    inner: &Inner,
    stored: &StoredProvider,
) -> Result<Option<Secret<Vec<u8>>>, ServiceError> {
    open(
        inner,
        &stored.provider,
        stored.shared_secret.as_ref(),
        SHARED_SECRET,
    )
}

/// The challenge secret, if there is one.
pub(super) fn open_challenge(
    inner: &Inner,
    stored: &StoredProvider,
) -> Result<Option<Secret<Vec<u8>>>, ServiceError> {
    open(
        inner,
        &stored.provider,
        stored.challenge_secret.as_ref(),
        CHALLENGE_SECRET,
    )
}

fn open(
    inner: &Inner,
    provider: &MfaProvider,
    sealed: Option<&Sealed>,
    purpose: &'static str,
) -> Result<Option<Secret<Vec<u8>>>, ServiceError> {
    let (Some(sealed), ProviderKind::Radius(settings)) = (sealed, &provider.kind) else {
        return Ok(None);
    };
    let detail = detail(settings);
    let mut secret = inner
        .keyring
        .open(sealed, place(provider.id, purpose, &detail))?;
    Ok(Some(Secret::new(std::mem::take(&mut *secret))))
}

/// Puts a provider and its secrets together, sealed for what the provider is now.
pub(super) fn seal(
    inner: &Inner,
    provider: MfaProvider,
    secrets: Option<&RadiusSecrets>,
) -> Result<StoredProvider, ServiceError> {
    let mut stored = StoredProvider {
        provider,
        shared_secret: None,
        challenge_secret: None,
    };
    let (ProviderKind::Radius(settings), Some(secrets)) = (&stored.provider.kind, secrets) else {
        return Ok(stored);
    };
    let detail = detail(settings);
    let id = stored.provider.id;
    let seal = |secret: &Secret<Vec<u8>>, purpose| {
        let place = place(id, purpose, &detail);
        inner.keyring.seal(secret.expose(), place, &*inner.random)
    };
    stored.shared_secret = Some(seal(&secrets.shared, SHARED_SECRET)?);
    stored.challenge_secret = secrets
        .challenge
        .as_ref()
        .map(|secret| seal(secret, CHALLENGE_SECRET))
        .transpose()?;
    Ok(stored)
}

/// The secrets of a provider, sealed anew for what the provider is now; or why one does not open.
pub(crate) fn resealed(inner: &Inner, stored: &StoredProvider) -> Vec<Result<Resealed, SealError>> {
    let ProviderKind::Radius(settings) = &stored.provider.kind else {
        return Vec::new();
    };
    let (id, detail) = (stored.provider.id, detail(settings));
    let secrets = [
        (
            &stored.shared_secret,
            SHARED_SECRET,
            SealedAt::SharedSecret(id),
        ),
        (
            &stored.challenge_secret,
            CHALLENGE_SECRET,
            SealedAt::ChallengeSecret(id),
        ),
    ];
    let secrets = secrets
        .into_iter()
        .filter_map(|(old, purpose, at)| Some((old.as_ref()?, purpose, at)));
    let resealed =
        secrets.map(|(old, purpose, at)| inner.reseal(at, old, place(id, purpose, &detail)));
    resealed.collect()
}

fn place<'a>(id: MfaProviderId, purpose: &'static str, detail: &'a [u8; 32]) -> Place<'a> {
    Place {
        table: "mfa_providers",
        row: id.uuid(),
        purpose,
        detail,
    }
}

/// A digest of all that must not change while a secret lies there. Each part is of fixed length,
/// or begins with its length.
fn detail(settings: &RadiusSettings) -> [u8; 32] {
    fn text(digest: &mut Sha256, text: &str) {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
    let mut digest = Sha256::new_with_prefix(b"vestibule radius provider v1\0");
    digest.update((settings.hostnames.len() as u64).to_be_bytes());
    for hostname in &settings.hostnames {
        text(&mut digest, hostname);
    }
    digest.update(settings.port.to_be_bytes());
    text(&mut digest, settings.protocol.as_str());
    text(&mut digest, settings.mode.as_str());
    digest.update([
        u8::from(settings.use_user_password),
        u8::from(settings.require_message_authenticator),
    ]);
    match settings.source_address {
        None => digest.update([0]),
        Some(IpAddr::V4(address)) => {
            digest.update([4]);
            digest.update(address.octets());
        }
        Some(IpAddr::V6(address)) => {
            digest.update([6]);
            digest.update(address.octets());
        }
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::{Keyring, OsRandom, Parts, Policy, Service, SystemClock};
    use vestibule_engine::Timestamp;
    use vestibule_engine::provider::{InputType, RadiusMode, RadiusProtocol};
    use vestibule_store_memory::MemoryStore;

    fn settings() -> RadiusSettings {
        RadiusSettings {
            hostnames: vec!["ab".to_owned(), "c".to_owned()],
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

    #[track_caller]
    fn check(change: impl FnOnce(&mut RadiusSettings), same: bool) {
        let mut changed = settings();
        change(&mut changed);
        assert_eq!(detail(&changed) == detail(&settings()), same, "{changed:?}");
    }

    #[test]
    fn what_must_not_be_flipped_is_in_the_digest() {
        check(
            |s| s.hostnames = vec!["a".to_owned(), "bc".to_owned()],
            false,
        );
        check(|s| s.hostnames = vec!["abc".to_owned()], false);
        check(|s| s.hostnames.reverse(), false);
        check(|s| s.port = 1813, false);
        check(|s| s.protocol = RadiusProtocol::Pap, false);
        check(|s| s.mode = RadiusMode::Push, false);
        check(|s| s.mode = RadiusMode::OneFactor, false);
        check(|s| s.use_user_password = true, false);
        check(|s| s.require_message_authenticator = false, false);
        check(|s| s.source_address = "192.0.2.1".parse().ok(), false);
        check(|s| s.source_address = "2001:db8::1".parse().ok(), false);
    }

    #[test]
    fn what_may_change_is_not() {
        check(|s| s.timeout = Duration::from_mins(1), true);
        check(|s| s.nas_identifier = Some("nas".to_owned()), true);
        check(|s| s.status_server = true, true);
    }

    async fn service() -> Service {
        let parts = Parts {
            store: Arc::new(MemoryStore::new()),
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(OsRandom),
            keyring: Keyring::new(&Secret::new([7; 32])),
            policy: Policy::default(),
        };
        Service::open(parts).await.unwrap()
    }

    fn stored(service: &Service) -> StoredProvider {
        let provider = MfaProvider {
            id: MfaProviderId::from_random([1; 16]),
            revision: 1,
            name: "R".to_owned(),
            notes: String::new(),
            tags: Vec::new(),
            input_type: InputType::Masked,
            kind: ProviderKind::Radius(settings()),
            created: Timestamp::from_micros(0),
            updated: Timestamp::from_micros(0),
        };
        let secrets = RadiusSecrets {
            shared: Secret::new(b"shared".to_vec()),
            challenge: Some(Secret::new(b"challenge".to_vec())),
        };
        seal(&service.inner, provider, Some(&secrets)).unwrap()
    }

    #[tokio::test]
    async fn they_open_where_they_were_sealed() {
        let service = service().await;
        let opened = open_secrets(&service.inner, &stored(&service)).unwrap();
        assert_eq!(opened.shared_secret.expose(), b"shared");
        assert_eq!(opened.challenge_secret.unwrap().expose(), b"challenge");
        assert_eq!(opened.settings, settings());
    }

    #[tokio::test]
    async fn they_do_not_open_elsewhere() {
        let service = service().await;
        let sealed = stored(&service);
        let closed = |change: fn(&mut StoredProvider)| {
            let mut changed = sealed.clone();
            change(&mut changed);
            assert!(
                open_secrets(&service.inner, &changed).is_err(),
                "{changed:?}"
            );
        };
        closed(|stored| stored.provider.id = MfaProviderId::from_random([2; 16]));
        closed(|stored| {
            if let ProviderKind::Radius(settings) = &mut stored.provider.kind {
                settings.hostnames = vec!["elsewhere.example".to_owned()];
            }
        });
        closed(|stored| {
            std::mem::swap(&mut stored.shared_secret, &mut stored.challenge_secret);
        });
        closed(|stored| stored.shared_secret = None);
        closed(|stored| stored.provider.kind = ProviderKind::Fido2);
    }
}
