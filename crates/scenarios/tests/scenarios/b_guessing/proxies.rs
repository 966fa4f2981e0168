//! Whose word about an address is taken: S19.

use serde_json::json;
use vestibule_testkit::client::{Answer, Client, DEVICE};
use vestibule_testkit::site::{Backend, Server, Site};

use crate::f_disclosure::audit_trail::of;
use crate::{PASSWORD, on_both_databases, site, with_alice, with_alice_at};

on_both_databases!(
    s19_an_address_that_nobody_trusted_says_changes_nothing,
    s19_a_trusted_proxy_names_the_client_and_the_client_does_not,
);

/// The tests are the proxy.
pub(crate) const BEHIND_A_PROXY: &str = "[proxies]\ntrusted = [\"127.0.0.1\"]\n";

/// `POST /authentication` by way of a proxy, for a client at this address.
pub(crate) async fn sign_in_through(
    client: &Client,
    address: &str,
    name: &str,
    password: &str,
    device: &str,
) -> Answer {
    let body = json!({
        "providerName": "local", "username": name, "password": password, "deviceId": device,
    });
    let call = client.call("POST", "/admin/authentication").json(&body);
    Client::send(call.header("x-forwarded-for", address)).await
}

/// A wrong password with these headers; the address that is written down.
async fn address(site: &Site, server: &Server, headers: &[(&str, &str)]) -> String {
    let body = json!({
        "providerName": "local", "username": "nobody", "password": "wrong", "deviceId": DEVICE,
    });
    let mut call = server
        .client()
        .call("POST", "/admin/authentication")
        .json(&body);
    for (name, value) in headers {
        call = call.header(*name, *value);
    }
    let answer = Client::send(call).await;
    let rows = of(site, &answer);
    rows[0]["address"].as_str().unwrap().to_owned()
}

/// Every way to name another address, from somebody whose word is not taken: what counts is where
/// the connection comes from, and no check is left out.
async fn s19_an_address_that_nobody_trusted_says_changes_nothing(backend: Backend) {
    let (site, server, _) = with_alice(backend).await;
    for headers in [
        &[("x-forwarded-for", "203.0.113.9")][..],
        &[
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-for", "10.0.0.1"),
        ],
        &[("forwarded", "for=203.0.113.9")],
        &[
            ("x-real-ip", "203.0.113.9"),
            ("true-client-ip", "203.0.113.9"),
        ],
        &[("x-forwarded-for", ", 127.0.0.1, nonsense")],
    ] {
        let found = address(&site, &server, headers).await;
        assert_eq!(found, "local", "{headers:?}");
    }
    // A header that claims to be this machine, or a proxy, opens nothing.
    let client = server.client();
    let partial = client.sign_in("alice", PASSWORD).await.token();
    for claim in ["127.0.0.1", "::1", "local"] {
        let call = client.call("GET", "/admin/local-users");
        let call = call.bearer_auth(&partial).header("x-forwarded-for", claim);
        Client::send(call).await.is(401);
    }
}

/// The last address that is no proxy's counts: those before it are the client's own words. What
/// cannot be read is nobody's address, which is limited as one.
async fn s19_a_trusted_proxy_names_the_client_and_the_client_does_not(backend: Backend) {
    let limits = "[limits]\nsign_in_failures_per_minute = 3\n";
    let site = site(backend).with_settings(&format!("{BEHIND_A_PROXY}{limits}"));
    let (server, _) = with_alice_at(&site).await;
    for (forwarded, expected) in [
        ("198.51.100.1", "198.51.100.1"),
        ("203.0.113.9, 198.51.100.2", "198.51.100.2"),
        ("127.0.0.1, 198.51.100.3, 127.0.0.1", "198.51.100.3"),
        ("2001:db8::7", "2001:db8::7"),
        ("198.51.100.4, nonsense", "unknown"),
    ] {
        let headers = [
            ("x-forwarded-for", forwarded),
            ("forwarded", "for=192.0.2.200"),
        ];
        assert_eq!(address(&site, &server, &headers).await, expected);
    }
    assert_eq!(address(&site, &server, &[]).await, "unknown");

    // Whoever changes the words before the real address is limited all the same.
    let tries = async |n: u32| {
        let forwarded = format!("192.0.2.{n}, 198.51.100.77");
        let client = server.client();
        sign_in_through(client, &forwarded, "nobody", "wrong", DEVICE).await
    };
    for n in 0..3 {
        tries(n).await.is(401);
    }
    for n in 3..6 {
        tries(n).await.is(429);
    }
    let client = server.client();
    let other = sign_in_through(client, "198.51.100.78", "alice", PASSWORD, DEVICE).await;
    other.token();
}
