//! Providers of second factors: made, read, replaced, removed.

use std::sync::Arc;
use std::time::Duration;

use vestibule_engine::MfaProviderId;
use vestibule_engine::mfa::{FIDO2_PROVIDER, TOTP_PROVIDER};
use vestibule_engine::provider::{
    InputType, ProviderKind, RadiusMode, RadiusProtocol, RadiusSettings, built_in,
};

use super::cast::{Actor, Shared, add, at, sealed};
use super::checks::{at_once, picture, set};
use super::radius_cast::{
    add_provider, due, provider, radius_is_due, replace, replaced, settings, version,
};
use crate::{Creation, ListQuery, Removal, Replacement, Store, StoredProvider};

/// Everything that can be read, as far as it is nobody's.
async fn all(store: &Shared) -> String {
    let nobody = Actor {
        user: super::cast::new_user(99, "nobody").user.id,
        n: 99,
    };
    picture(store, nobody).await
}

/// A new store has the built-in providers, as the engine knows them, and without secrets.
pub async fn the_built_in_providers_are_there(store: Arc<dyn Store>) {
    let listed = store.providers(&ListQuery::default()).await.unwrap();
    assert_eq!((listed.matching, listed.total), (2, 2));
    assert_eq!(listed.items, built_in());
    for provider in built_in() {
        let found = store.provider(provider.id).await.unwrap();
        // In every spelling, and so also in the one that is stored.
        let mut again = super::radius_cast::provider(1, &provider.name.to_uppercase());
        assert_eq!(
            store.add_provider(&again, &[]).await.unwrap(),
            Creation::NameTaken
        );
        again.provider.id = provider.id;
        assert_eq!(
            store.add_provider(&again, &[]).await.unwrap(),
            Creation::IdTaken
        );
        let expected = StoredProvider {
            provider,
            shared_secret: None,
            challenge_secret: None,
        };
        assert_eq!(found, Some(expected));
    }
}

/// A provider is read back with everything, whichever way.
pub async fn a_provider_is_read_back(store: Arc<dyn Store>) {
    let mut every = Vec::new();
    let protocols = RadiusProtocol::ALL.iter().cycle();
    let inputs = InputType::ALL.iter().cycle();
    let modes = RadiusMode::ALL.iter().cycle();
    for (n, ((&protocol, &input), &mode)) in (1..=6).zip(protocols.zip(inputs).zip(modes)) {
        let mut new = provider(n, &format!("{n} \u{c4}; DROP TABLE '\"\\"));
        let odd = n % 2 == 1;
        new.provider.revision = n;
        new.provider.notes = "a\nb\u{1f512}\"\\".into();
        new.provider.tags = vec!["z".to_owned(), String::new(), "a,{\"b\"}\\'".to_owned()];
        new.provider.input_type = input;
        (new.provider.created, new.provider.updated) = (at(-3), at(-2));
        new.provider.kind = ProviderKind::Radius(RadiusSettings {
            hostnames: vec!["::1".to_owned(), "a.example".to_owned(), "b,\"c".to_owned()],
            port: if odd { 1 } else { u16::MAX },
            protocol,
            mode,
            timeout: Duration::from_millis(299_999 + n),
            use_user_password: odd,
            require_message_authenticator: !odd,
            nas_identifier: odd.then(|| "na\u{df}".to_owned()),
            source_address: ["2001:db8::1", "192.0.2.1"]
                .get(usize::try_from(n).unwrap() - 1)
                .map(|address| address.parse().unwrap()),
            status_server: n > 3,
        });
        new.shared_secret = (n > 2).then(|| sealed(n));
        new.challenge_secret = odd.then(|| sealed(100 + n));
        assert_eq!(
            store.add_provider(&new, &[]).await.unwrap(),
            Creation::Created
        );
        every.push(new);
    }
    let listed = store.providers(&ListQuery::default()).await.unwrap().items;
    for (new, listed) in every.iter().zip(listed) {
        assert_eq!(new.provider, listed);
        let found = store.provider(new.provider.id).await.unwrap();
        assert_eq!(found.as_ref(), Some(new));
    }
    let unknown = MfaProviderId::from_random([9; 16]);
    assert_eq!(store.provider(unknown).await.unwrap(), None);
}

/// An id that is taken is refused, whatever the name, and so is a name in every spelling; nothing
/// is written.
pub async fn an_id_and_a_name_are_taken_once(store: Arc<dyn Store>) {
    let first = provider(1, "Caf\u{e9}");
    assert_eq!(
        store.add_provider(&first, &[]).await.unwrap(),
        Creation::Created
    );
    let before = all(&store).await;
    for name in ["other", "Caf\u{e9}"] {
        let answer = store.add_provider(&provider(1, name), &[]).await.unwrap();
        assert_eq!(answer, Creation::IdTaken);
    }
    for name in ["Caf\u{e9}", "CAF\u{c9}", "cafe\u{301}"] {
        let answer = store.add_provider(&provider(2, name), &[]).await.unwrap();
        assert_eq!(answer, Creation::NameTaken, "{name}");
    }
    assert_eq!(all(&store).await, before);
    let answer = store.add_provider(&provider(2, "cafe"), &[]).await.unwrap();
    assert_eq!(answer, Creation::Created);
}

/// Of many who give one name to a provider at once, one gets it; and so when they rename.
pub async fn of_many_who_name_a_provider_alike_one_does(store: Arc<dyn Store>) {
    let answers = at_once((1..=16).map(|n| {
        let name = if n % 2 == 0 { "ours" } else { "OURS" };
        let (store, new) = (store.clone(), provider(n, name));
        async move { store.add_provider(&new, &[]).await.unwrap() }
    }))
    .await;
    let count = |wanted| answers.iter().filter(|answer| **answer == wanted).count();
    assert_eq!(
        (count(Creation::Created), count(Creation::NameTaken)),
        (1, 15)
    );
    let mut others = Vec::new();
    for n in 21..=28 {
        others.push(add_provider(&store, n).await);
    }
    let answers = at_once(others.into_iter().map(|other| {
        let (store, mut new) = (store.clone(), replaced(&other));
        new.provider.name = "theirs".into();
        async move { store.replace_provider(&new, &[]).await.unwrap() }
    }))
    .await;
    let count = |wanted| answers.iter().filter(|answer| **answer == wanted).count();
    assert_eq!(
        (count(Replacement::Done), count(Replacement::NameTaken)),
        (1, 7)
    );
    let total = store.providers(&ListQuery::default()).await.unwrap().total;
    assert_eq!(total, 2 + 1 + 8);
}

/// A provider is replaced as a whole, but for its id and the time it was made; whoever bears a
/// token is told which one it is.
pub async fn a_provider_is_replaced(store: Arc<dyn Store>) {
    let first = radius_is_due(&store).await;
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    let found = alice.bearer(&store).await.provider;
    assert_eq!(found, Some(version(&first)));

    let mut second = replaced(&first);
    second.provider.name = "radius \u{131}".into();
    second.provider.notes = "new".into();
    second.provider.tags = vec!["new".to_owned()];
    second.provider.input_type = InputType::Masked;
    second.provider.kind = ProviderKind::Radius(RadiusSettings {
        mode: RadiusMode::Challenge,
        source_address: Some("192.0.2.1".parse().unwrap()),
        ..settings()
    });
    (second.provider.created, second.provider.updated) = (at(8), at(9));
    (second.shared_secret, second.challenge_secret) = (None, Some(sealed(8)));
    let now = replace(&store, &second).await;
    second.provider.created = first.provider.created;
    let found = store.provider(now.id).await.unwrap();
    assert_eq!(found.as_ref(), Some(&second));
    assert_eq!(alice.bearer(&store).await.provider, Some(now));

    // It is found by what it is called now, and its old name is free.
    for (query, matching) in [("new", 1), ("radius 1", 0)] {
        let query = ListQuery {
            queries: vec![query.to_owned()],
            ..ListQuery::default()
        };
        let found = store.providers(&query).await.unwrap();
        assert_eq!((found.matching, found.total), (matching, 3));
    }
    let answer = store
        .add_provider(&provider(3, &first.provider.name), &[])
        .await;
    assert_eq!(answer.unwrap(), Creation::Created);

    // A name may change its spelling.
    let mut third = replaced(&second);
    third.provider.name = "RADIUS \u{131}".into();
    replace(&store, &third).await;
    let found = store.provider(now.id).await.unwrap();
    assert_eq!(found, Some(third));
}

/// No provider is replaced from another revision than the one before, or when it is gone, or under
/// the name of another; nothing is written.
pub async fn a_replacement_is_refused_when_something_moved(store: Arc<dyn Store>) {
    let first = add_provider(&store, 1).await;
    let second = add_provider(&store, 2).await;
    replace(&store, &replaced(&first)).await;
    let before = all(&store).await;
    for revision in [0, 1, 2, 4, u64::from(u32::MAX)] {
        let mut new = first.clone();
        new.provider.revision = revision;
        for name in [&first.provider.name, &second.provider.name] {
            new.provider.name.clone_from(name);
            let answer = store.replace_provider(&new, &[]).await.unwrap();
            assert_eq!(answer, Replacement::Moved, "{revision}");
        }
    }
    let mut new = replaced(&replaced(&first));
    new.provider.name = second.provider.name.to_uppercase();
    let answer = store.replace_provider(&new, &[]).await.unwrap();
    assert_eq!(answer, Replacement::NameTaken);
    let missing = replaced(&provider(3, "missing"));
    let answer = store.replace_provider(&missing, &[]).await.unwrap();
    assert_eq!(answer, Replacement::Moved);
    assert_eq!(all(&store).await, before);
}

/// Of concurrent replacements of one revision one is written.
pub async fn of_concurrent_replacements_one_is_written(store: Arc<dyn Store>) {
    let mut last = add_provider(&store, 1).await;
    for _ in 0..4 {
        let answers = at_once((0..8).map(|n| {
            let (store, mut new) = (store.clone(), replaced(&last));
            new.provider.notes = n.to_string();
            async move { store.replace_provider(&new, &[]).await.unwrap() }
        }))
        .await;
        let done = answers.iter().filter(|one| **one == Replacement::Done);
        assert_eq!(done.count(), 1);
        last = store.provider(last.provider.id).await.unwrap().unwrap();
    }
    assert_eq!(last.provider.revision, 5);
}

/// A provider is removed, unless it is the one of the settings; then it stays, whatever else is
/// there.
pub async fn a_provider_is_removed_unless_it_is_due(store: Arc<dyn Store>) {
    let first = radius_is_due(&store).await.provider.id;
    let second = add_provider(&store, 2).await.provider.id;
    let before = all(&store).await;
    assert_eq!(
        store.remove_provider(first, &[]).await.unwrap(),
        Removal::InUse
    );
    assert_eq!(all(&store).await, before);
    for (id, answer) in [(second, Removal::Removed), (second, Removal::Missing)] {
        assert_eq!(store.remove_provider(id, &[]).await.unwrap(), answer);
    }
    assert_eq!(store.provider(second).await.unwrap(), None);
    assert_eq!(
        store.set_admin_mfa(&due(Some(second)), &[]).await.unwrap(),
        None
    );
    for provider in [Some(TOTP_PROVIDER), None] {
        set(&store, &due(Some(first))).await;
        set(&store, &due(provider)).await;
        assert_eq!(
            store.remove_provider(first, &[]).await.unwrap(),
            Removal::Removed
        );
        assert_eq!(add_provider(&store, 1).await.provider.id, first);
    }
    let left = store.providers(&ListQuery::default()).await.unwrap();
    let left: Vec<_> = left.items.iter().map(|provider| provider.id).collect();
    assert_eq!(left, [FIDO2_PROVIDER, TOTP_PROVIDER, first]);
}
