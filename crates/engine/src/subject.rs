//! Who: names, the key under which two spellings are one name, and distinguished names.

use std::fmt;
use std::str::FromStr;

use unicode_normalization::UnicodeNormalization;

/// The name of the identity provider that is built in.
pub const LOCAL_PROVIDER: &str = "local";

/// A user's name as it was given: 1 to 253 octets (what a RADIUS User-Name can carry, RFC 2865
/// section 5.1), no control characters, no white space at either end.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct UserName(String);

impl UserName {
    /// Accepts a name.
    ///
    /// # Errors
    /// What is wrong with it, to be read after the name of the field.
    pub fn new(name: impl Into<String>) -> Result<Self, &'static str> {
        let name = name.into();
        if name.is_empty() {
            return Err("may not be empty");
        }
        if name.len() > 253 {
            return Err("may not be longer than 253 bytes");
        }
        if name.trim() != name {
            return Err("may not begin or end with white space");
        }
        if name.chars().any(char::is_control) {
            return Err("may not contain control characters");
        }
        Ok(Self(name))
    }

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key that all spellings of this name share.
    pub fn key(&self) -> NameKey {
        NameKey::of(&self.0)
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is equal for all spellings of one name: lower case, in Unicode normalisation form C.
///
/// White space is not trimmed: ` alice` is another name than `alice`, and nobody can bear it.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NameKey(String);

impl NameKey {
    /// The key of any text. A text that is no name has a key that no user has.
    pub fn of(text: &str) -> Self {
        // Lower-casing may leave a form that is not composed, hence NFC last; it is idempotent.
        Self(
            text.nfc()
                .collect::<String>()
                .to_lowercase()
                .nfc()
                .collect(),
        )
    }

    /// The key as a text to store and to order by.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The distinguished name of a user, `CN=user,OU=provider` (RFC 4514).
///
/// ```
/// use vestibule_engine::DistinguishedName;
///
/// let dn: DistinguishedName = r"cn=Doe\, John,ou=local".parse()?;
/// assert_eq!(dn.user(), "Doe, John");
/// assert_eq!(dn.to_string(), r"CN=Doe\, John,OU=local");
/// # Ok::<(), vestibule_engine::subject::BadName>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct DistinguishedName {
    user: String,
    provider: String,
}

/// A text that is not the distinguished name of a user.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("must have the form CN=user,OU=provider")]
pub struct BadName;

impl DistinguishedName {
    /// The name of a user of the built-in provider.
    pub fn local(user: &UserName) -> Self {
        Self {
            user: user.as_str().to_owned(),
            provider: LOCAL_PROVIDER.to_owned(),
        }
    }

    /// The user's name, without escapes.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The provider's name, without escapes.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The key of the user, if the provider is the built-in one.
    pub fn local_key(&self) -> Option<NameKey> {
        (NameKey::of(&self.provider).as_str() == LOCAL_PROVIDER).then(|| NameKey::of(&self.user))
    }
}

impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (user, provider) = (escape(&self.user), escape(&self.provider));
        write!(f, "CN={user},OU={provider}")
    }
}

impl FromStr for DistinguishedName {
    type Err = BadName;

    /// Reads `CN=user,OU=provider`: attribute types in either case, values with any escape of
    /// RFC 4514 section 3.
    fn from_str(text: &str) -> Result<Self, BadName> {
        let (user, rest) = attribute(text, "CN")?;
        let (provider, rest) = attribute(rest.strip_prefix(',').ok_or(BadName)?, "OU")?;
        if rest.is_empty() && !user.is_empty() && !provider.is_empty() {
            Ok(Self { user, provider })
        } else {
            Err(BadName)
        }
    }
}

/// RFC 4514 section 2.4: what must be escaped, and no more.
fn escape(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut escaped = String::with_capacity(value.len());
    for (n, c) in value.chars().enumerate() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => escaped.extend(['\\', c]),
            '#' if n == 0 => escaped.push_str("\\#"),
            ' ' if n == 0 || n == last => escaped.push_str("\\ "),
            '\0' => escaped.push_str("\\00"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Reads `TYPE=value` up to an unescaped comma or the end; answers the value and the rest.
fn attribute<'a>(text: &'a str, kind: &str) -> Result<(String, &'a str), BadName> {
    let (found, mut rest) = text.split_once('=').ok_or(BadName)?;
    if !found.eq_ignore_ascii_case(kind) || rest.starts_with(['#', ' ']) {
        return Err(BadName);
    }
    let mut value = Vec::new();
    let mut ends_in_space = false;
    while let Some(c) = rest.chars().next() {
        if c == ',' {
            break;
        }
        if matches!(c, '"' | '+' | ';' | '<' | '>' | '\0') {
            return Err(BadName);
        }
        ends_in_space = c == ' ';
        let escaped;
        (escaped, rest) = if c == '\\' {
            unescape(rest.get(1..).unwrap_or_default())?
        } else {
            let (first, rest) = rest.split_at(c.len_utf8());
            (first.as_bytes().to_vec(), rest)
        };
        value.extend(escaped);
    }
    if ends_in_space {
        return Err(BadName);
    }
    Ok((String::from_utf8(value).map_err(|_| BadName)?, rest))
}

/// What stands after a backslash: a special character, or two hexadecimal digits for an octet.
fn unescape(rest: &str) -> Result<(Vec<u8>, &str), BadName> {
    let first = rest.chars().next().ok_or(BadName)?;
    if matches!(
        first,
        '"' | '+' | ',' | ';' | '<' | '>' | '\\' | ' ' | '#' | '='
    ) {
        return Ok((vec![first as u8], rest.get(1..).unwrap_or_default()));
    }
    let octet = rest
        .get(..2)
        .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
        .and_then(|digits| u8::from_str_radix(digits, 16).ok())
        .ok_or(BadName)?;
    Ok((vec![octet], rest.get(2..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(text: &str, user: &str, provider: &str) {
        let dn: DistinguishedName = text.parse().unwrap();
        assert_eq!((dn.user(), dn.provider()), (user, provider));
    }

    #[track_caller]
    fn refused(text: &str) {
        assert_eq!(text.parse::<DistinguishedName>(), Err(BadName), "{text}");
    }

    #[test]
    fn distinguished_names_are_read() {
        reads("CN=alice,OU=local", "alice", "local");
        reads("cn=alice,ou=local", "alice", "local");
        reads(r"CN=a\,b,OU=local", "a,b", "local");
        reads(r"CN=a\2Cb,OU=local", "a,b", "local");
        reads(r"CN=\C3\A9,OU=local", "é", "local");
        reads(r"CN=\ a\ ,OU=local", " a ", "local");
        reads(r"CN=\#1,OU=local", "#1", "local");
        reads("CN=a@b.example,OU=local", "a@b.example", "local");
        reads("CN=a b,OU=x=y", "a b", "x=y");
    }

    #[test]
    fn what_is_no_distinguished_name_is_refused() {
        for text in [
            "",
            "alice",
            "CN=alice",
            "OU=local",
            "OU=local,CN=alice",
            "CN=,OU=local",
            "CN=alice,OU=",
            "CN=4c07bc6757ea42ddb702c2d6c45419fc,CN=alice,OU=local",
            "CN=alice,OU=local,",
            "CN= alice,OU=local",
            "CN=alice ,OU=local",
            "CN=a+b,OU=local",
            r"CN=a\,OU=local",
            r"CN=a\zz,OU=local",
            r"CN=\FF,OU=local",
            r"CN=a,OU=local\",
        ] {
            refused(text);
        }
    }

    #[test]
    fn spellings_share_a_key() {
        let key = NameKey::of("jos\u{e9}");
        assert_eq!(key, NameKey::of("JOSE\u{301}"));
        assert_eq!(key, NameKey::of("Jos\u{c9}"));
        assert_ne!(key, NameKey::of(" jos\u{e9}"));
    }

    #[test]
    fn names_have_bounds() {
        assert!(UserName::new("x".repeat(253)).is_ok());
        assert!(UserName::new("x".repeat(254)).is_err());
        for name in ["", " a", "a ", "a\nb", "a\0"] {
            assert!(UserName::new(name).is_err(), "{name:?}");
        }
    }
}
