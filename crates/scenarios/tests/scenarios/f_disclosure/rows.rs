//! Rows of secrets that somebody with access to the database changes: S48.

use vestibule_testkit::site::Backend;

use super::audit_trail::tamper;
use crate::{PASSWORD, STEP, on_both_databases, with_alice};

on_both_databases!(
    s48_a_seed_that_was_moved_opens_for_nobody,
    s48_a_seed_that_was_declared_verified_opens_for_nobody,
);

/// A copy of the own seed in the row of another is no key to the other's account; and the answer
/// does not tell why.
async fn s48_a_seed_that_was_moved_opens_for_nobody(backend: Backend) {
    let (site, server, admin) = with_alice(backend).await;
    let client = server.client();
    client.add_user(&admin, "mallory", PASSWORD).await.is(200);
    client.enrol("alice", PASSWORD, site.now()).await;
    let (theirs, _) = client.enrol("mallory", PASSWORD, site.now()).await;
    let moved = "UPDATE second_factors SET (seed_id, seed_key_id, seed_sealed) = \
         (SELECT f.seed_id, f.seed_key_id, f.seed_sealed FROM second_factors AS f \
          JOIN users AS u ON u.id = f.user_id WHERE u.name = 'mallory') \
         WHERE user_id = (SELECT id FROM users WHERE name = 'alice')";
    tamper(&site, backend, moved).await;
    site.advance(STEP);
    let partial = client.sign_in("alice", PASSWORD).await.token();
    let answer = client.otp(&partial, &theirs.code(site.now())).await;
    assert_eq!(
        answer.is(500).text,
        r#"{"id":"internal server error","message":"An unexpected error occurred."}"#
    );
    assert!(server.log().contains("a secret does not open"));
    // Whose it is gets in with it.
    let partial = client.sign_in("mallory", PASSWORD).await.token();
    let code = theirs.code(site.now());
    client.otp(&partial, &code).await.token();
}

/// Whoever was shown a seed, and could set the flag that says that its owner confirmed it, has
/// nothing: what is sealed says that it was not.
async fn s48_a_seed_that_was_declared_verified_opens_for_nobody(backend: Backend) {
    let (site, server, _) = with_alice(backend).await;
    let client = server.client();
    let thief = client.sign_in("alice", PASSWORD).await.token();
    let shown = client.set_up(&thief).await;
    let verified = match backend {
        Backend::Sqlite => {
            "UPDATE second_factors SET verified = 1, last_step = 0, shown_to = NULL, \
             seed_created = NULL WHERE verified = 0 AND seed_id IS NOT NULL"
        }
        Backend::Postgres => {
            "UPDATE second_factors SET verified = true, last_step = 0, shown_to = NULL, \
             seed_created = NULL WHERE NOT verified AND seed_id IS NOT NULL"
        }
    };
    tamper(&site, backend, verified).await;
    for partial in [thief, client.sign_in("alice", PASSWORD).await.token()] {
        client.otp(&partial, &shown.code(site.now())).await.is(500);
        client.authorize(&partial).await.is(412);
    }
    assert!(server.log().contains("a secret does not open"));
}
