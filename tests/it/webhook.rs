//! The channel `webhook`: what the operator's service is told, how it is signed, and where its link leads.

use std::time::Duration;

use realmgate::{clock::Clock, outbox};
use serde_json::json;

use crate::{
    receiver::Receiver,
    world::{Build, PUBLIC, World, realm_file},
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn with_webhook(receiver: &Receiver) -> String {
    let text =
        realm_file().replace("name = \"Alice Liddell\"", "name = \"Alice Liddell\"\nphone_number = \"+4915550100\"");
    format!("{text}\n[[channels]]\nkind = \"webhook\"\nurl = \"{}\"\nsecret = \"{SECRET}\"\n", receiver.url)
}

async fn ask(world: &World) -> crate::world::Answer {
    let form = [("scope", "openid profile"), ("login_hint", "alice"), ("binding_message", "KX-42")];
    world.as_till("/master/bc-authorize", &form).await
}

#[tokio::test]
async fn whom_to_alert_and_the_link_and_nothing_else() {
    let mut receiver = Receiver::answering(204).await;
    // the library that checks the signature compares its time with the system's
    let clock = Clock::manual(Clock::system().now());
    let build = Build { clock, ..Build::default() };
    let world = World::of(&[("master", &with_webhook(&receiver))], build).await;
    let answer = ask(&world).await;
    assert_eq!(answer.status, 200, "{answer:?}");

    let call = receiver.next().await;
    standardwebhooks::Webhook::new(SECRET).unwrap().verify(&call.body, &call.headers).unwrap();
    assert_eq!(call.headers["content-type"], "application/json");
    let told = call.json();
    let link = told["link"].as_str().unwrap();
    let expires_at = world.clock.now().plus(Duration::from_secs(120)).rfc3339();
    let user = json!({"sub": "alice-sub", "preferred_username": "alice", "email": "alice@example.com", "phone_number": "+4915550100"});
    let expected =
        json!({"event": "approval.requested", "realm": "master", "user": user, "link": link, "expires_at": expires_at});
    assert_eq!(told, expected, "no message, no scope, no auth_req_id");

    let path = link.strip_prefix(PUBLIC).unwrap();
    assert_ne!(path.rsplit('/').next().unwrap(), answer.json()["auth_req_id"], "I1");
    for _ in 0..20 {
        assert_eq!(world.get(path).await.status, 200, "mail scanners open every link");
    }
    assert!(world.get(path).await.text.contains("Sign in to see your request"));
    assert_eq!(world.get("/master/approvals").await.status, 200, "the page is served beside a webhook");
    assert_eq!(receiver.rest(), 0, "told once");
}

#[tokio::test]
async fn a_receiver_that_fails_is_told_again_three_times_at_most() {
    let mut receiver = Receiver::answering(500).await;
    let world = World::of(&[("master", &with_webhook(&receiver))], Build::default()).await;
    assert_eq!(ask(&world).await.status, 200, "nobody waits for it");
    let first = receiver.next().await;
    for _ in 0..2 {
        let again = receiver.next_as_time_passes(&world.clock).await;
        assert_eq!(first.headers["webhook-id"], again.headers["webhook-id"]);
        assert_eq!(first.body, again.body);
    }
    nothing_more(&world, &mut receiver).await;
    assert_eq!(world.pending("master").await, 1, "the request is in the inbox all the same");
}

#[tokio::test]
async fn a_receiver_that_is_up_again_is_told() {
    let mut receiver = Receiver::answering(503).await;
    let world = World::of(&[("master", &with_webhook(&receiver))], Build::default()).await;
    ask(&world).await;
    receiver.next().await;
    receiver.answer(200);
    receiver.next_as_time_passes(&world.clock).await;
    nothing_more(&world, &mut receiver).await;
}

#[tokio::test]
async fn a_full_outbox_is_a_failure_only_where_there_is_no_other_channel() {
    let full = outbox::Limits { taken: 0, ..outbox::Limits::default() };
    let page = "[[channels]]\nkind = \"page\"\n";
    for (more, expected, pending) in [("", "503 temporarily_unavailable", 0), (page, "200", 1)] {
        let receiver = Receiver::answering(200).await;
        let text = with_webhook(&receiver) + more;
        let world = World::of(&[("master", &text)], Build { outbox: full, ..Build::default() }).await;
        let answer = ask(&world).await;
        assert_eq!(answer.brief(), expected);
        assert_eq!(answer.status == 503, answer.header("retry-after").is_some());
        assert_eq!(world.pending("master").await, pending);
    }
}

/// A minute passes, and nothing arrives.
async fn nothing_more(world: &World, receiver: &mut Receiver) {
    for _ in 0..12 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        world.advance(5);
    }
    assert_eq!(receiver.rest(), 0);
}
