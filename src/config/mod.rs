//! Files as written, strict, into what they mean: `config.toml` into a [`Config`] (figment layers defaults, file,
//! environment and flags), `realms/*.toml` into the types of `realm/`. All faults of all files come out at once, with
//! file, line, key, cause and remedy; what only a later version builds is a fault, never ignored.
//!
//! This module alone reads the environment. It opens no listener and asks nobody.

mod client;
mod config_toml;
mod details;
mod environment;
mod fault;
mod folder;
mod layers;
mod mtls;
mod policy;
mod public_keys;
mod realm;
mod secret;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod warning;
mod ways;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use serde::Serialize;
use url::Url;

pub use fault::{Fault, Faults};
pub use folder::{Found, Realms, load_realms};
pub use realm::realm_from_toml;
pub use warning::warnings;

use crate::http::Outbound;
use environment::Environment;
use layers::Layers;

/// `config.toml`, valid and complete.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    /// Scheme, host and port; without a slash at the end.
    pub public_url: String,
    /// Empty, or such as `/auth`.
    pub path_prefix: String,
    /// The folder of realm files.
    pub realms: PathBuf,
    /// The state folder.
    pub state: PathBuf,
    /// A filter of tracing-subscriber's `EnvFilter`.
    pub log: String,
    pub log_format: LogFormat,
    /// Whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Absent: plain HTTP.
    pub tls: Option<Tls>,
    /// Where health and metrics are served; absent: nowhere.
    pub management: Option<SocketAddr>,
    pub outbound: Outbound,
    /// Not faults, and worth a line at start.
    pub warnings: Vec<String>,
}

/// PEM files of the server's certificate chain and private key; read again at each reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    pub certificate: PathBuf,
    pub private_key: PathBuf,
    pub client_certificates: ClientCertificates,
}

/// Whether clients are asked for a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificates {
    #[default]
    None,
    /// Asked for, and not required.
    Optional,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    Text,
    Json,
}

/// Flags that override what the file and the environment say.
#[derive(Clone, Debug, Default, Serialize, clap::Args)]
pub struct Overrides {
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// What links, endpoints and default issuers begin with
    #[arg(long, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// Folder of the realm files
    #[arg(long, value_name = "FOLDER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub realms: Option<String>,
    /// Folder of generated keys
    #[arg(long, value_name = "FOLDER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Log filter, such as `info` or `realmgate=debug`
    #[arg(long, value_name = "FILTER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// `auto`, `text` or `json`
    #[arg(long, value_name = "FORMAT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_format: Option<String>,
}

impl Config {
    /// The public URL with the path prefix, without a slash at the end: what every published address begins with.
    pub fn public_base(&self) -> String {
        format!("{}{}", self.public_url, self.path_prefix)
    }

    /// Whether a client's certificate can become known: by the handshake, or from a proxy that is believed.
    pub fn sees_certificates(&self) -> bool {
        let asks = |tls: &Tls| tls.client_certificates == ClientCertificates::Optional;
        self.tls.as_ref().is_some_and(asks) || !self.trusted_proxies.is_empty()
    }

    /// Whether only this machine can reach the gateway, and is told to.
    pub fn is_loopback(&self) -> bool {
        self.listen.ip().is_loopback() && Url::parse(&self.public_url).is_ok_and(|url| text::is_loopback(&url))
    }
}

/// Reads `config.toml`. Blocking.
///
/// # Errors
/// Every fault of the file, the environment and the flags, and of every realm file, so that one run tells them all.
pub fn load(path: &Path, overrides: &Overrides) -> Result<Config, Faults> {
    read(path, overrides, &Environment::of_process())
}

fn read(path: &Path, overrides: &Overrides, environment: &Environment) -> Result<Config, Faults> {
    let mut layers = Layers::new(path, overrides, environment);
    let mut config = config_toml::resolve(&mut layers);
    config.warnings = layers.warnings;
    if layers.faults.is_empty() {
        return Ok(config);
    }
    let mut faults = layers.faults;
    faults.sort_by_key(|fault| fault.line);
    if config.realms.is_dir() {
        faults.extend(folder::read(&config, environment).faults().cloned());
    }
    Err(Faults(faults))
}
