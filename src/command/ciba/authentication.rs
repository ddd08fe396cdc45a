//! Client authentication: secrets (RFC 6749 2.3.1), assertions (RFC 7523 2.2, OpenID Connect Core 9) and certificates
//! (RFC 8705 2).

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::signer::Signer;
use crate::{
    clock::Timestamp,
    jose::{self, NotSigned},
    random::Random,
    secret::Secret,
};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const ASSERTION_LIFETIME: Duration = Duration::from_secs(60);
/// The explicit type of assertions (draft-ietf-oauth-rfc7523bis).
const ASSERTION_TYP: &str = "client-authentication+jwt";

/// How the client proves who it is, and what it takes for that.
#[derive(Debug)]
pub(super) enum Credentials {
    Basic(Secret),
    Post(Secret),
    SecretJwt(Secret),
    PrivateKeyJwt(Arc<Signer>),
    /// The TLS connection shows it; the form says whose it is.
    Certificate,
}

/// What goes along with a form.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// The value of `Authorization`.
    Header(String),
    Parameters(Vec<(&'static str, String)>),
}

impl Credentials {
    /// For one request: an assertion is never sent twice.
    pub(super) fn proof(
        &self,
        client_id: &str,
        issuer: &str,
        now: Timestamp,
        random: &Random,
    ) -> Result<Proof, NotSigned> {
        let assertion = match self {
            Self::Basic(secret) => return Ok(Proof::Header(basic(client_id, secret))),
            Self::Post(secret) => {
                let secret = secret.reveal().to_owned();
                return Ok(Proof::Parameters(vec![("client_id", client_id.to_owned()), ("client_secret", secret)]));
            }
            Self::Certificate => return Ok(Proof::Parameters(vec![("client_id", client_id.to_owned())])),
            Self::SecretJwt(secret) => {
                jose::sign_with_secret(secret, ASSERTION_TYP, &assertion(client_id, issuer, now, random)?)?
            }
            Self::PrivateKeyJwt(signer) => signer.sign(ASSERTION_TYP, &assertion(client_id, issuer, now, random)?)?,
        };
        let kind = ("client_assertion_type", ASSERTION_TYPE.to_owned());
        Ok(Proof::Parameters(vec![kind, ("client_assertion", assertion)]))
    }
}

/// What an assertion says. Its audience is the issuer alone, as a string: with any other a server could use it elsewhere.
fn assertion(client_id: &str, issuer: &str, now: Timestamp, random: &Random) -> Result<Value, NotSigned> {
    Ok(json!({
        "iss": client_id,
        "sub": client_id,
        "aud": issuer,
        "jti": random.identifier().map_err(|fault| NotSigned::because(&fault))?,
        "iat": now.seconds(),
        "exp": now.plus(ASSERTION_LIFETIME).seconds(),
    }))
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
