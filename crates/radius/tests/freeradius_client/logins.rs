//! Logins that end with one answer.

use vestibule_radius::UserName;
use vestibule_testkit::freeradius::{FreeRadius, LONG_PASSWORD, PASSWORD, Setup, User};

use crate::bench::{PROTOCOLS, freeradius, login, servers_of, word};

/// Tries a login by both protocols. `name` is what is typed, `counted` how the server knows it.
async fn check(
    server: &FreeRadius,
    (name, counted): (&str, &str),
    password: &str,
    (verdict, message): (&str, Option<&str>),
) {
    let servers = servers_of(server);
    for protocol in PROTOCOLS {
        let counts = || [server.accepted(counted), server.rejected(counted)];
        let [accepted, rejected] = counts();
        let reply = login(&servers, protocol, name, password).await;
        assert_eq!(word(&reply), verdict, "{name}: {}", server.log());
        assert_eq!(reply.message.as_deref(), message, "{name}");
        let expected = match verdict {
            "accept" => [accepted + 1, rejected],
            _ => [accepted, rejected + 1],
        };
        assert_eq!(counts(), expected, "{name}: {}", server.log());
    }
}

#[tokio::test]
async fn passwords_are_accepted_and_rejected_with_all_their_messages() {
    for server in freeradius(&Setup::default().with_user(User::new("plain"))) {
        let is = |name| (name, name);
        let (accept, reject) = (("accept", None), ("reject", None));
        check(&server, is("plain"), PASSWORD, accept).await;
        check(&server, is("plain"), "hellO", reject).await;
        check(&server, is("plain"), "", reject).await;
        check(&server, is("nobody"), PASSWORD, reject).await;
        check(&server, is("bob"), PASSWORD, ("accept", Some("Hello bob"))).await;
        check(&server, is("BOB"), PASSWORD, reject).await;
        let lines = Some("line one\nline two");
        check(&server, is("multi"), PASSWORD, ("accept", lines)).await;
        let locked = Some("Account locked");
        check(&server, is("denied"), PASSWORD, ("reject", locked)).await;
    }
}

#[tokio::test]
async fn names_and_passwords_of_any_letters_and_lengths_arrive() {
    let longest = "n".repeat(253);
    let setup = Setup::default().with_user(User::new(&longest));
    for server in freeradius(&setup) {
        let accept = ("accept", None);
        let name = "jürgen";
        check(&server, (name, name), "pässwörd", accept).await;
        check(&server, (name, name), "passwort", ("reject", None)).await;
        // As some keyboards send it.
        let decomposed = ("ju\u{308}rgen", name);
        check(&server, decomposed, "pa\u{308}sswo\u{308}rd", accept).await;
        check(&server, ("long", "long"), LONG_PASSWORD, accept).await;
        let cut = LONG_PASSWORD.trim_end_matches('f');
        check(&server, ("long", "long"), cut, ("reject", None)).await;
        check(&server, (&longest, &longest), PASSWORD, accept).await;
        assert!(UserName::new(&format!("{longest}n")).is_err());
    }
}

#[tokio::test]
async fn servers_listen_on_ipv6_too() {
    for server in freeradius(&Setup::default().on_ipv6()) {
        check(&server, ("long", "long"), LONG_PASSWORD, ("accept", None)).await;
    }
}
