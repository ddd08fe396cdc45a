//! Whom a request comes from when proxies stand in between (I9): the address from `X-Forwarded-For`, believed as far as
//! listed proxies wrote it, and the client's certificate from `Client-Cert` and `Client-Cert-Chain` (RFC 9440), believed
//! from the peer itself alone. No other forwarded header is read, and none by another spelling of its name.

use std::net::{IpAddr, SocketAddr};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;

use crate::peer::{Peer, Presented};

/// Who sent a request with these headers over the connection of `peer`.
pub fn peer(peer: &Peer, headers: &HeaderMap, listed: &[IpNet]) -> Peer {
    let is_proxy = peer.address.is_some_and(|it| is_listed(it.to_canonical(), listed));
    Peer {
        address: peer.address.map(|it| address(it, headers, listed)),
        // a proxy's own certificate, if it shows one to us, is nobody's whom it speaks for
        certificate: if is_proxy { certificate(headers) } else { peer.certificate.clone() },
    }
}

fn is_listed(address: IpAddr, listed: &[IpNet]) -> bool {
    listed.iter().any(|net| net.contains(&address))
}

/// The certificate that a listed proxy passes on; none where the headers are not exactly as RFC 9440 has them.
fn certificate(headers: &HeaderMap) -> Option<Presented> {
    let mut lines = headers.get_all("client-cert").iter();
    let line = lines.next()?;
    let presented = match lines.next() {
        Some(_) => None, // section 2.2: once at most
        None => {
            byte_sequence(line.as_bytes()).zip(chain(headers)).and_then(|(leaf, chain)| Presented::new(&leaf, chain))
        }
    };
    if presented.is_none() {
        tracing::debug!("A listed proxy sent a Client-Cert that cannot be read");
    }
    presented
}

/// Section 2.3: a list, which may be spread over several lines; absent where there is no chain.
fn chain(headers: &HeaderMap) -> Option<Vec<Vec<u8>>> {
    let lines = headers.get_all("client-cert-chain").iter().map(HeaderValue::as_bytes);
    let lines = lines.filter(|line| !line.trim_ascii().is_empty());
    // base64 has no comma, so that this is where the list's items end
    lines.flat_map(|line| line.split(|byte| *byte == b',')).map(byte_sequence).collect()
}

/// A byte sequence of RFC 9651 (3.3.5) without parameters, of which RFC 9440 knows none.
fn byte_sequence(item: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(item.trim_ascii().strip_prefix(b":")?.strip_suffix(b":")?).ok()
}

/// The address nearest to us that is not a listed proxy. Each proxy appends the address that it was called from, so the
/// header is read from the right, and no further than the first entry that nobody listed vouches for. An entry that is no
/// address ends the reading too: nothing is looked up, and what stands left of it may be anybody's.
fn address(peer: IpAddr, headers: &HeaderMap, listed: &[IpNet]) -> IpAddr {
    // a listener for both families reports IPv4 peers as `::ffff:192.0.2.1`
    let mut address = peer.to_canonical();
    let lines = headers.get_all("x-forwarded-for").iter().rev();
    for entry in lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(',')) {
        if !is_listed(address, listed) {
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
    use http::HeaderName;

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

    #[test]
    fn table_of_forwarded_certificates() {
        let listed = ["10.0.0.0/8".parse().unwrap()];
        let own = Presented::new(b"own", Vec::new());
        let is = |leaf: &[u8], chain: &[&[u8]]| Presented::new(leaf, chain.iter().map(|der| der.to_vec()).collect());
        let many = (0..8).map(|_| ":YQ==:").collect::<Vec<_>>().join(",");
        let (long, large) = (vec![b'a'; 16 * 1024], vec![b'a'; 16 * 1024 + 1]);
        let [long_text, large_text] = [&long, &large].map(|it| format!(":{}:", STANDARD.encode(it)));
        const CERT: &str = "client-cert";
        const CHAIN: &str = "client-cert-chain";
        // name, peer, headers, certificate
        let table: [(&str, &str, &[(&str, &str)], Option<Presented>); 43] = [
            ("listed", "10.0.0.1", &[(CERT, ":bGVhZg==:")], is(b"leaf", &[])),
            ("IPv4 in IPv6", "::ffff:10.0.0.1", &[(CERT, ":bGVhZg==:")], is(b"leaf", &[])),
            ("any case", "10.0.0.1", &[("Client-Cert", ":bGVhZg==:")], is(b"leaf", &[])),
            ("spaces round it", "10.0.0.1", &[(CERT, " :bGVhZg==:\t ")], is(b"leaf", &[])),
            ("A38 not listed", "192.0.2.1", &[(CERT, ":bGVhZg==:")], own.clone()),
            ("A38 not listed, a chain", "192.0.2.1", &[(CERT, ":bGVhZg==:"), (CHAIN, ":YQ==:")], own.clone()),
            ("A38 not listed, malformed", "192.0.2.1", &[(CERT, "leaf")], own.clone()),
            (
                "A38 not listed, and names a listed one",
                "192.0.2.1",
                &[("x-forwarded-for", "10.0.0.1"), (CERT, ":bGVhZg==:")],
                own.clone(),
            ),
            (
                "behind a listed one, whoever that is",
                "10.0.0.1",
                &[("x-forwarded-for", "192.0.2.1"), (CERT, ":bGVhZg==:")],
                is(b"leaf", &[]),
            ),
            ("not listed, no header", "192.0.2.1", &[], own.clone()),
            ("T-I2 the proxy's own does not count", "10.0.0.1", &[], None),
            ("T-I2 with underscores", "10.0.0.1", &[("client_cert", ":bGVhZg==:")], None),
            (
                "T-I2 with an underscore, too",
                "10.0.0.1",
                &[("client_cert", ":ZXZpbA==:"), (CERT, ":bGVhZg==:")],
                is(b"leaf", &[]),
            ),
            (
                "T-I2 a chain with underscores",
                "10.0.0.1",
                &[(CERT, ":bGVhZg==:"), ("client_cert_chain", ":YQ==:"), ("client-cert_chain", ":YQ==:")],
                is(b"leaf", &[]),
            ),
            ("T-I2 nginx's name", "10.0.0.1", &[("ssl-client-cert", ":bGVhZg==:")], None),
            ("T-I2 Envoy's name", "10.0.0.1", &[("x-forwarded-client-cert", ":bGVhZg==:")], None),
            ("T-I2 twice", "10.0.0.1", &[(CERT, ":ZXZpbA==:"), (CERT, ":bGVhZg==:")], None),
            ("T-I2 twice the same", "10.0.0.1", &[(CERT, ":bGVhZg==:"), (CERT, ":bGVhZg==:")], None),
            ("T-I2 twice, once empty", "10.0.0.1", &[(CERT, ":bGVhZg==:"), (CERT, "")], None),
            ("T-I2 two in one", "10.0.0.1", &[(CERT, ":ZXZpbA==:, :bGVhZg==:")], None),
            ("empty", "10.0.0.1", &[(CERT, "")], None),
            ("an empty sequence", "10.0.0.1", &[(CERT, "::")], None),
            ("a colon", "10.0.0.1", &[(CERT, ":")], None),
            ("no colons", "10.0.0.1", &[(CERT, "bGVhZg==")], None),
            ("one colon", "10.0.0.1", &[(CERT, ":bGVhZg==")], None),
            ("colons inside", "10.0.0.1", &[(CERT, "::bGVhZg==::")], None),
            ("no padding", "10.0.0.1", &[(CERT, ":bGVhZg:")], None),
            ("base64url", "10.0.0.1", &[(CERT, ":-_-_:")], None),
            ("no base64", "10.0.0.1", &[(CERT, ":leaf!:")], None),
            ("a space inside", "10.0.0.1", &[(CERT, ":bGVh Zg==:")], None),
            ("PEM", "10.0.0.1", &[(CERT, "-----BEGIN%20CERTIFICATE-----%0AMAA=")], None),
            ("a string", "10.0.0.1", &[(CERT, "\"bGVhZg==\"")], None),
            ("a parameter", "10.0.0.1", &[(CERT, ":bGVhZg==:;a=1")], None),
            ("no ASCII", "10.0.0.1", &[(CERT, ":bGVhZg==:ü")], None),
            ("a chain alone", "10.0.0.1", &[(CHAIN, ":YQ==:")], None),
            (
                "a chain",
                "10.0.0.1",
                &[(CERT, ":bGVhZg==:"), (CHAIN, ":YQ==:,\t:Yg==: , :Yw==:")],
                is(b"leaf", &[b"a", b"b", b"c"]),
            ),
            (
                "a chain in several lines",
                "10.0.0.1",
                &[(CHAIN, ":YQ==:"), (CERT, ":bGVhZg==:"), (CHAIN, ""), (CHAIN, ":Yg==:, :Yw==:")],
                is(b"leaf", &[b"a", b"b", b"c"]),
            ),
            ("an empty chain", "10.0.0.1", &[(CERT, ":bGVhZg==:"), (CHAIN, " ")], is(b"leaf", &[])),
            ("a gap in the chain", "10.0.0.1", &[(CERT, ":bGVhZg==:"), (CHAIN, ":YQ==:,,:Yg==:")], None),
            ("a comma after the chain", "10.0.0.1", &[(CERT, ":bGVhZg==:"), (CHAIN, ":YQ==:,")], None),
            ("a malformed chain", "10.0.0.1", &[(CERT, ":bGVhZg==:"), (CHAIN, ":YQ==:, b")], None),
            ("too long a chain", "10.0.0.1", &[(CERT, ":bGVhZg==:"), (CHAIN, &many)], None),
            ("too long", "10.0.0.1", &[(CERT, &large_text)], None),
        ];
        let found = |address: &str, lines: &[(&str, &str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers
                    .append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            let connection = Peer { address: Some(address.parse().unwrap()), certificate: own.clone() };
            peer(&connection, &headers, &listed).certificate
        };
        for (name, address, lines, expected) in table {
            assert_eq!(found(address, lines), expected, "{name}");
        }
        assert_eq!(found("10.0.0.1", &[(CERT, &long_text)]), is(&long, &[]), "as long as it may be");
    }

    proptest::proptest! {
        /// Whatever a listed proxy sends: nothing, or exactly what it encoded.
        #[test]
        fn any_header_is_read_or_refused(text in "[ -~]{0,40}", der in proptest::collection::vec(proptest::num::u8::ANY, 1..60)) {
            let read = |value: &str| {
                let mut headers = HeaderMap::new();
                headers.insert("client-cert", value.parse().unwrap());
                certificate(&headers)
            };
            if let Some(presented) = read(&text) {
                proptest::prop_assert_eq!(text.trim(), format!(":{}:", STANDARD.encode(presented.leaf())));
            }
            proptest::prop_assert_eq!(read(&format!(":{}:", STANDARD.encode(&der))), Presented::new(&der, Vec::new()));
        }
    }
}
