//! Where a webhook may go: looked at when dialling, since a name can point anywhere by then.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Host;

/// Private, loopback, link-local (with the cloud metadata service), carrier-grade NAT, multicast and other ranges that
/// are no public host. IANA: "IPv4 Special-Purpose Address Space".
const CLOSED_V4: [([u8; 4], u8); 15] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// Only global unicast (`2000::/3`) is public, and of that not these. IANA: "IPv6 Special-Purpose Address Space".
const CLOSED_V6: [(u128, u8); 4] = [
    (0x2001_0000_0000_0000_0000_0000_0000_0000, 23),
    (0x2001_0db8_0000_0000_0000_0000_0000_0000, 32),
    (0x2002_0000_0000_0000_0000_0000_0000_0000, 16),
    (0x3fff_0000_0000_0000_0000_0000_0000_0000, 20),
];

const PUBLIC_V6: (u128, u8) = (0x2000_0000_0000_0000_0000_0000_0000_0000, 3);

/// A well-known prefix that a NAT64 gateway turns into the IPv4 address in the last four bytes.
const NAT64: (u128, u8) = (0x0064_ff9b_0000_0000_0000_0000_0000_0000, 96);

/// A resolver that gives out only addresses we may dial.
#[derive(Debug)]
pub(super) struct Guard {
    allowed: Vec<IpNet>,
}

/// An address that no webhook may go to.
#[derive(Debug, thiserror::Error)]
#[error(
    "{host} is at {address}, which is not a public address: add it to allow_networks if that is meant"
)]
pub(super) struct Refused {
    host: String,
    address: IpAddr,
}

impl Guard {
    pub(super) fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// Of a URL; names are checked when they are resolved.
    pub(super) fn check_host(&self, host: Option<&Host<&str>>) -> Result<(), Refused> {
        let address = match host {
            Some(Host::Ipv4(address)) => IpAddr::V4(*address),
            Some(Host::Ipv6(address)) => IpAddr::V6(*address),
            Some(Host::Domain(_)) | None => return Ok(()),
        };
        if self.allows(address) {
            Ok(())
        } else {
            Err(Refused {
                host: "the URL".to_owned(),
                address,
            })
        }
    }

    fn allows(&self, address: IpAddr) -> bool {
        // ::ffff:10.0.0.1 is 10.0.0.1.
        let address = address.to_canonical();
        self.allowed.iter().any(|net| net.contains(&address))
            || match address {
                IpAddr::V4(address) => is_public_v4(address),
                IpAddr::V6(address) => is_public_v6(address),
            }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Self::new(self.allowed.clone());
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let mut refused = None;
            let mut open = vec![];
            for address in tokio::net::lookup_host((host.as_str(), 0)).await? {
                if guard.allows(address.ip()) {
                    open.push(address);
                } else {
                    refused = Some(address.ip());
                }
            }
            match refused {
                Some(address) if open.is_empty() => Err(Refused { host, address }.into()),
                Some(_) | None => {
                    let addresses: Addrs = Box::new(open.into_iter());
                    Ok(addresses)
                }
            }
        })
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !CLOSED_V4.iter().any(|(net, length)| {
        Ipv4Net::new((*net).into(), *length).is_ok_and(|net| net.contains(&address))
    })
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let within = |(net, length): &(u128, u8)| {
        Ipv6Net::new((*net).into(), *length).is_ok_and(|net| net.contains(&address))
    };
    if within(&NAT64) {
        let [.., a, b, c, d] = address.octets();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    within(&PUBLIC_V6) && !CLOSED_V6.iter().any(within)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(allowed: &[&str], address: &str) -> bool {
        Guard::new(allowed.iter().map(|net| net.parse().unwrap()).collect())
            .allows(address.parse().unwrap())
    }

    #[test]
    fn addresses_that_are_no_public_host_are_refused() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.0.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "239.1.1.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "fec0::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
        ] {
            assert!(!allows(&[], address), "{address}");
        }
    }

    #[test]
    fn public_addresses_are_allowed() {
        for address in [
            "8.8.8.8",
            "172.32.0.1",
            "193.0.0.1",
            "2606:4700::1111",
            "2a00::1",
            "64:ff9b::808:808",
        ] {
            assert!(allows(&[], address), "{address}");
        }
    }

    #[test]
    fn allow_networks_opens_exactly_what_it_names() {
        assert!(allows(&["10.0.0.0/8"], "10.9.9.9"));
        assert!(allows(&["10.0.0.0/8"], "::ffff:10.9.9.9"));
        assert!(!allows(&["10.0.0.0/8"], "192.168.0.1"));
        assert!(allows(&["fd00::/8"], "fd12::1"));
        assert!(!allows(&["fd00::/8"], "fe80::1"));
    }

    #[test]
    fn an_address_in_the_url_is_looked_at_however_it_is_spelled() {
        let guard = Guard::new(vec![]);
        for url in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://[::1]:8/",
            "http://[::ffff:a00:1]/",
        ] {
            let url = url::Url::parse(url).unwrap();
            assert!(guard.check_host(url.host().as_ref()).is_err(), "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_that_points_inside_is_refused() {
        let guard = Guard::new(vec![]);
        let error = guard
            .resolve("localhost".parse().unwrap())
            .await
            .err()
            .unwrap();
        assert!(error.downcast_ref::<Refused>().is_some(), "{error}");
        let guard = Guard::new(vec!["127.0.0.0/8".parse().unwrap()]);
        assert!(guard.resolve("localhost".parse().unwrap()).await.is_ok());
    }
}
