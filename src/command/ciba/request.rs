//! The protocol as the client speaks it: discovery (OpenID Connect Discovery 4), the authentication request (CIBA Core
//! 7.1) with client authentication (RFC 6749 2.3.1), and the issuer's key set. Polling is in `wait`.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use clap::ValueEnum;
use serde::Deserialize;
use url::{Host, Url, form_urlencoded};

use crate::{
    clock::Clock,
    http::{Answer, Fault, Http, Limit},
    jose::foreign::ForeignKeys,
    secret::Secret,
};

/// A token endpoint may hold a poll for 30 s (CIBA Core 7.3), and nobody waits at the other end of the line.
const PATIENT: Limit = Limit { time: Duration::from_secs(35), size: Limit::API.size };

/// How the client proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum AuthMethod {
    #[value(name = "client_secret_basic")]
    Basic,
    #[value(name = "client_secret_post")]
    Post,
}

/// Whom to ask, as somebody who is registered there.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) http: Http,
    pub(super) clock: Clock,
    pub(super) issuer: Issuer,
    pub(super) client_id: String,
    pub(super) secret: Secret,
    pub(super) auth_method: AuthMethod,
}

/// An issuer identifier: the text counts (it is compared byte by byte), the address is where it leads.
#[derive(Clone, Debug)]
pub(super) struct Issuer {
    pub(super) text: String,
    url: Url,
}

/// What to ask for.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) login_hint: String,
    pub(super) scope: String,
    pub(super) binding_message: Option<String>,
    pub(super) requested_expiry: Option<u32>,
    pub(super) user_code: Option<Secret>,
}

/// The endpoints that are needed, from discovery.
#[derive(Debug)]
pub(super) struct Endpoints {
    backchannel_authentication: Url,
    token: Url,
    jwks: Url,
}

/// The acknowledgement (CIBA Core 7.3). Times in seconds.
#[derive(Debug, Deserialize)]
pub(super) struct Accepted {
    pub(super) auth_req_id: String,
    pub(super) expires_in: u64,
    interval: Option<u64>,
}

/// An error answer (RFC 6749 5.2, CIBA Core 13), as the server wrote it.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Refusal {
    pub(super) error: String,
    pub(super) error_description: Option<String>,
    /// From the header `Retry-After`, in seconds.
    #[serde(skip)]
    pub(super) retry_after: Option<u64>,
}

impl Refusal {
    /// The request may do later as it is (RFC 6749 4.1.2.1).
    pub(super) fn is_temporary(&self) -> bool {
        self.error == "temporarily_unavailable"
    }
}

/// Why there are no tokens to show.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Denied(Refusal),
    Expired(Refusal),
    Refused(Refusal),
    /// Nobody answered.
    NoAnswer(String),
    /// No server that speaks the protocol, or not now.
    Network(String),
    /// There are tokens, and they are not what they should be.
    NotVerified(String),
    /// The result could not be written.
    Output(String),
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

impl Accepted {
    /// The least time between two polls: 5 s where the server states none (CIBA Core 7.3).
    pub(super) fn interval(&self) -> Duration {
        Duration::from_secs(self.interval.unwrap_or(5).max(1))
    }
}

impl Client {
    pub(super) async fn discover(&self) -> Result<Endpoints, Failure> {
        #[derive(Deserialize)]
        struct Metadata {
            issuer: String,
            token_endpoint: String,
            backchannel_authentication_endpoint: Option<String>,
            jwks_uri: String,
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
        let metadata: Metadata = answer.json().map_err(|fault| wrong(fault.to_string()))?;
        if metadata.issuer != self.issuer.text {
            return Err(wrong(format!("it speaks for {}, not for {}", metadata.issuer, self.issuer.text)));
        }
        let endpoint = |name: &str, text: &str| match Url::parse(text) {
            Ok(url) if url.scheme() == "https" || (url.scheme() == "http" && !self.issuer.is_encrypted()) => Ok(url),
            _ => Err(wrong(format!("its {name} is no https address"))),
        };
        let Some(backchannel) = &metadata.backchannel_authentication_endpoint else {
            return Err(wrong("it has no backchannel_authentication_endpoint: CIBA is not offered there".into()));
        };
        Ok(Endpoints {
            backchannel_authentication: endpoint("backchannel_authentication_endpoint", backchannel)?,
            token: endpoint("token_endpoint", &metadata.token_endpoint)?,
            jwks: endpoint("jwks_uri", &metadata.jwks_uri)?,
        })
    }

    /// Sends the authentication request, once: a second one would alert the person again.
    pub(super) async fn ask(&self, endpoints: &Endpoints, question: &Question) -> Result<Accepted, Failure> {
        let mut form = vec![("scope", question.scope.clone()), ("login_hint", question.login_hint.clone())];
        form.extend(question.binding_message.clone().map(|message| ("binding_message", message)));
        form.extend(question.requested_expiry.map(|seconds| ("requested_expiry", seconds.to_string())));
        form.extend(question.user_code.as_ref().map(|code| ("user_code", code.reveal().to_owned())));

        let url = &endpoints.backchannel_authentication;
        let wrong = |fault: Fault| Failure::Network(format!("{url}: {fault}"));
        let answer = self.post(url, form).await.map_err(wrong)?;
        if answer.status == 200 {
            return answer.json().map_err(wrong);
        }
        Err(match answer.json::<Refusal>() {
            Ok(refusal) => Failure::Refused(Refusal { retry_after: retry_after(&answer), ..refusal }),
            Err(_) => wrong(Fault::Status(answer.status.as_u16())),
        })
    }

    /// One request to the token endpoint (CIBA Core 10.1).
    pub(super) async fn poll(&self, endpoints: &Endpoints, auth_req_id: &str) -> Result<Answer, Fault> {
        let form =
            vec![("grant_type", crate::oauth::CIBA_GRANT_TYPE.to_owned()), ("auth_req_id", auth_req_id.to_owned())];
        self.post(&endpoints.token, form).await
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

    async fn post(&self, url: &Url, mut form: Vec<(&'static str, String)>) -> Result<Answer, Fault> {
        let mut request = self.http.post(url.clone());
        match self.auth_method {
            AuthMethod::Basic => {
                request = request.header(http::header::AUTHORIZATION, basic(&self.client_id, &self.secret));
            }
            AuthMethod::Post => {
                form.push(("client_id", self.client_id.clone()));
                form.push(("client_secret", self.secret.reveal().to_owned()));
            }
        }
        self.http.send(request.form(&form), PATIENT).await
    }
}

/// `Retry-After` in seconds (RFC 9110 10.2.3; its other form, a date, is not read).
pub(super) fn retry_after(answer: &Answer) -> Option<u64> {
    answer.headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.parse().ok()
}

/// RFC 6749 2.3.1: both are form-encoded before they become user and password.
fn basic(client_id: &str, secret: &Secret) -> String {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(client_id), encoded(secret.reveal()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_and_secret_are_form_encoded() {
        let table = [
            ("till", "plain", "till:plain"),
            ("till", "a:b", "till:a%3Ab"),
            ("a:b", "x", "a%3Ab:x"),
            ("till", "50% + 1&=\"é\"", "till:50%25+%2B+1%26%3D%22%C3%A9%22"),
            ("https://rp.example/", "~*-._", "https%3A%2F%2Frp.example%2F:%7E*-._"),
        ];
        for (client_id, secret, expected) in table {
            let header = basic(client_id, &Secret::new(secret));
            assert_eq!(header, format!("Basic {}", STANDARD.encode(expected)), "{client_id} {secret}");
        }
    }

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
