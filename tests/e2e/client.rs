//! A CIBA client in poll mode, written from the specifications and not from our code.

use std::time::Duration;

use jsonwebtoken::{DecodingKey, TokenData, Validation, decode, decode_header, jwk::JwkSet};
use serde_json::Value;

const GRANT_TYPE: &str = "urn:openid:params:grant-type:ciba";

pub(crate) struct Client {
    http: reqwest::Client,
    metadata: Value,
    id: String,
    secret: String,
}

/// A status and a JSON body.
pub(crate) type Answer = (u16, Value);

impl Client {
    /// Learns the endpoints from the issuer's discovery document.
    pub(crate) async fn discover(issuer: &str, (id, secret): (&str, &str)) -> Self {
        let metadata = get(&format!("{issuer}/.well-known/openid-configuration")).await;
        assert_eq!(metadata["issuer"], issuer, "OpenID Connect Discovery 4.3");
        Self { http: http(), metadata, id: id.to_owned(), secret: secret.to_owned() }
    }

    async fn post(&self, endpoint: &str, form: &[(&str, &str)]) -> Answer {
        let url = self.metadata[endpoint].as_str().unwrap_or_else(|| panic!("no {endpoint}: {}", self.metadata));
        let request = self.http.post(url).basic_auth(&self.id, Some(&self.secret)).form(form);
        answer(request).await
    }

    /// An authentication request, whatever comes of it.
    pub(crate) async fn try_ask(&self, form: &[(&str, &str)]) -> Answer {
        self.post("backchannel_authentication_endpoint", form).await
    }

    /// An authentication request that must be accepted; its `auth_req_id`.
    pub(crate) async fn ask(&self, form: &[(&str, &str)]) -> String {
        let (status, body) = self.try_ask(form).await;
        assert_eq!(status, 200, "{body}");
        body["auth_req_id"].as_str().expect("an auth_req_id").to_owned()
    }

    pub(crate) async fn poll(&self, auth_req_id: &str) -> Answer {
        self.post("token_endpoint", &[("grant_type", GRANT_TYPE), ("auth_req_id", auth_req_id)]).await
    }

    /// Polls until the answer is anything but "not yet", at most 30 times.
    pub(crate) async fn outcome(&self, auth_req_id: &str) -> Answer {
        for _ in 0..30 {
            let (status, body) = self.poll(auth_req_id).await;
            if !["authorization_pending", "slow_down"].iter().any(|not_yet| body["error"] == *not_yet) {
                return (status, body);
            }
            tokio::time::sleep(Duration::from_millis(1200)).await;
        }
        panic!("the request stays undecided");
    }

    /// OpenID Connect Core 3.1.3.7: the claims of the ID token, after signature, issuer, audience and expiry were checked.
    pub(crate) async fn verify(&self, id_token: &str) -> Value {
        let keys: JwkSet = serde_json::from_value(get(self.metadata["jwks_uri"].as_str().unwrap()).await).unwrap();
        let header = decode_header(id_token).unwrap();
        let key = keys.find(header.kid.as_deref().expect("a kid")).expect("the key is published");
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[self.metadata["issuer"].as_str().unwrap()]);
        validation.set_audience(&[&self.id]);
        let token: TokenData<Value> = decode(id_token, &DecodingKey::from_jwk(key).unwrap(), &validation).unwrap();
        token.claims
    }

    pub(crate) async fn userinfo(&self, access_token: &str) -> Answer {
        let url = self.metadata["userinfo_endpoint"].as_str().expect("a userinfo endpoint");
        answer(self.http.get(url).bearer_auth(access_token)).await
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the other side, not the gateway")]
pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap()
}

/// A JSON document that must be there.
pub(crate) async fn get(url: &str) -> Value {
    let (status, body) = answer(http().get(url)).await;
    assert_eq!(status, 200, "{url}: {body}");
    body
}

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body = response.text().await.unwrap();
    (status, serde_json::from_str(&body).unwrap_or_else(|fault| panic!("{status}, {fault}: {body}")))
}
