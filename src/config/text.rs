//! What single texts mean: URLs, scopes, networks. Each function says what is wrong without repeating the text, which may
//! hold a secret.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use url::{Host, Url};

use super::fault::{Problem, one_of};
use crate::{jose::JwsAlgorithm, keys::Algorithm, oauth::Scope};

/// An address that requests go to: http or https, no user information, no fragment.
pub(super) fn http_url(text: &str) -> Result<Url, Problem> {
    let remedy = "write an absolute address such as https://host.example.com/path";
    let url = Url::parse(text).map_err(|error| Problem::new(format!("this is no URL: {error}"), remedy))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(Problem::new("it must begin with https:// or http://", remedy));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Problem::new("it must hold no user name and no password", "remove what stands before the @"));
    }
    if url.fragment().is_some() {
        return Err(Problem::new("it must have no fragment", "remove what begins with #"));
    }
    Ok(url)
}

/// An issuer of ours (OpenID Connect Discovery 3): as written, byte for byte.
pub(super) fn issuer(text: &str) -> Result<String, Problem> {
    let text = upstream_issuer(text)?;
    if text.ends_with('/') {
        return Err(Problem::new("an issuer ends without a slash here", "remove the slash at the end"));
    }
    Ok(text)
}

/// An issuer of somebody else: it may end with a slash, and must be written exactly as they state it.
pub(super) fn upstream_issuer(text: &str) -> Result<String, Problem> {
    let url = http_url(text)?;
    if url.query().is_some() {
        return Err(Problem::new("an issuer has no query", "remove what begins with ?"));
    }
    // the parser is lenient, and the text is compared byte for byte
    if !text.starts_with("https://") && !text.starts_with("http://") || text.contains(char::is_whitespace) {
        return Err(Problem::new("it must be written exactly as it is stated", "write https:// and no spaces"));
    }
    Ok(text.to_owned())
}

/// Whether only this machine is meant.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// A scope that holds `openid`.
pub(super) fn openid_scope(text: &str) -> Result<Scope, Problem> {
    let scope = scope(text)?;
    if scope.contains("openid") {
        Ok(scope)
    } else {
        Err(Problem::new("`openid` is missing in it", "add `openid`, such as \"openid profile email\""))
    }
}

pub(super) fn scope(text: &str) -> Result<Scope, Problem> {
    Scope::parse(text)
        .map_err(|_| Problem::new("this is no scope", "write words of ASCII with a space between, such as \"openid\""))
}

pub(super) fn algorithm(text: &str) -> Result<Algorithm, Problem> {
    let remedy = "write one of `RS256`, `PS256`, `ES256`, `EdDSA`";
    text.parse().map_err(|()| Problem::new("this is no algorithm that tokens are signed with here", remedy))
}

/// What clients sign with.
pub(super) fn asymmetric(text: &str) -> Result<JwsAlgorithm, Problem> {
    algorithm_of(&JwsAlgorithm::ASYMMETRIC, text)
}

/// What secrets sign with.
pub(super) fn symmetric(text: &str) -> Result<JwsAlgorithm, Problem> {
    algorithm_of(&JwsAlgorithm::SYMMETRIC, text)
}

fn algorithm_of(known: &[JwsAlgorithm], text: &str) -> Result<JwsAlgorithm, Problem> {
    let names: Vec<&str> = known.iter().map(|algorithm| algorithm.as_str()).collect();
    let found = text.parse().ok().filter(|algorithm| known.contains(algorithm));
    found.ok_or_else(|| Problem::new("this is no algorithm that is accepted here", format!("write {}", one_of(&names))))
}

/// An address that a client registers (CIBA Core 4, 9): https; http on loopback alone, which `private_networks` must list.
pub(super) fn registered_url(text: &str) -> Result<Url, Problem> {
    let url = http_url(text)?;
    let is_number = matches!(url.host(), Some(Host::Ipv4(_) | Host::Ipv6(_)));
    if url.scheme() == "http" && !(is_number && is_loopback(&url)) {
        let remedy =
            "write https://; for tries on one machine, http://127.0.0.1 with `private_networks` in config.toml";
        return Err(Problem::new("it must be https", remedy));
    }
    Ok(url)
}

/// For people: no control characters, at most `most` characters.
pub(super) fn sentence(text: &str, most: usize) -> Result<String, Problem> {
    if text.chars().count() > most || text.contains(char::is_control) {
        let cause = format!("it must be one line of at most {most} characters");
        return Err(Problem::new(cause, "shorten it"));
    }
    Ok(text.to_owned())
}

pub(super) fn socket_address(text: &str) -> Result<SocketAddr, Problem> {
    let remedy = "write an IP address and a port, such as 127.0.0.1:8080 or [::]:8443";
    text.parse().map_err(|_| Problem::new("this is no address to listen on", remedy))
}

/// A network, or one address as a network of its own.
pub(super) fn network(text: &str) -> Result<IpNet, Problem> {
    let network = text.parse::<IpNet>().map(|network| network.trunc());
    network.or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
        Problem::new("one of them is no IP address or CIDR", "write such as 10.0.0.1, 10.0.0.0/8 or fd00::/8")
    })
}
