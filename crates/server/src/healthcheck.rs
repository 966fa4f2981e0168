//! `vestibule healthcheck`: asks the server on this machine whether it lives.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::Url;

use crate::client::Client;
use crate::client::trust::Rule;
use crate::config::{Config, Transport};
use crate::exit::Exit;
use crate::output;

const PATIENCE: Duration = Duration::from_secs(5);

/// Asks the server that these settings are of.
pub async fn run(config: &Config) -> Exit {
    if config.listen.port() == 0 {
        output::note("vestibule: port 0 takes a free port, which is not known here: set --listen");
        return Exit::Usage;
    }
    match ask(config).await {
        Ok(()) => Exit::Success,
        Err(problem) => {
            output::note(format_args!("vestibule: {problem}"));
            Exit::Failure
        }
    }
}

async fn ask(config: &Config) -> Result<(), String> {
    let scheme = if config.transport == Transport::Http {
        "http"
    } else {
        "https"
    };
    let url = format!("{scheme}://{}/", reachable(config.listen));
    let url = Url::parse(&url).map_err(|error| error.to_string())?;
    // Nothing secret is sent, the answer is one bit, and whoever can take over the port of this
    // machine can forge it with or without a certificate.
    // A proxy could only say how it fares itself.
    let client = Client::direct(url, Rule::Anyone).map_err(|error| error.to_string())?;
    let status = client
        .probe("/livez", PATIENCE)
        .await
        .map_err(|error| error.to_string())?;
    if status.is_success() {
        Ok(())
    } else {
        Err(format!("{} answers {status}", client.server()))
    }
}

/// The address under which this machine reaches what listens there.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => listen.ip(),
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_are_reached_at_home() {
        for (listen, reached) in [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:1", "[::1]:1"),
            ("192.0.2.1:1", "192.0.2.1:1"),
        ] {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), reached);
        }
    }
}
