//! The settings of the second factor for administrators.

use std::sync::Arc;

use vestibule_engine::MfaProviderId;
use vestibule_engine::mfa::{FIDO2_PROVIDER, TOTP_PROVIDER};

use super::cast::{Actor, add, key};
use super::checks::{at_once, is_alive, picture, remove, set};
use crate::{AdminMfa, AdminMfaChange, ExemptionEntry, Store, Swap};

/// A change that exempts the local users of these names.
fn change(provider: Option<MfaProviderId>, names: &[&str]) -> AdminMfaChange {
    let exempted = names
        .iter()
        .map(|name| (format!("CN={name},OU=local"), Some(key(name))));
    AdminMfaChange {
        provider,
        exempted: exempted.collect(),
    }
}

/// Settings that were never written are not there.
pub async fn settings_are_none_until_written(store: Arc<dyn Store>) {
    assert_eq!(store.admin_mfa().await.unwrap(), None);
    let written = set(&store, &change(None, &[])).await;
    assert_eq!(written, AdminMfa::default());
    assert_eq!(store.admin_mfa().await.unwrap(), Some(AdminMfa::default()));
}

/// Settings are read back in the order and the words in which they were written, and replaced as
/// a whole.
pub async fn settings_are_read_back_as_written(store: Arc<dyn Store>) {
    let alice = add(&store, 1, "alice").await;
    let entry = |text: &str, user| ExemptionEntry {
        text: text.to_owned(),
        user,
    };
    let written = AdminMfaChange {
        provider: Some(TOTP_PROVIDER),
        exempted: vec![
            ("z \u{1f512}".to_owned(), None),
            ("cn=ALICE,ou=local".to_owned(), Some(key("ALICE"))),
            ("CN=bob,OU=radius".to_owned(), None),
            ("cn=ALICE,ou=local".to_owned(), Some(key("ALICE"))),
            (String::new(), Some(key("nobody\0"))),
        ],
    };
    let expected = AdminMfa {
        provider: Some(TOTP_PROVIDER),
        exempted: vec![
            entry("z \u{1f512}", None),
            entry("cn=ALICE,ou=local", Some(alice)),
            entry("CN=bob,OU=radius", None),
            entry("cn=ALICE,ou=local", Some(alice)),
            entry("", None),
        ],
    };
    assert_eq!(set(&store, &written).await, expected);
    assert_eq!(store.admin_mfa().await.unwrap(), Some(expected));

    let expected = AdminMfa {
        provider: None,
        exempted: vec![entry("CN=alice,OU=local", Some(alice))],
    };
    assert_eq!(set(&store, &change(None, &["alice"])).await, expected);
    assert_eq!(store.admin_mfa().await.unwrap(), Some(expected));
}

/// An exemption is of the user who bore the name when it was written.
pub async fn an_exemption_is_bound_to_who_bears_the_name(store: Arc<dyn Store>) {
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    let bob = Actor::sign_in(&store, add(&store, 2, "bob").await, 2).await;
    set(&store, &change(None, &["ALICE"])).await;
    assert!(alice.bearer(&store).await.exemption.listed);
    assert!(!bob.bearer(&store).await.exemption.listed);
    set(&store, &change(None, &["bob"])).await;
    assert!(!alice.bearer(&store).await.exemption.listed);
    assert!(bob.bearer(&store).await.exemption.listed);
}

/// Who takes a listed name later is not exempt, until the settings are written again.
pub async fn an_exemption_by_a_free_name_is_nobodys(store: Arc<dyn Store>) {
    let settings = set(&store, &change(None, &["alice"])).await;
    assert_eq!(settings.exempted.first().unwrap().user, None);
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    assert!(!alice.bearer(&store).await.exemption.listed);
    assert_eq!(store.admin_mfa().await.unwrap(), Some(settings));
    let settings = set(&store, &change(None, &["alice"])).await;
    assert_eq!(settings.exempted.first().unwrap().user, Some(alice.user));
    assert!(alice.bearer(&store).await.exemption.listed);
}

/// An exemption ends with its user; its text stays, and exempts nobody who comes later.
pub async fn an_exemption_ends_with_its_user(store: Arc<dyn Store>) {
    let alice = add(&store, 1, "alice").await;
    set(&store, &change(None, &["alice"])).await;
    remove(&store, alice).await;
    let entry = ExemptionEntry {
        text: "CN=alice,OU=local".to_owned(),
        user: None,
    };
    let settings = store.admin_mfa().await.unwrap().unwrap();
    assert_eq!(settings.exempted, [entry]);
    for n in [1, 2] {
        let again = Actor::sign_in(&store, add(&store, n, "alice").await, n).await;
        assert!(!again.bearer(&store).await.exemption.listed);
        remove(&store, again.user).await;
    }
}

/// When another provider becomes due, the partial tokens of all who are not exempt end.
pub async fn another_provider_ends_partial_tokens(store: Arc<dyn Store>) {
    let (alice, bob) = (add(&store, 1, "alice").await, add(&store, 2, "bob").await);
    let providers = [TOTP_PROVIDER, FIDO2_PROVIDER, TOTP_PROVIDER];
    for (n, provider) in (1..).zip(providers) {
        let alice = Actor::sign_in(&store, alice, 10 * n).await;
        let bob = Actor::sign_in(&store, bob, 10 * n + 1).await;
        for who in [alice, bob] {
            let minted = store
                .mint(&who.partial(), &who.new_admin(1), None, &[])
                .await
                .unwrap();
            assert_eq!(minted, Swap::Done);
        }
        set(&store, &change(Some(provider), &["bob"])).await;
        assert!(!is_alive(&store, alice.partial()).await, "{n}");
        assert!(is_alive(&store, alice.hash(1)).await, "{n}");
        assert!(is_alive(&store, bob.partial()).await, "{n}");
    }
}

/// The same provider again, or none, ends nothing, whoever is exempt.
pub async fn the_same_or_no_provider_ends_nothing(store: Arc<dyn Store>) {
    let alice = add(&store, 1, "alice").await;
    set(&store, &change(Some(TOTP_PROVIDER), &["alice"])).await;
    let alice = Actor::sign_in(&store, alice, 1).await;
    for provider in [Some(TOTP_PROVIDER), None, None] {
        set(&store, &change(provider, &[])).await;
        assert!(is_alive(&store, alice.partial()).await);
    }
    set(&store, &change(Some(TOTP_PROVIDER), &[])).await;
    assert!(!is_alive(&store, alice.partial()).await, "due again");
}

/// Settings name a provider that is there, or none: nothing is written otherwise, and nothing
/// ends.
pub async fn settings_name_a_provider_that_is_there(store: Arc<dyn Store>) {
    let alice = Actor::sign_in(&store, add(&store, 1, "alice").await, 1).await;
    let unknown = change(Some(MfaProviderId::from_random([9; 16])), &["alice"]);
    assert_eq!(store.set_admin_mfa(&unknown, &[]).await.unwrap(), None);
    assert_eq!(store.admin_mfa().await.unwrap(), None);
    for provider in [Some(TOTP_PROVIDER), None] {
        set(&store, &change(provider, &[])).await;
        let again = Actor::sign_in(&store, alice.user, 2).await;
        let before = picture(&store, again).await;
        assert_eq!(store.set_admin_mfa(&unknown, &[]).await.unwrap(), None);
        assert_eq!(picture(&store, again).await, before);
        store
            .end_session(again.user, again.session(), &[])
            .await
            .unwrap();
    }
}

/// Of concurrent settings the last ones stay, whole.
pub async fn concurrent_settings_do_not_mix(store: Arc<dyn Store>) {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    for (n, name) in (1..).zip(names) {
        add(&store, n, name).await;
    }
    for _ in 0..4 {
        let written = at_once((0..8).map(|n| {
            let provider = if n % 2 == 0 {
                TOTP_PROVIDER
            } else {
                FIDO2_PROVIDER
            };
            let mut names = names.to_vec();
            names.rotate_left(n);
            names.truncate(n + 1);
            let (store, change) = (store.clone(), change(Some(provider), &names));
            async move { set(&store, &change).await }
        }))
        .await;
        let found = store.admin_mfa().await.unwrap().unwrap();
        assert!(written.contains(&found), "{found:?}");
    }
}
