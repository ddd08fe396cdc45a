//! docs/cases.md: `authorization_details`, from the request over the page to the tokens.

use realmgate::ciba::decide::Decision;
use serde_json::{Value, json};

use crate::{
    browser::{self, Browser},
    receiver::Receiver,
    world::{Answer, Build, CIBA, World, claims, realm_file},
};

const TYPES: &str = r#"
[[authorization_details_types]]
type = "payment"
sentence = "Pay {amount.value} {amount.currency} to {creditor}"
members = { amount = "object", creditor = "string", urgent = "boolean", times = "number", tags = "strings", steps = "list" }
required = ["amount", "creditor"]

[[authorization_details_types]]
type = "account_information"

[[authorization_details_types]]
type = "nobody's"
"#;

/// The client `till` may ask for two of the types.
fn with_types(realm: &mut String) {
    let till = "client_name = \"Corner shop till\"\n";
    *realm =
        realm.replace(till, &format!("{till}authorization_details_types = [\"payment\", \"account_information\"]\n"));
    realm.push_str(TYPES);
    realm.push_str("\n[limits]\npending_per_user = 1000\n");
}

fn payment(more: &Value) -> Value {
    let mut item =
        json!({"type": "payment", "amount": {"value": "12.50", "currency": "EUR"}, "creditor": "Acme Books"});
    item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!([item])
}

async fn ask(world: &World, details: &str) -> Answer {
    let form = [("scope", "openid profile"), ("login_hint", "alice"), ("authorization_details", details)];
    world.as_till("/master/bc-authorize", &form).await
}

#[tokio::test]
async fn table_of_p52_to_p57() {
    let world = World::with(with_types).await;
    let refused = "400 invalid_authorization_details";
    let long = "x".repeat(8 * 1024);
    let table: Vec<(&str, String, &str)> = vec![
        ("as the type wants it", payment(&json!({"urgent": true})).to_string(), "200"),
        ("P52 no JSON", "payment".into(), refused),
        ("P52 half of it", "[{".into(), refused),
        ("P53", payment(&json!({}))[0].to_string(), refused),
        ("P54 no type", "[{}]".into(), refused),
        ("P54 unknown", json!([{"type": "transfer"}]).to_string(), refused),
        ("P54 not for this client", json!([{"type": "nobody's"}]).to_string(), refused),
        ("P55 unknown member", payment(&json!({"color": "red"})).to_string(), refused),
        ("P55 wrong kind", payment(&json!({"amount": "12.50"})).to_string(), refused),
        ("P55 missing", json!([{"type": "payment", "creditor": "Acme Books"}]).to_string(), refused),
        ("P55 a common member", payment(&json!({"actions": ["pay"]})).to_string(), "200"),
        ("P55 a common member of the wrong kind", payment(&json!({"actions": "pay"})).to_string(), refused),
        ("members that are not listed", json!([{"type": "account_information", "x": {"y": [1]}}]).to_string(), "200"),
        ("P56", "[]".into(), "200"),
        ("P57 long", payment(&json!({"creditor": long})).to_string(), refused),
        ("P57 deep", format!("{}{}", "[".repeat(4_000), "]".repeat(4_000)), refused),
        ("override of direction", payment(&json!({"creditor": "Acme\u{202e}skooB"})).to_string(), refused),
        ("line break", payment(&json!({"creditor": "Acme\nBooks"})).to_string(), refused),
    ];
    for (case, details, expected) in table {
        let answer = ask(&world, &details).await;
        assert_eq!(answer.brief(), expected, "{case}: {}", answer.text);
    }
    let form = [("scope", "openid"), ("login_hint", "alice"), ("authorization_details", r#"[{"type":"payment"}]"#)];
    assert_eq!(world.as_post("/master/bc-authorize", &form).await.brief(), refused, "P54 a client without types");
    let million = "[".repeat(1 << 20);
    assert_eq!(ask(&world, &million).await.status, 413, "P57");
}

#[tokio::test]
async fn what_was_approved_is_in_the_tokens() {
    let world = World::with(with_types).await;
    let details = payment(&json!({"times": 1.10}));
    let id = ask(&world, &details.to_string()).await.json()["auth_req_id"].as_str().unwrap().to_owned();
    world.decides("alice-sub", Decision::Approve).await;
    let other = [("authorization_details", r#"[{"type":"payment"}]"#)];
    let poll = [&[("grant_type", CIBA), ("auth_req_id", id.as_str())], &other[..]].concat();
    let tokens = world.as_till("/master/token", &poll).await.json();
    assert_eq!(tokens["authorization_details"], details, "K27: not what the token request says");
    assert_eq!(claims(&tokens["access_token"])["authorization_details"], details);
    assert_eq!(claims(&tokens["id_token"]).get("authorization_details"), None);
    let userinfo = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    assert_eq!(world.send("GET", "/master/userinfo", &[("authorization", &userinfo)], "").await.status, 200);

    let refresh_token = tokens["refresh_token"].as_str().unwrap().to_owned();
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.as_str())];
    let refreshed = world.as_till("/master/token", &form).await.json();
    assert_eq!(refreshed["authorization_details"], details);
    assert_eq!(claims(&refreshed["access_token"])["authorization_details"], details);

    let id = world.ask_alice().await;
    world.decides("alice-sub", Decision::Approve).await;
    let without = world.poll(&id).await.json();
    assert_eq!(without.get("authorization_details"), None);
    assert_eq!(claims(&without["access_token"]).get("authorization_details"), None);
}

#[tokio::test]
async fn i4_a_type_is_judged_at_each_step() {
    let mut text = realm_file();
    with_types(&mut text);
    let without = text.replace("[\"payment\", \"account_information\"]", "[\"account_information\"]");
    let world = World::of(&[("master", &text)], Build::default()).await;
    let ask = async || {
        let answer = ask(&world, &payment(&json!({})).to_string()).await;
        answer.json()["auth_req_id"].as_str().unwrap().to_owned()
    };
    let refused = "400 invalid_authorization_details";

    let collected = ask().await;
    world.decides("alice-sub", Decision::Approve).await;
    let refresh_token = world.poll(&collected).await.json()["refresh_token"].as_str().unwrap().to_owned();
    let approved = ask().await;
    world.decides("alice-sub", Decision::Approve).await;
    let pending = ask().await;

    world.serve(&[("master", &without)]);
    assert_eq!(world.poll(&approved).await.brief(), refused, "redemption");
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.as_str())];
    assert_eq!(world.as_till("/master/token", &form).await.brief(), refused, "refresh");
    let (live, person, now) = (world.gateway.realm("master").unwrap(), world.signed_in("alice-sub"), world.clock.now());
    let handle = live.decisions.pending_of(&person, now).await.unwrap()[0].request.handle.clone();
    let shown = realmgate::secret::Digest::of(b"shown");
    let decided = live.decisions.by_person(&handle, &person, Decision::Approve, shown, now).await;
    assert!(decided.unwrap_err().to_string().contains("invalid_authorization_details"), "decision");
    assert_eq!(world.poll(&pending).await.brief(), "400 authorization_pending");

    world.serve(&[("master", &text)]);
    assert_eq!(world.poll(&approved).await.status, 200, "nothing was spent");
}

#[tokio::test]
async fn the_person_reads_it_in_words() {
    let world = browser::world(&["master"], Build::default(), with_types).await;
    let details = payment(&json!({"urgent": true, "tags": ["a", "b"]}));
    let id = ask(&world, &details.to_string()).await.json()["auth_req_id"].as_str().unwrap().to_owned();
    let live = world.gateway.realm("master").unwrap();
    let pending = live.decisions.pending_of(&world.signed_in("alice-sub"), world.clock.now()).await.unwrap();
    let link = format!("/master/approvals/{}", pending[0].request.handle);
    let mut browser = Browser::signed_in(&world, "alice-sub", &link).await;
    let value = |text: &str| format!("<b><bdi>{text}</bdi></b>");
    let sentence = format!("Pay {} {} to {}", value("12.50"), value("EUR"), value("Acme Books"));
    assert!(browser.page.text.contains(&sentence), "{}", browser.page.text);
    for (name, value) in [("Urgent", "yes"), ("Tags", "a, b")] {
        let row = format!("<dt><bdi>{name}</bdi></dt><dd><bdi>{value}</bdi></dd>");
        assert!(browser.page.text.contains(&row), "{row}: {}", browser.page.text);
    }
    assert!(browser.page.text.contains("wants to act on your behalf"));
    assert!(!browser.page.text.contains('{') && !browser.page.text.contains("&#123;"), "no JSON");
    assert!(browser.open("/master/approvals").await.text.contains(&sentence), "and in the inbox");
    browser.open(&link).await;
    browser.decide("approve").await;
    assert_eq!(world.poll(&id).await.json()["authorization_details"], details);
}

#[tokio::test]
async fn a_device_service_is_told_what_it_decides() {
    let mut service = Receiver::answering(201).await;
    let world = World::with(|realm| {
        with_types(realm);
        realm.push_str(&format!("\n[[channels]]\nkind = \"keycloak\"\nurl = \"{}\"\n", service.url));
    })
    .await;
    let details = payment(&json!({"tags": ["x".repeat(300)]}));
    assert_eq!(ask(&world, &details.to_string()).await.status, 200);
    assert_eq!(service.next().await.json()["authorization_details"], details, "as JSON, however long");
    world.ask_alice().await;
    assert_eq!(service.next().await.json().get("authorization_details"), None);
}
