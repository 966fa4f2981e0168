//! The effective settings, as a file that could be used, without secrets.

use std::fmt;
use std::path::Path;

use super::setting::Setting;
use super::{AccountType, CollectiveType, Settings, Transport, duration, setting};

/// As TOML; after each value where it comes from.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = &self.config;
        let text = |text: &str| Some(quoted(text));
        let span = |span| text(&duration::show(span));
        let path = |path: &Path| Some(quoted(&path.display().to_string()));
        let number = |number: std::num::NonZeroU32| Some(number.to_string());
        let (cert, key) = match &config.transport {
            Transport::Certificate { cert, key } => (path(cert), path(key)),
            Transport::Http | Transport::SelfSigned => (None, None),
        };
        let proxies: Vec<String> = config
            .trusted_proxies
            .iter()
            .map(|p| quoted(&p.to_string()))
            .collect();
        let login = &config.login;
        let measures = config.metrics_listen.map(|listen| listen.to_string());
        let measures = measures.as_deref().and_then(text);
        let lines: [(&Setting, Option<String>); 24] = [
            (&setting::LISTEN, text(&config.listen.to_string())),
            (&setting::STOP_DELAY, config.stop_delay.and_then(span)),
            (&setting::DATA_DIR, path(&config.data_dir)),
            (&setting::DATABASE_URL, text(&config.database.to_string())),
            (
                &setting::HTTP,
                Some((config.transport == Transport::Http).to_string()),
            ),
            (&setting::TLS_CERT, cert),
            (&setting::TLS_KEY, key),
            (&setting::MASTER_KEY_FILE, path(&config.master_key_file)),
            (&setting::TOKENS_PARTIAL, span(config.tokens.partial)),
            (&setting::TOKENS_SESSION, span(config.tokens.session)),
            (
                &setting::MESSAGE_OF_THE_DAY,
                login.message_of_the_day.as_deref().and_then(text),
            ),
            (&setting::BANNER, login.banner.as_deref().and_then(text)),
            (
                &setting::ZTP_COLLECTIVE_TYPE,
                login
                    .ztp_collective_type
                    .and_then(|kind| text(kind.as_str())),
            ),
            (
                &setting::ZTP_ACCOUNT_TYPE,
                login.ztp_account_type.and_then(|kind| text(kind.as_str())),
            ),
            (
                &setting::CRL_ENABLED,
                login.crl_enabled.map(|on| on.to_string()),
            ),
            (
                &setting::TRUSTED_PROXIES,
                Some(format!("[{}]", proxies.join(", "))),
            ),
            (
                &setting::SIGN_IN_FAILURES,
                number(config.limits.sign_in_failures_per_minute),
            ),
            (
                &setting::REQUESTS_WITHOUT_TOKEN,
                number(config.limits.requests_without_token_per_minute),
            ),
            (&setting::CONNECTIONS, number(config.limits.connections)),
            (&setting::HASH_QUEUE, number(config.limits.hash_queue)),
            (&setting::TOTP_ISSUER, text(&config.totp_issuer)),
            (
                &setting::ENROLLMENT_WITHIN,
                config.enrollment_within.and_then(span),
            ),
            (&setting::METRICS_LISTEN, measures),
            (
                &setting::TELEMETRY_OTLP,
                config.otlp.as_ref().and_then(|url| text(url.as_str())),
            ),
        ];
        let password = if config.admin_password.is_some() {
            "given"
        } else {
            "not given"
        };
        writeln!(f, "# Password of admin for the first start: {password}")?;
        let mut current = "";
        for (setting, value) in lines {
            let (section, name) = setting.key.split_once('.').unwrap_or(("", setting.key));
            if section != current {
                writeln!(f, "\n[{section}]")?;
                current = section;
            }
            self.line(f, setting, name, value.as_deref())?;
        }
        Ok(())
    }
}

impl Settings {
    fn line(
        &self,
        f: &mut fmt::Formatter<'_>,
        setting: &Setting,
        name: &str,
        value: Option<&str>,
    ) -> fmt::Result {
        let Some(value) = value else {
            return writeln!(f, "# {name} is not set");
        };
        match self.origins.get(setting.key) {
            Some(origin) => writeln!(f, "{name} = {value} # {origin}"),
            None => writeln!(f, "{name} = {value} # default"),
        }
    }
}

impl CollectiveType {
    /// The name on the wire and in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hosted => "hosted",
            Self::Connected => "connected",
        }
    }
}

impl AccountType {
    /// The name on the wire and in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Demo => "demo",
        }
    }
}

/// A control character of a basic string: `\u` and four digits.
fn escaped(c: char) -> impl Iterator<Item = char> {
    let digit = move |shift: u32| char::from_digit(u32::from(c) >> shift & 15, 16);
    ['\\', 'u']
        .into_iter()
        .chain([12, 8, 4, 0].into_iter().filter_map(digit))
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => quoted.extend(escaped(c)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
