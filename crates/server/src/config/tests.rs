//! Settings as tables: where they come from, what wins, and what is wrong with them.

use std::fs;

use super::*;

/// What is given, and where the file is.
struct Given {
    directory: tempfile::TempDir,
    flags: Flags,
    environment: Vec<(&'static str, String)>,
}

impl Given {
    fn nothing() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            flags: Flags::default(),
            environment: Vec::new(),
        }
    }

    fn file(text: &str) -> Self {
        let given = Self::nothing();
        fs::write(given.directory.path().join("vestibule.toml"), text).unwrap();
        given
    }

    fn variable(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    fn flags(mut self, flags: Flags) -> Self {
        self.flags = flags;
        self
    }

    fn load(&self) -> Result<Settings, Problems> {
        let environment = self.environment.iter().cloned().collect();
        Config::load(&self.flags, &environment, self.directory.path())
    }

    #[track_caller]
    fn config(&self) -> Config {
        self.load()
            .unwrap_or_else(|problems| panic!("{problems}"))
            .config
    }

    #[track_caller]
    fn problems(&self, expected: &[&str]) {
        let found = self.load().expect_err("this is no configuration");
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn nothing_given_is_fine() {
    let given = Given::nothing();
    let config = given.config();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8443");
    assert_eq!(config.stop_delay, None);
    assert_eq!(
        config.data_dir,
        given.directory.path().join("vestibule-data")
    );
    assert_eq!(config.master_key_file, config.data_dir.join("master.key"));
    assert_eq!(config.transport, Transport::SelfSigned);
    assert_eq!(config.tokens, Lifetimes::default());
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.login, Login::default());
    assert_eq!(config.totp_issuer, "Vestibule");
    assert_eq!(config.enrollment_within, None);
    assert_eq!(config.metrics_listen, None);
    assert_eq!(config.otlp, None);
    assert!(config.admin_password.is_none());
}

#[test]
fn a_flag_wins_over_a_variable_over_the_file() {
    let file = "listen = \"127.0.0.1:1\"";
    let by_flag = Flags {
        listen: Some("127.0.0.1:3".to_owned()),
        ..Flags::default()
    };
    let port = |given: Given| given.config().listen.port();
    assert_eq!(port(Given::file(file)), 1);
    assert_eq!(
        port(Given::file(file).variable("VESTIBULE_LISTEN", "127.0.0.1:2")),
        2
    );
    let all = Given::file(file)
        .variable("VESTIBULE_LISTEN", "127.0.0.1:2")
        .flags(by_flag);
    assert_eq!(port(all), 3);
}

#[test]
fn the_whole_file() {
    let given = Given::file(
        r#"
        listen = "[::]:443"
        stop_delay = "5s"
        data_dir = "/var/lib/vestibule"
        database_url = "postgres://v:geheim@db/v"
        tls_cert = "cert.pem"
        tls_key = "/etc/key.pem"
        master_key_file = "/run/credentials/master"

        [tokens]
        partial = "5m"
        session = "8h"

        [login]
        message_of_the_day = "Welcome"
        banner = "Keep out"
        ztp_collective_type = "hosted"
        ztp_account_type = "demo"
        crl_enabled = true

        [proxies]
        trusted = ["10.0.0.0/8", "::1"]

        [limits]
        sign_in_failures_per_minute = 10
        requests_without_token_per_minute = 20
        connections = 100
        hash_queue = 8

        [totp]
        issuer = "Example"

        [enrollment]
        within = "7d"

        [metrics]
        listen = "127.0.0.1:9464"

        [telemetry]
        otlp = "https://collector.example/otlp"
        "#,
    );
    let config = given.config();
    assert_eq!(config.listen.to_string(), "[::]:443");
    assert_eq!(config.stop_delay, Some(Duration::from_secs(5)));
    assert_eq!(
        config.transport,
        Transport::Certificate {
            cert: given.directory.path().join("cert.pem"),
            key: "/etc/key.pem".into(),
        }
    );
    assert_eq!(config.tokens.partial, Duration::from_mins(5));
    assert_eq!(
        config.login.ztp_collective_type,
        Some(CollectiveType::Hosted)
    );
    assert_eq!(config.trusted_proxies.len(), 2);
    assert_eq!(config.limits.hash_queue.get(), 8);
    assert_eq!(config.limits.requests_without_token_per_minute.get(), 20);
    assert_eq!(config.enrollment_within, Some(Duration::from_hours(7 * 24)));
    let measures = config.metrics_listen.unwrap();
    assert_eq!(measures.to_string(), "127.0.0.1:9464");
    let collector = config.otlp.unwrap();
    assert_eq!(collector.as_str(), "https://collector.example/otlp");
}

#[test]
fn measures_and_traces_have_places_of_their_own() {
    let same = "listen = \"127.0.0.1:1\"\n[metrics]\nlisten = \"127.0.0.1:1\"\n";
    Given::file(same).problems(&["metrics.listen needs an address or a port of its own"]);
    for url in [
        "collector",
        "ftp://collector",
        "http://name:pass@collector",
        "http://x/?key=1",
    ] {
        let given = Given::nothing().variable("VESTIBULE_TELEMETRY_OTLP", url);
        given.problems(&[
            "VESTIBULE_TELEMETRY_OTLP: must be a URL such as \"http://127.0.0.1:4318\", without a \
             password, a query or a fragment",
        ]);
    }
}

#[test]
fn unknown_names_are_named_with_their_lines() {
    Given::file("lisen = \"x\"\n\n[tokens]\npartail = \"5m\"\n[tolkiens]\na = 1\n").problems(&[
        "vestibule.toml, line 1: lisen: is not a setting; known at the top of the file: listen, \
         stop_delay, data_dir, database_url, http, tls_cert, tls_key, master_key_file, tokens, login, proxies, \
         limits, totp, enrollment, metrics, telemetry",
        "vestibule.toml, line 4: tokens.partail: is not a setting; known in [tokens]: partial, session",
        "vestibule.toml, line 5: tolkiens: is not a setting; known at the top of the file: listen, \
         stop_delay, data_dir, database_url, http, tls_cert, tls_key, master_key_file, tokens, login, proxies, \
         limits, totp, enrollment, metrics, telemetry",
    ]);
    Given::nothing()
        .variable("VESTIBULE_LISTN", "x")
        .problems(&["VESTIBULE_LISTN: is not a variable of vestibule"]);
}

#[test]
fn variables_of_kubernetes_are_not_ours() {
    Given::nothing()
        .variable("VESTIBULE_SERVICE_HOST", "10.0.0.1")
        .variable("VESTIBULE_SERVICE_PORT", "443")
        .variable("VESTIBULE_SERVICE_PORT_HTTPS", "443")
        .variable("VESTIBULE_PORT", "tcp://10.0.0.1:443")
        .variable("VESTIBULE_RADIUS_PORT", "udp://10.0.0.2:1812")
        .variable("VESTIBULE_PORT_443_TCP", "tcp://10.0.0.1:443")
        .variable("VESTIBULE_PORT_443_TCP_ADDR", "10.0.0.1")
        .variable("VESTIBULE_PORT_443_TCP_PORT", "443")
        .variable("VESTIBULE_PORT_443_TCP_PROTO", "tcp")
        .variable("VESTIBULE_RADIUS_PORT_1812_UDP", "udp://10.0.0.2:1812")
        .config();
    for (name, value) in [
        ("VESTIBULE_LISTEN_PORT", "9443"),
        ("VESTIBULE_PORT", "9443"),
        ("VESTIBULE_LISTEN_PORT_X", "9443"),
        ("VESTIBULE_PORT_443_SCTP", "9443"),
        ("VESTIBULE_PORT__TCP", "9443"),
        ("VESTIBULE_PORT_443_TCP_HOST", "9443"),
        ("VESTIBULE_SERVICE_PORT_", "9443"),
        ("VESTIBULE_SERVICE_PORTS", "9443"),
    ] {
        Given::nothing()
            .variable(name, value)
            .problems(&[&format!("{name}: is not a variable of vestibule")]);
    }
}

#[test]
fn all_errors_come_at_once() {
    let file = "http = \"yes\"\n[tokens]\nsession = 86400\n[limits]\nconnections = 0\n\
                [proxies]\ntrusted = [\"10.0.0.1/8\"]\n[login]\nztp_account_type = \"big\"\n";
    Given::file(file)
        .variable("VESTIBULE_LISTEN", "localhost")
        .variable("VESTIBULE_DATABASE_URL", "mysql://u:geheim@h/d")
        .variable("VESTIBULE_DATA_DIR", "")
        .problems(&[
            "VESTIBULE_DATA_DIR: is empty",
            "VESTIBULE_DATABASE_URL: must be `memory:`, `sqlite:FILE` or `postgres://…`",
            "VESTIBULE_LISTEN: \"localhost\" is not an address and a port such as 127.0.0.1:8443",
            "vestibule.toml, line 1: http: must be true or false",
            "vestibule.toml, line 3: tokens.session: must be a text in quotes",
            "vestibule.toml, line 9: login.ztp_account_type: must be \"standard\" or \"demo\"",
            "vestibule.toml, line 7: proxies.trusted: \"10.0.0.1/8\" has bits set after its prefix: \
             did you mean \"10.0.0.0/8\"?",
            "vestibule.toml, line 5: limits.connections: must be a whole number from 1 to 4294967295",
        ]);
}

#[test]
fn a_file_that_is_no_toml() {
    let problems = Given::file("listen = \"127.0.0.1:1\"\nlisten = = 3\n")
        .load()
        .unwrap_err();
    assert!(
        problems.to_string().contains("vestibule.toml, line 2: "),
        "{problems}"
    );
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let found = Given::nothing()
        .variable("VESTIBULE_CONFIG", "no.toml")
        .load()
        .unwrap_err();
    assert!(
        found.to_string().contains("no.toml: cannot be read"),
        "{found}"
    );
}

#[test]
fn http_stays_at_home() {
    let http = |listen: &str, file: &str| {
        let flags = Flags {
            http: true,
            listen: Some(listen.to_owned()),
            ..Flags::default()
        };
        Given::file(file).flags(flags).load().is_ok()
    };
    assert!(http("127.0.0.1:80", ""));
    assert!(http("[::1]:80", ""));
    assert!(!http("0.0.0.0:80", ""));
    assert!(!http("192.0.2.1:80", ""));
    assert!(!http("[::]:80", "[proxies]\ntrusted = []"));
    assert!(http("0.0.0.0:80", "[proxies]\ntrusted = [\"192.0.2.7\"]"));
}

#[test]
fn what_does_not_go_together() {
    Given::nothing()
        .variable("VESTIBULE_TLS_CERT", "cert.pem")
        .problems(&["--tls-cert needs --tls-key, the certificate's key"]);
    Given::nothing()
        .variable("VESTIBULE_TLS_KEY", "key.pem")
        .problems(&["--tls-key needs --tls-cert, the key's certificate"]);
    Given::file("tls_cert = \"c\"\ntls_key = \"k\"")
        .variable("VESTIBULE_HTTP", "true")
        .problems(&["--http and a TLS certificate contradict each other: leave one of them out"]);
    Given::file("[tokens]\npartial = \"2h\"\nsession = \"1h\"")
        .problems(&["tokens.partial must not be longer than tokens.session"]);
    Given::file("data_dir = \"what?\"").problems(&[
        "data_dir must have no `?` in its path, unless database_url names another place",
    ]);
    let elsewhere = Given::file("data_dir = \"what?\"\ndatabase_url = \"sqlite:v.sqlite3\"");
    assert!(elsewhere.load().is_ok());
}

#[test]
fn the_password_of_admin() {
    let direct = Given::nothing().variable("VESTIBULE_ADMIN_PASSWORD", " with spaces ");
    let Some(AdminPassword::Given(password)) = direct.config().admin_password else {
        panic!("a password was given");
    };
    assert_eq!(password.expose(), " with spaces ");

    // The file is not looked for before it is needed.
    let given = Given::nothing().variable("VESTIBULE_ADMIN_PASSWORD_FILE", "password");
    let Some(AdminPassword::InFile(path)) = given.config().admin_password else {
        panic!("a file was named");
    };
    assert_eq!(path, given.directory.path().join("password"));
    given.variable("VESTIBULE_ADMIN_PASSWORD", "x").problems(&[
        "VESTIBULE_ADMIN_PASSWORD_FILE: and VESTIBULE_ADMIN_PASSWORD are both set: unset one of them",
    ]);
}

#[test]
fn the_effective_settings_are_a_file_without_secrets() {
    let given = Given::file("[login]\nbanner = \"a \\\"b\\\"\\nc\"\n")
        .variable("VESTIBULE_DATABASE_URL", "postgres://v:geheim@db/v")
        .variable("VESTIBULE_ADMIN_PASSWORD", "geheim");
    let shown = given.load().unwrap().to_string();
    assert!(!shown.contains("geheim"), "{shown}");
    for line in [
        "# Password of admin for the first start: given",
        "listen = \"127.0.0.1:8443\" # default",
        "database_url = \"postgres://v:***@db/v\" # VESTIBULE_DATABASE_URL",
        "banner = \"a \\\"b\\\"\\nc\" # vestibule.toml, line 2: login.banner",
        "session = \"24h\" # default",
    ] {
        assert!(shown.lines().any(|l| l == line), "{line} in\n{shown}");
    }
    let again = Given::file(&shown).config();
    assert_eq!(again.login.banner.as_deref(), Some("a \"b\"\nc"));
}

#[test]
fn nothing_secret_is_printed() {
    let secret = "geheim";
    let url = format!("postgres://v:{secret}@db/v");
    let environment: Environment = [
        ("VESTIBULE_ADMIN_PASSWORD", secret),
        ("VESTIBULE_DATABASE_URL", &url),
        ("PGPASSWORD", secret),
    ]
    .into_iter()
    .collect();
    assert_eq!(
        format!("{environment:?}"),
        r#"{"VESTIBULE_ADMIN_PASSWORD", "VESTIBULE_DATABASE_URL"}"#
    );
    for database_url in [url.clone(), format!("mysql://v:{secret}@db/v")] {
        let flags = Flags {
            database_url: Some(database_url),
            ..Flags::default()
        };
        let printed = format!("{flags:?}");
        assert!(!printed.contains(secret), "{printed}");
    }
    for value in [
        file::Value::Text(url),
        file::Value::Texts(vec![secret.to_owned()]),
    ] {
        let printed = format!("{value:?}");
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[test]
fn an_issuer_is_a_short_name() {
    let issuer = |name: &str| {
        let file = format!("[totp]\nissuer = {}\n", serde_json::json!(name));
        Given::file(&file).load().is_ok()
    };
    for name in ["V", "Example & Söhne", &"ü".repeat(64)] {
        assert!(issuer(name), "{name}");
    }
    for name in ["", " ", "a:b", "a\nb", "a\u{7f}", &"ü".repeat(65)] {
        assert!(!issuer(name), "{name}");
    }
}
