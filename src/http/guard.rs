//! Where a request to an address that a *client* registered may go: public addresses, and the networks that the operator
//! listed (`[outbound] private_networks`). Judged for the address that is connected to, each time, so that a name that
//! changes its answer gains nothing (T-H1, T-H2). Link-local addresses, cloud metadata among them, are never reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// What may be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Guard {
    listed: Vec<IpNet>,
}

/// The address is none that a client may have us call.
#[derive(Debug, thiserror::Error)]
#[error("the address is private and not listed in private_networks")]
struct Refused;

impl Guard {
    pub(super) const fn new(listed: Vec<IpNet>) -> Self {
        Self { listed }
    }

    fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if is_never(address) {
            return false;
        }
        self.listed.iter().any(|net| net.contains(&address)) || is_public(address)
    }

    /// An address that is written as a number is never resolved, so it is judged here.
    pub(super) fn allows_host_of(&self, url: &Url) -> bool {
        match url.host() {
            Some(Host::Ipv4(address)) => self.allows(address.into()),
            Some(Host::Ipv6(address)) => self.allows(address.into()),
            Some(Host::Domain(_)) => true,
            None => false,
        }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let all = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = all.filter(|address| guard.allows(address.ip())).collect();
            if allowed.is_empty() {
                return Err(Refused.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Link-local (169.254.169.254 is the metadata service of most clouds; AWS has fd00:ec2::254, too), unspecified, multicast.
fn is_never(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            // the second is Azure's host, by a public address
            let is_metadata = v4.is_link_local() || v4 == Ipv4Addr::new(168, 63, 129, 16);
            is_metadata || v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast()
        }
        IpAddr::V6(v6) => {
            v6.is_unicast_link_local()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6 == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
                || embedded(v6).is_some_and(|v4| is_never(v4.into()))
        }
    }
}

/// By the special-purpose registries of IANA (RFC 6890).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_documentation()
                || a == 0
                || (a == 100 && (64..128).contains(&b)) // shared by carriers (RFC 6598)
                || (a == 192 && b == 0 && c == 0) // protocol assignments
                || (a == 192 && b == 88 && c == 99) // 6to4 relays
                || (a == 198 && (18..20).contains(&b)) // benchmarks
                || a >= 240)
        }
        IpAddr::V6(v6) => match embedded(v6) {
            Some(v4) => is_public(v4.into()),
            // only 2000::/3 is given out; in it are documentation (2001:db8::/32, 3fff::/20) and protocols (2001::/23)
            None => {
                let [first, second, ..] = v6.segments();
                first & 0xe000 == 0x2000
                    && !(first == 0x2001 && (second < 0x200 || second == 0xdb8))
                    && !(first == 0x3fff && second < 0x1000)
            }
        },
    }
}

/// The IPv4 address inside one that only translates it: NAT64 (64:ff9b::/96), 6to4 (2002::/16), IPv4-compatible (::/96).
fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let [g1, g2] = g.to_be_bytes();
    let [h1, h2] = h.to_be_bytes();
    match (a, b, c, d, e, f) {
        (0x64, 0xff9b, 0, 0, 0, 0) => Some(Ipv4Addr::new(g1, g2, h1, h2)),
        (0, 0, 0, 0, 0, 0) if g != 0 => Some(Ipv4Addr::new(g1, g2, h1, h2)),
        (0x2002, ..) => {
            let ([b1, b2], [c1, c2]) = (b.to_be_bytes(), c.to_be_bytes());
            Some(Ipv4Addr::new(b1, b2, c1, c2))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_addresses() {
        let listed = Guard::new(
            ["10.1.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "fd12::/16"].map(|net| net.parse().unwrap()).into(),
        );
        let none = Guard::default();
        // address, with nothing listed, with the networks above listed
        let table = [
            ("8.8.8.8", true, true),
            ("10.1.2.3", false, true),
            ("10.2.2.3", false, false),
            ("127.0.0.1", false, true),
            ("172.16.0.1", false, false),
            ("172.32.0.1", true, true),
            ("192.168.1.1", false, false),
            ("100.64.0.1", false, false),
            ("100.128.0.1", true, true),
            ("169.254.169.254", false, false),
            ("168.63.129.16", false, false),
            ("0.0.0.0", false, false),
            ("0.1.2.3", false, false),
            ("192.0.0.8", false, false),
            ("192.0.2.1", false, false),
            ("198.18.0.1", false, false),
            ("198.51.100.1", false, false),
            ("203.0.113.1", false, false),
            ("224.0.0.1", false, false),
            ("240.0.0.1", false, false),
            ("255.255.255.255", false, false),
            ("::1", false, false),
            ("::", false, false),
            ("::ffff:10.1.2.3", false, true),
            ("::ffff:8.8.8.8", true, true),
            ("::ffff:169.254.169.254", false, false),
            ("::7f00:1", false, false),
            ("64:ff9b::a9fe:a9fe", false, false),
            ("64:ff9b::808:808", true, true),
            ("64:ff9b:1::1", false, false),
            ("2002:7f00:1::", false, false),
            ("fe80::1", false, false),
            ("fd12::1", false, true),
            ("fd13::1", false, false),
            ("fd00:ec2::254", false, false),
            ("ff02::1", false, false),
            ("2001:db8::1", false, false),
            ("2001::1", false, false),
            ("2001:4860:4860::8888", true, true),
            ("3fff::1", false, false),
        ];
        for (address, without, with) in table {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(none.allows(address), without, "{address}");
            assert_eq!(listed.allows(address), with, "{address} listed");
        }
    }

    #[test]
    fn numbers_in_any_notation_are_judged_as_what_they_mean() {
        for host in ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::1]", "[::ffff:7f00:1]"] {
            let url = Url::parse(&format!("https://{host}/")).unwrap();
            assert!(!Guard::default().allows_host_of(&url), "{host}");
        }
        assert!(Guard::default().allows_host_of(&Url::parse("https://name.example/").unwrap()));
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_private_address_is_refused() {
        let resolve = |guard: &Guard| guard.resolve("localhost".parse().unwrap());
        assert!(resolve(&Guard::default()).await.is_err());
        let listed = Guard::new(vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()]);
        assert!(resolve(&listed).await.is_ok());
    }
}
