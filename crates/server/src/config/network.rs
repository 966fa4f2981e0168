//! Networks whose word about the client's address is taken.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A network in CIDR notation: `10.0.0.0/8`, `fd00::/8`, or a single address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

impl Network {
    /// How many bits are fixed.
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether it is larger than any network of one owner should be.
    pub const fn is_vast(&self) -> bool {
        self.prefix < 8
    }

    /// Whether networks together are all addresses of a version of IP.
    pub fn are_everybody(networks: &[Self]) -> bool {
        [true, false].into_iter().any(|is_ipv4| {
            let of_version = networks.iter().filter(|one| one.base.is_ipv4() == is_ipv4);
            let mut spans: Vec<_> = of_version.map(Self::span).collect();
            spans.sort_unstable();
            // The first address of which nobody has spoken; none is left after the last one.
            let mut missing = Some(0);
            for (first, last) in spans {
                missing = missing.and_then(|address| {
                    if first > address {
                        Some(address)
                    } else {
                        last.checked_add(1).map(|next| next.max(address))
                    }
                });
            }
            missing.is_none()
        })
    }

    /// The first address and the last one, as numbers whose largest is that of the last of all.
    fn span(&self) -> (u128, u128) {
        let first = match self.base {
            IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
            IpAddr::V6(v6) => v6.to_bits(),
        };
        let rest = u128::MAX.checked_shr(u32::from(self.prefix)).unwrap_or(0);
        (first, first | rest)
    }

    /// Whether an address lies in it. An IPv4 address that came in IPv6 clothes is IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.base.is_ipv4() && masked(address, self.prefix) == self.base
    }
}

/// The address with all bits after the prefix cleared.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - prefix.min(32)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - prefix.min(128)).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("\"{text}\" is not a network such as \"10.0.0.0/8\" or \"fd00::/8\"");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| bad())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits
                .parse()
                .ok()
                .filter(|&n| n <= longest)
                .ok_or_else(bad)?,
            Some(_) => return Err(bad()),
        };
        let network = Self {
            base: masked(address, prefix),
            prefix,
        };
        if network.base != address {
            // Either the address or the prefix is not what was meant, and one of them trusts more.
            return Err(format!(
                "\"{text}\" has bits set after its prefix: did you mean \"{network}\"?"
            ));
        }
        Ok(network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(network: &str, address: &str, inside: bool) {
        let network: Network = network.parse().unwrap();
        assert_eq!(
            network.contains(address.parse().unwrap()),
            inside,
            "{address} in {network}"
        );
    }

    #[test]
    fn inside_and_outside() {
        check("10.0.0.0/8", "10.255.0.1", true);
        check("10.0.0.0/8", "11.0.0.1", false);
        check("10.0.0.0/8", "::ffff:10.0.0.1", true);
        check("0.0.0.0/0", "192.0.2.1", true);
        check("0.0.0.0/0", "2001:db8::1", false);
        check("192.0.2.7", "192.0.2.7", true);
        check("192.0.2.7", "192.0.2.6", false);
        check("fd00::/8", "fdff::1", true);
        check("::/0", "2001:db8::1", true);
        check("::1/128", "::1", true);
    }

    #[track_caller]
    fn together(networks: &[&str], expected: bool) {
        let networks: Vec<Network> = networks.iter().map(|one| one.parse().unwrap()).collect();
        assert_eq!(Network::are_everybody(&networks), expected, "{networks:?}");
    }

    #[test]
    fn halves_make_a_whole() {
        together(&[], false);
        together(&["0.0.0.0/0"], true);
        together(&["::/0", "10.0.0.0/8"], true);
        together(&["128.0.0.0/1", "0.0.0.0/1"], true);
        together(&["0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/2"], true);
        together(&["0.0.0.0/1", "10.0.0.0/8", "128.0.0.0/1"], true);
        together(&["::/1", "8000::/1"], true);
        together(&["0.0.0.0/1", "8000::/1"], false);
        together(&["0.0.0.0/1", "192.0.0.0/2"], false);
        together(&["0.0.0.0/1", "128.0.0.0/2", "255.255.255.255"], false);
        together(&["255.255.255.255", "ffff::/16"], false);
    }

    #[test]
    fn what_is_none() {
        for text in [
            "",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "::/129",
            "host/8",
            "10.0.0.1/8",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
