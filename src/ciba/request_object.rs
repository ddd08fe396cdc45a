//! The signed authentication request (CIBA Core 7.1.1, RFC 9101): a JWT in the parameter `request` that stands for all other
//! parameters. Out of it come [`Params`], which are then judged like those of a form.
//!
//! Only a client that is registered for it may sign, with its one algorithm and its own keys, and then it must. Encrypted
//! objects and `request_uri` are not part of CIBA.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use crate::{
    clock::Timestamp,
    jose::{Claims, Jws, JwsAlgorithm, LEEWAY, NotVerified, RemoteKeys},
    oauth::{Error, Params},
    realm::{Client, Realm},
    store::{LONGEST_JTI, NotUsed, Table, Used},
};

/// The most from `nbf` to `exp` (FAPI-CIBA 5.2.2).
const LONGEST_WINDOW: Duration = Duration::from_secs(60 * 60);
/// After how many seconds a client whose identifiers fill their quota may try again.
const TRY_AGAIN: u64 = 60;

/// All that may stand beside the object: it authenticates the client.
const OUTSIDE: [&str; 5] = ["request", "client_id", "client_secret", "client_assertion", "client_assertion_type"];

/// Claims that are the JWT's own, or the client's authentication, and no parameters.
const NO_PARAMETERS: [&str; 11] = [
    "aud",
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "exp",
    "iat",
    "iss",
    "jti",
    "nbf",
    "sub",
];

/// Parameters that must be texts; what is not known is ignored where it is none (RFC 6749 3.2).
const TEXTS: [&str; 10] = [
    "acr_values",
    "binding_message",
    "client_notification_token",
    "id_token_hint",
    "login_hint",
    "login_hint_token",
    "requested_expiry",
    "resource",
    "scope",
    "user_code",
];

/// Reads the request objects of a realm's clients.
pub struct RequestObjects {
    realm: Arc<Realm>,
    used: Arc<Table<Used>>,
    keys: RemoteKeys,
}

/// A request object that holds what it must. It counts once: [`RequestObjects::use_up`] comes before any effect.
pub(super) struct RequestObject {
    pub params: Params,
    jti: String,
    good_until: Timestamp,
}

impl RequestObjects {
    pub const fn new(realm: Arc<Realm>, used: Arc<Table<Used>>, keys: RemoteKeys) -> Self {
        Self { realm, used, keys }
    }

    /// The request's object; nothing where the request is none, and need not be.
    ///
    /// # Errors
    /// `invalid_request`, whatever is wrong with it.
    pub(super) async fn read(
        &self,
        client: &Client,
        params: &Params,
        now: Timestamp,
    ) -> Result<Option<RequestObject>, Error> {
        if params.get("request_uri").is_some() {
            return Err(Error::invalid_request("request_uri is not supported"));
        }
        let algorithm = client.backchannel_authentication_request_signing_alg;
        let must_sign = algorithm.is_some() || self.realm.profile.restrictions().signed_requests;
        match (params.get("request"), algorithm) {
            (None, _) if must_sign => {
                Err(Error::invalid_request("The client's authentication requests must be signed"))
            }
            (None, _) => Ok(None),
            (Some(_), None) => Err(Error::invalid_request("The client is not registered for signed requests")),
            (Some(_), _) if params.iter().any(|(name, _)| !OUTSIDE.contains(&name)) => {
                Err(Error::invalid_request("Parameters must stand in the request object, not beside it"))
            }
            // boxed: the client's keys may have to be fetched, and that must not make every request's future so large
            (Some(object), Some(algorithm)) => Box::pin(self.parse(client, algorithm, object, now)).await.map(Some),
        }
    }

    async fn parse(
        &self,
        client: &Client,
        algorithm: JwsAlgorithm,
        object: &str,
        now: Timestamp,
    ) -> Result<RequestObject, Error> {
        let claims = self.verify(client, algorithm, object).await.map_err(refused)?;
        let (jti, good_until) = self.judge(client, &claims, now).map_err(refused)?;
        Ok(RequestObject { params: params(claims)?, jti, good_until })
    }

    /// The claims, if the client signed them as it is registered.
    async fn verify(&self, client: &Client, algorithm: JwsAlgorithm, object: &str) -> Result<Claims, NotVerified> {
        let jws = Jws::parse(object)?;
        let allowed = self.realm.profile.restrictions().client_algorithms;
        if jws.algorithm() != algorithm || !allowed.contains(&algorithm) {
            return Err(NotVerified::because("alg is not the registered one"));
        }
        if !jws.is_untyped() && !jws.is_typ("oauth-authz-req+jwt") {
            return Err(NotVerified::because("typ"));
        }
        let keys = client.keys.as_ref().ok_or(NotVerified::because("the client has no keys"))?;
        self.keys.verify(keys, &jws).await
    }

    /// Its `jti`, and until when that must be remembered.
    fn judge(&self, client: &Client, claims: &Claims, now: Timestamp) -> Result<(String, Timestamp), NotVerified> {
        let refused = NotVerified::because;
        let client_id = Some(&*client.client_id);
        if claims.text("iss")? != client_id {
            return Err(refused("iss must be the client_id"));
        }
        if !claims.audience()?.contains(&self.realm.issuer) {
            return Err(refused("aud must be the issuer"));
        }
        if claims.text("client_id")?.is_some() && claims.text("client_id")? != client_id {
            return Err(refused("client_id is another client"));
        }
        // it could be taken for a client assertion (RFC 9101 10.8)
        if claims.text("sub")? == client_id {
            return Err(refused("sub must not be the client_id"));
        }
        let expires = claims.are_of_now(now, LONGEST_WINDOW)?;
        claims.time("iat")?.ok_or_else(|| refused("iat"))?;
        let begins = claims.time("nbf")?.ok_or_else(|| refused("nbf"))?;
        if expires.since(begins) > LONGEST_WINDOW {
            return Err(refused("exp is more than 60 minutes after nbf"));
        }
        let jti = claims.text("jti")?.filter(|jti| !jti.is_empty() && jti.len() <= LONGEST_JTI);
        Ok((jti.ok_or_else(|| refused("jti"))?.to_owned(), expires.plus(LEEWAY)))
    }

    /// Makes sure that this object has not counted before and does not count again.
    pub(super) async fn use_up(&self, client: &Client, object: &RequestObject) -> Result<(), Error> {
        let RequestObject { jti, good_until, .. } = object;
        let used = self.used.use_up("request object", &self.realm.name, &client.client_id, jti, *good_until).await;
        used.map_err(|fault| match fault {
            NotUsed::Again => refused(NotVerified::because("jti was used before")),
            NotUsed::Full => Error::unavailable(fault.to_string()).retry_after(TRY_AGAIN),
            NotUsed::Unavailable(fault) => fault.into(),
        })
    }
}

/// The parameters that the claims are. Those that are JSON by nature may be JSON here (CIBA Core 7.1.1).
fn params(claims: Claims) -> Result<Params, Error> {
    let claims = claims.into_map().into_iter().filter(|(name, _)| !NO_PARAMETERS.contains(&name.as_str()));
    Params::of(claims.filter_map(|(name, value)| {
        let text = match (name.as_str(), value) {
            ("request" | "request_uri", _) => Err(Error::invalid_request("A request object holds no other one")),
            (_, Value::String(text)) => Ok(text),
            ("requested_expiry", Value::Number(seconds)) => Ok(seconds.to_string()),
            ("authorization_details" | "claims" | "request_context", value) => Ok(value.to_string()),
            (name, _) if TEXTS.contains(&name) => {
                Err(Error::invalid_request("A parameter in the request object must be a string"))
            }
            _ => return None,
        };
        Some(text.map(|text| (name, text)))
    }))
}

fn refused(fault: NotVerified) -> Error {
    Error::invalid_request(format!("The request object is not accepted: {}", fault.reason()))
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::*;
    use crate::{
        clock::Clock,
        http::{Http, Outbound},
        jose::{ForeignKeys, PublicKeys, sign},
        keys::{Algorithm, SigningKey},
        oauth::Code,
        realm::{Profile, client::tests::client, tests::realm},
    };

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    /// A client that signs, and a realm of this profile.
    struct World {
        key: SigningKey,
        client: Client,
        objects: RequestObjects,
    }

    impl World {
        fn new(profile: Profile, algorithm: JwsAlgorithm) -> Self {
            let own = if algorithm == JwsAlgorithm::RS256 { Algorithm::RS256 } else { Algorithm::ES256 };
            let (key, _) = SigningKey::generate(own).unwrap();
            let set = json!({ "keys": [key.jwk()] }).to_string();
            let client = Client {
                backchannel_authentication_request_signing_alg: Some(algorithm),
                keys: Some(PublicKeys::Listed(Arc::new(ForeignKeys::parse(set.as_bytes()).unwrap()))),
                ..client()
            };
            let clock = Clock::manual(NOW);
            let keys = RemoteKeys::new(Http::new(&Outbound::default()).unwrap(), clock.clone());
            let realm = Realm { profile, ..realm("acme") };
            Self { key, client, objects: RequestObjects::new(Arc::new(realm), Arc::new(Table::in_memory(clock)), keys) }
        }

        fn claims(&self, more: &Value) -> Value {
            let now = NOW.seconds();
            let mut claims = json!({
                "iss": "c", "aud": "https://gateway.example/acme", "jti": "1", "iat": now, "nbf": now, "exp": now + 60
            });
            claims.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
            claims
        }

        async fn read(&self, request: Option<&str>) -> Result<Option<RequestObject>, Error> {
            let pair = request.map(|request| Ok(("request".to_owned(), request.to_owned())));
            self.objects.read(&self.client, &Params::of(pair.into_iter()).unwrap(), NOW).await
        }
    }

    #[tokio::test]
    async fn which_profile_wants_what() {
        let table = [
            (Profile::Standard, JwsAlgorithm::RS256, None),
            (Profile::Standard, JwsAlgorithm::ES256, None),
            (Profile::FapiCiba, JwsAlgorithm::ES256, None),
            (Profile::FapiCiba, JwsAlgorithm::RS256, Some("alg is not the registered one")),
        ];
        for (profile, algorithm, expected) in table {
            let world = World::new(profile, algorithm);
            let object = sign(&world.key, &world.claims(&json!({"scope": "openid"}))).unwrap();
            let read = world.read(Some(&object)).await;
            match expected {
                None => {
                    assert_eq!(read.unwrap().unwrap().params.get("scope"), Some("openid"), "{profile:?} {algorithm}")
                }
                Some(said) => {
                    let error = read.err().unwrap();
                    assert!(error.description().contains(said), "{profile:?} {algorithm}: {error:?}");
                }
            }
            let unsigned = world.read(None).await.err().unwrap();
            assert!(unsigned.description().contains("must be signed"), "R1");
        }
        let mut world = World::new(Profile::FapiCiba, JwsAlgorithm::ES256);
        world.client.backchannel_authentication_request_signing_alg = None;
        assert!(world.read(None).await.err().unwrap().description().contains("must be signed"), "R1 in FAPI-CIBA");
        let mut world = World::new(Profile::Standard, JwsAlgorithm::ES256);
        world.client.backchannel_authentication_request_signing_alg = None;
        assert!(world.read(None).await.unwrap().is_none());
    }

    #[test]
    fn what_becomes_of_claims() {
        let table = [
            ("a text", json!({"scope": "openid", "color": "red"}), vec![("color", "red"), ("scope", "openid")]),
            ("the JWT's own", json!({"sub": "x", "client_id": "c", "client_secret": "s"}), vec![]),
            ("empty is omitted", json!({"scope": ""}), vec![]),
            ("unknown and no text", json!({"color": ["red"], "size": 3, "x": null}), vec![]),
            ("R25 a number", json!({"requested_expiry": 300}), vec![("requested_expiry", "300")]),
            (
                "R28 as JSON",
                json!({"authorization_details": [{"type": "x"}]}),
                vec![("authorization_details", r#"[{"type":"x"}]"#)],
            ),
            ("R28 as a text", json!({"authorization_details": "[]"}), vec![("authorization_details", "[]")]),
            (
                "objects",
                json!({"claims": {}, "request_context": {"a": 1}}),
                vec![("claims", "{}"), ("request_context", r#"{"a":1}"#)],
            ),
        ];
        let read = |claims: &Value| {
            let world = World::new(Profile::Standard, JwsAlgorithm::ES256);
            let object = sign(&world.key, &world.claims(claims)).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(world.read(Some(&object))).map(|object| object.unwrap().params)
        };
        for (case, claims, expected) in table {
            let params = read(&claims).unwrap();
            let mut pairs: Vec<_> = params.iter().collect();
            pairs.sort_unstable();
            assert_eq!(pairs, expected, "{case}");
        }
        for (case, claims) in [
            ("R27", json!({"scope": ["openid"]})),
            ("R26", json!({"requested_expiry": [300]})),
            ("R26", json!({"requested_expiry": true})),
            ("R33", json!({"request": "x"})),
            ("R33", json!({"request_uri": null})),
            ("H20", json!({"login_hint": "a\u{0}"})),
            ("null is no text", json!({"login_hint": null})),
        ] {
            assert_eq!(read(&claims).err().map(|error| error.code()), Some(Code::InvalidRequest), "{case}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(".{0,3}", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// A text that is no JWT, or one that the client signed whatever it says.
    fn any_object(world: &World) -> impl Strategy<Value = String> + use<> {
        let names = "iss|aud|exp|iat|nbf|jti|sub|client_id|scope|login_hint|requested_expiry|authorization_details|claims|request|.{0,4}";
        let good = world.claims(&json!({}));
        let claims = prop::collection::hash_map(names, any_json(), 0..4);
        let headers = prop::collection::hash_map("alg|typ|kid|crit|jwk|jku|x5c|.{0,3}", any_json(), 0..3);
        let kid = world.key.kid().to_owned();
        prop_oneof![
            ".*",
            "[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,40}",
            (claims, headers).prop_map(move |(claims, headers)| {
                let mut payload = good.clone();
                payload.as_object_mut().unwrap().extend(claims);
                let mut header =
                    Map::from_iter([("alg".to_owned(), "ES256".into()), ("kid".to_owned(), kid.clone().into())]);
                header.extend(headers);
                let part = |value: String| URL_SAFE_NO_PAD.encode(value);
                format!("{}.{}", part(Value::Object(header).to_string()), part(payload.to_string()))
            }),
        ]
    }

    #[test]
    fn whatever_comes_is_read_or_refused_as_invalid_request() {
        let world = World::new(Profile::Standard, JwsAlgorithm::ES256);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        proptest!(ProptestConfig::with_cases(512), |(object in any_object(&world))| {
            // what lacks a signature gets a good one
            let signature = URL_SAFE_NO_PAD.encode(world.key.sign(object.as_bytes()).unwrap());
            let object = if object.matches('.').count() == 1 { format!("{object}.{signature}") } else { object };
            match runtime.block_on(world.objects.parse(&world.client, JwsAlgorithm::ES256, &object, NOW)) {
                Ok(object) => prop_assert!(object.params.get("request").is_none() && !object.jti.is_empty()),
                Err(error) => {
                    prop_assert_eq!((error.code(), error.status()), (Code::InvalidRequest, 400));
                    prop_assert!(error.description().bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)));
                }
            }
        });
    }
}
