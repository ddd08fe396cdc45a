//! Nothing that is nobody's business is in a log line or an audit record, even at TRACE; and what must be on record is.

use std::{
    collections::BTreeSet,
    io,
    sync::{Arc, Mutex},
};

use http::Method;
use realmgate::ciba::decide::Decision;
use serde_json::{Value, json};
use tracing::{Dispatch, subscriber::DefaultGuard};
use tracing_subscriber::{filter::LevelFilter, fmt::MakeWriter};

use crate::{
    app::{App, TOKEN},
    browser::{Browser, as_pairs, world},
    receiver::Receiver,
    world::{Build, World, basic, encode},
};

const MESSAGE: &str = "canary of a message";
const PHONE: &str = "+4915550100";
const WEBHOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Log lines, kept.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    /// Keeps the lines of this thread, on which the whole world of a test runs.
    fn start(&self) -> (DefaultGuard, Dispatch) {
        let lines = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_ansi(false);
        let guard = tracing::subscriber::set_default(lines.with_writer(self.clone()).finish());
        // While there is one subscriber alone, tracing asks the thread that comes upon a line first whether anybody wants
        // such lines, and that may be another test's.
        (guard, Dispatch::new(tracing_subscriber::registry()))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// Texts that must not be seen, each with its name.
#[derive(Default)]
struct Canaries(BTreeSet<(&'static str, String)>);

impl Canaries {
    fn add(&mut self, name: &'static str, text: &str) {
        assert!(text.len() >= 8, "{name} is too short to be told from other texts: {text}");
        self.0.insert((name, text.to_owned()));
    }

    /// Every text of a JSON reply that is a token or an identifier.
    fn add_tokens(&mut self, reply: &Value) {
        for name in ["auth_req_id", "access_token", "id_token", "refresh_token"] {
            if let Some(token) = reply[name].as_str() {
                self.add(name, token);
                // a part of a token is one too many
                self.0.extend(token.split('.').skip(1).map(|part| (name, part.to_owned())));
            }
        }
    }

    fn add_cookies(&mut self, browser: &Browser<'_>) {
        for value in browser.jar.values() {
            self.add("cookie", value);
        }
    }

    #[track_caller]
    fn in_none_of(&self, what: &str, text: &str) {
        for (name, canary) in &self.0 {
            if let Some(line) = text.lines().find(|line| line.contains(canary.as_str())) {
                panic!("{name} is in {what}: {line}");
            }
        }
    }
}

/// A world in which the person is asked in every way, and the services behind the two channels.
async fn every_way() -> (World, Receiver, Receiver) {
    let (hook, device) = (Receiver::answering(200).await, Receiver::answering(201).await);
    let channels = format!(
        "[[channels]]\nkind = \"page\"\n\
         [[channels]]\nkind = \"webhook\"\nurl = \"{}\"\nsecret = \"{WEBHOOK_SECRET}\"\n\
         [[channels]]\nkind = \"keycloak\"\nurl = \"{}\"\n",
        hook.url, device.url
    );
    let world = world(&["master"], Build::default(), |realm| {
        *realm =
            realm.replace("name = \"Alice Liddell\"", &format!("name = \"Alice Liddell\"\nphone_number = \"{PHONE}\""));
        realm.push_str(&channels);
    });
    (world.await, hook, device)
}

fn known() -> Canaries {
    let mut canaries = Canaries::default();
    for (name, text) in [
        ("client secret", "till secret: a+b%20c"),
        ("client secret, encoded", basic("till", "till secret: a+b%20c").strip_prefix("Basic ").unwrap()),
        ("client secret", "post-secret-0123456789"),
        ("upstream secret", "upstream-secret"),
        ("webhook secret", WEBHOOK_SECRET),
        ("binding message", MESSAGE),
        ("hint and e-mail", "alice@example.com"),
        ("hint and e-mail, encoded", "alice%40example.com"),
        ("unknown hint", "unknown-hint"),
        ("name", "Alice Liddell"),
        ("phone number", PHONE),
        ("user code", "a wrong user code"),
        ("wrong secret", "a wrong secret"),
        ("what stands in a path", "in-a-path"),
        ("what stands in a query", "in-a-query"),
        ("what stands in a header", "in-a-header"),
    ] {
        canaries.add(name, text);
    }
    canaries
}

/// A request of `till` for alice, decided by her on the page, redeemed, refreshed and used; and refusals of every kind.
async fn everything_happens(world: &World, hook: &mut Receiver, device: &mut Receiver, canaries: &mut Canaries) {
    let hint = ("login_hint", "alice@example.com");
    let ask = [("scope", "openid profile email"), hint, ("binding_message", MESSAGE)];

    // by the page
    let asked = world.as_till("/master/bc-authorize", &ask).await.json();
    canaries.add_tokens(&asked);
    let id = asked["auth_req_id"].as_str().unwrap().to_owned();
    let link = hook.next().await.json()["link"].as_str().unwrap().to_owned();
    canaries.add("handle", link.rsplit('/').next().unwrap());
    let bearer = device.next().await.bearer();
    for part in bearer.split('.').skip(1) {
        canaries.add("channel token", part);
    }
    assert_eq!(world.poll(&id).await.brief(), "400 authorization_pending");
    assert_eq!(world.poll(&id).await.brief(), "400 slow_down");
    let mut browser = Browser::new(world);
    browser.open(&format!("{link}?sign-in=start")).await;
    canaries.add_cookies(&browser);
    let form = encode(&[("request", &browser.field("request")), ("person", "alice-sub")]);
    browser.at = browser.at.join("/choose").unwrap();
    let back = browser.send(&Method::POST, &form, &[]).await;
    browser.at = back.header("location").unwrap().parse().unwrap();
    for (name, value) in browser.at.clone().query_pairs() {
        if name != "iss" {
            canaries.add("code or state", &value);
        }
    }
    browser.open(back.header("location").unwrap()).await;
    assert!(browser.page.text.contains(MESSAGE), "{}", browser.page.text);
    canaries.add_cookies(&browser);
    canaries.add("CSRF token", &browser.field("token"));
    browser.open(&format!("{link}?in-a-query=in-a-query")).await;
    assert_eq!(browser.post("", &[("token", "in-a-query"), ("decision", "approve")]).await.status, 403);
    browser.open(&link).await;
    let form = browser.form("approve");
    browser.decide("approve").await;
    browser.post("", &as_pairs(&form)).await;
    assert!(browser.page.text.contains("You approved"), "{}", browser.page.text);
    let mut other = Browser::signed_in(world, "bob-sub", &link).await;
    assert_eq!(other.post("", &as_pairs(&form)).await.status, 403);

    // the tokens
    let tokens = world.poll(&id).await.json();
    canaries.add_tokens(&tokens);
    assert_eq!(world.poll(&id).await.brief(), "400 invalid_grant");
    let userinfo = async |token: &str| {
        let bearer = format!("Bearer {token}");
        world.send("GET", "/master/userinfo", &[("authorization", &bearer)], "").await.status
    };
    assert_eq!(userinfo(tokens["access_token"].as_str().unwrap()).await, 200);
    assert_eq!(userinfo(tokens["refresh_token"].as_str().unwrap()).await, 401);
    assert_eq!(userinfo("in-a-header").await, 401);
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
    let refreshed = world.as_till("/master/token", &refresh).await.json();
    canaries.add_tokens(&refreshed);
    let token = [("token", refreshed["access_token"].as_str().unwrap())];
    assert_eq!(world.as_till("/master/introspect", &token).await.json()["active"], true);
    assert_eq!(world.as_post("/master/revoke", &token).await.brief(), "400 invalid_grant", "another client's");
    let proofs = [("authorization", "DPoP in-a-header"), ("dpop", "in-a-header")];
    assert_eq!(world.send("GET", "/master/userinfo", &proofs, "").await.status, 401);
    assert_eq!(world.as_till("/master/token", &refresh).await.brief(), "400 invalid_grant", "replayed");
    let id_token = encode(&[("id_token_hint", tokens["id_token"].as_str().unwrap()), ("state", "in-a-query")]);
    assert_eq!(world.get(&format!("/master/logout?{id_token}")).await.status, 200);
    assert_eq!(world.get("/master/logout?id_token_hint=in-a-query").await.status, 400);

    // by the device service
    let asked = world.as_till("/master/bc-authorize", &ask).await.json();
    canaries.add_tokens(&asked);
    let bearer = device.next().await.bearer();
    canaries.add("channel token", &bearer);
    let authorization = format!("Bearer {bearer}");
    for (authorization, body) in [
        (authorization.as_str(), "in-a-query"),
        (authorization.as_str(), r#"{"status":"UNAUTHORIZED"}"#),
        (authorization.as_str(), r#"{"status":"SUCCEED"}"#),
        ("Bearer in-a-header", r#"{"status":"SUCCEED"}"#),
        ("Basic in-a-header", r#"{"status":"SUCCEED"}"#),
    ] {
        world.send("POST", "/master/bc-authorize/callback", &[("authorization", authorization)], body).await;
    }
    assert_eq!(world.poll(asked["auth_req_id"].as_str().unwrap()).await.brief(), "400 access_denied");

    // what is refused
    let wrong = [("client_id", "post"), ("client_secret", "a wrong secret"), ask[0], hint];
    assert_eq!(world.form("/master/bc-authorize", &wrong).await.status, 401);
    assert_eq!(world.form("/master/token", &[&wrong[..2], &refresh].concat()).await.status, 401);
    assert_eq!(world.as_till("/master/bc-authorize", &ask[1..]).await.brief(), "400 invalid_request");
    let unknown = [ask[0], ("login_hint", "unknown-hint"), ask[2]];
    assert_eq!(world.as_till("/master/bc-authorize", &unknown).await.brief(), "400 unknown_user_id");
    let code = [("scope", "openid"), ("login_hint", "user"), ("user_code", "a wrong user code")];
    assert_eq!(world.as_post("/master/bc-authorize", &code[..2]).await.brief(), "400 missing_user_code");
    assert_eq!(world.as_post("/master/bc-authorize", &code).await.brief(), "400 invalid_user_code");
    for path in ["/in-a-path/token", "/master/in-a-path", "/master/approvals/in-a-path", "/realms/in-a-path"] {
        let path = format!("{path}?in-a-query=in-a-query");
        for method in ["GET", "POST", "PUT", "IN-A-PATH"] {
            world.send(method, &path, &[("x-in-a-header", "in-a-header"), ("host", "in-a-header")], "in-a-query").await;
        }
    }
    world.get("/master/sign-in/callback?code=in-a-query&state=in-a-query&error=in-a-query").await;
}

#[tokio::test]
async fn no_secret_no_hint_and_no_message_is_in_a_log_line_or_an_audit_record() {
    let log = Log::default();
    let _logging = log.start();
    let (world, mut hook, mut device) = every_way().await;
    let mut canaries = known();
    everything_happens(&world, &mut hook, &mut device, &mut canaries).await;

    let lines = log.text();
    for expected in [
        "Tokens were issued",
        "A request was answered",
        "A decision was refused",
        "The request was approved",
        " TRACE ",
    ] {
        assert!(lines.contains(expected), "the log is kept: {expected}");
    }
    canaries.in_none_of("the log", &lines);
    let records = world.audited();
    assert!(records.len() > 10);
    for record in records {
        canaries.in_none_of("the audit", &record.to_string());
    }
    canaries.in_none_of("the metrics", &world.gateway.parts().events.metrics(&world.gateway.pending().await));
}

/// Pings and pushes that arrive and that do not.
#[tokio::test]
async fn no_token_that_a_client_is_sent_is_in_a_log_line_or_an_audit_record() {
    let log = Log::default();
    let _logging = log.start();
    for mode in ["ping", "push"] {
        for (status, result) in [(204, "ok"), (500, "fault"), (401, "fault"), (302, "fault")] {
            let mut app = App::new(mode, status).await;
            let mut canaries = known();
            canaries.add("notification token", TOKEN);
            canaries.add("client secret", "app-secret-0123456789");
            let id = app.ask().await;
            canaries.add("auth_req_id", &id);
            app.world.decides("alice-sub", Decision::Approve).await;
            canaries.add_tokens(&app.receiver.next().await.json());
            canaries.add_tokens(&app.poll(&id).await.json());
            app.ended_as_time_passes(mode, result).await;
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            let lines = log.text();
            assert!(lines.contains("/hook") || lines.contains(" TRACE "), "the log is kept");
            canaries.in_none_of("the log", &lines);
            for record in app.world.audited() {
                canaries.in_none_of("the audit", &record.to_string());
            }
            canaries.in_none_of("the metrics", &app.world.gateway.parts().events.metrics(&[]));
        }
    }
    for expected in
        ["The client was told", "The client was not told", "told of its request again", "An authorization ended"]
    {
        assert!(log.text().contains(expected), "{expected}");
    }
}

#[tokio::test]
async fn each_request_decision_redemption_and_refusal_is_on_record() {
    let (world, mut hook, mut device) = every_way().await;
    everything_happens(&world, &mut hook, &mut device, &mut Canaries::default()).await;
    let mut records = world.audited();
    for record in &mut records {
        assert_eq!(record["time"], "2027-01-15T08:00:00Z");
        record.as_object_mut().unwrap().remove("time");
        for (member, length) in [("shown", 43), ("sid", 43)] {
            if let Some(text) = record.get_mut(member) {
                assert_eq!(text.as_str().unwrap().len(), length, "{member}");
                *text = json!("...");
            }
        }
    }
    let lines: Vec<_> = records.iter().map(Value::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    {"client":"till","realm":"master","scope":"openid profile email","sub":"alice-sub","type":"request"}
    {"error":"csrf","realm":"master","type":"decision_refused","via":"page"}
    {"client":"till","decision":"approved","realm":"master","shown":"...","sub":"alice-sub","type":"decision","via":"page"}
    {"client":"till","error":"decided already","realm":"master","type":"decision_refused","via":"page"}
    {"error":"csrf","realm":"master","type":"decision_refused","via":"page"}
    {"client":"till","realm":"master","scope":"openid profile email","sid":"...","sub":"alice-sub","type":"redemption"}
    {"client":"till","error":"invalid_grant","realm":"master","type":"redemption_refused"}
    {"client":"till","realm":"master","scope":"openid profile email","sid":"...","sub":"alice-sub","type":"refresh"}
    {"client":"till","realm":"master","sid":"...","sub":"alice-sub","type":"authorization_ended","via":"replay"}
    {"client":"till","error":"invalid_grant","realm":"master","type":"token_refused"}
    {"client":"till","realm":"master","scope":"openid profile email","sub":"alice-sub","type":"request"}
    {"client":"till","error":"unreadable","realm":"master","type":"decision_refused","via":"device_service"}
    {"client":"till","decision":"denied","realm":"master","sub":"alice-sub","type":"decision","via":"device_service"}
    {"client":"till","error":"decided already","realm":"master","type":"decision_refused","via":"device_service"}
    {"error":"invalid token","realm":"master","type":"decision_refused","via":"device_service"}
    {"error":"no token","realm":"master","type":"decision_refused","via":"device_service"}
    {"client":"till","error":"access_denied","realm":"master","type":"redemption_refused"}
    {"error":"invalid_client","realm":"master","type":"request_refused"}
    {"error":"invalid_client","realm":"master","type":"token_refused"}
    {"client":"till","error":"invalid_request","realm":"master","type":"request_refused"}
    {"client":"till","error":"unknown_user_id","realm":"master","type":"request_refused"}
    {"client":"post","error":"missing_user_code","realm":"master","type":"request_refused"}
    {"client":"post","error":"invalid_user_code","realm":"master","type":"request_refused"}
    "#);
}

#[tokio::test]
async fn what_was_shown_is_on_record() {
    let world = world(&["master"], Build::default(), |_| {}).await;
    world.ask_alice().await;
    let mut browser = Browser::signed_in(&world, "alice-sub", "/master/approvals").await;
    let review =
        browser.page.text.split("class=\"button\" href=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    browser.open(&review).await;
    let shown = browser.field("shown");
    browser.decide("approve").await;
    let records = world.audited();
    let decision = records.iter().find(|record| record["type"] == "decision").unwrap();
    assert_eq!(
        (&decision["shown"], &decision["via"], &decision["sub"]),
        (&json!(shown), &json!("page"), &json!("alice-sub"))
    );
}
