//! Enrolment and its end: S28 and S35.

use vestibule_testkit::site::Backend;

use crate::{PASSWORD, STEP, on_both_databases, with_alice};

on_both_databases!(
    s28_a_password_alone_neither_shows_nor_replaces_a_seed,
    s35_a_reset_ends_the_login_in_flight,
);

/// Whoever has only the password of a user with a verified seed learns nothing of it, and cannot
/// get rid of it.
async fn s28_a_password_alone_neither_shows_nor_replaces_a_seed(backend: Backend) {
    let (site, server, _) = with_alice(backend).await;
    let client = server.client();
    let (authenticator, _) = client.enrol("alice", PASSWORD, site.now()).await;
    let thief = client.sign_in("alice", PASSWORD).await.token();
    for _ in 0..2 {
        let shown = client.initialize(&thief).await;
        assert_eq!(
            shown.text,
            r#"{"type":"AlreadySeeded","inputType":"Numeric"}"#
        );
        client
            .delete("/admin/otp/seeds/CN=alice,OU=local", &thief)
            .await
            .is(401);
    }
    site.advance(STEP);
    let partial = client.sign_in("alice", PASSWORD).await.token();
    client
        .otp(&partial, &authenticator.code(site.now()))
        .await
        .token();
}

/// After an administrator's reset the old authenticator is worth nothing, for whoever was half in
/// as well.
async fn s35_a_reset_ends_the_login_in_flight(backend: Backend) {
    let (site, server, admin) = with_alice(backend).await;
    let client = server.client();
    let (old, verified) = client.enrol("alice", PASSWORD, site.now()).await;
    site.advance(STEP);
    let partial = client.sign_in("alice", PASSWORD).await.token();
    client.initialize(&partial).await.is(200);
    client
        .delete("/admin/otp/seeds/CN=alice,OU=local", &admin)
        .await
        .is(204);
    client.otp(&partial, &old.code(site.now())).await.is(401);
    client.authorize(&verified).await.is(403);

    let partial = client.sign_in("alice", PASSWORD).await.token();
    client.otp(&partial, &old.code(site.now())).await.is(401);
    let new = client.set_up(&partial).await;
    client.otp(&partial, &old.code(site.now())).await.is(401);
    client.otp(&partial, &new.code(site.now())).await.token();
}
