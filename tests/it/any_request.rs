//! Whatever is sent, the answer is one of ours: never a fault, never another shape, never a header that the sender chose.
//! `REALMGATE_TEST_REQUESTS` says how many requests are made up.

use std::collections::HashSet;

use proptest::{prelude::*, sample::select, test_runner::TestRunner};
use realmgate::ciba::decide::Decision;

use crate::world::{Answer, CIBA, World, basic};

/// Tokens and identifiers of the world, by which made-up requests reach further than their first check.
struct Real {
    values: Vec<String>,
    headers: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
struct Made {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: String,
}

const METHODS: [&str; 10] = ["GET", "POST", "POST", "POST", "HEAD", "PUT", "OPTIONS", "CONNECT", "TRACE", "X"];
const SEGMENTS: [&str; 26] = [
    "master",
    "realms",
    "other",
    "protocol",
    "openid-connect",
    "ext",
    "ciba",
    "auth",
    "callback",
    "token",
    "bc-authorize",
    "userinfo",
    "jwks",
    "certs",
    ".well-known",
    "openid-configuration",
    "approvals",
    "sign-in",
    "sign-out",
    "approvals.css",
    "..",
    "%2e%2e",
    "%00",
    "%ff",
    "%2f",
    "",
];
const PATHS: [&str; 14] = [
    "/master/token",
    "/master/bc-authorize",
    "/master/bc-authorize/callback",
    "/master/userinfo",
    "/master/approvals",
    "/master/approvals/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "/master/sign-in/callback",
    "/master/sign-out",
    "/master/jwks",
    "/master/.well-known/openid-configuration",
    "/realms/master/protocol/openid-connect/token",
    "/realms/master/protocol/openid-connect/ext/ciba/auth",
    "/realms/master/protocol/openid-connect/ext/ciba/auth/callback",
    "/realms/nobody/protocol/openid-connect/certs",
];
const NAMES: [&str; 27] = [
    "client_id",
    "client_secret",
    "grant_type",
    "auth_req_id",
    "refresh_token",
    "scope",
    "login_hint",
    "login_hint_token",
    "id_token_hint",
    "binding_message",
    "user_code",
    "requested_expiry",
    "acr_values",
    "request",
    "request_uri",
    "authorization_details",
    "client_assertion",
    "client_assertion_type",
    "sign-in",
    "state",
    "code",
    "iss",
    "error",
    "decision",
    "shown",
    "token",
    "color",
];
const VALUES: [&str; 28] = [
    "",
    "post",
    "till",
    "post-secret-0123456789",
    CIBA,
    "refresh_token",
    "openid",
    "openid profile email",
    "alice",
    "bob",
    "carol",
    "user",
    "twin@example.com",
    "password",
    "start",
    "again",
    "switch",
    "approve",
    "deny",
    "0",
    "60",
    "18446744073709551616",
    "\u{0}",
    "\r\nSet-Cookie: a=b",
    "\u{1f600}\u{202e}\u{301}",
    "<script>alert(1)</script>",
    "{\"status\":\"SUCCEED\"}",
    "https://evil.example/",
];

/// A request as it should be: method, path, whether with a form of `till`, the form.
type Base = (&'static str, &'static str, bool, &'static [(&'static str, &'static str)]);

const BASES: [Base; 10] = [
    ("POST", "/master/bc-authorize", true, &[("scope", "openid profile"), ("login_hint", "alice")]),
    (
        "POST",
        "/realms/master/protocol/openid-connect/ext/ciba/auth",
        true,
        &[("scope", "openid"), ("login_hint", "bob")],
    ),
    ("POST", "/master/token", true, &[("grant_type", CIBA), ("auth_req_id", "BOB")]),
    ("POST", "/master/bc-authorize", true, &[("grant_type", CIBA), ("auth_req_id", "ALICE")]),
    ("POST", "/master/token", true, &[("grant_type", "refresh_token"), ("refresh_token", "REFRESH")]),
    ("GET", "/master/userinfo", false, &[]),
    ("POST", "/master/bc-authorize/callback", false, &[]),
    ("POST", "/master/approvals/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", true, &[("decision", "approve")]),
    ("GET", "/master/approvals", false, &[]),
    ("GET", "/master/sign-in/callback", false, &[]),
];

impl Real {
    async fn of(world: &World) -> Self {
        let approved = world.ask_alice().await;
        world.decides("alice-sub", Decision::Approve).await;
        let tokens = world.poll(&approved).await.json();
        let mut values = vec![approved, world.ask_bob().await];
        let names = ["access_token", "id_token", "refresh_token"];
        values.extend(names.map(|name| tokens[name].as_str().unwrap().to_owned()));
        let mut headers = vec![
            ("authorization".to_owned(), basic("till", "till secret: a+b%20c")),
            ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
            ("content-type".to_owned(), "application/json".to_owned()),
        ];
        headers.extend(values.iter().map(|value| ("authorization".to_owned(), format!("Bearer {value}"))));
        Self { values, headers }
    }

    fn text(&self) -> impl Strategy<Value = String> + use<> {
        let known: Vec<String> = VALUES.iter().map(ToString::to_string).chain(self.values.iter().cloned()).collect();
        prop_oneof![8 => select(known), 1 => any::<String>(), 1 => "[a-zA-Z0-9+/=%&;._-]{0,300}"]
    }

    fn pairs(&self, most: usize) -> impl Strategy<Value = Vec<(String, String)>> + use<> {
        let name = prop_oneof![9 => select(NAMES.map(str::to_owned).to_vec()), 1 => any::<String>()];
        prop::collection::vec((name, self.text()), 0..most)
    }

    fn headers(&self) -> impl Strategy<Value = Vec<(String, String)>> + use<> {
        let named = ["cookie", "origin", "sec-fetch-site", "host", "x-forwarded-for", "authorization", "content-type"];
        let value = "[\\t -~\u{a1}-\u{ff}]{0,120}";
        let cookie = "(realmgate-session-master|realmgate-sign-in-master-[a-zA-Z]{8})=[ -~]{0,90}";
        let header = prop_oneof![
            3 => select(self.headers.clone()),
            1 => (select(named.map(str::to_owned).to_vec()), value),
            1 => cookie.prop_map(|cookie| ("cookie".to_owned(), cookie)),
        ];
        prop::collection::vec(header, 0..4)
    }

    /// One that should be answered well, bent in a few places.
    fn bent(&self) -> impl Strategy<Value = Made> + use<> {
        let [alice, bob, .., refresh] = self.values.as_slice() else { panic!("five values") };
        let of_form: Vec<_> = self.headers[..2].to_vec();
        let real = [("ALICE", alice.clone()), ("BOB", bob.clone()), ("REFRESH", refresh.clone())];
        (select(BASES.to_vec()), self.pairs(4), self.headers(), 0..4_u8, self.pairs(4)).prop_map(
            move |((method, path, is_form, form), more, headers, which, query)| {
                let mut pairs: Vec<(String, String)> = more;
                for (name, value) in form {
                    let value =
                        real.iter().find(|(word, _)| word == value).map_or((*value).to_owned(), |(_, v)| v.clone());
                    pairs.push(((*name).to_owned(), value));
                }
                // the bent value of a name, or the right one
                let mut seen = HashSet::new();
                pairs.retain(|(name, _)| seen.insert(name.clone()));
                let headers = match which {
                    0 => headers,
                    _ if is_form => of_form.clone(),
                    _ => headers.into_iter().take(1).collect(),
                };
                let target = if method == "GET" { format!("{path}?{}", encoded(&query)) } else { path.to_owned() };
                Made { method: method.to_owned(), target, headers, body: encoded(&pairs) }
            },
        )
    }

    /// Made up as a whole.
    fn wild(&self) -> impl Strategy<Value = Made> + use<> {
        let path =
            prop::collection::vec(select(SEGMENTS.to_vec()), 0..8).prop_map(|path| format!("/{}", path.join("/")));
        let path = prop_oneof![select(PATHS.map(str::to_owned).to_vec()), path];
        let body = prop_oneof![self.pairs(10).prop_map(|pairs| encoded(&pairs)), self.text(), any::<String>()];
        (select(METHODS.to_vec()), path, self.headers(), body).prop_map(|(method, path, headers, body)| {
            let target = if method == "CONNECT" { "host:443".to_owned() } else { path };
            Made { method: method.to_owned(), target, headers, body }
        })
    }
}

fn encoded(pairs: &[(String, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn check(made: &Made, answer: &Answer) {
    let header = |name: &str| answer.header(name);
    assert!(answer.status < 500 || answer.status == 503, "a fault: {answer:?}");
    assert!((200..600).contains(&answer.status) && answer.status != 500, "{answer:?}");
    for (name, value) in &answer.headers {
        let value = value.to_str().unwrap();
        assert!(!value.contains("evil") && !value.contains("a=b"), "{name}: {value}");
    }
    if let Some(location) = header("location") {
        assert!(location.starts_with("/master/approvals"), "{location}");
    }
    for cookie in answer.headers.get_all("set-cookie") {
        let cookie = cookie.to_str().unwrap();
        assert!(cookie.starts_with("realmgate-") && cookie.contains("; HttpOnly; SameSite=Lax; "), "{cookie}");
    }
    match header("content-type") {
        Some("text/html; charset=utf-8") => {
            assert!(header("content-security-policy").unwrap().contains("default-src 'none'"));
            assert_eq!(header("cache-control"), Some("no-store"));
            assert!(!answer.text.contains("<script>alert"), "{}", answer.text);
        }
        Some("application/json") => {
            assert_eq!(header("x-content-type-options"), Some("nosniff"));
            if made.method == "HEAD" {
                return;
            }
            let json = answer.json();
            if answer.status >= 400 {
                assert!(json["error"].is_string(), "{answer:?}");
                assert!(json.as_object().unwrap().len() <= 2, "{answer:?}");
                assert_eq!(header("cache-control"), Some("no-store"));
            }
        }
        Some("text/css; charset=utf-8" | "text/javascript; charset=utf-8") => {}
        other => panic!("{other:?}: {answer:?}"),
    }
    assert_eq!(answer.status == 401, header("www-authenticate").is_some() && answer.status == 401, "{answer:?}");
    assert_eq!(answer.status == 405, header("allow").is_some(), "{answer:?}");
}

#[test]
fn whatever_is_sent_the_answer_is_ours() {
    #[expect(clippy::disallowed_methods, reason = "a test is told by the environment how long it may take")]
    let requests = std::env::var("REALMGATE_TEST_REQUESTS").ok().and_then(|count| count.parse().ok()).unwrap_or(2_000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    // there is no such provider, and the clock stands still: it is asked once
    let world = runtime.block_on(World::with(|realm| {
        realm.push_str("\n[limits]\npending_per_user = 1000000\npending_per_client = 1000000\npending = 1000000\n");
    }));
    let real = runtime.block_on(async { Real::of(&world).await });
    let config = ProptestConfig { cases: requests, failure_persistence: None, ..ProptestConfig::default() };
    let ran = TestRunner::new(config).run(&prop_oneof![4 => real.bent(), 1 => real.wild()], |made| {
        let headers: Vec<_> = made.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let answer = runtime.block_on(world.send(&made.method, &made.target, &headers, &made.body));
        check(&made, &answer);
        Ok(())
    });
    ran.unwrap();
}
