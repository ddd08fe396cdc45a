//! The authentication request as a signed request object (CIBA Core 7.1.1, RFC 9101 4): every parameter is a claim, and
//! none but those of client authentication stands outside.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{client::Client, signer::Signer};
use crate::jose::NotSigned;

/// RFC 9101 10.8: so that it is taken for nothing else.
const TYP: &str = "oauth-authz-req+jwt";
/// Well below the hour that FAPI-CIBA allows.
const LIFETIME: Duration = Duration::from_secs(300);

pub(super) fn signed(
    signer: &Signer,
    client: &Client,
    parameters: Vec<(&'static str, Value)>,
) -> Result<String, NotSigned> {
    let now = client.clock.now();
    let registered = [
        ("iss", json!(client.client_id)),
        ("aud", json!(client.issuer.text)),
        ("iat", json!(now.seconds())),
        ("nbf", json!(now.seconds())),
        ("exp", json!(now.plus(LIFETIME).seconds())),
        ("jti", json!(client.random.identifier().map_err(|fault| NotSigned::because(&fault))?)),
    ];
    let claims = registered.into_iter().chain(parameters).map(|(name, value)| (name.to_owned(), value));
    signer.sign(TYP, &claims.collect::<Map<_, _>>())
}
