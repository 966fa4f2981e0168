//! Names of users and servers, distinguished names, and the URLs that are made of them.
//!
//! The input is a text. All of it is read as each kind of name; its first three lines are the
//! user, the host and the issuer of an otpauth URL.

use std::net::IpAddr;

use url::{Host, Url};
use vestibule_engine::totp::Label;
use vestibule_engine::{DistinguishedName, NameKey, Seed, UserName};
use vestibule_service::fuzzing::{hostname_key, is_hostname};
use vestibule_testkit::authenticator::Authenticator;
use vestibule_testkit::clock::START;

/// Checks what is made of a text.
pub fn check(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else {
        return;
    };
    key(text);
    user(text);
    distinguished(text);
    hostname(text);
    let mut lines = text.splitn(3, '\n').map(|line| line.trim_end_matches('\r'));
    let mut next = || lines.next().unwrap_or_default();
    otpauth(next(), next(), next());
}

fn key(text: &str) {
    let key = NameKey::of(text);
    assert_eq!(NameKey::of(key.as_str()), key, "a key is its own key");
}

fn user(text: &str) {
    let Ok(name) = UserName::new(text) else {
        return;
    };
    assert!((1..=253).contains(&name.as_str().len()));
    assert!(!text.chars().any(char::is_control) && text.trim() == text);
    let written = DistinguishedName::local(&name).to_string();
    let read: DistinguishedName = written.parse().expect("our own are read");
    assert_eq!((read.user(), read.provider()), (text, "local"), "{written}");
    assert_eq!(read.local_key(), Some(name.key()));
}

fn distinguished(text: &str) {
    let Ok(name) = text.parse::<DistinguishedName>() else {
        return;
    };
    assert!(!name.user().is_empty() && !name.provider().is_empty());
    let written = name.to_string();
    assert_eq!(written.parse(), Ok(name.clone()), "{written}");
    assert_eq!(plain_commas(text), 1, "one user and one provider");
    assert_eq!(plain_commas(&written), 1, "{written}");
}

/// Commas that no backslash stands before.
fn plain_commas(text: &str) -> usize {
    let (mut count, mut escaped) = (0, false);
    for c in text.chars() {
        count += usize::from(c == ',' && !escaped);
        escaped = c == '\\' && !escaped;
    }
    count
}

fn hostname(text: &str) {
    if !is_hostname(text) {
        return;
    }
    assert!(text.is_ascii() && (1..=253).contains(&text.len()), "{text}");
    assert!(!text.contains(|c: char| c.is_ascii_control() || " /@?#[]%".contains(c)));
    let key = hostname_key(text);
    assert_eq!(hostname_key(&key), key);
    assert_eq!(hostname_key(&text.to_ascii_uppercase()), key);
    match text.parse::<IpAddr>() {
        Ok(address) => assert!(
            !address.is_unspecified() && !address.is_multicast(),
            "{text}"
        ),
        // What another reader takes for an address must not pass as a name.
        Err(_) => assert!(!matches!(Host::parse(text), Ok(Host::Ipv4(_))), "{text}"),
    }
}

/// The URL says what it was made of, to a reader that shares no code with its writer.
fn otpauth(user: &str, host: &str, issuer: &str) {
    let seed = Seed::from_bytes(*b"12345678901234567890");
    let label = Label {
        user,
        provider: "local",
        host,
        issuer,
    };
    let text = seed.otpauth_url(&label);
    let url = Url::parse(text.expose()).expect("a URL");
    assert_eq!((url.scheme(), url.host_str()), ("otpauth", Some("totp")));
    assert_eq!(
        (url.port(), url.fragment(), url.username()),
        (None, None, "")
    );
    let path = url.path().strip_prefix('/').expect("a path");
    let parts: Vec<Vec<u8>> = path.split('@').map(decoded).collect();
    let expected: [&[u8]; 3] = [user.as_bytes(), b"local", host.as_bytes()];
    assert_eq!(parts, expected, "{path}");
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let [(secret_key, secret), (issuer_key, named)] = &pairs[..] else {
        panic!("{} parameters", pairs.len());
    };
    assert_eq!(
        (secret_key.as_str(), issuer_key.as_str()),
        ("secret", "issuer")
    );
    assert_eq!(named, issuer);
    let phone = Authenticator::from_base32(secret);
    assert_eq!(
        phone.code(START),
        Authenticator::from_base32(seed.base32().expose()).code(START)
    );
}

/// Undoes percent-encoding (RFC 3986 section 2.1).
fn decoded(text: &str) -> Vec<u8> {
    let digit = |octet: u8| char::from(octet).to_digit(16).expect("a digit");
    let mut octets = text.bytes();
    let mut decoded = Vec::new();
    while let Some(octet) = octets.next() {
        decoded.push(if octet == b'%' {
            let mut next = || digit(octets.next().expect("two digits"));
            u8::try_from(next() << 4 | next()).expect("an octet")
        } else {
            octet
        });
    }
    decoded
}
