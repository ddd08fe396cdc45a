//! Every page, as a snapshot and in bytes.

use super::*;
use crate::{event::Via, store::Change};

/// Every page, by name.
async fn gallery(realm: &dyn Fn() -> Realm) -> Vec<(&'static str, Answer)> {
    let v = format!("/acme/approvals/{}", handle('v'));
    let world = World::of(realm());
    world.ask(request(&handle('v'))).await;
    let mut pages = Vec::new();

    let mut anonymous = Browser::new(&world);
    pages.push(("landing", anonymous.get(&v).await));
    pages.push(("landing-inbox", anonymous.get("/acme/approvals").await));
    pages.push(("cookie-lost", anonymous.get("/acme/sign-in/callback?code=c&state=s").await));

    let mut hers = Browser::of(&world, alice()).await;
    let decide = hers.get(&v).await;
    let decision = |decision: &'static str| {
        let (token, shown) = (decide.field("token"), decide.field("shown"));
        [("token", token), ("shown", shown), ("decision", decision.into())]
    };
    pages.push(("forbidden", hers.post(&v, &[("decision", "approve")]).await));
    let form = decision("deny");
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    pages.push(("session-lost", Browser::new(&world).post(&v, &form).await));
    pages.push(("changed", {
        let stale = crate::secret::Digest::of(b"").base64url();
        hers.post(&v, &[("decision", "approve"), ("token", form[0].1), ("shown", &stale)]).await
    }));
    let mut second = request(&handle('w'));
    second.binding_message = None;
    second.expires_at = after(300);
    world.ask(second).await;
    pages.push(("decide-without-message", hers.get(&format!("/acme/approvals/{}", handle('w'))).await));
    let mut third = request(&handle('x'));
    third.binding_message = Some("Zahlung an Stadtwerke München, 1.378,45 EUR, Rechnung 2026-4711-08, Kundennummer 00 555 01 23, bitte vergleichen und dann bestätigen: K7F-2QX-9PL".into());
    third.expires_at = after(400);
    world.ask(third).await;
    pages.push(("decide-long", hers.get(&format!("/acme/approvals/{}", handle('x'))).await));
    pages.push(("inbox", hers.get("/acme/approvals").await));
    pages.push(("unknown", hers.get(&format!("/acme/approvals/{}", handle('u'))).await));
    pages.push(("other-account", Browser::of(&world, bob()).await.get(&v).await));

    hers.now = after(121);
    pages.push(("expired", hers.get(&v).await));
    hers.now = after(10);
    hers.post(&v, &form).await;
    pages.push(("denied", hers.get(&v).await));
    let key = Table::<Grant>::key("acme", &handle('w'));
    world
        .grants
        .change(key, |grant| Change::Put(grant.unwrap().approve(approved(), after(30)).unwrap(), ()))
        .await
        .unwrap();
    pages.push(("approved", hers.get(&format!("/acme/approvals/{}", handle('w'))).await));
    world.ask(request(&handle('y'))).await;
    let failed =
        |grant: Option<&Grant>| Change::Put(grant.unwrap().approve(approved(), after(30)).unwrap().fail().unwrap(), ());
    world.grants.change(Table::<Grant>::key("acme", &handle('y')), failed).await.unwrap();
    pages.push(("failed", hers.get(&format!("/acme/approvals/{}", handle('y'))).await));
    hers.now = after(301);
    pages.push(("uncollected", hers.get(&format!("/acme/approvals/{}", handle('w'))).await));
    hers.now = after(10);
    hers.world.provider.0.lock().unwrap().down = true;
    pages.push(("provider-down", hers.get(&format!("{v}?sign-in=start")).await));
    hers.world.provider.0.lock().unwrap().down = false;
    world.provider.returns(Err(SignInFault::Cancelled));
    let there = hers.get(&format!("{v}?sign-in=start")).await;
    pages.push(("cancelled", hers.get(&back(&there)).await));

    let old = SignIn { auth_time: START.minus(Duration::from_secs(10_000)), ..alice() };
    hers.sign_in(old).await;
    pages.push(("confirm", hers.get(&format!("/acme/approvals/{}", handle('x'))).await));
    let nobody = World::of(realm());
    let mut idle = Browser::of(&nobody, alice()).await;
    let inbox = idle.get("/acme/approvals").await;
    let token = inbox.field("token");
    pages.push(("inbox-empty", inbox));
    pages.push(("signed-out", idle.post("/acme/sign-out", &[("token", &token)]).await));

    let query = Params::default();
    let visit = Visit { now: after(10), query: &query, cookie: None, sec_fetch_site: None, origin: None };
    pages.push(("trouble", world.approval.trouble(&visit, &Trouble::Store(Unavailable("canary".into())))));
    pages.push(("bad-request", world.approval.bad_request(&visit, 400)));
    pages.push(("decide", decide));
    let rich = World::of(realm());
    let mut browser = Browser::of(&rich, alice()).await;
    rich.ask(AuthenticationRequest { authorization_details: details("Acme Books"), ..request(&handle('y')) }).await;
    pages.push(("decide-details", browser.get(&format!("/acme/approvals/{}", handle('y'))).await));
    pages.push(("inbox-details", browser.get("/acme/approvals").await));
    pages
}

fn approved() -> Arc<crate::ciba::grant::Approval> {
    Arc::new(crate::ciba::grant::Approval {
        at: after(30),
        via: Via::Page,
        sub: "1".into(),
        identity: None,
        claims: Claims::default(),
        auth_time: START,
        acr: None,
        amr: Vec::new(),
        shown: None,
    })
}

#[tokio::test]
async fn every_page_as_it_is() {
    for (name, answer) in gallery(&|| realm("acme")).await {
        let mut html = answer.html().to_owned();
        for field in ["token", "shown"] {
            let start = format!("name=\"{field}\" value=\"");
            let parts: Vec<String> = html.split(&start).map(Into::into).collect();
            let cut = |part: &String| format!("[{field}]\"{}", part.split_once('"').unwrap().1);
            let rest = parts.iter().skip(1).map(cut).collect::<Vec<_>>();
            html = [&parts[..1], &rest].concat().join(&start);
        }
        insta::assert_snapshot!(name, format!("{}\n{html}", answer.status()));
    }
}

#[tokio::test]
async fn every_page_is_small_whole_and_self_contained() {
    for (name, answer) in gallery(&|| realm("acme")).await {
        let html = answer.html();
        assert!(html.len() < 30_000, "{name}: {} bytes", html.len());
        assert!(html.starts_with("<!doctype html>\n<html lang=\"en\">"), "{name}");
        assert_eq!(html.matches("<h1").count(), 1, "{name}: one h1");
        assert_eq!(html.matches("<main").count(), 1, "{name}: one main");
        assert!(html.contains("You are on <strong>approve.example.org</strong>"), "{name}");
        assert!(html.contains("– acme</title>"), "{name}");
        for inline in [" style=", "<style", " onclick=", "javascript:", "src=\"http", "href=\"http", "<script>"] {
            assert!(!html.contains(inline), "{name}: {inline}");
        }
        let lower = html.to_lowercase();
        for jargon in ["ciba", "auth_req_id", "authenticate", "authorize", "consent", "canary", "oauth"] {
            assert!(!lower.contains(jargon), "{name}: {jargon}");
        }
    }
    let [css, js] = [stylesheet(), script()];
    assert!(css.1.len() + js.1.len() < 15_000);
}

/// Texts of others can add neither an element nor an attribute: a page with them has as many of the characters that make
/// markup as one with a harmless text.
#[tokio::test]
async fn nothing_that_others_wrote_becomes_markup() {
    let corpus = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "</title></main><svg/onload=alert(1)>",
        "jaVasCript:/*-/*`/*\\`/*'/*\"/**/(/* */oNcliCk=alert() )//",
        "{{7*7}} ${7*7} %(x)s {0} {% raw %}",
        "&lt;b&gt; &#60;i&#62;",
        "<a href=\"https://evil.example\">Approve</a>",
    ];
    let render = async |text: &str| {
        let mut realm = realm("acme");
        realm.clients.insert("till".into(), Arc::new(client("till", Some(text))));
        realm.scope_texts.insert("accounts:read".into(), text.into());
        let world = World::of(realm);
        let item = json!([{
            "type": "payment_initiation", "amount": {"value": text, "currency": text}, "creditor": text, "note": [text],
            (text): text,
        }]);
        world
            .ask(AuthenticationRequest {
                binding_message: Some(text.into()),
                authorization_details: serde_json::from_value(item).unwrap(),
                ..request(&handle('v'))
            })
            .await;
        let mut browser = Browser::of(&world, person("1", text, &format!("{text} "))).await;
        let v = format!("/acme/approvals/{}", handle('v'));
        let page = browser.get(&v).await;
        let inbox = browser.get("/acme/approvals").await;
        let mut other = Browser::of(&world, person("2", text, text)).await;
        let other = other.get(&v).await;
        let (token, shown) = (page.field("token"), page.field("shown"));
        browser.post(&v, &[("token", &token), ("shown", &shown), ("decision", "deny")]).await;
        [page, inbox, other, browser.get(&v).await].map(|answer| answer.html().to_owned())
    };
    let markup = |html: &str| ['<', '>', '"', '\''].map(|c| html.matches(c).count());
    let harmless = render("harmless").await;
    for text in corpus {
        for (page, plain) in render(text).await.iter().zip(&harmless) {
            assert_eq!(markup(page), markup(plain), "{text}: {page}");
        }
    }
    let [page, ..] = render("{{7*7}} ${7*7}").await;
    assert!(page.contains("{{7*7}} ${7*7}"), "shown as it was written");
}

#[test]
fn pages_cannot_be_framed_cached_or_indexed() {
    let of = |name: &str| HEADERS.iter().find(|(other, _)| *other == name).unwrap().1;
    assert!(of("content-security-policy").contains("default-src 'none'"));
    assert!(of("content-security-policy").contains("frame-ancestors 'none'"));
    assert!(!of("content-security-policy").contains("unsafe"));
    assert_eq!((of("cache-control"), of("referrer-policy")), ("no-store", "same-origin"));
}

/// Writes every page below `target/pages`, to be served on loopback and looked at.
#[tokio::test]
async fn every_page_can_be_looked_at() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pages");
    std::fs::create_dir_all(folder.join("acme")).unwrap();
    std::fs::write(folder.join("acme/approvals.css"), stylesheet().1).unwrap();
    std::fs::write(folder.join("acme/approvals.js"), script().1).unwrap();
    for (name, answer) in gallery(&|| realm("acme")).await {
        std::fs::write(folder.join(name).with_extension("html"), answer.html()).unwrap();
    }
}
