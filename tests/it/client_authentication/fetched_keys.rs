//! A31 and A32: the keys of a client that publishes them at its `jwks_uri`.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use http::Response;
use realmgate::keys::Algorithm;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use warp::Filter;

use super::{Proof, assertions::TYPE};
use crate::{signer::Signer, world::World};

/// The client's own server.
pub(super) struct Publisher {
    pub(super) url: String,
    fetched: Arc<AtomicUsize>,
    answer: Arc<Mutex<(u16, String)>>,
}

impl Publisher {
    pub(super) async fn start() -> Self {
        let (fetched, answer) = (Arc::<AtomicUsize>::default(), Arc::new(Mutex::new((200, String::new()))));
        let (count, told) = (Arc::clone(&fetched), Arc::clone(&answer));
        let routes = warp::any().map(move || {
            count.fetch_add(1, Ordering::SeqCst);
            let (status, body) = told.lock().unwrap().clone();
            Response::builder().status(status).header("location", "/again").body(body)
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        tokio::spawn(warp::serve(routes).incoming(listener).run());
        Self { url, fetched, answer }
    }

    pub(super) fn publish(&self, keys: &[&Signer]) {
        let keys: Vec<&Value> = keys.iter().map(|key| key.jwk()).collect();
        self.answer(200, &json!({ "keys": keys }).to_string());
    }

    fn answer(&self, status: u16, body: &str) {
        *self.answer.lock().unwrap() = (status, body.to_owned());
    }

    pub(super) fn fetched(&self) -> usize {
        self.fetched.load(Ordering::SeqCst)
    }
}

async fn world(url: &str) -> World {
    World::with(|realm| {
        let method = "token_endpoint_auth_method = \"private_key_jwt\"";
        *realm += &format!("\n[[clients]]\nclient_id = \"bank\"\n{method}\njwks_uri = \"{url}\"\n");
    })
    .await
}

/// What an assertion by this key is answered with at the token endpoint.
async fn brief(world: &World, signer: &Signer) -> String {
    let now = world.clock.now().seconds();
    let jti = realmgate::random::Random::system().bytes::<16>().unwrap();
    let claims = json!({
        "iss": "bank", "sub": "bank", "aud": "http://127.0.0.1:8080/master", "exp": now + 60, "jti": format!("{jti:?}"),
    });
    let assertion = signer.jwt(&json!({}), &claims);
    Proof::form(&[("client_assertion_type", TYPE), ("client_assertion", &assertion)]).brief(world).await
}

const GOOD: &str = "400 invalid_grant";
const REFUSED: &str = "401 invalid_client";

#[tokio::test]
async fn a31_an_unknown_key_is_asked_for_once_in_half_a_minute() {
    let publisher = Publisher::start().await;
    let (old, new, strange) =
        (Signer::new(Algorithm::ES256), Signer::new(Algorithm::PS256), Signer::new(Algorithm::ES256));
    publisher.publish(&[&old]);
    let world = world(&publisher.url).await;
    assert_eq!(publisher.fetched(), 0, "fetched when first needed");
    for _ in 0..3 {
        assert_eq!(brief(&world, &old).await, GOOD);
    }
    assert_eq!(publisher.fetched(), 1);

    publisher.publish(&[&old, &new]);
    assert_eq!(brief(&world, &new).await, REFUSED, "they were fetched a moment ago");
    world.advance(30);
    assert_eq!(brief(&world, &new).await, GOOD);
    assert_eq!(publisher.fetched(), 2);

    world.advance(30);
    for _ in 0..20 {
        assert_eq!(brief(&world, &strange).await, REFUSED);
    }
    assert_eq!(publisher.fetched(), 3);
    assert_eq!(brief(&world, &old).await, GOOD);
    assert_eq!(publisher.fetched(), 3, "a key that is known asks nobody");
}

#[tokio::test]
async fn a31_a_key_that_is_not_published_any_more_is_forgotten() {
    let publisher = Publisher::start().await;
    let (old, new) = (Signer::new(Algorithm::ES256), Signer::new(Algorithm::ES256));
    publisher.publish(&[&old]);
    let world = world(&publisher.url).await;
    assert_eq!(brief(&world, &old).await, GOOD);
    publisher.publish(&[&new]);
    world.advance(10 * 60);
    assert_eq!(brief(&world, &old).await, REFUSED);
    assert_eq!(brief(&world, &new).await, GOOD);
}

#[tokio::test]
async fn a32_keys_that_cannot_be_had_refuse_and_are_asked_for_again_later() {
    let key = Signer::new(Algorithm::ES256);
    let publisher = Publisher::start().await;
    let world = world(&publisher.url).await;
    let private = json!({"keys": [{"kty": "oct", "k": "AAAA"}]}).to_string();
    let useless = [(500, ""), (302, ""), (200, "no JSON"), (200, "{}"), (200, r#"{"keys":[]}"#), (200, &private)];
    for (asked, (status, body)) in (1..).zip(useless) {
        publisher.answer(status, body);
        for _ in 0..3 {
            assert_eq!(brief(&world, &key).await, REFUSED, "{status} {body}");
        }
        assert_eq!(publisher.fetched(), asked, "{status} {body}");
        world.advance(5);
    }
    publisher.publish(&[&key]);
    assert_eq!(brief(&world, &key).await, GOOD);
}

#[tokio::test]
async fn a32_the_last_good_keys_serve_for_a_day() {
    let publisher = Publisher::start().await;
    let key = Signer::new(Algorithm::ES256);
    publisher.publish(&[&key]);
    let world = world(&publisher.url).await;
    assert_eq!(brief(&world, &key).await, GOOD);
    publisher.answer(500, "");
    world.advance(24 * 60 * 60 - 1);
    assert_eq!(brief(&world, &key).await, GOOD);
    world.advance(6);
    assert_eq!(brief(&world, &key).await, REFUSED);
}

#[tokio::test]
async fn a32_nobody_at_the_address() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    drop(listener);
    let world = world(&url).await;
    assert_eq!(brief(&world, &Signer::new(Algorithm::ES256)).await, REFUSED);
}

#[tokio::test]
async fn a32_a_private_address_that_is_not_listed_is_not_asked() {
    let world = world("https://10.0.0.1/jwks").await;
    assert_eq!(brief(&world, &Signer::new(Algorithm::ES256)).await, REFUSED);
}
