//! docs/cases.md, client authentication: each row at each endpoint that clients authenticate at. One file for each method.

mod any_bytes;
mod assertions;
mod attempts;
mod certificates;
mod fetched_keys;
mod secrets;

use std::net::IpAddr;

use realmgate::peer::{Peer, Presented};

use crate::world::{Answer, CIBA, World, encode};

/// What a request proves with who it comes from.
#[derive(Clone, Debug, Default)]
struct Proof {
    authorization: Option<Vec<u8>>,
    form: Vec<(&'static str, String)>,
    peer: Option<Peer>,
}

/// Path, the rest of the form, the answer to a client that has proved who it is: one that leaves nothing behind.
type Endpoint = (&'static str, &'static [(&'static str, &'static str)], &'static str);

const ENDPOINTS: [Endpoint; 10] = [
    ("/master/bc-authorize", &[("scope", "openid"), ("login_hint", "nobody")], "400 unknown_user_id"),
    ("/master/token", &[("grant_type", CIBA), ("auth_req_id", "unknown")], "400 invalid_grant"),
    (
        "/realms/master/protocol/openid-connect/ext/ciba/auth",
        &[("scope", "openid"), ("login_hint", "nobody")],
        "400 unknown_user_id",
    ),
    (
        "/realms/master/protocol/openid-connect/token",
        &[("grant_type", CIBA), ("auth_req_id", "unknown")],
        "400 invalid_grant",
    ),
    ("/master/introspect", &[("token", "unknown")], "200"),
    ("/master/revoke", &[("token", "unknown")], "200"),
    ("/master/logout", &[("refresh_token", "unknown")], "400 invalid_grant"),
    ("/realms/master/protocol/openid-connect/token/introspect", &[("token", "unknown")], "200"),
    ("/realms/master/protocol/openid-connect/revoke", &[("token", "unknown")], "200"),
    ("/realms/master/protocol/openid-connect/logout", &[("refresh_token", "unknown")], "400 invalid_grant"),
];

impl Proof {
    fn form(form: &[(&'static str, &str)]) -> Self {
        let form = form.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { form, ..Self::default() }
    }

    fn basic(authorization: impl Into<String>) -> Self {
        Self { authorization: Some(authorization.into().into_bytes()), ..Self::default() }
    }

    fn and(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.form.push((name, value.into()));
        self
    }

    fn from(mut self, address: &str) -> Self {
        self.peer = Some(Peer { address: Some(address.parse::<IpAddr>().unwrap()), certificate: None });
        self
    }

    fn with(mut self, certificate: Presented) -> Self {
        self.peer = Some(Peer { address: None, certificate: Some(certificate) });
        self
    }

    async fn sent(&self, world: &World, path: &str, more: &[(&str, &str)]) -> Answer {
        let mut headers = vec![("content-type", "application/x-www-form-urlencoded".into())];
        headers.extend(self.authorization.clone().map(|value| ("authorization", value)));
        let own = self.form.iter().map(|(name, value)| (*name, value.as_str()));
        let form: Vec<_> = own.chain(more.iter().copied()).collect();
        world.send_as(self.peer.clone(), "POST", path, &headers, encode(&form).into_bytes()).await
    }

    /// At the token endpoint.
    async fn brief(&self, world: &World) -> String {
        let (path, more, _) = ENDPOINTS[1];
        self.sent(world, path, more).await.brief()
    }
}

/// `ok`, or what each endpoint answers. `proof` is asked anew for each of them: an assertion counts once.
async fn expect(world: &World, number: &str, proof: impl Fn() -> Proof, expected: &str) {
    for (path, more, good) in ENDPOINTS {
        let answer = proof().sent(world, path, more).await;
        let expected = if expected == "ok" { good } else { expected };
        assert_eq!(answer.brief(), expected, "{number} at {path}: {answer:?}");
        if answer.status == 401 {
            let body = r#"{"error":"invalid_client","error_description":"Client authentication failed"}"#;
            assert_eq!(answer.text, body, "{number} at {path}");
            assert_eq!(answer.header("www-authenticate"), Some(r#"Basic realm="master""#), "{number} at {path}");
        }
    }
}
