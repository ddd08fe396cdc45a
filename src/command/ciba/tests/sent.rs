//! What the server receives: the request, the polls, and by what the client proves who it is.

use super::*;

const ASK: &str = "scope=openid+profile&login_hint=alice&binding_message=KX-42";
const POLL: &str = "grant_type=urn%3Aopenid%3Aparams%3Agrant-type%3Aciba&auth_req_id=id-1";

impl World {
    /// The plan of a client that proves in another way who it is.
    fn plan_with(&self, credentials: Credentials) -> Plan {
        let mut plan = self.plan();
        plan.client.credentials = credentials;
        plan
    }

    /// The first request to bc-authorize and the first to the token endpoint: `Authorization` and body.
    fn first_two(&self) -> [(Option<String>, String); 2] {
        ["/shop/ask", "/shop/token"].map(|path| {
            let seen = self.sent(path).remove(0);
            (seen.header("authorization").map(str::to_owned), seen.body)
        })
    }
}

fn secret() -> Secret {
    Secret::new("a:b c")
}

/// A client's key.
fn signer(algorithm: Algorithm, key_id: Option<&str>) -> Arc<Signer> {
    let (key, _) = SigningKey::generate(algorithm).unwrap();
    Arc::new(Signer { key, key_id: key_id.map(str::to_owned) })
}

#[tokio::test]
async fn client_secret_basic() {
    let world = world().await;
    let mut plan = world.plan_with(Credentials::Basic(secret()));
    plan.question.requested_expiry = Some(60);
    plan.question.user_code = Some(Secret::new("4711"));
    assert_eq!(world.run_plan(&plan, true).await.code, 0);
    let basic = Some("Basic dGlsbDphJTNBYitj".to_owned()); // till:a%3Ab+c
    let ask = format!("{ASK}&requested_expiry=60&user_code=4711");
    assert_eq!(world.first_two(), [(basic.clone(), ask), (basic, POLL.to_owned())]);
    assert_eq!(world.sent("/shop/ask").len(), 1);
}

#[tokio::test]
async fn client_secret_post() {
    let world = world().await;
    assert_eq!(world.run_plan(&world.plan_with(Credentials::Post(secret())), true).await.code, 0);
    let credentials = "&client_id=till&client_secret=a%3Ab+c";
    assert_eq!(world.first_two(), [(None, format!("{ASK}{credentials}")), (None, format!("{POLL}{credentials}"))]);
}

#[tokio::test]
async fn a_certificate_is_named_by_the_client_id_alone() {
    let world = world().await;
    assert_eq!(world.run_plan(&world.plan_with(Credentials::Certificate), true).await.code, 0);
    assert_eq!(world.first_two(), [(None, format!("{ASK}&client_id=till")), (None, format!("{POLL}&client_id=till"))]);
}

/// Header and claims of the assertions, oldest first, after the rest of each form was checked.
fn assertions(world: &World) -> Vec<(Value, Value, String)> {
    let mut seen = world.sent("/shop/ask");
    seen.extend(world.sent("/shop/token"));
    let assertion = |seen: Seen| {
        assert_eq!(seen.header("authorization"), None);
        let form = seen.form();
        assert_eq!(form["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        assert!(!form.contains_key("client_id") && !form.contains_key("client_secret"), "{form:?}");
        let (header, claims) = parts(&form["client_assertion"]);
        (header, claims, form["client_assertion"].clone())
    };
    seen.into_iter().map(assertion).collect()
}

#[tokio::test]
async fn private_key_jwt_signs_each_request_with_a_new_assertion() {
    for (algorithm, key_id) in Algorithm::ALL.into_iter().zip([None, Some("till-1"), None, Some("2027")]) {
        let world = world().await;
        let signer = signer(algorithm, key_id);
        let plan = world.plan_with(Credentials::PrivateKeyJwt(Arc::clone(&signer)));
        assert_eq!(world.run_plan(&plan, true).await.code, 0, "{algorithm}");
        let assertions = assertions(&world);
        assert_eq!(assertions.len(), 3, "one request, two polls");

        let mut ids = Vec::new();
        for ((header, claims, token), sent) in assertions.into_iter().zip([START, START + 5, START + 10]) {
            let mut expected = json!({"alg": algorithm.as_str(), "typ": "client-authentication+jwt"});
            if let Some(kid) = key_id {
                expected["kid"] = kid.into();
            }
            assert_eq!(header, expected);
            let jti = claims["jti"].clone();
            let expected = json!({
                "iss": "till", "sub": "till", "aud": world.issuer, "iat": sent, "exp": sent + 60, "jti": jti,
            });
            assert_eq!(claims, expected);
            assert!(is_signed_by(&signer.key, &token), "{algorithm}");
            assert!(jti.as_str().unwrap().len() >= 43 && !ids.contains(&jti), "{jti}");
            ids.push(jti);
        }
    }
}

#[tokio::test]
async fn client_secret_jwt_signs_with_the_secret() {
    let world = world().await;
    assert_eq!(world.run_plan(&world.plan_with(Credentials::SecretJwt(secret())), true).await.code, 0);
    let key = jsonwebtoken::DecodingKey::from_secret(b"a:b c");
    for (header, claims, token) in assertions(&world) {
        assert_eq!(header, json!({"alg": "HS256", "typ": "client-authentication+jwt"}));
        assert_eq!((&claims["aud"], &claims["sub"]), (&json!(world.issuer), &json!("till")));
        let (message, signature) = token.rsplit_once('.').unwrap();
        let algorithm = jsonwebtoken::Algorithm::HS256;
        assert!(jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, algorithm).unwrap());
    }
}

#[tokio::test]
async fn a_certificate_goes_to_the_endpoints_that_ask_for_one() {
    for (certificate, expected) in [(None, [1, 2, 0]), (Some("digest".to_owned()), [0, 0, 3])] {
        let world = world().await;
        world.bend_metadata(|metadata| {
            let at = format!("{}/with-certificate", world.issuer);
            metadata["mtls_endpoint_aliases"] =
                json!({"token_endpoint": at, "backchannel_authentication_endpoint": at, "future_endpoint": 7});
        });
        let mut plan = world.plan();
        plan.client.certificate = certificate;
        let ended = world.run_plan(&plan, true).await;
        assert_eq!(ended.code, 0, "{}", ended.out);
        let sent = ["/shop/ask", "/shop/token", "/shop/with-certificate"].map(|path| world.sent(path).len());
        assert_eq!(sent, expected);
    }
}

#[tokio::test]
async fn without_aliases_a_certificate_goes_to_the_usual_endpoints() {
    let world = world().await;
    let mut plan = world.plan();
    plan.client.certificate = Some("digest".to_owned());
    assert_eq!(world.run_plan(&plan, true).await.code, 0);
    assert_eq!((world.sent("/shop/ask").len(), world.sent("/shop/token").len()), (1, 2));
}

/// Every parameter that there is.
fn everything(question: &mut Question) {
    question.requested_expiry = Some(60);
    question.user_code = Some(Secret::new("4711"));
    question.acr_values = Some("high low".into());
    question.authorization_details = Some(json!([{"type": "payment", "amount": "12.50"}]));
}

#[tokio::test]
async fn every_parameter_of_a_plain_request() {
    let world = world().await;
    for (hint, name, value) in [
        (Hint::Login("alice".into()), "login_hint", "alice"),
        (Hint::LoginToken("a.b.c".into()), "login_hint_token", "a.b.c"),
        (Hint::IdToken("a.b.c".into()), "id_token_hint", "a.b.c"),
    ] {
        let mut plan = world.plan();
        everything(&mut plan.question);
        plan.question.hint = hint;
        world.run_plan(&plan, true).await;
        let expected = [
            ("scope", "openid profile"),
            (name, value),
            ("binding_message", "KX-42"),
            ("requested_expiry", "60"),
            ("user_code", "4711"),
            ("acr_values", "high low"),
            ("authorization_details", r#"[{"amount":"12.50","type":"payment"}]"#),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(world.sent("/shop/ask").last().unwrap().form(), expected.into());
    }
}

#[tokio::test]
async fn a_signed_request_holds_every_parameter_and_none_stands_outside() {
    for algorithm in Algorithm::ALL {
        let world = world().await;
        let signer = signer(algorithm, Some("till-1"));
        let mut plan = world.plan_with(Credentials::Post(secret()));
        everything(&mut plan.question);
        plan.client.request_signer = Some(Arc::clone(&signer));
        assert_eq!(world.run_plan(&plan, true).await.code, 0);

        let form = world.sent("/shop/ask").remove(0).form();
        assert_eq!(form.keys().map(String::as_str).collect::<Vec<_>>(), ["client_id", "client_secret", "request"]);
        let (header, claims) = parts(&form["request"]);
        assert_eq!(header, json!({"alg": algorithm.as_str(), "typ": "oauth-authz-req+jwt", "kid": "till-1"}));
        assert!(is_signed_by(&signer.key, &form["request"]));
        assert!(claims["jti"].as_str().unwrap().len() >= 43);
        let expected = json!({
            "iss": "till", "aud": world.issuer, "iat": START, "nbf": START, "exp": START + 300, "jti": claims["jti"],
            "scope": "openid profile", "login_hint": "alice", "binding_message": "KX-42", "requested_expiry": 60,
            "user_code": "4711", "acr_values": "high low",
            "authorization_details": [{"type": "payment", "amount": "12.50"}],
        });
        assert_eq!(claims, expected);
        assert!(!world.sent("/shop/token")[0].form().contains_key("request"), "a poll is not signed");
    }
}

#[tokio::test]
async fn with_private_key_jwt_only_the_assertion_stands_beside_a_signed_request() {
    let world = world().await;
    let signer = signer(Algorithm::ES256, None);
    let mut plan = world.plan_with(Credentials::PrivateKeyJwt(Arc::clone(&signer)));
    plan.client.request_signer = Some(signer);
    assert_eq!(world.run_plan(&plan, true).await.code, 0);
    let form = world.sent("/shop/ask").remove(0).form();
    let names: Vec<_> = form.keys().map(String::as_str).collect();
    assert_eq!(names, ["client_assertion", "client_assertion_type", "request"]);
    assert_ne!(parts(&form["request"]).1["jti"], parts(&form["client_assertion"]).1["jti"]);
}
