//! DPoP proofs (RFC 9449 4): a JWT of the request at hand, signed by the key that tokens are bound to.
//!
//! A proof lives for 30 seconds and clocks may differ by [`LEEWAY`], so `iat` may be up to 60 seconds past and 30 ahead. There
//! is no server nonce (RFC 9449 8 is optional): within that time each proof counts once.

use std::time::Duration;

use url::Url;

use crate::{
    clock::Timestamp,
    jose::{Jws, LEEWAY},
    oauth::{Code, Error},
    realm::{Endpoint, Realm, Style},
    secret::Digest,
    store::LONGEST_JTI,
};

/// How long after it was made a proof counts, if clocks agree.
const LIFE: Duration = Duration::from_secs(30);

/// A good proof, as far as it says itself: it may have been used before.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Proof {
    /// RFC 7638 thumbprint of the key that made it.
    pub(super) jkt: String,
    pub(super) jti: String,
    /// When it counts no more.
    pub(super) until: Timestamp,
}

/// What a proof must be for.
#[derive(Clone, Copy)]
pub(super) struct For<'a> {
    pub(super) method: &'a str,
    pub(super) endpoint: Endpoint,
    /// Where a token is used (RFC 9449 7).
    pub(super) access_token: Option<&'a str>,
}

/// The checks of RFC 9449 4.3, but for the `jti`.
pub(super) fn verify(realm: &Realm, proof: &str, wanted: For<'_>, now: Timestamp) -> Result<Proof, Error> {
    let no_proof = "The DPoP header must be a signed JWT of the type dpop+jwt";
    let jws = Jws::parse(proof).map_err(|fault| refused(no_proof).because(fault.to_string()))?;
    if !jws.is_typ("dpop+jwt") {
        return Err(refused(no_proof).because("typ"));
    }
    if !realm.profile.restrictions().client_algorithms.contains(&jws.algorithm()) {
        return Err(refused("The DPoP proof is signed with an algorithm that is not accepted"));
    }
    let (claims, jkt) = jws.verify_embedded().map_err(|fault| {
        refused("The DPoP proof is not signed by the public key in its header").because(fault.to_string())
    })?;
    let text = |name, sentence: &'static str| match claims.text(name) {
        Ok(Some(text)) => Ok(text),
        _ => Err(refused(sentence)),
    };

    let another_method = "htm of the DPoP proof is not the method of this request";
    if text("htm", another_method)? != wanted.method {
        return Err(refused(another_method));
    }
    let another_address = "htu of the DPoP proof is not the address of this endpoint";
    if !is_address(text("htu", another_address)?, realm, wanted.endpoint) {
        return Err(refused(another_address));
    }
    let issued = claims.time("iat").ok().flatten();
    let until = |issued: Timestamp| issued.plus(LIFE).plus(LEEWAY);
    let issued = issued.filter(|issued| *issued <= now.plus(LEEWAY) && now < until(*issued));
    let issued = issued.ok_or_else(|| refused("iat of the DPoP proof is not of now"))?;
    if let Some(token) = wanted.access_token {
        let another_token = "ath of the DPoP proof is not the hash of the access token";
        if text("ath", another_token)? != Digest::of(token.as_bytes()).base64url() {
            return Err(refused(another_token));
        }
    }
    let no_jti = "jti of the DPoP proof is missing or too long";
    let jti = text("jti", no_jti)?;
    if jti.is_empty() || jti.len() > LONGEST_JTI {
        return Err(refused(no_jti));
    }
    Ok(Proof { jkt, jti: jti.to_owned(), until: until(issued) })
}

pub(super) fn refused(description: &'static str) -> Error {
    Error::new(Code::InvalidDpopProof, description)
}

/// Whether this is the endpoint's published address in one of its styles, never one that a request's `Host` makes (I9).
/// Parsing evens out the case of scheme and host and default ports; query and fragment do not count (RFC 9449 4.3).
fn is_address(htu: &str, realm: &Realm, endpoint: Endpoint) -> bool {
    let Ok(mut htu) = Url::parse(htu) else { return false };
    htu.set_query(None);
    htu.set_fragment(None);
    [Style::Short, Style::Keycloak]
        .into_iter()
        .any(|style| Url::parse(&realm.addresses.of(endpoint, style)).is_ok_and(|ours| ours == htu))
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        keys::{Algorithm, SigningKey},
        realm::{Addresses, Profile, tests::realm},
    };

    const NOW: Timestamp = Timestamp::from_seconds(1_000);
    const TOKEN: For<'_> = For { method: "POST", endpoint: Endpoint::Token, access_token: None };
    const USERINFO: For<'_> = For { method: "GET", endpoint: Endpoint::Userinfo, access_token: Some("token") };

    /// A proof with this header and these claims, signed by `key`.
    fn signed(key: &SigningKey, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()).unwrap());
        format!("{message}.{signature}")
    }

    fn with(value: &Value, name: &str, other: Option<Value>) -> Value {
        let mut value = value.clone();
        match other {
            Some(other) => value[name] = other,
            None => drop(value.as_object_mut().unwrap().remove(name)),
        }
        value
    }

    fn header(key: &SigningKey) -> Value {
        json!({"typ": "dpop+jwt", "alg": key.algorithm().as_str(), "jwk": key.jwk()})
    }

    fn claims() -> Value {
        json!({"jti": "1", "htm": "POST", "htu": "https://gateway.example/acme/token", "iat": 1_000})
    }

    #[test]
    fn table_of_claims() {
        let (key, _) = SigningKey::generate(Algorithm::ES256).unwrap();
        let long = "x".repeat(LONGEST_JTI + 1);
        // number, claim, its value, accepted
        let table: Vec<(&str, &str, Option<Value>, bool)> = vec![
            ("good", "more", Some(json!(1)), true),
            ("K29 htm of another method", "htm", Some(json!("GET")), false),
            ("K29 htm in other case", "htm", Some(json!("post")), false),
            ("K29 htm missing", "htm", None, false),
            ("K29 htm of another type", "htm", Some(json!(["POST"])), false),
            ("K29 htu missing", "htu", None, false),
            ("K29 htu is no URL", "htu", Some(json!("/acme/token")), false),
            ("K29 htu of another host", "htu", Some(json!("https://evil.example/acme/token")), false),
            ("K29 htu of another scheme", "htu", Some(json!("http://gateway.example/acme/token")), false),
            ("K29 htu of another port", "htu", Some(json!("https://gateway.example:8443/acme/token")), false),
            ("K29 htu of another endpoint", "htu", Some(json!("https://gateway.example/acme/userinfo")), false),
            ("K29 htu with a user", "htu", Some(json!("https://me@gateway.example/acme/token")), false),
            ("K30 htu of another realm", "htu", Some(json!("https://gateway.example/other/token")), false),
            ("K30 htu with a slash at the end", "htu", Some(json!("https://gateway.example/acme/token/")), false),
            ("K30 query and fragment", "htu", Some(json!("https://gateway.example/acme/token?a=b#c")), true),
            ("K30 other case, default port", "htu", Some(json!("HTTPS://Gateway.Example:443/acme/token")), true),
            (
                "K30 the other style",
                "htu",
                Some(json!("https://gateway.example/realms/acme/protocol/openid-connect/token")),
                true,
            ),
            ("K31 iat missing", "iat", None, false),
            ("K31 iat is no number", "iat", Some(json!("1000")), false),
            ("K31 as old as may be", "iat", Some(json!(941)), true),
            ("K31 too old", "iat", Some(json!(940)), false),
            ("K31 as far ahead as may be", "iat", Some(json!(1_030)), true),
            ("K31 too far ahead", "iat", Some(json!(1_031)), false),
            ("jti missing", "jti", None, false),
            ("jti empty", "jti", Some(json!("")), false),
            ("jti too long", "jti", Some(json!(long)), false),
            ("jti is no text", "jti", Some(json!(1)), false),
        ];
        for (number, name, value, accepted) in table {
            let proof = signed(&key, &header(&key), &with(&claims(), name, value));
            let judged = verify(&realm("acme"), &proof, TOKEN, NOW);
            assert_eq!(judged.is_ok(), accepted, "{number}: {judged:?}");
            assert!(judged.is_ok() || judged.unwrap_err().code() == Code::InvalidDpopProof, "{number}");
        }
    }

    #[test]
    fn table_of_headers() {
        let (key, _) = SigningKey::generate(Algorithm::ES256).unwrap();
        let (other, _) = SigningKey::generate(Algorithm::ES256).unwrap();
        let private = with(&json!(key.jwk()), "d", Some(json!("AA")));
        let secret = json!({"kty": "oct", "k": "c2VjcmV0"});
        let table: Vec<(&str, &str, Option<Value>, bool)> = vec![
            ("good", "kid", Some(json!("any")), true),
            ("typ in other case", "typ", Some(json!("DPoP+JWT")), true),
            ("K29 typ of another use", "typ", Some(json!("JWT")), false),
            ("K29 typ missing", "typ", None, false),
            ("K29 alg none", "alg", Some(json!("none")), false),
            ("K29 alg symmetric", "alg", Some(json!("HS256")), false),
            ("K29 alg of another key", "alg", Some(json!("RS256")), false),
            ("K29 jwk missing", "jwk", None, false),
            ("K29 jwk of another key", "jwk", Some(json!(other.jwk())), false),
            ("K29 private jwk", "jwk", Some(private), false),
            ("K29 symmetric jwk", "jwk", Some(secret), false),
            ("K29 jwk is no object", "jwk", Some(json!("x")), false),
            ("crit", "crit", Some(json!(["x"])), false),
        ];
        for (number, name, value, accepted) in table {
            let proof = signed(&key, &with(&header(&key), name, value), &claims());
            let judged = verify(&realm("acme"), &proof, TOKEN, NOW);
            assert_eq!(judged.is_ok(), accepted, "{number}: {judged:?}");
        }
        let good = signed(&key, &header(&key), &claims());
        for malformed in ["", "x", "a.b.c", &format!("{good}, {good}"), &format!("{good}x"), &good[1..]] {
            assert!(verify(&realm("acme"), malformed, TOKEN, NOW).is_err(), "{malformed}");
        }
    }

    #[test]
    fn every_algorithm_of_the_profile_and_no_other() {
        for algorithm in Algorithm::ALL {
            let (key, _) = SigningKey::generate(algorithm).unwrap();
            let proof = signed(&key, &header(&key), &claims());
            let fapi = crate::realm::Realm { profile: Profile::FapiCiba, ..realm("acme") };
            assert!(verify(&realm("acme"), &proof, TOKEN, NOW).is_ok(), "{algorithm}");
            let is_of_fapi = matches!(algorithm, Algorithm::PS256 | Algorithm::ES256);
            assert_eq!(verify(&fapi, &proof, TOKEN, NOW).is_ok(), is_of_fapi, "{algorithm}");
        }
    }

    #[test]
    fn where_a_token_is_used_the_proof_is_for_that_token() {
        let (key, _) = SigningKey::generate(Algorithm::ES256).unwrap();
        let claims = json!({
            "jti": "1", "htm": "GET", "htu": "https://gateway.example/acme/userinfo", "iat": 1_000,
            "ath": Digest::of(b"token").base64url(),
        });
        let judged = |claims: &Value| verify(&realm("acme"), &signed(&key, &header(&key), claims), USERINFO, NOW);
        assert!(judged(&claims).is_ok());
        assert!(judged(&with(&claims, "ath", None)).is_err(), "missing");
        assert!(judged(&with(&claims, "ath", Some(json!(Digest::of(b"x").base64url())))).is_err(), "another token's");
    }

    #[test]
    fn addresses_are_the_published_ones() {
        let (key, _) = SigningKey::generate(Algorithm::ES256).unwrap();
        let public = "https://gateway.example/auth";
        let prefixed = crate::realm::Realm { addresses: Addresses::new(public, "acme"), ..realm("acme") };
        for (path, accepted) in [
            ("/auth/acme/token", true),
            ("/auth/realms/acme/protocol/openid-connect/token", true),
            ("/acme/token", false),
        ] {
            let htu = json!(format!("https://gateway.example{path}"));
            let proof = signed(&key, &header(&key), &with(&claims(), "htu", Some(htu)));
            assert_eq!(verify(&prefixed, &proof, TOKEN, NOW).is_ok(), accepted, "{path}");
        }
    }

    /// RFC 9449 figure 1, and the thumbprint that figure 8 has of its key.
    #[test]
    fn known_answer_of_rfc_9449() {
        let proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa\
                     0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU\
                     2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2V\
                     uIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZ\
                     T3Lg";
        let server = crate::realm::Realm { addresses: Addresses::new("https://server.example.com", ""), ..realm("") };
        let at = Timestamp::from_seconds(1_562_262_616);
        // the figure's endpoint is not in a realm
        assert!(verify(&server, proof, TOKEN, at).unwrap_err().description().starts_with("htu"));
        let (_, jkt) = Jws::parse(proof).unwrap().verify_embedded().unwrap();
        assert_eq!(jkt, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(proof: String, header: String, payload: Vec<u8>) {
            let _ = verify(&realm("acme"), &proof, USERINFO, NOW);
            let parts = [header.as_bytes(), &payload, b"signature"].map(|part| URL_SAFE_NO_PAD.encode(part));
            let _ = verify(&realm("acme"), &parts.join("."), USERINFO, NOW);
        }
    }
}
