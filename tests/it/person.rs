//! docs/cases.md, the person's page: from the link to the result with the demo provider as upstream, and all that must not
//! lead there.

use http::Method;
use realmgate::approval::HEADERS;
use serde_json::json;

use crate::{
    browser::{Browser, as_pairs, world},
    world::{Answer, Build, World, claims, encode},
};

/// What a page may show to alice alone.
const DETAILS: [&str; 4] = ["Corner shop till", "KX-42", "e-mail", "Reference"];

async fn master() -> World {
    world(&["master"], Build::default(), |_| {}).await
}

/// `till` asks alice with a message: the `auth_req_id`, and the link to the request.
async fn ask(world: &World) -> (String, String) {
    let form = [("scope", "openid profile email"), ("login_hint", "alice"), ("binding_message", "KX-42")];
    let answer = world.as_till("/master/bc-authorize", &form).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let id = answer.json()["auth_req_id"].as_str().unwrap().to_owned();
    (id, link(world, "alice-sub").await)
}

/// The path of the link to this person's one request.
async fn link(world: &World, sub: &str) -> String {
    let live = world.gateway.realm("master").unwrap();
    let pending = live.decisions.pending_of(&world.signed_in(sub), world.clock.now()).await.unwrap();
    assert_eq!(pending.len(), 1);
    format!("/master/approvals/{}", pending[0].request.handle)
}

/// No detail of the request on this page.
#[track_caller]
fn tells_nothing(page: &Answer) {
    for detail in DETAILS {
        assert!(!page.text.contains(detail), "{detail}: {}", page.text);
    }
}

#[tokio::test]
async fn from_the_link_to_the_tokens() {
    let world = master().await;
    let (id, link) = ask(&world).await;
    let mut browser = Browser::new(&world);

    let landing = browser.open(&link).await;
    assert_eq!(landing.status, 200);
    assert!(landing.text.contains("Sign in to see your request"), "{}", landing.text);
    tells_nothing(landing);
    assert!(browser.jar.is_empty(), "nothing is kept of a visitor");

    world.advance(3);
    browser.sign_in("alice-sub").await;
    let signed_in = world.clock.now().seconds();
    assert_eq!((browser.page.status, browser.at.path()), (200, link.as_str()));
    for detail in DETAILS {
        assert!(browser.page.text.contains(detail), "{detail}: {}", browser.page.text);
    }
    assert_eq!(world.poll(&id).await.brief(), "400 authorization_pending", "signing in approves nothing");

    world.advance(7);
    browser.decide("approve").await;
    assert_eq!((browser.page.status, browser.at.path()), (200, link.as_str()));
    assert!(browser.page.text.contains("You approved this request"), "{}", browser.page.text);

    let tokens = world.poll(&id).await.json();
    let claims = claims(&tokens["id_token"]);
    assert_eq!((&claims["sub"], &claims["auth_time"]), (&json!("alice-sub"), &json!(signed_in)));
    assert_eq!((&claims["acr"], &claims["amr"]), (&json!("1"), &json!(["demo"])), "as the provider says");
    assert!(browser.open(&link).await.text.contains("You approved this request"), "B16, opened again");
}

#[tokio::test]
async fn denied() {
    let world = master().await;
    let (id, link) = ask(&world).await;
    let mut browser = Browser::signed_in(&world, "alice-sub", &link).await;
    assert!(browser.decide("deny").await.text.contains("You denied this request"));
    assert_eq!(world.poll(&id).await.brief(), "400 access_denied");
}

#[tokio::test]
async fn b15_b18_another_person_sees_nothing_and_decides_nothing() {
    let world = master().await;
    let (id, link) = ask(&world).await;
    let mut alice = Browser::signed_in(&world, "alice-sub", &link).await;
    let hers = alice.form("approve");

    let mut bob = Browser::signed_in(&world, "bob-sub", &link).await;
    assert_eq!(bob.page.status, 403);
    let audited = world.audited();
    let seen = |record: &serde_json::Value| record["type"] == "decision_refused" && record["error"] == "other person";
    assert!(audited.iter().any(seen), "B18: who looks at another's request is on record: {audited:?}");
    assert!(bob.page.text.contains("another account") && bob.page.text.contains("Bob Cratchit"), "{}", bob.page.text);
    tells_nothing(&bob.page);
    let switch = bob.field("token");
    for form in [hers, vec![("token", switch.clone()), ("decision", "approve".into()), ("shown", "A".repeat(43))]] {
        bob.at = bob.at.join(&link).unwrap();
        assert_eq!(bob.post("", &as_pairs(&form)).await.status, 403);
        tells_nothing(&bob.page);
    }
    assert!(bob.open("/master/approvals").await.text.contains("Nothing is waiting for you"));
    assert_eq!(world.poll(&id).await.brief(), "400 authorization_pending");
    assert_eq!(alice.decide("approve").await.status, 200, "nothing has changed for her");
    assert_eq!(world.poll(&id).await.status, 200);
}

#[tokio::test]
async fn b15_with_another_account_the_person_comes_back_to_the_request() {
    let world = master().await;
    let (_, link) = ask(&world).await;
    let mut browser = Browser::signed_in(&world, "bob-sub", &link).await;
    let (token, request) = (browser.field("token"), browser.field("request"));
    browser.post("/master/sign-out", &[("token", &token), ("request", &request)]).await;
    assert!(browser.page.text.contains(&format!("{link}?sign-in=switch")), "{}", browser.page.text);
    browser.open(&format!("{link}?sign-in=switch")).await;
    let chosen = browser.field("request");
    browser.post("/choose", &[("request", &chosen), ("person", "alice-sub")]).await;
    assert_eq!((browser.page.status, browser.at.path()), (200, link.as_str()));
    assert!(browser.page.text.contains("Corner shop till"));
}

#[tokio::test]
async fn b17_a_decision_that_did_not_come_from_this_sessions_page() {
    let world = master().await;
    let (id, link) = ask(&world).await;
    let mut browser = Browser::signed_in(&world, "alice-sub", &link).await;
    let other_session = Browser::signed_in(&world, "alice-sub", &link).await.field("token");
    let good = browser.form("approve");
    let ours = "http://127.0.0.1:8080";
    let cookies = browser.jar.clone();
    let table = [
        ("no token", None, Some(ours), Some("same-origin"), true),
        ("a made-up token", Some("A".repeat(43)), Some(ours), Some("same-origin"), true),
        ("another session's token", Some(other_session), Some(ours), Some("same-origin"), true),
        ("another origin", Some(good[0].1.clone()), Some("https://evil.example"), None, true),
        ("another port", Some(good[0].1.clone()), Some("http://127.0.0.1:8081"), None, true),
        ("no origin at all", Some(good[0].1.clone()), Some("null"), None, true),
        ("cross-site", Some(good[0].1.clone()), None, Some("cross-site"), true),
        ("same site, another origin", Some(good[0].1.clone()), None, Some("same-site"), true),
        ("no session", Some(good[0].1.clone()), Some(ours), Some("same-origin"), false),
    ];
    for (case, token, origin, site, session) in table {
        browser.jar = if session { cookies.clone() } else { Default::default() };
        let mut form = good.clone();
        form.remove(0);
        form.extend(token.map(|token| ("token", token)));
        let body = encode(&as_pairs(&form));
        let headers = [("origin", origin), ("sec-fetch-site", site)];
        let headers: Vec<_> = headers.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let answer = browser.send(&Method::POST, &body, &headers).await;
        assert_eq!(answer.status, 403, "{case}");
        tells_nothing(&answer);
        assert_eq!(world.pending("master").await, 1, "{case}: nothing changed");
    }
    let refused = world.audited().iter().filter(|record| record["type"] == "decision_refused").count();
    assert_eq!(refused, 9, "each is on record");
    browser.jar = cookies;
    browser.post("", &as_pairs(&good)).await;
    assert_eq!(world.poll(&id).await.status, 200, "as browsers send it");
}

#[tokio::test]
async fn b21_looking_changes_nothing() {
    let world = master().await;
    let (id, link) = ask(&world).await;
    let start = format!("{link}?sign-in=start");
    let tries =
        ["?decision=approve", "?decision=deny&token=x&shown=x", "?approve", "?sign-in=again", "?sign-in=switch"];
    for method in ["GET", "HEAD"] {
        for _ in 0..20 {
            assert_eq!(world.send(method, &link, &[], "").await.status, 200);
            assert_eq!(world.send(method, &start, &[], "").await.status, 303);
        }
        for query in tries {
            world.send(method, &format!("{link}{query}"), &[], "").await;
        }
        assert_eq!(world.send(method, "/master/approvals", &[], "").await.status, 200);
        assert_eq!(world.send(method, "/master/sign-in/callback?code=c&state=s", &[], "").await.status, 400);
    }
    assert_eq!(world.sessions("master").await, 0);

    let mut browser = Browser::signed_in(&world, "alice-sub", &link).await;
    let query = encode(&as_pairs(&browser.form("approve")));
    for method in [Method::GET, Method::HEAD] {
        for _ in 0..5 {
            browser.at.set_query(Some(&query));
            assert_eq!(browser.send(&method, "", &[]).await.status, 200);
        }
    }
    assert_eq!(world.poll(&id).await.brief(), "400 authorization_pending");
    browser.open(&link).await;
    browser.decide("approve").await;
    assert_eq!(world.poll(&id).await.status, 200, "and then it works as ever");
}

#[tokio::test]
async fn b16_a_link_that_was_tampered_with() {
    let world = master().await;
    let (id, link) = ask(&world).await;
    let mut browser = Browser::signed_in(&world, "alice-sub", &link).await;
    let form = browser.form("approve");
    let last = if link.ends_with('A') { "B" } else { "A" };
    let other = format!("{}{last}", &link[..link.len() - 1]);
    for path in [other.as_str(), "/master/approvals/short", "/master/approvals/%3Cscript%3E"] {
        assert_eq!(browser.open(path).await.status, 404, "{path}");
        tells_nothing(&browser.page);
        assert!(!browser.page.text.contains("<script>"));
        browser.post("", &as_pairs(&form)).await;
        assert!([400, 403].contains(&browser.page.status), "{path}: a token is for one request");
    }
    assert_eq!(world.poll(&id).await.brief(), "400 authorization_pending");
}

#[tokio::test]
async fn every_page_and_every_error_page_has_its_headers() {
    let world = master().await;
    let (_, link) = ask(&world).await;
    let mut browser = Browser::signed_in(&world, "alice-sub", &link).await;
    let decision = browser.form("approve");
    let mut bob = Browser::signed_in(&world, "bob-sub", &link).await;
    let too_large = format!("decision={}", "x".repeat(70_000));
    let broken = [("content-type", "application/x-www-form-urlencoded")];
    let mut anonymous = Browser::new(&world);
    anonymous.at = anonymous.at.join(&link).unwrap();

    let answers: Vec<(&str, u16, Answer)> = vec![
        ("landing", 200, world.get(&link).await),
        ("landing of the inbox", 200, world.get("/master/approvals").await),
        ("to the provider", 303, world.get(&format!("{link}?sign-in=start")).await),
        ("no cookie", 400, world.get("/master/sign-in/callback?code=c&state=s").await),
        ("no query", 400, world.get("/master/sign-in/callback").await),
        ("a broken query", 400, world.get(&format!("{link}?a=%zz")).await),
        ("no form", 400, world.send("POST", &link, &[], "").await),
        ("a broken form", 400, world.send("POST", &link, &broken, "a=%zz").await),
        ("a large form", 413, world.send("POST", &link, &broken, &too_large).await),
        ("no session", 403, anonymous.send(&Method::POST, &encode(&as_pairs(&decision)), &[]).await),
        ("sign-out without a session", 200, world.form("/master/sign-out", &[]).await),
        ("decision page", 200, browser.send(&Method::GET, "", &[]).await),
        ("another person's", 403, bob.send(&Method::GET, "", &[]).await),
        ("forged", 403, browser.send(&Method::POST, "decision=approve", &[]).await),
        ("nothing of the kind", 400, browser.send(&Method::POST, &format!("token={}", decision[0].1), &[]).await),
        ("decided", 303, browser.send(&Method::POST, &encode(&as_pairs(&decision)), &[]).await),
        ("result", 200, browser.send(&Method::GET, "", &[]).await),
        ("inbox", 200, {
            browser.at.set_path("/master/approvals");
            browser.send(&Method::GET, "", &[]).await
        }),
        ("unknown", 404, {
            browser.at.set_path(&format!("/master/approvals/{}", "A".repeat(43)));
            browser.send(&Method::GET, "", &[]).await
        }),
    ];
    for (page, status, answer) in answers {
        assert_eq!(answer.status, status, "{page}: {}", answer.text);
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{page}");
        for (name, value) in HEADERS {
            assert_eq!(answer.header(name), Some(value), "{page}: {name}");
        }
        assert!(answer.text.is_empty() == (status == 303), "{page}");
    }
}

#[tokio::test]
async fn expired_is_gone_and_says_so() {
    let world = master().await;
    let (id, link) = ask(&world).await;
    let mut browser = Browser::signed_in(&world, "alice-sub", &link).await;
    world.advance(120);
    assert_eq!(browser.decide("approve").await.status, 410);
    tells_nothing(&browser.page);
    assert_eq!(browser.open(&link).await.status, 410);
    assert_eq!(world.poll(&id).await.brief(), "400 expired_token");
}

#[tokio::test]
async fn a_sign_in_of_long_ago_is_made_again() {
    let world = world(&["master"], Build::default(), |realm| realm.push_str("\n[ciba]\nexpires_in = 600\n")).await;
    let mut browser = Browser::signed_in(&world, "alice-sub", "/master/approvals").await;
    world.advance(14 * 60);
    let (id, link) = ask(&world).await;
    world.advance(61);
    browser.open(&link).await;
    assert!(browser.page.text.contains("Sign in to see"), "the session was idle for 15 minutes: {}", browser.page.text);
    browser.sign_in("alice-sub").await;
    let signed_in = world.clock.now().seconds();
    browser.decide("approve").await;
    let tokens = world.poll(&id).await.json();
    assert_eq!(claims(&tokens["id_token"])["auth_time"], signed_in, "the provider had to ask again: max_age");
}

#[tokio::test]
async fn p45_acr_values_are_a_wish_and_the_tokens_say_what_happened() {
    let world = world(&["master"], Build::default(), |realm| {
        *realm = realm.replace("client_id = \"till\"\n", "client_id = \"till\"\ndefault_max_age = 60\n");
    })
    .await;
    let form = [("scope", "openid"), ("login_hint", "alice"), ("acr_values", "gold silver")];
    let id = world.as_till("/master/bc-authorize", &form).await.json()["auth_req_id"].as_str().unwrap().to_owned();
    let link = link(&world, "alice-sub").await;
    let mut browser = Browser::signed_in(&world, "alice-sub", &link).await;
    let asked_again = |page: &Answer| page.text.contains("?sign-in=again") && !page.text.contains("\"decision\"");
    assert!(asked_again(&browser.page), "for a sign-in as it was wished: {}", browser.page.text);

    world.advance(50);
    browser.open("?sign-in=again").await;
    let request = browser.field("request");
    browser.post("/choose", &[("request", &request), ("person", "alice-sub")]).await;
    let signed_in = world.clock.now().seconds();
    world.advance(30);
    browser.decide("approve").await;
    let claims = claims(&world.poll(&id).await.json()["id_token"]);
    assert_eq!(claims["acr"], "1", "what the provider said, and not what was wished for");
    assert_eq!((&claims["amr"], &claims["auth_time"]), (&json!(["demo"]), &json!(signed_in)));

    // the same session is too old for this client a minute later
    world.advance(40);
    let form = [("scope", "openid"), ("login_hint", "alice")];
    assert_eq!(world.as_till("/master/bc-authorize", &form).await.status, 200);
    let link = self::link(&world, "alice-sub").await;
    assert!(asked_again(browser.open(&link).await), "default_max_age: {}", browser.page.text);
}

#[tokio::test]
async fn cookies_are_as_strict_as_the_scheme_allows() {
    for (public, name, secure) in
        [("http://127.0.0.1:8080", "realmgate-", false), ("https://localhost:8443", "__Host-realmgate-", true)]
    {
        let world = world(&["master"], Build { public, ..Build::default() }, |_| {}).await;
        let answer = world.get("/master/approvals?sign-in=start").await;
        let attributes = |cookie: &str| cookie.split("; ").skip(1).map(str::to_owned).collect::<Vec<_>>();
        let cookie = answer.header("set-cookie").unwrap();
        assert!(cookie.starts_with(&format!("{name}sign-in-master-")), "{cookie}");
        let mut expected = vec!["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"];
        if secure {
            expected.insert(2, "Secure");
        }
        assert_eq!(attributes(cookie), expected);

        let mut browser = Browser::new(&world);
        browser.open("/master/approvals?sign-in=start").await;
        let request = browser.field("request");
        let form = encode(&[("request", &request), ("person", "alice-sub")]);
        browser.at.set_path("/choose");
        browser.at.set_query(None);
        let back = browser.send(&Method::POST, &form, &[]).await;
        browser.at = back.header("location").unwrap().parse().unwrap();
        let answer = browser.send(&Method::GET, "", &[]).await;
        let cookies: Vec<_> = answer.headers.get_all("set-cookie").iter().map(|it| it.to_str().unwrap()).collect();
        expected.pop();
        let session = cookies.iter().find(|cookie| cookie.starts_with(&format!("{name}session-master="))).unwrap();
        assert_eq!(attributes(session), expected, "without an age: it ends with the browser");
        assert_eq!(session.split(['=', ';']).nth(1).unwrap().len(), 43);
        assert!(cookies.iter().any(|cookie| cookie.contains("sign-in") && cookie.contains("Max-Age=0")), "{cookies:?}");
    }
}

#[tokio::test]
async fn the_inbox_shows_what_waits_for_this_person() {
    let world = master().await;
    let mut alice = Browser::signed_in(&world, "alice-sub", "/master/approvals").await;
    assert_eq!((alice.page.status, alice.at.path()), (200, "/master/approvals"));
    assert!(alice.page.text.contains("Nothing is waiting for you"));
    let (id, link) = ask(&world).await;
    world.ask_bob().await;
    let form = [("scope", "openid"), ("login_hint", "alice@example.com")];
    assert_eq!(world.as_post("/master/bc-authorize", &form).await.status, 200);
    let inbox = alice.open("/master/approvals").await.text.clone();
    assert_eq!(inbox.matches("wants to sign you in").count(), 2, "{inbox}");
    assert!(inbox.contains(&format!("href=\"{link}\"")) && inbox.contains("KX-42"));
    alice.open(&link).await;
    alice.decide("approve").await;
    let inbox = alice.open("/master/approvals").await.text.clone();
    assert_eq!(inbox.matches("wants to sign you in").count(), 1, "{inbox}");
    assert!(!inbox.contains("KX-42"));
    assert_eq!(world.poll(&id).await.status, 200);
}

#[tokio::test]
async fn signing_out_ends_the_session_and_not_only_the_cookie() {
    let world = master().await;
    let (_, link) = ask(&world).await;
    let mut browser = Browser::signed_in(&world, "alice-sub", &link).await;
    let before = browser.jar.clone();
    let (decision, form) = (browser.form("approve"), [("token", "wrong")]);
    assert_eq!(browser.post("/master/sign-out", &form).await.status, 403);
    browser.open(&link).await;
    let token = browser.page.text.split("sign-out").nth(1).unwrap().split("value=\"").nth(1).unwrap();
    let token = token.split('"').next().unwrap().to_owned();
    browser.post("/master/sign-out", &[("token", &token)]).await;
    assert!(browser.page.text.contains("You are signed out here"), "{}", browser.page.text);
    assert_eq!(browser.jar["realmgate-session-master"], "left", "the next sign-in asks who it is");
    browser.jar = before;
    tells_nothing(browser.open(&link).await);
    assert!(browser.page.text.contains("Sign in to see"), "the old cookie is worth nothing");
    assert_eq!(browser.post("", &as_pairs(&decision)).await.status, 403);
    assert_eq!(world.pending("master").await, 1);
}

#[tokio::test]
async fn a_session_and_a_link_are_one_realms() {
    let world = world(&["master", "other"], Build::default(), |_| {}).await;
    let (id, link) = ask(&world).await;
    let elsewhere = link.replace("/master/", "/other/");
    let mut browser = Browser::signed_in(&world, "alice-sub", &link).await;
    let decision = browser.form("approve");
    let session = browser.jar["realmgate-session-master"].clone();

    tells_nothing(browser.open(&elsewhere).await);
    assert!(browser.page.text.contains("Sign in to see"), "master's cookie is none here");
    browser.jar.insert("realmgate-session-other".into(), session);
    assert!(browser.open(&elsewhere).await.text.contains("Sign in to see"), "nor is it under the other name");
    assert_eq!(browser.post("", &as_pairs(&decision)).await.status, 403);

    let mut other = Browser::signed_in(&world, "alice-sub", &elsewhere).await;
    assert_eq!(other.page.status, 404, "the same person, but the request is master's");
    tells_nothing(&other.page);
    assert!(other.open("/other/approvals").await.text.contains("Nothing is waiting for you"));
    assert!(other.open(&link).await.text.contains("Sign in to see"), "and other's session is none at master");
    assert_eq!(world.poll(&id).await.brief(), "400 authorization_pending");
}

#[tokio::test]
async fn a_sign_in_belongs_to_the_browser_that_began_it() {
    let world = master().await;
    let (_, link) = ask(&world).await;
    let mut attacker = Browser::new(&world);
    attacker.open(&format!("{link}?sign-in=start")).await;
    let form = encode(&[("request", &attacker.field("request")), ("person", "bob-sub")]);
    attacker.at = attacker.at.join("/choose").unwrap();
    let back = attacker.send(&Method::POST, &form, &[]).await;
    let back = back.header("location").unwrap().to_owned();

    let mut victim = Browser::new(&world);
    assert_eq!(victim.open(&back).await.status, 400, "the attacker's sign-in is not forced upon another browser");
    assert!(victim.jar.is_empty());
    assert_eq!(attacker.open(&back).await.status, 403, "it is good in its own: bob's");
    assert_eq!(attacker.open(&back).await.status, 400, "once");
}

#[tokio::test]
async fn an_upstream_that_is_down_is_said_to_be_and_the_request_stays_open() {
    let world = World::with(|realm| *realm = realm.replace("https://login.example.com", "http://127.0.0.1:9")).await;
    let (id, link) = ask(&world).await;
    let answer = world.get(&format!("{link}?sign-in=start")).await;
    assert_eq!(answer.status, 503);
    assert!(answer.text.contains("127.0.0.1 cannot be reached"), "{}", answer.text);
    tells_nothing(&answer);
    assert_eq!(world.poll(&id).await.brief(), "400 authorization_pending");
}
