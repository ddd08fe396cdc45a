//! Whose address a request comes from when proxies stand in between: `X-Forwarded-For`, believed as far as listed proxies
//! wrote it (I9). No other forwarded header is read.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use ipnet::IpNet;

/// The address nearest to us that is not a listed proxy. Each proxy appends the address that it was called from, so the
/// header is read from the right, and no further than the first entry that nobody listed vouches for. An entry that is no
/// address ends the reading too: nothing is looked up, and what stands left of it may be anybody's.
pub(super) fn address(peer: IpAddr, headers: &HeaderMap, listed: &[IpNet]) -> IpAddr {
    // a listener for both families reports IPv4 peers as `::ffff:192.0.2.1`
    let mut address = peer.to_canonical();
    let lines = headers.get_all("x-forwarded-for").iter().rev();
    for entry in lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(',')) {
        if !listed.iter().any(|net| net.contains(&address)) {
            break;
        }
        let Some(next) = parse(entry.trim()) else { break };
        address = next;
    }
    address
}

/// An address, with or without a port (some proxies send one).
fn parse(entry: &str) -> Option<IpAddr> {
    let address = entry.parse().or_else(|_| entry.parse::<SocketAddr>().map(|it| it.ip())).ok()?;
    Some(IpAddr::to_canonical(&address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_forwarded_addresses() {
        let listed = ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32"].map(|net| net.parse().unwrap());
        // name, peer, header lines, address
        let table: &[(&str, &str, &[&str], &str)] = &[
            ("no header, not listed", "198.51.100.1", &[], "198.51.100.1"),
            ("no header, listed", "10.0.0.1", &[], "10.0.0.1"),
            ("not listed: ignored", "198.51.100.1", &["203.0.113.5"], "198.51.100.1"),
            ("listed", "10.0.0.1", &["203.0.113.5"], "203.0.113.5"),
            (
                "spoofed: the client's own entry is left of the proxy's",
                "10.0.0.1",
                &["1.1.1.1, 203.0.113.5"],
                "203.0.113.5",
            ),
            ("spoofed as a listed proxy", "10.0.0.1", &["1.1.1.1,10.9.9.9,203.0.113.5"], "203.0.113.5"),
            ("two listed proxies", "10.0.0.1", &["1.1.1.1, 203.0.113.5, 192.0.2.7"], "203.0.113.5"),
            ("listed ones alone", "10.0.0.1", &["10.0.0.3, 192.0.2.7"], "10.0.0.3"),
            ("several lines", "10.0.0.1", &["1.1.1.1", "203.0.113.5", "10.0.0.2"], "203.0.113.5"),
            ("no address (CVE-2024-9666)", "10.0.0.1", &["evil.example.com"], "10.0.0.1"),
            ("no address between", "10.0.0.1", &["203.0.113.5, unknown, 10.0.0.2"], "10.0.0.2"),
            ("empty", "10.0.0.1", &[""], "10.0.0.1"),
            ("with a port", "10.0.0.1", &["203.0.113.5:4711"], "203.0.113.5"),
            ("IPv6", "2001:db8::1", &["2001:db9::5"], "2001:db9::5"),
            ("IPv6 with a port", "10.0.0.1", &["[2001:db9::5]:4711"], "2001:db9::5"),
            ("IPv4 in IPv6", "::ffff:10.0.0.1", &["::ffff:203.0.113.5"], "203.0.113.5"),
        ];
        for (name, peer, lines, expected) in table {
            let mut headers = HeaderMap::new();
            for line in *lines {
                headers.append("x-forwarded-for", line.parse().unwrap());
            }
            assert_eq!(address(peer.parse().unwrap(), &headers, &listed).to_string(), *expected, "{name}");
        }
    }
}
