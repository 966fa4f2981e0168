//! The certificate: whether it can be used, and for how long.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp as DateTime;
use vestibule_engine::Timestamp;

use super::report::Finding;
use crate::config::{Config, Transport};
use crate::tls;

/// Long enough to get another one.
const SOON: Duration = Duration::from_hours(30 * 24);

/// Looks at the certificate that the server would use.
pub(super) fn examine(config: &Config, now: Timestamp) -> Finding {
    match &config.transport {
        Transport::Http => Finding::ok("tls", "off: what is in front does it"),
        Transport::Certificate { cert, key } => {
            let advice = "have it issued anew, put it in its place, and restart the server";
            pair(cert, key, now, advice)
        }
        Transport::SelfSigned => {
            let file = |name| config.data_dir.join(name);
            let (cert, key) = (file("tls-cert.pem"), file("tls-key.pem"));
            if !cert.exists() || !key.exists() {
                let what = "the self-signed certificate is made at the next start";
                return Finding::ok("tls", what);
            }
            let advice = "restart the server, which makes another; clients have to trust its new \
                          fingerprint";
            pair(&cert, &key, now, advice)
        }
    }
}

fn pair(cert: &Path, key: &Path, now: Timestamp, advice: &str) -> Finding {
    let (tls, ends) = match tls::given(cert, key, now) {
        Err(error) => {
            let advice = "put a certificate and its own key there, in PEM form";
            return Finding::problem("tls", error.to_string(), advice);
        }
        Ok(tls) => (tls, tls::ends(cert, now)),
    };
    let cert = cert.display();
    let Some(ends) = ends.filter(|_| !tls.out_of_time) else {
        let what = format!("{cert} has expired, or is not valid yet: clients refuse it");
        return Finding::problem("tls", what, advice);
    };
    let end = DateTime::from_second(i64::try_from(ends.unix_seconds()).unwrap_or(i64::MAX));
    let end = end.unwrap_or(DateTime::MAX);
    if ends <= now.after(SOON) {
        let what = format!("{cert} expires at {end}");
        return Finding::warning("tls", what, advice);
    }
    Finding::ok(
        "tls",
        format!("{cert} fits its key, and is valid until {end}"),
    )
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::report::Level;
    use super::*;
    use crate::config::{Environment, Flags};

    fn config(directory: &Path, variables: &[(&str, &str)]) -> Config {
        let variables: Environment = variables.iter().copied().collect();
        let settings = Config::load(&Flags::default(), &variables, directory);
        settings.unwrap().config
    }

    fn days(n: u64) -> Timestamp {
        Timestamp::from_unix_seconds(1_800_000_000).after(Duration::from_hours(n * 24))
    }

    #[track_caller]
    fn check(config: &Config, day: u64, expected: Level) {
        let found = examine(config, days(day));
        assert_eq!(found.level, expected, "day {day}: {found:?}");
    }

    #[test]
    fn an_end_is_foreseen() {
        let directory = tempfile::tempdir().unwrap();
        // It is made for 824 days.
        tls::self_signed(directory.path(), days(0)).unwrap();
        let (cert, key) = ("tls-cert.pem", "tls-key.pem");
        let pair = [("VESTIBULE_TLS_CERT", cert), ("VESTIBULE_TLS_KEY", key)];
        let given = config(directory.path(), &pair);
        for (day, level) in [
            (0, Level::Ok),
            (793, Level::Ok),
            (795, Level::Warning),
            (823, Level::Warning),
            (825, Level::Problem),
        ] {
            check(&given, day, level);
        }
    }

    #[test]
    fn a_pair_that_does_not_fit_is_a_problem() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        tls::self_signed(one.path(), days(0)).unwrap();
        tls::self_signed(other.path(), days(0)).unwrap();
        let key = other.path().join("tls-key.pem");
        let pair = [
            ("VESTIBULE_TLS_CERT", "tls-cert.pem"),
            ("VESTIBULE_TLS_KEY", key.to_str().unwrap()),
        ];
        let mixed = config(one.path(), &pair);
        check(&mixed, 0, Level::Problem);
        fs::remove_file(one.path().join("tls-cert.pem")).unwrap();
        check(&mixed, 0, Level::Problem);
    }

    #[test]
    fn nothing_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let own = config(directory.path(), &[("VESTIBULE_DATA_DIR", "data")]);
        check(&own, 0, Level::Ok);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
