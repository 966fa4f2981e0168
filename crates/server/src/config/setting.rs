//! The settings by name: what each is called on the command line, in the environment and in the
//! file.

use std::ffi::OsStr;

/// One setting and its names.
#[derive(Debug)]
pub(super) struct Setting {
    /// In the file; `section.name` within a section.
    pub(super) key: &'static str,
    /// In the environment.
    pub(super) variable: Option<&'static str>,
    /// On the command line.
    pub(super) flag: Option<&'static str>,
}

const fn everywhere(key: &'static str, variable: &'static str, flag: &'static str) -> Setting {
    Setting {
        key,
        variable: Some(variable),
        flag: Some(flag),
    }
}

const fn in_file(key: &'static str) -> Setting {
    Setting {
        key,
        variable: None,
        flag: None,
    }
}

pub(super) const LISTEN: Setting = everywhere("listen", "VESTIBULE_LISTEN", "--listen");
pub(super) const STOP_DELAY: Setting = Setting {
    key: "stop_delay",
    variable: Some("VESTIBULE_STOP_DELAY"),
    flag: None,
};
pub(super) const DATA_DIR: Setting = everywhere("data_dir", "VESTIBULE_DATA_DIR", "--data-dir");
pub(super) const DATABASE_URL: Setting =
    everywhere("database_url", "VESTIBULE_DATABASE_URL", "--database-url");
pub(super) const HTTP: Setting = everywhere("http", "VESTIBULE_HTTP", "--http");
pub(super) const TLS_CERT: Setting = everywhere("tls_cert", "VESTIBULE_TLS_CERT", "--tls-cert");
pub(super) const TLS_KEY: Setting = everywhere("tls_key", "VESTIBULE_TLS_KEY", "--tls-key");
pub(super) const MASTER_KEY_FILE: Setting = Setting {
    key: "master_key_file",
    variable: Some("VESTIBULE_MASTER_KEY_FILE"),
    flag: None,
};
pub(super) const TOKENS_PARTIAL: Setting = in_file("tokens.partial");
pub(super) const TOKENS_SESSION: Setting = in_file("tokens.session");
pub(super) const MESSAGE_OF_THE_DAY: Setting = in_file("login.message_of_the_day");
pub(super) const BANNER: Setting = in_file("login.banner");
pub(super) const ZTP_COLLECTIVE_TYPE: Setting = in_file("login.ztp_collective_type");
pub(super) const ZTP_ACCOUNT_TYPE: Setting = in_file("login.ztp_account_type");
pub(super) const CRL_ENABLED: Setting = in_file("login.crl_enabled");
pub(super) const TRUSTED_PROXIES: Setting = in_file("proxies.trusted");
pub(super) const SIGN_IN_FAILURES: Setting = in_file("limits.sign_in_failures_per_minute");
pub(super) const REQUESTS_WITHOUT_TOKEN: Setting =
    in_file("limits.requests_without_token_per_minute");
pub(super) const CONNECTIONS: Setting = in_file("limits.connections");
pub(super) const HASH_QUEUE: Setting = in_file("limits.hash_queue");
pub(super) const TOTP_ISSUER: Setting = in_file("totp.issuer");
pub(super) const ENROLLMENT_WITHIN: Setting = in_file("enrollment.within");
pub(super) const METRICS_LISTEN: Setting = everywhere(
    "metrics.listen",
    "VESTIBULE_METRICS_LISTEN",
    "--metrics-listen",
);
pub(super) const TELEMETRY_OTLP: Setting = Setting {
    key: "telemetry.otlp",
    variable: Some("VESTIBULE_TELEMETRY_OTLP"),
    flag: None,
};

/// All that may stand in the file.
pub(super) const ALL: [&Setting; 24] = [
    &LISTEN,
    &STOP_DELAY,
    &DATA_DIR,
    &DATABASE_URL,
    &HTTP,
    &TLS_CERT,
    &TLS_KEY,
    &MASTER_KEY_FILE,
    &TOKENS_PARTIAL,
    &TOKENS_SESSION,
    &MESSAGE_OF_THE_DAY,
    &BANNER,
    &ZTP_COLLECTIVE_TYPE,
    &ZTP_ACCOUNT_TYPE,
    &CRL_ENABLED,
    &TRUSTED_PROXIES,
    &SIGN_IN_FAILURES,
    &REQUESTS_WITHOUT_TOKEN,
    &CONNECTIONS,
    &HASH_QUEUE,
    &TOTP_ISSUER,
    &ENROLLMENT_WITHIN,
    &METRICS_LISTEN,
    &TELEMETRY_OTLP,
];

/// The variable with the path of the file.
pub(super) const CONFIG: &str = "VESTIBULE_CONFIG";
/// The variables with the password of `admin`, which has no place in a file of settings.
pub(super) const ADMIN_PASSWORD: &str = "VESTIBULE_ADMIN_PASSWORD";
pub(super) const ADMIN_PASSWORD_FILE: &str = "VESTIBULE_ADMIN_PASSWORD_FILE";
/// What is logged; see [`crate::logging`].
const LOG: &str = "VESTIBULE_LOG";

/// Whether a variable of ours is one that we read, or one that Kubernetes made up.
pub(super) fn is_known_variable(name: &str, value: &OsStr) -> bool {
    [CONFIG, ADMIN_PASSWORD, ADMIN_PASSWORD_FILE, LOG].contains(&name)
        || ALL.iter().any(|setting| setting.variable == Some(name))
        || comes_from_kubernetes(name, value)
}

/// Kubernetes puts these into every container beside a service whose name begins with `vestibule`.
/// Nothing else may pass: a variable that is spelt wrong must not go unnoticed.
fn comes_from_kubernetes(name: &str, value: &OsStr) -> bool {
    let is_url = || {
        let value = value.to_string_lossy();
        value.starts_with("tcp://") || value.starts_with("udp://")
    };
    let names_port = || {
        let (_, port) = name.split_once("_SERVICE_PORT_")?;
        (!port.is_empty()).then_some(())
    };
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || names_port().is_some()
        || (name.ends_with("_PORT") && is_url())
        || is_link(name)
}

/// Whether a name ends as `_PORT_443_TCP` or `_PORT_443_TCP_ADDR` do.
fn is_link(name: &str) -> bool {
    let name = ["_ADDR", "_PORT", "_PROTO"]
        .iter()
        .find_map(|part| name.strip_suffix(part))
        .unwrap_or(name);
    let port = ["_TCP", "_UDP"]
        .iter()
        .find_map(|protocol| name.strip_suffix(protocol))
        .and_then(|name| name.rsplit_once("_PORT_"));
    port.is_some_and(|(_, number)| {
        !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
    })
}

/// What may stand in a section, `""` being the top of the file.
pub(super) fn names_in(section: &str) -> Vec<&'static str> {
    let mut names: Vec<&str> = ALL
        .iter()
        .filter_map(|setting| match setting.key.split_once('.') {
            Some((of, name)) if of == section => Some(name),
            Some((of, _)) if section.is_empty() => Some(of),
            None if section.is_empty() => Some(setting.key),
            Some(_) | None => None,
        })
        .collect();
    names.dedup();
    names
}

/// Whether the file has a section of this name.
pub(super) fn is_section(name: &str) -> bool {
    ALL.iter().any(|setting| {
        setting
            .key
            .split_once('.')
            .is_some_and(|(of, _)| of == name)
    })
}
