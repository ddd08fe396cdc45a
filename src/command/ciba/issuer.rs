//! Whom to ask: an issuer identifier, and what its discovery document says (OpenID Connect Discovery 4). The issuer's key set
//! is fetched here, too.

use serde::Deserialize;
use url::{Host, Url};

use super::{
    client::Client,
    failure::{Failure, Refusal},
};
use crate::{
    http::{Fault, Limit},
    jose::foreign::ForeignKeys,
};

/// An issuer identifier: the text counts (it is compared byte by byte), the address is where it leads.
#[derive(Clone, Debug)]
pub(super) struct Issuer {
    pub(super) text: String,
    url: Url,
}

/// The endpoints that are needed, from discovery.
#[derive(Debug)]
pub(super) struct Endpoints {
    pub(super) backchannel_authentication: Url,
    pub(super) token: Url,
    pub(super) userinfo: Option<Url>,
    jwks: Url,
    /// `backchannel_token_delivery_modes_supported`; empty where the server does not say.
    modes: Vec<String>,
}

impl Issuer {
    /// An absolute http or https address without user, query and fragment.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| error.to_string())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("an issuer begins with https:// (or http:// for a local one)".into());
        }
        if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
            return Err("an issuer has no query, no fragment and no user name".into());
        }
        Ok(Self { text: text.to_owned(), url })
    }

    /// Whether it is on this very machine.
    pub(super) fn is_loopback(&self) -> bool {
        match self.url.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }

    /// Whether it has the form of the running demo's (`realmgate demo`), on whichever port.
    pub(super) fn is_demo(&self) -> bool {
        self.url.scheme() == "http" && self.is_loopback() && self.url.path() == "/master"
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// An address below the issuer.
    pub(super) fn below(&self, path: &str) -> String {
        format!("{}/{path}", self.text.trim_end_matches('/'))
    }
}

impl Endpoints {
    /// Whether it makes sense to ask there for this delivery mode: a server may take no notice of one that it does not have.
    pub(super) fn offers(&self, mode: &str) -> bool {
        self.modes.is_empty() || self.modes.iter().any(|offered| offered == mode)
    }
}

impl Client {
    pub(super) async fn discover(&self) -> Result<Endpoints, Failure> {
        #[derive(Deserialize)]
        struct Metadata {
            issuer: String,
            token_endpoint: String,
            backchannel_authentication_endpoint: Option<String>,
            userinfo_endpoint: Option<String>,
            jwks_uri: String,
            #[serde(default)]
            backchannel_token_delivery_modes_supported: Vec<String>,
            #[serde(default)]
            mtls_endpoint_aliases: Aliases,
        }
        /// RFC 8705 5: where the same endpoints ask for a certificate.
        #[derive(Default, Deserialize)]
        struct Aliases {
            token_endpoint: Option<String>,
            backchannel_authentication_endpoint: Option<String>,
            userinfo_endpoint: Option<String>,
        }
        let address = self.issuer.below(".well-known/openid-configuration");
        let wrong = |what: String| Failure::Network(format!("{address}: {what}"));

        let url = Url::parse(&address).map_err(|error| wrong(error.to_string()))?;
        let answer = self.http.send(self.http.get(url), Limit::API).await.map_err(|fault| match fault {
            Fault::NoAnswer(_) => Failure::NoAnswer(format!("{address}: {fault}")),
            _ => wrong(fault.to_string()),
        })?;
        if answer.status != 200 {
            let status = Fault::Status(answer.status.as_u16());
            let said = answer.json::<Refusal>().ok().and_then(|refusal| refusal.error_description);
            return Err(wrong(said.map_or_else(|| status.to_string(), |said| format!("{status} ({said})"))));
        }
        let mut metadata: Metadata = answer.json().map_err(|fault| wrong(fault.to_string()))?;
        if metadata.issuer != self.issuer.text {
            return Err(wrong(format!("it speaks for {}, not for {}", metadata.issuer, self.issuer.text)));
        }
        let endpoint = |name: &str, text: &str| match Url::parse(text) {
            Ok(url) if url.scheme() == "https" || (url.scheme() == "http" && !self.issuer.is_encrypted()) => Ok(url),
            _ => Err(wrong(format!("its {name} is no https address"))),
        };
        if self.certificate.is_some() {
            let aliases = metadata.mtls_endpoint_aliases;
            metadata.token_endpoint = aliases.token_endpoint.unwrap_or(metadata.token_endpoint);
            metadata.userinfo_endpoint = aliases.userinfo_endpoint.or(metadata.userinfo_endpoint);
            metadata.backchannel_authentication_endpoint =
                aliases.backchannel_authentication_endpoint.or(metadata.backchannel_authentication_endpoint);
        }
        let Some(backchannel) = &metadata.backchannel_authentication_endpoint else {
            return Err(wrong("it has no backchannel_authentication_endpoint: CIBA is not offered there".into()));
        };
        Ok(Endpoints {
            backchannel_authentication: endpoint("backchannel_authentication_endpoint", backchannel)?,
            token: endpoint("token_endpoint", &metadata.token_endpoint)?,
            userinfo: metadata.userinfo_endpoint.map(|text| endpoint("userinfo_endpoint", &text)).transpose()?,
            jwks: endpoint("jwks_uri", &metadata.jwks_uri)?,
            modes: metadata.backchannel_token_delivery_modes_supported,
        })
    }

    pub(super) async fn keys(&self, endpoints: &Endpoints) -> Result<ForeignKeys, Failure> {
        let wrong = |what: String| Failure::Network(format!("{}: {what}", endpoints.jwks));
        let request = self.http.get(endpoints.jwks.clone());
        let answer = self.http.send(request, Limit::API).await.map_err(|fault| wrong(fault.to_string()))?;
        if answer.status != 200 {
            return Err(wrong(Fault::Status(answer.status.as_u16()).to_string()));
        }
        ForeignKeys::parse(&answer.body).map_err(|error| wrong(Fault::NotUnderstood(error.to_string()).to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers() {
        let table = [
            ("http://127.0.0.1:8080/master", true, true),
            ("http://localhost:9090/master", true, true),
            ("http://[::1]:8080/master", true, true),
            ("http://127.0.0.1:8080/shop", true, false),
            ("https://127.0.0.1/master", true, false),
            ("http://127.0.0.1.example.com/master", false, false),
            ("https://id.example.com/master", false, false),
        ];
        for (text, loopback, demo) in table {
            let issuer = Issuer::parse(text).unwrap();
            assert_eq!((issuer.is_loopback(), issuer.is_demo()), (loopback, demo), "{text}");
        }
        for text in ["master", "ftp://h/x", "https://h/x?y", "https://h/x#y", "https://u:p@h/x", "//h/x", ""] {
            assert!(Issuer::parse(text).is_err(), "{text}");
        }
    }
}
