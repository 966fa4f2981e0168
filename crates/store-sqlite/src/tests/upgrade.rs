//! Databases of earlier programs.

use sqlx::{Connection as _, Executor as _, query};
use vestibule_engine::mfa::TOTP_PROVIDER;
use vestibule_engine::password::LockoutPolicy;
use vestibule_engine::provider::built_in;
use vestibule_engine::{LocalProvider, MfaProviderId, NameKey, Token, TokenKind, TotpStep};
use vestibule_store::{
    Accounts as _, AdminMfaChange, DialogueChange, FirstFactors as _, Health as _,
    IdentityProviders as _, Inspect as _, ListQuery, MfaProviders as _, ProviderVersion, Sealed,
    SecondFactors as _, SeedState, Settings as _, Settlement, Swap, Tokens as _,
};

use super::Site;
use crate::{MIGRATIONS, SqliteInspection};

/// A user with a verified seed and three failures at the door, in a database of the first schema.
const ROWS: &str = "
    INSERT INTO users (id, name, name_key, first_name, last_name, notes, tags, disabled,
        failed_login_attempts, roles, created, updated, search)
    VALUES (x'00000000000000000000000000000001', 'Alice', 'alice', '', '', '', '[\"a\"]', 0, 2,
        '[]', 3, 4, 'alice');
    INSERT INTO second_factors (user_id, revision, streak, waiting_until, closed, seed_id,
        seed_key_id, seed_sealed, verified, last_step)
    VALUES (x'00000000000000000000000000000001', 7, 3, 5, 0,
        x'00000000000000000000000000000002', x'00000000000000000000000000000003', x'0405', 1, 6);
    INSERT INTO admin_mfa (one, provider) VALUES (1, x'03542d1e733c4c43a567d28fbc4649a7');
    INSERT INTO admin_mfa_exemptions (position, text, user_id)
    VALUES (0, 'CN=Alice,OU=local', x'00000000000000000000000000000001');";

#[tokio::test]
async fn a_database_of_the_first_schema_is_brought_up_to_date() {
    let site = Site::new();
    std::fs::write(site.path(), []).unwrap();
    let mut stranger = site.stranger().await;
    MIGRATIONS.run_to(1, &mut stranger).await.unwrap();
    stranger.execute(ROWS).await.unwrap();
    let hash = Token::from_bytes([7; 32]).hash();
    let token = "INSERT INTO tokens
        (hash, session, user_id, device_id, kind, expires, session_expires)
        SELECT ?1, zeroblob(16), id, zeroblob(16), 'partial', 8, 9 FROM users";
    let token = query(token).bind(hash.as_bytes().as_slice());
    token.execute(&mut stranger).await.unwrap();
    // Each is gone before the next one opens, as nobody waits for others here.
    stranger.close().await.unwrap();

    for _ in 0..2 {
        let store = site.open().await;
        let bearer = store.bearer(&hash).await.unwrap().unwrap();
        assert_eq!(bearer.token.kind, TokenKind::Partial);
        assert_eq!(bearer.user.name.as_str(), "Alice");
        assert_eq!(bearer.user.password_failures.count, 2);
        assert!(bearer.exemption.listed);
        let provider = ProviderVersion {
            id: TOTP_PROVIDER,
            revision: 1,
        };
        assert_eq!((bearer.provider, bearer.dialogue), (Some(provider), None));
        let (factor, budget) = (&bearer.factor, &bearer.factor.budget);
        assert_eq!((factor.revision, budget.row(), budget.streak()), (7, 0, 3));
        assert_eq!(budget.waiting_until().unwrap().as_micros(), 5);
        let seed = factor.seed.as_ref().unwrap();
        assert_eq!(seed.sealed.bytes, [4, 5]);
        let last_step = TotpStep::new(6);
        assert_eq!(seed.state, SeedState::Verified { last_step });
        let all = store.providers(&ListQuery::default()).await.unwrap();
        assert_eq!(all.items, built_in());
        let settings = store.admin_mfa().await.unwrap().unwrap();
        assert_eq!(settings.provider, Some(TOTP_PROVIDER));
        let local = store.local_provider().await.unwrap();
        assert_eq!(local, LocalProvider::built_in());
        store.close().await;
    }
    let upgraded = SqliteInspection::open(&site.path()).await.unwrap();
    assert_eq!(upgraded.damage().await.unwrap(), None);
    upgraded.store().close().await;

    // What came with later schemas works on the rows that were there.
    let store = site.open().await;
    let bearer = store.bearer(&hash).await.unwrap().unwrap();
    let dialogue = Sealed {
        key_id: uuid::Uuid::nil(),
        bytes: vec![1],
    };
    let settlement = Settlement {
        user: bearer.user.id,
        session: bearer.token.session,
        revision: 7,
        budget: bearer.factor.budget.after_success(),
        dialogue: DialogueChange::Store(dialogue.clone()),
        ends_token: false,
    };
    assert_eq!(store.settle(&settlement, &[]).await.unwrap(), Swap::Done);
    let bearer = store.bearer(&hash).await.unwrap().unwrap();
    assert_eq!(bearer.dialogue, Some(dialogue));
    assert_eq!(bearer.factor.budget, settlement.budget);
    let (name, device) = (NameKey::of("alice"), bearer.token.device);
    let standing = store.password_standing(&name, device).await.unwrap();
    assert_eq!(standing.unwrap().lockout, LockoutPolicy::default());
    let unknown = AdminMfaChange {
        provider: Some(MfaProviderId::from_random([1; 16])),
        exempted: Vec::new(),
    };
    assert_eq!(store.set_admin_mfa(&unknown, &[]).await.unwrap(), None);
    let alice = store.user_by_name(&NameKey::of("ALICE")).await.unwrap();
    assert_eq!(alice, Some(bearer.user));
}

#[tokio::test]
async fn rows_that_cannot_be_are_refused() {
    let site = Site::new();
    let _store = site.open().await;
    let mut stranger = site.stranger().await;
    stranger.execute("PRAGMA foreign_keys = on").await.unwrap();
    for statement in [
        "UPDATE mfa_providers SET kind = 'Radius'",
        "UPDATE mfa_providers SET hostnames = '[]'",
        "UPDATE mfa_providers SET nas_identifier = ''",
        "UPDATE mfa_providers SET shared_secret_sealed = x''",
        "UPDATE mfa_providers SET input_type = 'None'",
        "INSERT INTO admin_mfa (one, provider) VALUES (1, zeroblob(16))",
        "INSERT INTO local_identity_provider (one) VALUES (2)",
        "UPDATE local_identity_provider SET lockout_threshold = 0",
        "UPDATE local_identity_provider SET lockout_minutes = 525601",
        "UPDATE local_identity_provider SET min_password_length = 257",
    ] {
        let refused = stranger.execute(statement).await.unwrap_err();
        let refused = refused.as_database_error().unwrap().message().to_owned();
        assert!(refused.contains("constraint failed"), "{refused}");
    }
}
