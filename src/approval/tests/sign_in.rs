//! Sign-in, session, sign-out.

use super::*;
use crate::http::Fault;

#[tokio::test]
async fn an_anonymous_visitor_sees_the_same_bytes_for_every_link() {
    let world = World::new();
    world.ask(request(&handle('v'))).await;
    world.ask(AuthenticationRequest { expires_at: after(5), ..request(&handle('e')) }).await;
    let mut browser = Browser::new(&world);
    let valid = browser.get(&format!("/acme/approvals/{}", handle('v'))).await;
    assert_eq!(valid.status(), 200);
    for other in [handle('u'), handle('e'), "short".into(), "%3Cscript%3E".into()] {
        let answer = browser.get(&format!("/acme/approvals/{other}")).await;
        assert_eq!((answer.status(), answer.html()), (200, valid.html()), "{other}");
        assert!(answer.cookies().is_empty());
    }
    for telling in ["Till", "W4SCT", "balance", "Alice"] {
        assert!(!valid.html().contains(telling), "{telling}");
    }
}

#[tokio::test]
async fn the_redirect_tells_nothing_of_the_request_and_stores_nothing() {
    let world = World::new();
    let mut strict = realm("acme");
    let of_strict = Client { default_max_age: Some(Duration::from_secs(60)), ..client("strict", None) };
    strict.clients.insert("strict".into(), Arc::new(of_strict));
    let world = world.beside(strict);
    world.ask(AuthenticationRequest { acr_values: Some("gold".into()), ..request(&handle('v')) }).await;
    world.ask(AuthenticationRequest { client_id: "strict".into(), ..request(&handle('s')) }).await;
    for handle in [handle('v'), handle('s'), handle('u'), "short".into()] {
        let mut browser = Browser::new(&world);
        let there = browser.get(&format!("/acme/approvals/{handle}?sign-in=start")).await;
        assert!(there.location().starts_with("https://login.example.com/authorize?"));
        let [cookie] = there.cookies() else { panic!("one cookie") };
        assert!(cookie.starts_with("__Host-realmgate-sign-in-acme-"), "{cookie}");
        assert!(cookie.ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=600"), "{cookie}");
        assert!(!cookie.contains(&handle));
    }
    let wishes = world.provider.wishes();
    let plain = Wished { login_hint: None, max_age: Duration::from_secs(60), acr_values: None, prompt: None };
    assert_eq!(wishes, vec![plain; 4]);
    assert_eq!(world.sessions.count(&crate::store::Group::Realm("acme".into())).await.unwrap(), 0);
}

#[tokio::test]
async fn from_a_link_to_the_request() {
    let world = World::new();
    world.ask(request(&handle('v'))).await;
    let mut browser = Browser::new(&world);
    let there = browser.get(&format!("/acme/approvals/{}?sign-in=start", handle('v'))).await;
    let here = browser.get(&back(&there)).await;
    assert_eq!(here.location(), format!("/acme/approvals/{}", handle('v')));
    assert_eq!(browser.jar.keys().collect::<Vec<_>>(), ["__Host-realmgate-session-acme"], "the flow's cookie is gone");
    let page = browser.get(here.location()).await;
    assert!(page.html().contains("Corner Shop Till"));
    let counted = world.approval.events.metrics(&[]);
    assert!(counted.contains("sign_ins_total{realm=\"acme\",result=\"ok\"} 1"), "{counted}");
}

#[tokio::test]
async fn a_callback_without_this_browsers_cookie_is_no_sign_in() {
    let world = World::new();
    let mut attacker = Browser::new(&world);
    let there = attacker.get("/acme/approvals?sign-in=start").await;
    let mut victim = Browser::new(&world);
    let answer = victim.get(&back(&there)).await;
    assert_eq!((answer.status(), answer.cookies().len()), (400, 0));
    assert_eq!(world.provider.0.lock().unwrap().finished, 0, "the code is not exchanged");
    // a cookie that was changed is none
    let mut victim = Browser::new(&world);
    victim.jar = attacker.jar.iter().map(|(name, value)| (name.clone(), format!("{value}A"))).collect();
    assert_eq!(victim.get(&back(&there)).await.status(), 400);
    // nor is one of another sign-in, or of another realm
    assert_eq!(attacker.get("/acme/sign-in/callback?code=c&state=unknown").await.status(), 400);
    let other = world.beside(realm("other"));
    let mut elsewhere = Browser::new(&other);
    let there = elsewhere.get("/other/approvals?sign-in=start").await;
    victim.jar = elsewhere.jar.iter().map(|(name, value)| (name.replace("other", "acme"), value.clone())).collect();
    assert_eq!(victim.get(&back(&there).replace("/other/", "/acme/")).await.status(), 400);
    for browser in [attacker, victim] {
        assert!(browser.jar.keys().all(|name| !name.contains("session")));
    }
    assert_eq!(world.provider.0.lock().unwrap().finished, 0);
}

#[tokio::test]
async fn a_code_comes_back_once() {
    let world = World::new();
    let mut browser = Browser::new(&world);
    let there = browser.get("/acme/approvals?sign-in=start").await;
    assert_eq!(browser.get(&back(&there)).await.location(), "/acme/approvals");
    assert_eq!(browser.get(&back(&there)).await.status(), 400);
}

#[tokio::test]
async fn faults_of_a_sign_in_have_truthful_statuses_and_make_no_session() {
    let down = || SignInFault::Unavailable(Fault::NoAnswer("canary".into()).into());
    let table = [
        (SignInFault::Cancelled, 403),
        (SignInFault::Refused("canary".into()), 502),
        (SignInFault::WrongState, 400),
        (down(), 503),
    ];
    for (fault, status) in table {
        let world = World::new();
        let name = fault.to_string();
        world.provider.returns(Err(fault));
        let mut browser = Browser::new(&world);
        let there = browser.get(&format!("/acme/approvals/{}?sign-in=start", handle('v'))).await;
        let answer = browser.get(&back(&there)).await;
        assert_eq!(answer.status(), status, "{name}");
        assert!(answer.html().contains("Nothing was approved"), "{name}");
        assert!(!answer.html().contains("canary"), "{name}");
        assert!(answer.html().contains(&format!("/acme/approvals/{}?sign-in=start", handle('v'))), "{name}: try again");
        assert!(browser.jar.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_provider_that_minds_no_max_age_is_asked_for_a_fresh_sign_in_once() {
    for (fault, then) in [(SignInFault::NoAuthTime, 502), (SignInFault::TooOld, 403)] {
        let world = World::new();
        let again = if matches!(fault, SignInFault::TooOld) { SignInFault::TooOld } else { SignInFault::NoAuthTime };
        world.provider.returns(Err(fault));
        world.provider.returns(Err(again));
        let mut browser = Browser::new(&world);
        let there = browser.get(&format!("/acme/approvals/{}?sign-in=start", handle('v'))).await;
        let there = browser.get(&back(&there)).await;
        assert_eq!(world.provider.wishes()[1].prompt, Some(Prompt::Login));
        assert_eq!(browser.jar.len(), 1, "the first flow's cookie is gone");
        assert_eq!(browser.get(&back(&there)).await.status(), then, "and no third time");
    }
}

#[tokio::test]
async fn a_provider_that_is_down_is_said_to_be() {
    let world = World::new();
    world.provider.0.lock().unwrap().down = true;
    let mut browser = Browser::new(&world);
    let answer = browser.get(&format!("/acme/approvals/{}?sign-in=start", handle('v'))).await;
    assert_eq!(answer.status(), 503);
    assert!(answer.html().contains("login.example.com cannot be reached"));
    assert!(answer.html().contains("Your request stays open"));
}

#[tokio::test]
async fn a_sign_in_has_ten_minutes_and_a_browser_has_five() {
    let world = World::new();
    let mut browser = Browser::new(&world);
    let there = browser.get("/acme/approvals?sign-in=start").await;
    browser.now = after(10 + 601);
    assert_eq!(browser.get(&back(&there)).await.status(), 400);

    let mut browser = Browser::new(&world);
    let mut all = Vec::new();
    for second in 0..7 {
        browser.now = after(20 + second);
        all.push(browser.get("/acme/approvals?sign-in=start").await);
        assert!(browser.jar.len() <= 5);
    }
    assert_eq!(browser.get(&back(&all[1])).await.status(), 400, "the oldest are gone");
    assert_eq!(browser.get(&back(&all[2])).await.status(), 303);
    assert_eq!(browser.get(&back(&all[6])).await.status(), 303);
}

#[tokio::test]
async fn a_sign_in_makes_a_new_session_and_ends_the_old_one() {
    let world = World::new();
    let mut browser = Browser::new(&world);
    browser.jar.insert("__Host-realmgate-session-acme".into(), "planted".into());
    browser.sign_in(alice()).await;
    let first = browser.jar.clone();
    assert_ne!(first["__Host-realmgate-session-acme"], "planted");
    browser.sign_in(bob()).await;
    assert_ne!(browser.jar, first);
    let mut old = Browser::new(&world);
    old.jar = first;
    assert!(old.get("/acme/approvals").await.html().contains("Sign in to see"));
    assert!(browser.get("/acme/approvals").await.html().contains("Bob Example"));
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used() {
    let world = World::new();
    let mut browser = Browser::of(&world, alice()).await;
    browser.now = after(10 + 899);
    assert!(browser.get("/acme/approvals").await.html().contains("Alice Example"));
    browser.now = after(10 + 900);
    assert!(browser.get("/acme/approvals").await.html().contains("Sign in to see"), "looking is not use");
}

#[tokio::test]
async fn a_session_is_its_realms() {
    let world = World::new();
    let browser = Browser::of(&world, alice()).await;
    let other = world.beside(realm("other"));
    let mut at_other = Browser::new(&other);
    at_other.jar = browser.jar.clone();
    for (name, value) in &browser.jar {
        at_other.jar.insert(name.replace("acme", "other"), value.clone());
    }
    assert!(at_other.get("/other/approvals").await.html().contains("Sign in to see"));
}

#[tokio::test]
async fn signing_out_ends_the_session_and_leads_back() {
    let world = World::new();
    world.ask(request(&handle('v'))).await;
    let mut browser = Browser::of(&world, alice()).await;
    let inbox = browser.get("/acme/approvals").await;
    let old = browser.jar.clone();
    let forged = browser.post("/acme/sign-out", &[("token", "x")]).await;
    assert_eq!((forged.status(), browser.jar.len()), (403, 1));
    let (token, handle) = (inbox.field("token"), handle('v'));
    let answer = browser.post("/acme/sign-out", &[("token", &token), ("request", &handle)]).await;
    assert!(answer.html().contains(&format!("href=\"/acme/approvals/{handle}?sign-in=switch\"")));
    assert_eq!(browser.jar.values().collect::<Vec<_>>(), ["left"]);
    browser.get("/acme/approvals?sign-in=start").await;
    assert_eq!(world.provider.wishes().last().unwrap().prompt, Some(Prompt::SelectAccount), "whichever way they go");
    browser.sign_in(alice()).await;
    browser.get("/acme/approvals?sign-in=start").await;
    assert_eq!(world.provider.wishes().last().unwrap().prompt, None, "once");
    browser.jar = old;
    assert!(browser.get("/acme/approvals").await.html().contains("Sign in to see"), "the session itself is gone");
    browser.get(&format!("/acme/approvals/{handle}?sign-in=switch")).await;
    assert_eq!(world.provider.wishes().last().unwrap().prompt, Some(Prompt::SelectAccount));
    let nowhere = browser.post("/acme/sign-out", &[("request", "https://evil.example")]).await;
    assert!(nowhere.html().contains("href=\"/acme/approvals?sign-in=switch\""), "there is no return address");
}

#[tokio::test]
async fn one_person_has_a_bounded_number_of_sessions() {
    let world = World::new();
    for n in 0..51 {
        let mut browser = Browser::new(&world);
        let answer = browser.sign_in(alice()).await;
        assert_eq!(answer.status(), if n < 50 { 303 } else { 503 }, "{n}");
    }
    assert_eq!(Browser::new(&world).sign_in(bob()).await.status(), 303);
}

#[tokio::test]
async fn a_realm_without_upstream_has_no_pages() {
    let world = World::new();
    let approval = Approval { provider: None, ..world.approval };
    let query = Params::default();
    let visit = Visit { now: START, query: &query, cookie: None, sec_fetch_site: None, origin: None };
    assert_eq!(approval.inbox(&visit).await.status(), 404);
    assert_eq!(approval.request(&visit, &handle('v')).await.status(), 404);
    assert_eq!(approval.sign_in_callback(&visit).await.status(), 404);
}
