//! `--dpop`: proofs and what comes back for them.

use std::collections::BTreeSet;

use super::{super::dpop::Dpop, *};

impl World {
    /// A plan whose tokens are bound to a key, and a server that binds them.
    fn bound(&self) -> Plan {
        let mut plan = self.plan();
        let dpop = Dpop::new().unwrap();
        let tokens = self.bound_to(&dpop.thumbprint);
        self.bend(|script| script.polls = [error("authorization_pending"), reply(200, &tokens)].into());
        plan.client.dpop = Some(dpop);
        plan
    }

    fn bound_to(&self, thumbprint: &str) -> Value {
        let mut tokens = tokens(&self.issuer, &self.key, |access, _| access["cnf"] = json!({"jkt": thumbprint}));
        tokens["token_type"] = "DPoP".into();
        tokens
    }
}

/// The claims of a proof whose header and signature are good, and its key's thumbprint.
fn proof(seen: &Seen) -> (Value, String) {
    let proof = seen.header("dpop").unwrap_or_else(|| panic!("no proof: {seen:?}"));
    assert_eq!(seen.headers.get_all("dpop").iter().count(), 1);
    let (header, claims) = parts(proof);
    let jwk = &header["jwk"];
    assert_eq!(header, json!({"alg": "ES256", "typ": "dpop+jwt", "jwk": jwk}));
    let (x, y) = (jwk["x"].as_str().unwrap(), jwk["y"].as_str().unwrap());
    assert_eq!(jwk, &json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}), "the public half alone");
    let key = jsonwebtoken::DecodingKey::from_ec_components(x, y).unwrap();
    let (message, signature) = proof.rsplit_once('.').unwrap();
    let algorithm = jsonwebtoken::Algorithm::ES256;
    assert!(jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, algorithm).unwrap());
    (claims, sha256(&format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)))
}

fn sha256(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()))
}

#[tokio::test]
async fn every_use_of_the_tokens_is_proved() {
    let world = world().await;
    let plan = world.bound();
    let ended = world.run_plan(&plan, true).await;
    assert_eq!(ended.code, 0, "{}", ended.out);
    assert_eq!(world.sent("/shop/ask")[0].header("dpop"), None, "nothing is bound yet");
    let (polls, userinfo) = (world.sent("/shop/token"), world.sent("/shop/userinfo"));
    assert_eq!((polls.len(), userinfo.len()), (2, 1));

    let mut ids = BTreeSet::new();
    for (poll, sent) in polls.iter().zip([START + 5, START + 10]) {
        let (claims, thumbprint) = proof(poll);
        let expected = json!({
            "htm": "POST", "htu": format!("{}/token", world.issuer), "iat": sent, "jti": claims["jti"],
        });
        assert_eq!(claims, expected);
        assert_eq!(thumbprint, plan.client.dpop.as_ref().unwrap().thumbprint);
        ids.insert(claims["jti"].to_string());
    }
    let last = ended.last();
    let token = last["tokens"]["access_token"].as_str().unwrap();
    let (claims, _) = proof(&userinfo[0]);
    let expected = json!({
        "htm": "GET", "htu": format!("{}/userinfo", world.issuer), "iat": START + 10, "jti": claims["jti"],
        "ath": sha256(token),
    });
    assert_eq!(claims, expected, "without the query of the address");
    ids.insert(claims["jti"].to_string());
    assert_eq!(ids.len(), 3);
    assert_eq!(userinfo[0].header("authorization"), Some(format!("DPoP {token}").as_str()));
    assert_eq!(last["userinfo"]["email"], "alice@example.com");
}

#[tokio::test]
async fn without_a_userinfo_endpoint_the_tokens_are_shown_all_the_same() {
    let world = world().await;
    let plan = world.bound();
    world.bend_metadata(|metadata| drop(metadata.as_object_mut().unwrap().remove("userinfo_endpoint")));
    let ended = world.run_plan(&plan, true).await;
    assert_eq!((ended.code, ended.last().get("userinfo")), (0, None));
}

#[tokio::test]
async fn exit_7_table_of_tokens_that_are_not_bound() {
    let table: [(&str, fn(&World) -> Value, &str); 3] = [
        ("a bearer token", |world| tokens(&world.issuer, &world.key, |_, _| ()), "its token_type is not DPoP"),
        ("another key", |world| world.bound_to("another"), "it is bound to another key"),
        (
            "DPoP by its type alone",
            |world| {
                let mut tokens = tokens(&world.issuer, &world.key, |_, _| ());
                tokens["token_type"] = "DPoP".into();
                tokens
            },
            "it is not bound to the key of this run",
        ),
    ];
    for (case, tokens, expected) in table {
        let world = world().await;
        let plan = world.bound();
        world.bend(|script| script.polls = [reply(200, &tokens(&world))].into());
        let ended = world.run_plan(&plan, true).await;
        assert_eq!(ended.code, 7, "{case}");
        let told = format!("the access token: {expected}");
        assert_eq!(ended.last()["error_description"], told, "{case}");
        assert_eq!(world.sent("/shop/userinfo").len(), 0, "{case}");
    }
}

#[tokio::test]
async fn exit_7_when_a_token_is_bound_to_a_certificate_of_somebody_else() {
    let world = world().await;
    let bound = tokens(&world.issuer, &world.key, |access, _| access["cnf"] = json!({"x5t#S256": "ours"}));
    world.bend(|script| script.polls = [reply(200, &bound)].into());
    for (certificate, code) in [(Some("ours"), 0), (Some("another"), 7), (None, 7)] {
        let mut plan = world.plan();
        plan.client.certificate = certificate.map(str::to_owned);
        assert_eq!(world.run_plan(&plan, true).await.code, code, "{certificate:?}");
    }
}

#[tokio::test]
async fn a_nonce_that_a_server_wants_is_in_the_next_proof() {
    let world = world().await;
    let plan = world.bound();
    world.bend(|script| {
        script.polls.push_front(error("use_dpop_nonce").with("dpop-nonce", "n-1"));
        script.polls.back_mut().unwrap().headers.push(("dpop-nonce", "n-2".into()));
        let challenge = reply(401, &json!({})).with("www-authenticate", "DPoP error=\"use_dpop_nonce\"");
        script.userinfo.push_front(challenge.with("dpop-nonce", "n-3"));
    });
    let ended = world.run_plan(&plan, true).await;
    assert_eq!((ended.code, world.slept()), (0, 10), "it is sent again at once: {}", ended.out);
    let nonces = |path| world.sent(path).iter().map(|seen| proof(seen).0["nonce"].clone()).collect::<Vec<_>>();
    assert_eq!(nonces("/shop/token"), [json!(null), json!("n-1"), json!("n-1")]);
    assert_eq!(nonces("/shop/userinfo"), [json!("n-2"), json!("n-3")]);
}

#[tokio::test]
async fn exit_5_when_a_server_is_never_content_with_its_own_nonce() {
    let world = world().await;
    let plan = world.bound();
    world.bend(|script| script.polls = [error("use_dpop_nonce").with("dpop-nonce", "n-1")].into());
    let ended = world.run_plan(&plan, true).await;
    assert_eq!((ended.code, world.sent("/shop/token").len()), (5, 2));
}
