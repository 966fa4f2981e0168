//! Headers and queries, before any route is called.
//!
//! The first line of the input is the query of a list, the second the target of the request; each
//! other line is a header.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::{ACCEPT, AUTHORIZATION, HOST};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use url::form_urlencoded;
use vestibule_engine::Token;
use vestibule_http::{TrustedProxies, fuzzing};
use vestibule_service::ClientAddress;

/// What the list can be filtered by.
const FIELDS: [&str; 3] = ["name", "tags", "userDistinguishedName"];
const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Checks what is understood of a request.
pub fn check(octets: &[u8]) {
    let mut lines = octets.split(|&octet| octet == b'\n');
    if let Some(query) = lines.next().and_then(|line| std::str::from_utf8(line).ok()) {
        list(query);
    }
    let target = lines.next().and_then(|line| Uri::try_from(line).ok());
    let mut headers = HeaderMap::new();
    for line in lines.take(64) {
        let Some(colon) = line.iter().position(|&octet| octet == b':') else {
            continue;
        };
        let name = HeaderName::from_bytes(line[..colon].trim_ascii());
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    accept(&headers);
    bearer(&headers);
    client(&headers);
    host(&target.unwrap_or_default(), &headers);
}

/// What was understood is understood again when it is asked for in other words.
fn list(query: &str) {
    for matching in [0, 3, u64::MAX] {
        let (understood, told) = fuzzing::list(query, &FIELDS, matching);
        if let Some((first, last)) = understood.range {
            assert!(first <= last);
            assert!(
                told.range
                    .starts_with(&format!("{first}-{}/", last.min(matching)))
            );
        }
        assert!(told.range.ends_with(&format!("/{matching}")));
        let lower = |texts: &[String]| texts.iter().map(|t| t.to_lowercase()).collect::<Vec<_>>();
        assert_eq!(understood.queries, lower(&told.queries));
        assert_eq!(understood.scope, None, "nobody chooses what they may see");
        assert_eq!(understood.filters.len(), told.filter_by.len());
        for filter in &understood.filters {
            assert!(FIELDS.contains(&filter.field) && !filter.text.is_empty());
        }
        let mut again = form_urlencoded::Serializer::new(String::new());
        for query in &told.queries {
            again.append_pair("query", query);
        }
        for filter in &told.filter_by {
            again.append_pair(&format!("filterBy[{}]", filter.name), &filter.value);
        }
        if let Some((first, last)) = understood.range {
            again.append_pair("range", &format!("{first}-{last}"));
        }
        again.append_pair("orderBy", &told.order_by);
        again.append_pair("descending", &told.descending.to_string());
        let (same, _) = fuzzing::list(&again.finish(), &FIELDS, matching);
        assert_eq!(same, understood, "{query}");
    }
}

fn accept(headers: &HeaderMap) {
    let spoken = fuzzing::speaks_ours(headers);
    let texts = headers.get_all(ACCEPT).iter().map(HeaderValue::as_bytes);
    let all = texts.collect::<Vec<_>>().concat().to_ascii_lowercase();
    let all = String::from_utf8_lossy(&all);
    let named = |n: u16| all.contains(&format!("{n}+json"));
    if spoken {
        assert!(
            all.contains("application/vnd.appgate.peer-v") && (18..=23).any(named),
            "{all}"
        );
    }
    // Whoever can do something more can do it as well.
    let mut more = headers.clone();
    more.append(ACCEPT, HeaderValue::from_static("text/html, */*;q=0.1"));
    assert_eq!(fuzzing::speaks_ours(&more), spoken);
    more.append(
        ACCEPT,
        HeaderValue::from_static("application/vnd.appgate.peer-v23+json"),
    );
    assert!(fuzzing::speaks_ours(&more));
}

fn bearer(headers: &HeaderMap) {
    let Some(token) = fuzzing::token(headers) else {
        return;
    };
    // A token has one spelling only.
    let text = token.reveal();
    for value in headers.get_all(AUTHORIZATION) {
        let words: Vec<_> = value.to_str().expect("a text").split_whitespace().collect();
        let (last, schemes) = words.split_last().expect("words");
        assert_eq!(last, text.expose());
        assert!(!schemes.is_empty());
        assert!(
            schemes
                .iter()
                .all(|word| word.eq_ignore_ascii_case("bearer"))
        );
    }
    let mut more = headers.clone();
    let other = Token::from_bytes([0x5a; 32]).reveal();
    let other = format!("Bearer {}", other.expose());
    more.append(AUTHORIZATION, other.parse().expect("a value"));
    let of_both = fuzzing::token(&more);
    assert!(
        text.expose() == &other[7..] || of_both.is_none(),
        "two tokens are none"
    );
}

fn client(headers: &HeaderMap) {
    let trusted = |address: IpAddr| match address {
        IpAddr::V4(v4) => v4.octets()[0] == 10,
        IpAddr::V6(v6) => v6.octets()[0] == 0xfd,
    };
    let proxies = TrustedProxies::new(trusted);
    let asks = |peer: [u8; 4], headers: &HeaderMap| {
        fuzzing::client(&proxies, SocketAddr::from((peer, 1)), headers)
    };
    let none = HeaderMap::new();
    for stranger in [[192, 0, 2, 1], [127, 0, 0, 1]] {
        assert_eq!(
            asks(stranger, headers),
            asks(stranger, &none),
            "strangers are not believed"
        );
    }
    let found = asks([10, 0, 0, 1], headers);
    match found {
        ClientAddress::Local => panic!("a proxy's client is never this machine"),
        ClientAddress::Known(address) => {
            assert!(!trusted(address), "{address}");
            assert_eq!(address, address.to_canonical());
        }
        ClientAddress::Unknown => {}
    }
    // What a client puts before what its proxy adds changes nothing.
    let mut forged = HeaderMap::new();
    forged.append(
        FORWARDED,
        HeaderValue::from_static("198.51.100.66, 10.9.9.9"),
    );
    for value in headers.get_all(FORWARDED) {
        forged.append(FORWARDED, value.clone());
    }
    if matches!(found, ClientAddress::Known(_)) {
        assert_eq!(asks([10, 0, 0, 1], &forged), found);
    }
    // What the proxy itself adds is what counts.
    let mut added = headers.clone();
    added.append(FORWARDED, HeaderValue::from_static("203.0.113.7"));
    let expected = ClientAddress::Known([203, 0, 113, 7].into());
    assert_eq!(asks([10, 0, 0, 1], &added), expected);
}

fn host(target: &Uri, headers: &HeaderMap) {
    let host = fuzzing::host(target, headers);
    assert!((1..=253).contains(&host.len()), "{host}");
    let strange = |c: char| c.is_control() || c.is_whitespace() || "/?#@".contains(c);
    assert!(!host.contains(strange), "{host}");
    let mut again = HeaderMap::new();
    let bracketed = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.clone()
    };
    again.insert(HOST, bracketed.parse().expect("a value"));
    assert_eq!(fuzzing::host(&Uri::from_static("/"), &again), host);
}
