//! A40: guesses of a secret.

use serde_json::json;

use super::{ENDPOINTS, Proof, assertions::TYPE};
use crate::{
    signer::Signer,
    world::{World, basic},
};

fn wrong() -> Proof {
    Proof::basic(basic("till", "a guess")).from("192.0.2.1")
}

fn right() -> Proof {
    Proof::basic(basic("till", "till secret: a+b%20c"))
}

#[tokio::test]
async fn a40_after_twenty_failures_in_a_minute_that_address_alone_must_wait() {
    let world = World::new().await;
    for number in 0..20 {
        let (path, more, _) = ENDPOINTS[number % ENDPOINTS.len()];
        assert_eq!(wrong().sent(&world, path, more).await.brief(), "401 invalid_client", "{number}");
        world.advance(1);
    }
    for (path, more, good) in ENDPOINTS {
        let here = right().from("192.0.2.1").sent(&world, path, more).await;
        assert_eq!(here.brief(), "429 temporarily_unavailable", "{path}: the right secret, too");
        assert_eq!(here.header("retry-after"), Some("40"));
        assert_eq!(right().from("192.0.2.2").sent(&world, path, more).await.brief(), good, "{path}");
        assert_eq!(right().from("2001:db8::1").sent(&world, path, more).await.brief(), good, "{path}");
    }
    let another = Proof::form(&[("client_id", "post"), ("client_secret", "post-secret-0123456789")]);
    assert_eq!(another.from("192.0.2.1").brief(&world).await, "400 invalid_grant", "another client of this address");
    world.advance(40);
    assert_eq!(right().from("192.0.2.1").brief(&world).await, "400 invalid_grant");
}

#[tokio::test]
async fn a40_a_right_secret_between_guesses_sets_nothing_back() {
    let world = World::new().await;
    for _ in 0..20 {
        assert_eq!(right().from("192.0.2.1").brief(&world).await, "400 invalid_grant");
        assert_eq!(wrong().brief(&world).await, "401 invalid_client");
    }
    assert_eq!(wrong().brief(&world).await, "429 temporarily_unavailable");
}

#[tokio::test]
async fn a40_an_unknown_client_is_answered_alike() {
    let world = World::new().await;
    let mut answers = Vec::new();
    for client in ["till", "who"] {
        let guess = Proof::basic(basic(client, "a guess")).from("192.0.2.1");
        for _ in 0..25 {
            let (path, more, _) = ENDPOINTS[1];
            let answer = guess.sent(&world, path, more).await;
            answers.push((answer.status, answer.text, answer.headers));
        }
    }
    assert_eq!(answers[..25], answers[25..]);
    assert_eq!(answers[24].0, 429);
}

#[tokio::test]
async fn a40_assertions_by_secret_are_guesses_and_those_by_key_are_none() {
    let world = World::new().await;
    let assertion = |signer: &Signer| {
        let now = world.clock.now().seconds();
        let claims = json!({"iss": "till", "sub": "till", "aud": "x", "exp": now + 60, "jti": "x"});
        let proof =
            Proof::form(&[("client_assertion_type", TYPE), ("client_assertion", &signer.jwt(&json!({}), &claims))]);
        proof.from("192.0.2.1")
    };
    let (secret, key) = (Signer::with_secret(b"a guess"), Signer::new(realmgate::keys::Algorithm::ES256));
    for _ in 0..25 {
        assert_eq!(assertion(&key).brief(&world).await, "401 invalid_client");
    }
    for _ in 0..20 {
        assert_eq!(assertion(&secret).brief(&world).await, "401 invalid_client");
    }
    assert_eq!(assertion(&secret).brief(&world).await, "429 temporarily_unavailable");
    assert_eq!(assertion(&key).brief(&world).await, "401 invalid_client");
}
