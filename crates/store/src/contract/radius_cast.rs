//! What RADIUS brings into the play: providers, acceptances, pushes.

use std::net::IpAddr;
use std::time::Duration;

use uuid::Uuid;
use vestibule_engine::provider::{
    InputType, ProviderKind, RadiusMode, RadiusProtocol, RadiusSettings,
};
use vestibule_engine::radius::{Effect, RadiusAttempt, RadiusStanding};
use vestibule_engine::{
    Acceptance, MfaProvider, MfaProviderId, NewToken, Push, PushId, PushOutcome,
};

use super::cast::{Actor, Shared, at, sealed};
use super::checks::set;
use crate::{
    AdminMfaChange, Bearer, Creation, ProviderVersion, PushStart, Redemption, Replacement,
    StoredProvider,
};

/// A RADIUS provider; everything about it follows from the number.
pub(super) fn provider(n: u64, name: &str) -> StoredProvider {
    StoredProvider {
        provider: MfaProvider {
            id: MfaProviderId::from_uuid(Uuid::from_u128(4 << 64 | u128::from(n))),
            revision: 1,
            name: name.to_owned(),
            notes: String::new(),
            tags: Vec::new(),
            input_type: InputType::Text,
            kind: ProviderKind::Radius(settings()),
            created: at(0),
            updated: at(0),
        },
        shared_secret: Some(sealed(n)),
        challenge_secret: None,
    }
}

/// The settings of every RADIUS provider that has no others.
pub(super) fn settings() -> RadiusSettings {
    RadiusSettings {
        hostnames: vec!["radius.example.com".to_owned()],
        port: 1812,
        protocol: RadiusProtocol::Pap,
        mode: RadiusMode::OneFactor,
        timeout: Duration::from_secs(10),
        use_user_password: false,
        require_message_authenticator: true,
        nas_identifier: None,
        source_address: None::<IpAddr>,
        status_server: false,
    }
}

/// The next revision of a provider.
pub(super) fn replaced(old: &StoredProvider) -> StoredProvider {
    let mut new = old.clone();
    new.provider.revision += 1;
    new
}

/// Adds the n-th provider, with a name of its own.
pub(super) async fn add_provider(store: &Shared, n: u64) -> StoredProvider {
    let new = provider(n, &format!("RADIUS {n}"));
    assert_eq!(
        store.add_provider(&new, &[]).await.unwrap(),
        Creation::Created
    );
    new
}

/// Puts a provider in the place of itself; which one it is then.
pub(super) async fn replace(store: &Shared, new: &StoredProvider) -> ProviderVersion {
    let answer = store.replace_provider(new, &[]).await.unwrap();
    assert_eq!(answer, Replacement::Done);
    version(new)
}

pub(super) fn version(stored: &StoredProvider) -> ProviderVersion {
    ProviderVersion {
        id: stored.provider.id,
        revision: stored.provider.revision,
    }
}

/// Settings with this provider, that let nobody off.
pub(super) fn due(provider: Option<MfaProviderId>) -> AdminMfaChange {
    AdminMfaChange {
        provider,
        exempted: Vec::new(),
    }
}

/// Adds the first provider and makes it due.
pub(super) async fn radius_is_due(store: &Shared) -> StoredProvider {
    let new = add_provider(store, 1).await;
    set(store, &due(Some(new.provider.id))).await;
    new
}

/// Lets the engine judge that a server has accepted a bearer who stands like this.
pub(super) fn acceptance(bearer: &Bearer) -> Acceptance {
    let provider = bearer.provider.unwrap();
    let standing = RadiusStanding {
        user: bearer.token.user,
        session: bearer.token.session,
        revision: bearer.factor.revision,
        budget: bearer.factor.budget.clone(),
        provider: provider.id,
        provider_revision: provider.revision,
        mode: RadiusMode::Push,
        dialogue: None,
    };
    let provider = (provider.id, provider.revision);
    let judged = RadiusAttempt::collect(&standing, provider, PushOutcome::Accepted);
    let Effect::Redeem(acceptance) = judged.effect else {
        panic!("{:?}", judged.effect);
    };
    acceptance
}

impl Actor {
    /// What an acceptance earns a bearer who stands like this: the k-th token.
    pub(super) fn redemption(self, bearer: &Bearer, k: u64) -> Redemption {
        let acceptance = acceptance(bearer);
        let partial = self.new_partial();
        let verified = NewToken::verified(&self.token(k), &acceptance, partial.record());
        Redemption {
            acceptance,
            partial: self.partial(),
            verified: verified.unwrap(),
            device_completed: None,
        }
    }

    /// The k-th push of the session, sent so many seconds from now, for 90 seconds.
    pub(super) fn push(self, k: u64, started: i64, revision: u64) -> PushStart {
        let id = 5 << 64 | u128::from(1000 * self.n + k);
        PushStart {
            push: Push {
                id: PushId::from_uuid(Uuid::from_u128(id)),
                user: self.user,
                session: self.session(),
                provider: provider(1, "").provider.id,
                provider_revision: 7,
                started: at(started),
                deadline: at(started + 90),
                outcome: None,
                collected: false,
            },
            revision,
        }
    }
}

/// A provider that is nowhere.
pub(super) fn nowhere() -> MfaProviderId {
    MfaProviderId::from_uuid(Uuid::from_u128(404))
}
