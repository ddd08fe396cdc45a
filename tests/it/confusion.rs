//! Each JWT that the gateway takes or makes, presented in the place of every other, in its own realm and in another one
//! (RFC 8725 2.8, 3.11; T-F4, T-D3). One key signs all that a client can sign, and its issuer of hints is the client itself:
//! only what is said in them keeps them apart.

use std::sync::LazyLock;

use realmgate::{keys::Algorithm, random::Random};
use serde_json::{Value, json};

use crate::{
    holder::{Holder, form_over},
    receiver::Receiver,
    signer::Signer,
    world::{Build, CIBA, PUBLIC, World, realm_file},
};

static KEY: LazyLock<Signer> = LazyLock::new(|| Signer::new(Algorithm::ES256));
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const CALLBACK: &str = "/master/bc-authorize/callback";
const ALL: [&str; 9] = [
    "access token",
    "ID token",
    "refresh token",
    "assertion",
    "request object",
    "login_hint_token",
    "DPoP proof",
    "channel token",
    "auth_req_id",
];
/// Each with what alone is good there.
const PLACES: [(&str, &[&str]); 11] = [
    ("userinfo", &["access token"]),
    ("introspection", &["access token", "refresh token"]),
    ("refresh", &["refresh token"]),
    ("client_assertion", &["assertion"]),
    ("request", &["request object"]),
    ("id_token_hint", &["ID token"]),
    ("login_hint_token", &["login_hint_token"]),
    ("DPoP", &["DPoP proof"]),
    ("callback", &["channel token"]),
    ("logout", &["ID token"]),
    ("logout of a client", &["refresh token"]),
];

fn file(device: &Receiver) -> String {
    let client = |id: &str, more: &str| {
        format!(
            "\n[[clients]]\nclient_id = \"{id}\"\ntoken_endpoint_auth_method = \"private_key_jwt\"\nscope = \"openid\"\n\
             grant_types = [\"{CIBA}\", \"refresh_token\"]\njwks = {{ keys = [{}] }}\n{more}",
            KEY.toml()
        )
    };
    [
        realm_file().as_str(),
        &client("bank", ""),
        &client("signs", "backchannel_authentication_request_signing_alg = \"ES256\"\n"),
        &format!("\n[[login_hint_token_issuers]]\nissuer = \"bank\"\njwks = {{ keys = [{}] }}\n", KEY.toml()),
        &format!("\n[[channels]]\nkind = \"keycloak\"\nurl = \"{}\"\n", device.url),
        "\n[limits]\npending_per_user = 1000\n",
    ]
    .concat()
}

struct Attack {
    world: World,
    device: Receiver,
    holder: Holder,
}

impl Attack {
    async fn new() -> Self {
        let device = Receiver::answering(201).await;
        let file = file(&device);
        let world = World::of(&[("master", &file), ("other", &file)], Build::default()).await;
        Self { world, device, holder: Holder::new() }
    }

    /// What `client` signs about itself.
    fn signed(&self, client: &str, more: &Value) -> String {
        let now = self.world.clock.now().seconds();
        let jti = Random::system().identifier().unwrap();
        let claims = json!({"iss": client, "aud": format!("{PUBLIC}/master"), "iat": now, "nbf": now, "exp": now + 300, "jti": jti});
        KEY.sign(&crate::signer::over(claims, more))
    }

    /// A form of a client in a realm, authenticated.
    async fn form(&self, realm: &str, client: &str, path: &str, proofs: &[(&str, &str)], more: &[(&str, &str)]) -> u16 {
        let assertion = self.signed(client, &json!({"sub": client, "aud": format!("{PUBLIC}/{realm}")}));
        let form = [&[("client_assertion_type", ASSERTION), ("client_assertion", &assertion)], more].concat();
        form_over(&self.world, None, &format!("/{realm}/{path}"), proofs, &form).await.status
    }

    /// A good one of its kind, of `bank` (a request object: of `signs`) in `master`.
    async fn make(&mut self, kind: &str) -> String {
        match kind {
            "assertion" => self.signed("bank", &json!({"sub": "bank"})),
            "request object" => self.signed("signs", &json!({"scope": "openid", "login_hint": "alice"})),
            "login_hint_token" => self.signed("bank", &json!({"sub": "alice-sub"})),
            "DPoP proof" => self.holder.proof(&self.world),
            _ => self.issued(kind).await,
        }
    }

    async fn issued(&mut self, kind: &str) -> String {
        let assertion = self.signed("bank", &json!({"sub": "bank"}));
        let bank = [("client_assertion_type", ASSERTION), ("client_assertion", assertion.as_str())];
        let ask = [&bank[..], &[("scope", "openid"), ("login_hint", "bob")]].concat();
        let id = self.world.form("/master/bc-authorize", &ask).await.json()["auth_req_id"].clone();
        let id = id.as_str().unwrap().to_owned();
        let bearer = self.device.next().await.bearer();
        match kind {
            "channel token" => return bearer,
            "auth_req_id" => return id,
            _ => {}
        }
        let headers = [("authorization", format!("Bearer {bearer}")), ("content-type", "application/json".to_owned())];
        let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
        let approved = self.world.send("POST", CALLBACK, &headers, r#"{"status":"SUCCEED"}"#).await;
        assert_eq!(approved.status, 200, "{approved:?}");
        let assertion = self.signed("bank", &json!({"sub": "bank"}));
        let bank = [("client_assertion_type", ASSERTION), ("client_assertion", assertion.as_str())];
        let poll = [&bank[..], &[("grant_type", CIBA), ("auth_req_id", &id)]].concat();
        let tokens = self.world.form("/master/token", &poll).await.json();
        let name = match kind {
            "access token" => "access_token",
            "ID token" => "id_token",
            _ => "refresh_token",
        };
        tokens[name].as_str().unwrap().to_owned()
    }

    /// Whether it is taken in this place of this realm.
    async fn is_taken(&mut self, realm: &str, place: &str, it: &str) -> bool {
        let (world, bearer) = (&self.world, format!("Bearer {it}"));
        let hint = |name| [("scope", "openid"), (name, it)];
        let status = match place {
            "userinfo" => {
                world.send("GET", &format!("/{realm}/userinfo"), &[("authorization", &bearer)], "").await.status
            }
            "introspection" => {
                let assertion = self.signed("bank", &json!({"sub": "bank", "aud": format!("{PUBLIC}/{realm}")}));
                let form = [("client_assertion_type", ASSERTION), ("client_assertion", &assertion), ("token", it)];
                return world.form(&format!("/{realm}/introspect"), &form).await.json()["active"] == true;
            }
            "refresh" => {
                let form = [("grant_type", "refresh_token"), ("refresh_token", it)];
                self.form(realm, "bank", "token", &[], &form).await
            }
            "client_assertion" => {
                let form = [("client_assertion_type", ASSERTION), ("client_assertion", it), ("token", "x")];
                world.form(&format!("/{realm}/introspect"), &form).await.status
            }
            "request" => self.form(realm, "signs", "bc-authorize", &[], &[("request", it)]).await,
            "id_token_hint" => self.form(realm, "bank", "bc-authorize", &[], &hint("id_token_hint")).await,
            "login_hint_token" => self.form(realm, "bank", "bc-authorize", &[], &hint("login_hint_token")).await,
            "DPoP" => {
                let form = [("grant_type", CIBA), ("auth_req_id", "x")];
                let assertion = self.signed("bank", &json!({"sub": "bank", "aud": format!("{PUBLIC}/{realm}")}));
                let form =
                    [&[("client_assertion_type", ASSERTION), ("client_assertion", &assertion)], &form[..]].concat();
                let answer = form_over(world, None, &format!("/{realm}/token"), &[("dpop", it)], &form).await;
                return answer.brief() == "400 invalid_grant"; // the proof was good, the auth_req_id is not
            }
            "callback" => {
                let path = format!("/{realm}/bc-authorize/callback");
                let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
                world.send("POST", &path, &headers, r#"{"status":"CANCELLED"}"#).await.status
            }
            "logout" => world.form(&format!("/{realm}/logout"), &[("id_token_hint", it)]).await.status,
            _ => self.form(realm, "bank", "logout", &[], &[("refresh_token", it)]).await,
        };
        while self.device.rest() > 0 {}
        (200..300).contains(&status)
    }
}

#[tokio::test]
async fn nothing_is_taken_for_something_else() {
    let mut attack = Attack::new().await;
    for (place, good) in PLACES {
        for kind in ALL {
            for realm in ["other", "master"] {
                let it = attack.make(kind).await;
                let expected = realm == "master" && good.contains(&kind);
                assert_eq!(attack.is_taken(realm, place, &it).await, expected, "{kind} as {place} in {realm}");
            }
        }
    }
}
