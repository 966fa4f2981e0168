//! Names and addresses of servers, as far as they can be judged without asking anybody.

use std::net::IpAddr;

/// Longest name, in octets (RFC 1035 section 2.3.4).
const LONGEST: usize = 253;
/// Longest part of a name between points.
const LONGEST_LABEL: usize = 63;

/// Accepts what may be the name or the address of a server. Nothing is resolved.
///
/// # Errors
/// What is wrong with it, to be read after the name of the field.
pub(crate) fn check(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("may not be empty");
    }
    if text.len() > LONGEST {
        return Err("may not be longer than 253 bytes");
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return if address.is_unspecified() || address.is_multicast() {
            Err("is not the address of a server")
        } else {
            Ok(())
        };
    }
    let mut labels = text.strip_suffix('.').unwrap_or(text).split('.');
    // What ends with a number is meant as an address, and read as one by some (RFC 3696 section 2).
    let last = labels.clone().next_back();
    if labels.all(is_label) && !last.is_none_or(is_number) {
        Ok(())
    } else {
        Err("is not a host name or an IP address")
    }
}

/// Letters, digits, hyphens within, and the underscores that networks of containers use.
fn is_label(label: &str) -> bool {
    (1..=LONGEST_LABEL).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Decimal, or hexadecimal as resolvers read it: `0x7f000001` is an address to them.
fn is_number(label: &str) -> bool {
    match label.strip_prefix("0x").or(label.strip_prefix("0X")) {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// What is equal for all spellings of one name or address.
pub(crate) fn key(text: &str) -> String {
    match text.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn good(text: &str) {
        assert_eq!(check(text), Ok(()), "{text}");
    }

    #[track_caller]
    fn bad(text: &str) {
        assert!(check(text).is_err(), "{text}");
    }

    #[test]
    fn names_and_addresses() {
        for text in [
            "localhost",
            "mfa.company.com",
            "mfa.company.com.",
            "MFA-1.Company.COM",
            "radius_1",
            "xn--bcher-kva.example",
            "1.pool.example",
            "3com",
            "0x7f.example",
            "0xradius",
            "192.0.2.1",
            "2001:db8::1",
            "::1",
        ] {
            good(text);
        }
        good(&format!("{0}.{0}.{0}.{1}", "a".repeat(63), "a".repeat(61)));
    }

    #[test]
    fn what_is_neither() {
        for text in [
            "",
            ".",
            "..",
            "a..b",
            ".a",
            "a b",
            " a",
            "a ",
            "a\n",
            "a\0",
            "-a",
            "a-.b",
            "radius://a",
            "a/b",
            "a:1812",
            "192.0.2.1:1812",
            "[::1]",
            "[::1]:1812",
            "fe80::1%eth0",
            "192.0.2.256",
            "192.0.2",
            "1812",
            "0x7f000001",
            "127.0X1",
            "0x",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "bücher.example",
            "user@host",
            "*",
        ] {
            bad(text);
        }
        bad(&"a".repeat(64));
        bad(&format!("{0}.{0}.{0}.{1}", "a".repeat(63), "a".repeat(62)));
    }

    #[test]
    fn one_server_has_one_key() {
        assert_eq!(key("MFA.Company.com."), key("mfa.company.com"));
        assert_eq!(key("2001:DB8:0::1"), key("2001:db8::1"));
        assert_ne!(key("a.example"), key("b.example"));
    }
}
