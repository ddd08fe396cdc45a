//! Who asks: a registered client, how it proves that, and how its forms are sent.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use clap::ValueEnum;
use url::{Url, form_urlencoded};

use super::issuer::Issuer;
use crate::{
    clock::Clock,
    http::{Answer, Fault, Http, Limit},
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

impl Client {
    /// Sends a form with what proves who the client is.
    pub(super) async fn post(&self, url: &Url, mut form: Vec<(&'static str, String)>) -> Result<Answer, Fault> {
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
}
