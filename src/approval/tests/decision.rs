//! The decision page and the decision: who sees it, what is refused, what it leaves.

use super::*;
use crate::{ciba::grant::State, event::Via, store::Change};

fn path(letter: char) -> String {
    format!("/acme/approvals/{}", handle(letter))
}

/// A request of Alice's, and her browser with its page open.
async fn open(world: &World) -> (Browser<'_>, Answer) {
    world.ask(request(&handle('v'))).await;
    let mut browser = Browser::of(world, alice()).await;
    let page = browser.get(&path('v')).await;
    assert_eq!(page.status(), 200);
    (browser, page)
}

fn form<'a>(page: &'a Answer, decision: &'a str) -> Vec<(&'static str, String)> {
    vec![("token", page.field("token")), ("shown", page.field("shown")), ("decision", decision.into())]
}

async fn submit(browser: &mut Browser<'_>, letter: char, form: &[(&str, String)]) -> Answer {
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    browser.post(&path(letter), &form).await
}

#[tokio::test]
async fn approving_and_denying() {
    let table = [
        ("approve", "You approved this request", "Go back to the other screen"),
        ("deny", "You denied this request", "Nothing was shared"),
    ];
    for (decision, heading, then) in table {
        let world = World::new();
        let (mut browser, page) = open(&world).await;
        let answer = submit(&mut browser, 'v', &form(&page, decision)).await;
        assert_eq!(answer.location(), path('v'));
        let grant = world.grant(&handle('v')).await;
        match decision {
            "approve" => {
                let approval = grant.approval().unwrap();
                assert_eq!(approval.shown.unwrap().base64url(), page.field("shown"), "what was shown is recorded");
                assert_eq!((&*approval.sub, approval.auth_time), ("1", START));
            }
            _ => assert_eq!(grant.state, State::Denied { at: after(10), via: Via::Page }),
        }
        for _ in 0..2 {
            let result = browser.get(&path('v')).await;
            assert_eq!(result.status(), 200);
            assert!(result.html().contains(heading) && result.html().contains(then), "{}", result.html());
        }
        assert!(browser.get("/acme/approvals").await.html().contains("Nothing is waiting"));
    }
}

#[tokio::test]
async fn a_session_from_before_decides_nothing_once_the_realm_has_no_pages() {
    let before = World::new();
    let (browser, page) = open(&before).await;
    let world = before.without_pages();
    let mut browser = Browser { world: &world, ..browser };
    for address in [path('v'), "/acme/approvals".into()] {
        assert_eq!(browser.get(&address).await.status(), 404, "{address}");
    }
    assert_eq!(submit(&mut browser, 'v', &form(&page, "approve")).await.status(), 404);
    assert_eq!(world.grant(&handle('v')).await.state, State::Pending);
}

#[tokio::test]
async fn the_first_of_two_decisions_is_shown() {
    let world = World::new();
    let (mut browser, page) = open(&world).await;
    submit(&mut browser, 'v', &form(&page, "deny")).await;
    for decision in ["deny", "approve"] {
        assert_eq!(submit(&mut browser, 'v', &form(&page, decision)).await.location(), path('v'));
    }
    assert!(browser.get(&path('v')).await.html().contains("You denied"));
    assert!(world.grant(&handle('v')).await.approval().is_none());
}

#[tokio::test]
async fn get_decides_nothing() {
    let world = World::new();
    let (mut browser, page) = open(&world).await;
    let query = form(&page, "approve").into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
    let answer = browser.get(&format!("{}?{}", path('v'), query.join("&"))).await;
    assert_eq!(answer.html(), page.html());
    for _ in 0..20 {
        Browser::new(&world).get(&path('v')).await;
    }
    assert_eq!(world.grant(&handle('v')).await.state, State::Pending);
}

#[tokio::test]
async fn csrf_matrix() {
    const OURS: Option<&str> = Some("https://approve.example.org");
    struct Case {
        name: &'static str,
        sec_fetch_site: Option<&'static str>,
        origin: Option<&'static str>,
        status: u16,
    }
    let table = [
        Case { name: "as browsers send it", sec_fetch_site: Some("same-origin"), origin: OURS, status: 303 },
        Case { name: "no Origin", sec_fetch_site: Some("same-origin"), origin: None, status: 303 },
        Case { name: "no Sec-Fetch-Site", sec_fetch_site: None, origin: OURS, status: 303 },
        Case { name: "neither", sec_fetch_site: None, origin: None, status: 303 },
        Case { name: "cross-site", sec_fetch_site: Some("cross-site"), origin: OURS, status: 403 },
        Case { name: "same-site", sec_fetch_site: Some("same-site"), origin: OURS, status: 403 },
        Case { name: "none", sec_fetch_site: Some("none"), origin: OURS, status: 403 },
        Case {
            name: "foreign origin",
            sec_fetch_site: None,
            origin: Some("https://approve.example.org.evil"),
            status: 403,
        },
        Case { name: "other scheme", sec_fetch_site: None, origin: Some("http://approve.example.org"), status: 403 },
        Case { name: "null origin", sec_fetch_site: None, origin: Some("null"), status: 403 },
        Case {
            name: "foreign origin that says same-origin",
            sec_fetch_site: Some("same-origin"),
            origin: Some("https://evil.example"),
            status: 403,
        },
    ];
    for Case { name, sec_fetch_site, origin, status } in table {
        let world = World::new();
        let (mut browser, page) = open(&world).await;
        (browser.sec_fetch_site, browser.origin) = (sec_fetch_site, origin);
        let answer = submit(&mut browser, 'v', &form(&page, "approve")).await;
        assert_eq!(answer.status(), status, "{name}");
        let approved = world.grant(&handle('v')).await.approval().is_some();
        assert_eq!(approved, status == 303, "{name}");
    }
}

#[tokio::test]
async fn a_token_is_for_one_request_in_one_session() {
    let world = World::new();
    let (mut browser, page) = open(&world).await;
    world.ask(request(&handle('w'))).await;
    let other_request = browser.get(&path('w')).await;
    let mut second = Browser::of(&world, alice()).await;
    let other_session = second.get(&path('v')).await;
    let tokens = [
        ("none", None),
        ("empty", Some(String::new())),
        ("of another request", Some(other_request.field("token"))),
        ("of another session", Some(other_session.field("token"))),
        ("of another form", Some(browser.get("/acme/approvals").await.field("token"))),
        ("changed", Some(format!("{}A", page.field("token")))),
    ];
    for (name, token) in tokens {
        let mut fields = form(&page, "approve");
        fields.remove(0);
        fields.extend(token.map(|token| ("token", token)));
        let answer = submit(&mut browser, 'v', &fields).await;
        assert_eq!(answer.status(), 403, "{name}");
        assert!(answer.html().contains("Nothing was approved"), "{name}");
    }
    assert_eq!(world.grant(&handle('v')).await.state, State::Pending);
    let counted = world.approval.events.metrics(&[]);
    assert!(counted.contains("ciba_refused_decisions_total{realm=\"acme\"} 6"), "{counted}");
    // two tabs, two accounts: the old tab's form is worthless
    browser.sign_in(bob()).await;
    assert_eq!(submit(&mut browser, 'v', &form(&page, "approve")).await.status(), 403);
    assert_eq!(world.grant(&handle('v')).await.state, State::Pending);
}

#[tokio::test]
async fn without_a_session_nothing_is_decided() {
    let world = World::new();
    let (mut browser, page) = open(&world).await;
    browser.jar.clear();
    let answer = submit(&mut browser, 'v', &form(&page, "approve")).await;
    assert_eq!(answer.status(), 403);
    assert!(answer.html().contains("You are not signed in any more"));
    assert_eq!(world.grant(&handle('v')).await.state, State::Pending);
}

#[tokio::test]
async fn what_is_no_decision_is_a_bad_request() {
    let world = World::new();
    let (mut browser, page) = open(&world).await;
    for (name, value) in [("decision", "maybe"), ("decision", ""), ("shown", "x"), ("shown", "")] {
        let mut fields = form(&page, "approve");
        fields.retain(|(other, _)| *other != name);
        fields.push((name, value.into()));
        assert_eq!(submit(&mut browser, 'v', &fields).await.status(), 400, "{name}={value}");
    }
    let answer = browser.post("/acme/approvals/short", &[("decision", "approve")]).await;
    assert_eq!(answer.status(), 400);
    assert_eq!(world.grant(&handle('v')).await.state, State::Pending);
}

#[tokio::test]
async fn another_person_sees_no_detail_and_cannot_decide() {
    let world = World::new();
    let (_, page) = open(&world).await;
    let mut browser = Browser::of(&world, bob()).await;
    let seen = browser.get(&path('v')).await;
    assert_eq!(seen.status(), 403);
    assert!(seen.html().contains("This request is for another account"));
    // with a genuine token of Bob's own, too
    let current = browser.jar.values().next().unwrap().clone();
    let token = crate::secret::hmac_sha256(current.as_bytes(), format!("decide {}", handle('v')).as_bytes());
    let token = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, token);
    let fields = [("token", token), ("shown", page.field("shown")), ("decision", "approve".into())];
    let answer = submit(&mut browser, 'v', &fields).await;
    assert_eq!(answer.status(), 403);
    for html in [seen.html(), answer.html(), browser.get("/acme/approvals").await.html()] {
        for detail in ["Till", "W4SCT", "balance", "user name", "alice", "Alice", "14:32"] {
            assert!(!html.contains(detail), "{detail}: {html}");
        }
    }
    assert_eq!(world.grant(&handle('v')).await.state, State::Pending);
    let mut hers = Browser::of(&world, alice()).await;
    let page = hers.get(&path('v')).await;
    assert_eq!(submit(&mut hers, 'v', &form(&page, "approve")).await.status(), 303, "Alice still can");
    // and what is not open any more is as if it had never been
    let decided = browser.get(&path('v')).await;
    let unknown = browser.get(&path('u')).await;
    assert_eq!((decided.status(), decided.html()), (404, unknown.html()));
}

#[tokio::test]
async fn what_changed_since_it_was_shown_is_shown_again() {
    let world = World::new();
    let (mut browser, page) = open(&world).await;
    let key = Table::<Grant>::key("acme", &handle('v'));
    world
        .grants
        .change(key, |_| {
            let changed = AuthenticationRequest { binding_message: Some("OTHER".into()), ..request(&handle('v')) };
            Change::Put(Grant::new(changed, Duration::from_secs(5)), ())
        })
        .await
        .unwrap();
    let fresh = submit(&mut browser, 'v', &form(&page, "approve")).await;
    assert_eq!(fresh.status(), 409);
    assert!(fresh.html().contains("OTHER") && fresh.html().contains("Something has changed"));
    assert_eq!(world.grant(&handle('v')).await.state, State::Pending);
    assert_eq!(submit(&mut browser, 'v', &form(&fresh, "approve")).await.status(), 303);
}

#[tokio::test]
async fn a_reload_between_page_and_decision_is_noticed() {
    let world = World::new();
    let (browser, page) = open(&world).await;
    let mut reloaded = realm("acme");
    reloaded.tokens.access_token_lifespan = Duration::from_secs(3600);
    let world = world.beside(reloaded);
    let mut browser = Browser { jar: browser.jar, ..Browser::new(&world) };
    let fresh = submit(&mut browser, 'v', &form(&page, "approve")).await;
    assert_eq!(fresh.status(), 409);
    assert!(fresh.html().contains("This access lasts 1 hour"));
}

#[tokio::test]
async fn time_that_passes_is_no_change() {
    let world = World::new();
    let (mut browser, page) = open(&world).await;
    browser.now = after(100);
    assert_ne!(browser.get(&path('v')).await.html(), page.html());
    assert_eq!(submit(&mut browser, 'v', &form(&page, "approve")).await.status(), 303);
}

#[tokio::test]
async fn expired() {
    let world = World::new();
    let (mut browser, page) = open(&world).await;
    browser.now = after(120);
    for answer in [browser.get(&path('v')).await, submit(&mut browser, 'v', &form(&page, "approve")).await] {
        assert_eq!(answer.status(), 410);
        assert!(answer.html().contains("This request is no longer open"));
        assert!(answer.html().contains("Nothing was approved"));
    }
    assert_eq!(world.grant(&handle('v')).await.state, State::Pending);
    let unknown = browser.get(&path('u')).await;
    assert_eq!(unknown.status(), 404);
    assert!(unknown.html().contains("This request is no longer open"));
}

#[tokio::test]
async fn approved_but_never_collected() {
    let world = World::new();
    let (mut browser, page) = open(&world).await;
    submit(&mut browser, 'v', &form(&page, "approve")).await;
    browser.now = after(121);
    assert!(browser.get(&path('v')).await.html().contains("Nothing was shared"));
}

#[tokio::test]
async fn a_sign_in_that_is_too_old_is_made_again() {
    let mut realm = realm("acme");
    let strict = Client { default_max_age: Some(Duration::from_secs(60)), ..client("till", Some("Corner Shop Till")) };
    realm.clients.insert("till".into(), Arc::new(strict));
    let world = World::of(realm);
    let (mut browser, page) = open(&world).await;
    browser.now = after(61);
    assert_eq!(submit(&mut browser, 'v', &form(&page, "approve")).await.location(), path('v'));
    let confirm = browser.get(&path('v')).await;
    assert!(confirm.html().contains("Please confirm it is you"));
    assert!(confirm.html().contains("href=\"?sign-in=again\""));
    assert!(!confirm.html().contains("W4SCT"));
    assert_eq!(world.grant(&handle('v')).await.state, State::Pending);

    world.provider.returns(Ok(SignIn { auth_time: after(61), ..alice() }));
    let there = browser.get(&format!("{}?sign-in=again", path('v'))).await;
    assert_eq!(world.provider.wishes().last().unwrap().prompt, Some(Prompt::Login));
    browser.get(&back(&there)).await;
    let page = browser.get(&path('v')).await;
    assert_eq!(submit(&mut browser, 'v', &form(&page, "approve")).await.status(), 303);
    assert_eq!(world.grant(&handle('v')).await.approval().unwrap().auth_time, after(61));
}

#[tokio::test]
async fn a_stronger_sign_in_is_asked_for_once() {
    for acr in [None, Some("gold")] {
        let world = World::new();
        world.ask(AuthenticationRequest { acr_values: Some("gold silver".into()), ..request(&handle('v')) }).await;
        let mut browser = Browser::of(&world, alice()).await;
        assert!(browser.get(&path('v')).await.html().contains("a stronger sign-in"));
        world.provider.returns(Ok(SignIn { acr: acr.map(Into::into), ..alice() }));
        let there = browser.get(&format!("{}?sign-in=again", path('v'))).await;
        assert_eq!(world.provider.wishes().last().unwrap().acr_values.as_deref(), Some("gold silver"));
        browser.get(&back(&there)).await;
        assert!(browser.get(&path('v')).await.html().contains("Approve"), "a wish, not a demand");
    }
    // what a request wishes for is told to nobody else
    let world = World::new();
    world.ask(AuthenticationRequest { acr_values: Some("gold".into()), ..request(&handle('v')) }).await;
    let mut browser = Browser::of(&world, bob()).await;
    browser.get(&format!("{}?sign-in=again", path('v'))).await;
    assert_eq!(world.provider.wishes().last().unwrap().acr_values, None);
}

#[tokio::test]
async fn a_client_that_may_not_ask_any_more() {
    let withdrawn = |change: fn(&mut Client)| {
        let mut realm = realm("acme");
        let mut changed = client("till", Some("Corner Shop Till"));
        change(&mut changed);
        realm.clients.insert("till".into(), Arc::new(changed));
        realm
    };
    let gone = || {
        let mut realm = realm("acme");
        realm.clients.clear();
        realm
    };
    let table = [
        ("disabled", withdrawn(|client| client.enabled = false)),
        ("no grant type", withdrawn(|client| client.grant_types.ciba = false)),
        ("scope withdrawn", withdrawn(|client| client.scope = Scope::parse("openid").unwrap())),
        ("removed", gone()),
    ];
    for (name, reloaded) in table {
        let world = World::new();
        let (browser, page) = open(&world).await;
        let world = world.beside(reloaded);
        let mut browser = Browser { jar: browser.jar, ..Browser::new(&world) };
        for answer in [browser.get(&path('v')).await, submit(&mut browser, 'v', &form(&page, "approve")).await] {
            assert_eq!(answer.status(), 410, "{name}");
        }
        assert_eq!(world.grant(&handle('v')).await.state, State::Pending, "{name}");
        assert!(browser.get("/acme/approvals").await.html().contains("Nothing is waiting"), "{name}");
    }
}

#[tokio::test]
async fn two_requests_of_one_client_are_decided_apart() {
    let world = World::new();
    let (mut browser, page) = open(&world).await;
    world.ask(AuthenticationRequest { binding_message: Some("SECOND".into()), ..request(&handle('w')) }).await;
    let inbox = browser.get("/acme/approvals").await;
    assert!(inbox.html().contains("W4SCT-77") && inbox.html().contains("SECOND"));
    submit(&mut browser, 'v', &form(&page, "approve")).await;
    assert_eq!(world.grant(&handle('w')).await.state, State::Pending);
    let inbox = browser.get("/acme/approvals").await;
    assert!(!inbox.html().contains("W4SCT-77") && inbox.html().contains("SECOND"));
}

#[tokio::test]
async fn deciding_keeps_the_session_alive() {
    let mut realm = realm("acme");
    let patient = Client { default_max_age: Some(Duration::from_secs(36_000)), ..client("till", None) };
    realm.clients.insert("till".into(), Arc::new(patient));
    let world = World::of(realm);
    world.ask(AuthenticationRequest { expires_at: after(100_000), ..request(&handle('v')) }).await;
    let mut browser = Browser::of(&world, alice()).await;
    browser.now = after(800);
    let page = browser.get(&path('v')).await;
    submit(&mut browser, 'v', &form(&page, "approve")).await;
    browser.now = after(1_600);
    assert!(browser.get("/acme/approvals").await.html().contains("Alice Example"));
    browser.now = after(1_700);
    assert!(browser.get("/acme/approvals").await.html().contains("Sign in to see"));
}

#[tokio::test]
async fn d10_what_is_approved_beyond_scopes_is_what_was_shown() {
    let world = World::new();
    let asked = details("Acme Books");
    let grant = AuthenticationRequest { authorization_details: asked.clone(), ..request(&handle('v')) };
    world.ask(grant.clone()).await;
    let mut browser = Browser::of(&world, alice()).await;
    let page = browser.get(&path('v')).await;

    // the operator words it otherwise meanwhile
    let reworded = Realm { authorization_details_types: types("Send money to {creditor}"), ..realm("acme") };
    let after = world.beside(reworded);
    let mut later = Browser { world: &after, jar: browser.jar.clone(), ..Browser::new(&after) };
    let answer = submit(&mut later, 'v', &form(&page, "approve")).await;
    assert_eq!(answer.status(), 409, "another sentence");
    assert!(answer.html().contains("Send money to ") && answer.html().contains("Something has changed"));

    // the record is another: the page looks the same, since `true` and "yes" do
    let mut items = serde_json::to_value(&asked).unwrap();
    items[0]["urgent"] = "yes".into();
    let other = AuthenticationRequest { authorization_details: serde_json::from_value(items).unwrap(), ..grant };
    let key = Table::<Grant>::key("acme", &handle('v'));
    let changed = Grant::new(other, Duration::from_secs(5));
    world.grants.change(key, |_| Change::Put(changed.clone(), ())).await.unwrap();
    assert_eq!(submit(&mut browser, 'v', &form(&page, "approve")).await.status(), 409, "another value");
    assert_eq!(world.grant(&handle('v')).await.state, State::Pending);

    let page = browser.get(&path('v')).await;
    submit(&mut browser, 'v', &form(&page, "approve")).await;
    assert!(world.grant(&handle('v')).await.approval().is_some());
}

#[tokio::test]
async fn a_type_that_the_client_may_not_ask_for_any_more_is_withdrawn() {
    let world = World::new();
    world.ask(AuthenticationRequest { authorization_details: details("Acme Books"), ..request(&handle('v')) }).await;
    let mut browser = Browser::of(&world, alice()).await;
    let page = browser.get(&path('v')).await;
    let mut without = realm("acme");
    let till = Client { authorization_details_types: Vec::new(), ..client("till", None) };
    without.clients.insert("till".into(), Arc::new(till));
    let after = world.beside(without);
    let mut later = Browser { world: &after, jar: browser.jar.clone(), ..Browser::new(&after) };
    assert!(later.get("/acme/approvals").await.html().contains("Nothing is waiting"));
    assert!(!later.get(&path('v')).await.html().contains("Acme Books"));
    submit(&mut later, 'v', &form(&page, "approve")).await;
    assert_eq!(world.grant(&handle('v')).await.state, State::Pending);
}
