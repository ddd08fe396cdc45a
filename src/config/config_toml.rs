//! The keys of `config.toml`, one by one, out of their layers into a [`Config`].

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use url::Url;

use super::{ClientCertificates, Config, LogFormat, Tls, fault::Problem, layers::Layers, realm, text};
use crate::http::Outbound;

/// Takes every key out of the layers. Where one is faulty, something harmless stands in its place: the fault is recorded,
/// and the rest is still read.
pub(super) fn resolve(layers: &mut Layers) -> Config {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = Config {
        listen: layers.parsed("listen", text::socket_address).unwrap_or(nowhere),
        public_url: layers.parsed("public_url", public_url).unwrap_or_else(|| "http://localhost".into()),
        path_prefix: layers.parsed("path_prefix", path_prefix).unwrap_or_default(),
        realms: realms(layers).unwrap_or_default(),
        state: layers.path("state").unwrap_or_default(),
        log: layers.parsed("log", log_filter).unwrap_or_default(),
        log_format: layers.parsed("log_format", log_format).unwrap_or(LogFormat::Auto),
        trusted_proxies: trusted_proxies(layers),
        tls: tls(layers),
        management: management(layers),
        outbound: outbound(layers),
        warnings: Vec::new(),
    };
    if config.management.is_some_and(|management| management == config.listen && management.port() != 0) {
        let problem = Problem::new("it is the address of `listen`", "give it a port of its own");
        layers.fault("management.listen", problem);
    }
    if let Some(blocked) = config.state.ancestors().find(|path| path.exists()).filter(|path| !path.is_dir()) {
        let cause = format!("{} is not a folder", blocked.display());
        layers.fault("state", Problem::new(cause, "name a folder that is there or can be made"));
    }
    config
}

/// The origin as a browser states it: lower case, no default port.
fn public_url(text: &str) -> Result<String, Problem> {
    let url = text::http_url(text)?;
    if url.path() != "/" || url.query().is_some() {
        let remedy = "write scheme, host and port alone; a path belongs in `path_prefix`";
        return Err(Problem::new("it must have no path and no query", remedy));
    }
    Ok(url.origin().ascii_serialization())
}

fn path_prefix(text: &str) -> Result<String, Problem> {
    let remedy = "write \"\", or such as \"/auth\"";
    let segment = |segment: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'~');
        !segment.starts_with('.') && !segment.is_empty() && segment.bytes().all(plain)
    };
    match text.strip_prefix('/') {
        None if text.is_empty() => Ok(String::new()),
        Some(path) if path.split('/').all(segment) => {
            let first = path.split('/').next().unwrap_or(path);
            if realm::RESERVED.contains(&first) {
                let cause = format!("it must not begin with `/{first}`: addresses of the gateway itself begin so");
                return Err(Problem::new(cause, remedy));
            }
            Ok(text.to_owned())
        }
        _ => Err(Problem::new("it must be empty, or begin with a slash and end without one", remedy)),
    }
}

fn log_filter(text: &str) -> Result<String, Problem> {
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(Problem::new("this is no log filter", "write such as \"info\" or \"warn,realmgate=debug\"")),
    }
}

fn log_format(text: &str) -> Result<LogFormat, Problem> {
    match text {
        "auto" => Ok(LogFormat::Auto),
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(Problem::unknown_word(text, &["auto", "text", "json"])),
    }
}

fn realms(layers: &mut Layers) -> Option<PathBuf> {
    let folder = layers.path("realms")?;
    if layers.is_read() && !folder.is_dir() {
        let cause = format!("{} is no folder", folder.display());
        layers.fault("realms", Problem::new(cause, "make it, or name the folder of the realm files"));
    }
    Some(folder)
}

fn networks(layers: &mut Layers, key: &str) -> Vec<IpNet> {
    let mut networks = Vec::new();
    for text in layers.list(key) {
        match text::network(&text) {
            Ok(network) => networks.push(network),
            Err(problem) => layers.fault(key, problem),
        }
    }
    networks
}

/// Everybody is no proxy: whoever is listed says who they are, and whose certificate they have (CVE-2026-40575).
fn trusted_proxies(layers: &mut Layers) -> Vec<IpNet> {
    let networks = networks(layers, "trusted_proxies");
    if networks.iter().any(|network| network.prefix_len() == 0) {
        let cause = "it lists every address, and anybody could come as anybody else";
        layers.fault("trusted_proxies", Problem::new(cause, "list the addresses of your proxies alone"));
    }
    networks
}

fn tls(layers: &mut Layers) -> Option<Tls> {
    if !layers.has_section("tls") {
        return None;
    }
    let client_certificates = layers.parsed("tls.client_certificates", client_certificates).unwrap_or_default();
    let certificate = pem_file(layers, "tls.certificate", "CERTIFICATE-----");
    let private_key = pem_file(layers, "tls.private_key", "PRIVATE KEY-----");
    Some(Tls { certificate: certificate?, private_key: private_key?, client_certificates })
}

fn client_certificates(text: &str) -> Result<ClientCertificates, Problem> {
    match text {
        "none" => Ok(ClientCertificates::None),
        "optional" => Ok(ClientCertificates::Optional),
        _ => Err(Problem::unknown_word(text, &["none", "optional"])),
    }
}

fn pem_file(layers: &mut Layers, key: &str, holds: &str) -> Option<PathBuf> {
    let Some(path) = layers.path(key) else {
        if !layers.has(key) {
            layers.fault(key, Problem::new("it is missing", "add it: the path of a PEM file"));
        }
        return None;
    };
    pem(&path, holds).map_err(|problem| layers.fault(key, problem)).ok()?;
    Some(path)
}

fn pem(path: &Path, holds: &str) -> Result<Vec<u8>, Problem> {
    let bytes = fs::read(path).map_err(|error| {
        let cause = format!("{} cannot be read: {error}", path.display());
        Problem::new(cause, "check the path (relative to the folder of the file it stands in) and its mode")
    })?;
    if !String::from_utf8_lossy(&bytes).contains(holds) {
        let cause = format!("{} holds no `-----BEGIN ... {holds}`", path.display());
        return Err(Problem::new(cause, "name a PEM file"));
    }
    Ok(bytes)
}

fn management(layers: &mut Layers) -> Option<SocketAddr> {
    if !layers.has_section("management") {
        return None;
    }
    if !layers.has("management.listen") {
        let problem = Problem::new("it is missing", "add such as listen = \"127.0.0.1:9000\", or remove the section");
        layers.fault("management.listen", problem);
    }
    layers.parsed("management.listen", text::socket_address)
}

fn outbound(layers: &mut Layers) -> Outbound {
    let key = "outbound.ca_certificates";
    let mut ca_certificates = Vec::new();
    for text in layers.list(key) {
        let path = layers.resolved(key, &text);
        match pem(&path, "CERTIFICATE-----") {
            Ok(bytes) => ca_certificates.push((path, bytes)),
            Err(problem) => layers.fault(key, problem),
        }
    }
    let proxy = layers.parsed("outbound.proxy", |text| {
        let problem = |cause| Problem::new(cause, "write such as http://proxy.example.com:3128");
        let url = Url::parse(text).map_err(|_| problem("this is no URL"))?;
        let plain = matches!(url.scheme(), "http" | "https") && url.has_host();
        if plain { Ok(url) } else { Err(problem("it must begin with http:// or https://")) }
    });
    let private_networks = networks(layers, "outbound.private_networks");
    Outbound { ca_certificates, proxy, private_networks }
}
