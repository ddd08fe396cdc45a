//! Whether the tokens are what they claim to be: the ID token as OpenID Connect Core 3.1.3.7 says and, where it speaks of
//! them, the access token, the refresh token and the request it came with (CIBA Core 10.3.1); and the signature of an
//! access token that is a JWT, and what it is bound to. An opaque access token is taken as it is.

use std::time::Duration;

use serde_json::{Map, Value};

use super::binding::Binding;
use crate::{
    clock::Timestamp,
    jose::foreign::{ForeignKeys, Signed, is_jws},
};

/// How far the server's clock may be from ours.
const LEEWAY: Duration = Duration::from_secs(60);

/// What the tokens must speak of.
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) client_id: &'a str,
    pub(super) auth_req_id: &'a str,
    /// Whether `openid` was asked for, so that there must be an ID token.
    pub(super) openid: bool,
    /// Whether they were pushed: then the ID token must be there and speak of all that came with it (CIBA Core 10.3.1).
    pub(super) pushed: bool,
    /// What the access token may be bound to.
    pub(super) binding: Binding<'a>,
    pub(super) now: Timestamp,
}

/// What is wrong with a token.
#[derive(Debug, thiserror::Error)]
#[error("{token}: {fault}")]
pub(super) struct Mismatch {
    token: &'static str,
    fault: String,
}

/// The verified ID token, if there is one.
pub(super) fn verify(
    tokens: &Map<String, Value>,
    keys: &ForeignKeys,
    expected: &Expected<'_>,
) -> Result<Option<Signed>, Mismatch> {
    let text = |name| tokens.get(name).and_then(Value::as_str);
    let access = text("access_token").filter(|token| is_jws(token)).map(|token| keys.verify(token)).transpose();
    let access = access.map_err(|fault| wrong("the access token", fault))?;
    let bound = expected.binding.check(text("token_type"), access.as_ref().map(|signed| &signed.claims));
    bound.map_err(|fault| wrong("the access token", fault))?;
    let Some(token) = text("id_token") else {
        return if expected.openid || expected.pushed { Err(wrong("the ID token", "there is none")) } else { Ok(None) };
    };
    let signed = keys.verify(token).map_err(|fault| wrong("the ID token", fault))?;
    claims(&signed.claims, expected).map_err(|claim| wrong("the ID token", format!("its {claim} does not fit")))?;

    let bound = [
        ("at_hash", text("access_token").map(|token| signed.half_hash(token))),
        ("urn:openid:params:jwt:claim:rt_hash", text("refresh_token").map(|token| signed.half_hash(token))),
        ("urn:openid:params:jwt:claim:auth_req_id", Some(expected.auth_req_id.to_owned())),
    ];
    for (claim, value) in bound {
        let fits = match signed.claims.get(claim) {
            None => !expected.pushed || value.is_none(),
            Some(said) => said.as_str() == value.as_deref(),
        };
        if !fits {
            return Err(wrong("the ID token", format!("its {claim} does not fit")));
        }
    }
    Ok(Some(signed))
}

fn wrong(token: &'static str, fault: impl ToString) -> Mismatch {
    Mismatch { token, fault: fault.to_string() }
}

/// The first claim that is not as it must be.
fn claims(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<(), &'static str> {
    let text = |name| claims.get(name).and_then(Value::as_str);
    let time = |name| claims.get(name).and_then(Value::as_f64);
    let client = |value: &Value| value.as_str() == Some(expected.client_id);
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 have 53 bits for a long time")]
    let seconds = |time: Timestamp| time.seconds() as f64;

    if text("iss") != Some(expected.issuer) {
        return Err("iss");
    }
    if !claims.get("aud").is_some_and(|aud| client(aud) || aud.as_array().is_some_and(|all| all.iter().any(client))) {
        return Err("aud");
    }
    if !claims.get("azp").is_none_or(client) {
        return Err("azp");
    }
    if text("sub").is_none_or(str::is_empty) {
        return Err("sub");
    }
    if time("exp").is_none_or(|exp| exp <= seconds(expected.now.minus(LEEWAY))) {
        return Err("exp");
    }
    if time("iat").is_none_or(|iat| iat > seconds(expected.now.plus(LEEWAY))) {
        return Err("iat");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        jose::{half_hash, sign},
        keys::{Algorithm, SigningKey},
    };

    const NOW: u64 = 1_800_000_000;

    /// Verifies a good pair of tokens after `bend` changed the ID token's claims.
    fn verified(bend: impl FnOnce(&mut Value)) -> Result<Option<Signed>, Mismatch> {
        verified_as(&expected(), bend)
    }

    fn verified_as(expected: &Expected<'_>, bend: impl FnOnce(&mut Value)) -> Result<Option<Signed>, Mismatch> {
        let (key, _) = SigningKey::generate(Algorithm::ES256).unwrap();
        let keys = ForeignKeys::parse(json!({ "keys": [key.jwk()] }).to_string().as_bytes()).unwrap();
        let mut claims = json!({
            "iss": "https://id.example.com/shop", "sub": "248289761001", "aud": "till",
            "iat": NOW, "exp": NOW + 300, "at_hash": half_hash(Algorithm::ES256, "opaque"),
            "urn:openid:params:jwt:claim:auth_req_id": "id-1",
        });
        bend(&mut claims);
        let tokens = json!({
            "token_type": "Bearer", "access_token": "opaque", "refresh_token": "refresh", "id_token": sign(&key, &claims).unwrap(),
        });
        verify(tokens.as_object().unwrap(), &keys, expected)
    }

    const fn expected() -> Expected<'static> {
        Expected {
            issuer: "https://id.example.com/shop",
            client_id: "till",
            auth_req_id: "id-1",
            openid: true,
            pushed: false,
            binding: Binding { key: None, certificate: None },
            now: Timestamp::from_seconds(NOW),
        }
    }

    #[test]
    fn what_may_be_said_otherwise() {
        assert!(verified(|_| ()).unwrap().is_some());
        assert!(verified(|claims| claims["aud"] = json!(["other", "till"])).is_ok());
        assert!(verified(|claims| claims["azp"] = "till".into()).is_ok());
        assert!(verified(|claims| claims["exp"] = (NOW - 59).into()).is_ok(), "clocks differ a little");
        assert!(verified(|claims| claims["iat"] = (NOW + 59).into()).is_ok(), "clocks differ a little");
        assert!(verified(|claims| drop(claims["at_hash"].take())).is_err(), "null is no hash");
        assert!(verified(|claims| drop(claims.as_object_mut().unwrap().remove("at_hash"))).is_ok());
        let hash = half_hash(Algorithm::ES256, "refresh");
        assert!(verified(|claims| claims["urn:openid:params:jwt:claim:rt_hash"] = hash.into()).is_ok());
    }

    #[test]
    fn table_of_claims_that_do_not_fit() {
        let table = [
            ("iss", json!("https://id.example.com/shop/")),
            ("iss", json!(null)),
            ("aud", json!("other")),
            ("aud", json!([])),
            ("aud", json!(["other"])),
            ("azp", json!("other")),
            ("sub", json!("")),
            ("sub", json!(7)),
            ("exp", json!(NOW - 60)),
            ("exp", json!("later")),
            ("iat", json!(NOW + 61)),
            ("iat", json!(null)),
            ("at_hash", json!("AAAAAAAAAAAAAAAAAAAAAA")),
            ("urn:openid:params:jwt:claim:rt_hash", json!("AAAAAAAAAAAAAAAAAAAAAA")),
            ("urn:openid:params:jwt:claim:auth_req_id", json!("id-2")),
        ];
        for (claim, value) in table {
            let mismatch = verified(|claims| claims[claim] = value.clone()).unwrap_err().to_string();
            assert_eq!(mismatch, format!("the ID token: its {claim} does not fit"), "{value}");
        }
    }

    #[test]
    fn a_pushed_id_token_speaks_of_all_that_came_with_it() {
        let pushed = Expected { openid: false, pushed: true, ..expected() };
        let hash = half_hash(Algorithm::ES256, "refresh");
        let complete = |claims: &mut Value| claims["urn:openid:params:jwt:claim:rt_hash"] = hash.clone().into();
        assert!(verified_as(&pushed, complete).is_ok());
        for claim in ["at_hash", "urn:openid:params:jwt:claim:rt_hash", "urn:openid:params:jwt:claim:auth_req_id"] {
            let mismatch = verified_as(&pushed, |claims| {
                complete(claims);
                claims.as_object_mut().unwrap().remove(claim);
            });
            assert_eq!(mismatch.unwrap_err().to_string(), format!("the ID token: its {claim} does not fit"));
        }
        let keys = ForeignKeys::parse(br#"{"keys":[]}"#).unwrap();
        let tokens = json!({"token_type": "Bearer", "access_token": "opaque"});
        assert!(verify(tokens.as_object().unwrap(), &keys, &pushed).is_err(), "there must be one");
    }

    #[test]
    fn an_id_token_must_be_there_when_openid_was_asked_for() {
        let keys = ForeignKeys::parse(br#"{"keys":[]}"#).unwrap();
        let tokens = json!({"token_type": "Bearer", "access_token": "opaque"});
        let tokens = tokens.as_object().unwrap();
        assert!(verify(tokens, &keys, &expected()).is_err());
        assert!(verify(tokens, &keys, &Expected { openid: false, ..expected() }).unwrap().is_none());
    }

    #[test]
    fn an_access_token_that_is_a_jwt_must_be_signed_by_the_issuer() {
        let (key, _) = SigningKey::generate(Algorithm::ES256).unwrap();
        let tokens = json!({"token_type": "Bearer", "access_token": sign(&key, &json!({})).unwrap()});
        let keys = |keys: Value| ForeignKeys::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
        let expected = Expected { openid: false, ..expected() };
        assert!(verify(tokens.as_object().unwrap(), &keys(json!([key.jwk()])), &expected).is_ok());
        let mismatch = verify(tokens.as_object().unwrap(), &keys(json!([])), &expected).unwrap_err();
        assert_eq!(mismatch.to_string(), "the access token: the token is not accepted: no key of the set is for it");
    }
}
