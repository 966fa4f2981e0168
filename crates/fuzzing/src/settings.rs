//! The file of settings, and networks in it.
//!
//! The input is a text: a TOML file. All of it is read as a network as well.

use std::fs;
use std::net::IpAddr;

use tempfile::TempDir;
use vestibule_server::config::{Config, Environment, Flags, Network, Origin, Settings, Transport};

thread_local! {
    static DIRECTORY: TempDir = TempDir::new().expect("a directory");
}

/// Checks what is made of a text.
pub fn check(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else {
        return;
    };
    network(text);
    let Some(settings) = load(text) else {
        return;
    };
    sensible(&settings.config);
    // What is shown of the settings is a file of the same settings.
    let shown = settings.to_string();
    let again = load(&shown).unwrap_or_else(|| panic!("not read again:\n{shown}"));
    let debug = |settings: &Settings| format!("{:?}", settings.config);
    assert_eq!(debug(&again), debug(&settings), "{shown}");
}

fn load(text: &str) -> Option<Settings> {
    let directory = DIRECTORY.with(|directory| directory.path().to_owned());
    fs::write(directory.join("vestibule.toml"), text).expect("a file");
    let lines = text.matches('\n').count() + 1;
    match Config::load(&Flags::default(), &Environment::default(), &directory) {
        Ok(settings) => Some(settings),
        Err(problems) => {
            assert!(problems.iter().count() > 0, "refused for nothing");
            for problem in problems.iter() {
                assert!(!problem.message.is_empty());
                if let Origin::File { line, .. } = problem.origin {
                    assert!((1..=lines).contains(&line), "{problem}");
                }
            }
            None
        }
    }
}

fn sensible(config: &Config) {
    let exposed = !config.listen.ip().to_canonical().is_loopback();
    let clear = config.transport == Transport::Http;
    assert!(!(exposed && clear && config.trusted_proxies.is_empty()));
    assert!(!config.tokens.partial.is_zero() && config.tokens.partial <= config.tokens.session);
    assert!(
        config
            .enrollment_within
            .is_none_or(|within| !within.is_zero())
    );
    assert!(
        !config
            .totp_issuer
            .contains(|c: char| c == ':' || c.is_control())
    );
    assert!((1..=64).contains(&config.totp_issuer.chars().count()));
    assert!(
        config.admin_password.is_none(),
        "it has no place in the file"
    );
    config
        .trusted_proxies
        .iter()
        .for_each(|proxies| network(&proxies.to_string()));
}

fn network(text: &str) {
    let Ok(network) = text.parse::<Network>() else {
        return;
    };
    let written = network.to_string();
    assert_eq!(written.parse(), Ok(network), "{written}");
    let (base, prefix) = written.split_once('/').expect("a prefix");
    let (base, prefix): (IpAddr, u32) = (
        base.parse().expect("an address"),
        prefix.parse().expect("a number"),
    );
    assert!(
        network.contains(base) == (base.to_canonical() == base),
        "{written}"
    );
    // Of each bit turned: inside if it lies after the prefix, and only then.
    let (bits, length, of): (u128, u32, fn(u128) -> IpAddr) = match base {
        IpAddr::V4(v4) => (v4.to_bits().into(), 32, |bits| {
            IpAddr::V4(u32::try_from(bits).expect("32 bits").into())
        }),
        IpAddr::V6(v6) => (v6.to_bits(), 128, |bits| IpAddr::V6(bits.into())),
    };
    for bit in 0..length {
        let turned = of(bits ^ 1 << (length - 1 - bit));
        if turned.to_canonical() == turned && base.to_canonical() == base {
            assert_eq!(
                network.contains(turned),
                bit >= prefix,
                "{turned} in {written}"
            );
        }
    }
}
