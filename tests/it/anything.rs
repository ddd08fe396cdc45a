//! Whatever is sent, wherever: never a fault of ours, never a panic, always the one shape of error. The requests are made by
//! chance, the same in each run.

use realmgate::random::Random;

use crate::{
    addresses::served,
    browser::world,
    world::{Answer, Build, CIBA, World, basic},
};

const REQUESTS: usize = 20_000;

/// Chance: the same sequence in each run.
struct Dice {
    random: Random,
    bytes: Vec<u8>,
}

impl Dice {
    fn new() -> Self {
        Self { random: Random::counting(), bytes: Vec::new() }
    }

    fn byte(&mut self) -> u8 {
        if self.bytes.is_empty() {
            self.bytes = self.random.bytes::<32>().unwrap().to_vec();
        }
        self.bytes.pop().unwrap()
    }

    fn below(&mut self, most: usize) -> usize {
        usize::from(u16::from_be_bytes([self.byte(), self.byte()])) % most
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<'t, T: ?Sized>(&mut self, all: &[&'t T]) -> &'t T {
        all[self.below(all.len())]
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.byte()).collect()
    }
}

const NAMES: &[&str] = &[
    "scope",
    "login_hint",
    "login_hint_token",
    "id_token_hint",
    "binding_message",
    "requested_expiry",
    "user_code",
    "acr_values",
    "grant_type",
    "auth_req_id",
    "refresh_token",
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "request",
    "request_uri",
    "authorization_details",
    "client_notification_token",
    "token",
    "token_type_hint",
    "access_token",
    "shown",
    "decision",
    "color",
    "",
];

const VALUES: &[&str] = &[
    "openid",
    "openid profile email",
    "alice",
    "bob",
    "carol",
    "user",
    "twin@example.com",
    "password",
    "post",
    "post-secret-0123456789",
    "till",
    CIBA,
    "refresh_token",
    "60",
    "0",
    "-1",
    "1e999",
    "KX-42",
    "approve",
    "deny",
    "\u{202e}",
    "\u{1f600}",
    "%00",
    "\0",
    "\u{fffe}",
    "'\"<script>",
    "{}",
    "",
    " ",
    "a.b.c",
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJ0aWxsIiwic3ViIjoidGlsbCJ9.AAAA",
    "=&;",
    "+",
    "\r\nx: y",
];

/// A form whose names and values may be good; rarely all of them.
fn form(dice: &mut Dice) -> Vec<u8> {
    let mut form = Vec::new();
    for _ in 0..dice.below(8) {
        form.extend(dice.of(NAMES).bytes());
        form.push(if dice.one_in(50) { b'+' } else { b'=' });
        match dice.below(4) {
            0 => form.extend(dice.bytes(60)),
            1 => form.extend(dice.of(VALUES).bytes()),
            _ => form.extend(url::form_urlencoded::byte_serialize(dice.of(VALUES).as_bytes()).flat_map(str::bytes)),
        }
        form.push(b'&');
    }
    form
}

fn body(dice: &mut Dice) -> Vec<u8> {
    let json = [r#"{"status":"SUCCEED"}"#, r#"{"status":"#, "[[[[", "null", "\"\\ud800\"", "{\"status\":{}}"];
    match dice.below(10) {
        0 => dice.bytes(2000),
        1 => dice.of(&json).bytes().collect(),
        2 => Vec::new(),
        3 if dice.one_in(20) => vec![b'a'; 70_000],
        4 => {
            let good = "client_id=post&client_secret=post-secret-0123456789&scope=openid&login_hint=alice&";
            [good.as_bytes(), &form(dice)].concat()
        }
        _ => form(dice),
    }
}

/// One of the gateway's addresses, often bent; or anything that is a path.
fn path(dice: &mut Dice, known: &[(&str, String)]) -> String {
    let mut path = known[dice.below(known.len())].1.clone();
    if dice.one_in(8) {
        path = format!("/{}", escaped(&dice.bytes(30)));
    }
    if dice.one_in(4) {
        let bend = ["/", "//", "/..", "/%2e%2e", "%00", "%2f", "%ff", ";x", "/x", "%", "%zz"];
        path.insert_str(dice.below(path.len() + 1), dice.of(&bend));
    }
    if dice.one_in(4) {
        let query = ["?", "?scope=openid", "?sign-in=start", "?sign-in=again", "?a=1&a=2", "?%zz", "?code=c&state=s"];
        path += dice.of(&query);
        if dice.one_in(2) {
            path += &escaped(&dice.bytes(20));
        }
    }
    // what is no URI never comes this far
    let is_one = path.starts_with('/') && path.parse::<http::Uri>().is_ok();
    if is_one { path } else { "/".into() }
}

/// As much of it as a URI may hold as it is, the rest percent-encoded.
fn escaped(bytes: &[u8]) -> String {
    percent_encoding::percent_encode(bytes, percent_encoding::NON_ALPHANUMERIC).to_string()
}

async fn send(world: &World, dice: &mut Dice, known: &[(&str, String)]) -> (String, String, Answer) {
    let methods = ["POST", "POST", "POST", "GET", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "ANY"];
    let method = dice.of(&methods).to_owned();
    let path = path(dice, known);
    let mut headers: Vec<(&str, Vec<u8>)> = Vec::new();
    let types = [
        "application/x-www-form-urlencoded",
        "application/json",
        "text/plain",
        "x",
        "application/x-www-form-urlencoded;",
    ];
    if !dice.one_in(5) {
        headers.push(("content-type", dice.of(&types).into()));
    }
    let till = basic("till", "till secret: a+b%20c");
    let authorizations =
        [till.as_str(), "Basic", "Basic !", "Bearer x", "Bearer a.b.c", "Bearer", "Digest x", "DPoP a.b.c"];
    for _ in 0..dice.below(3) / 2 + usize::from(dice.one_in(30)) {
        headers.push(("authorization", dice.of(&authorizations).into()));
    }
    for name in
        ["cookie", "origin", "sec-fetch-site", "host", "forwarded", "x-forwarded-for", "accept", "authorization"]
    {
        if dice.one_in(10) {
            let value = dice.bytes(60).into_iter().map(|byte| if byte == 127 || byte < 32 { b' ' } else { byte });
            headers.push((name, value.collect()));
        }
    }
    for _ in 0..dice.below(3) / 2 + usize::from(dice.one_in(30)) {
        headers.push(("dpop", dice.of(&["", "x", "a.b.c", "e30.e30.e30", "e30.e30.e30.e30.e30"]).into()));
    }
    let body = body(dice);
    let answer = world.send_bytes(&method, &path, &headers, body).await;
    (method, path, answer)
}

#[tokio::test]
async fn anything_is_answered_and_refused_in_the_one_shape() {
    let world =
        world(&["master"], Build::default(), |realm| realm.push_str("\n[limits]\npending_per_user = 1000000\n")).await;
    let known = served(&"A".repeat(43));
    let mut dice = Dice::new();
    let mut seen = std::collections::BTreeMap::<u16, usize>::new();
    for number in 0..REQUESTS {
        if number % 500 == 0 {
            world.advance(30);
            world.gateway.parts().tables.tidy();
            world.audited();
        }
        let (method, path, answer) = send(&world, &mut dice, &known).await;
        *seen.entry(answer.status).or_default() += 1;
        let what = format!("request {number}, {method} {path}: {answer:?}");
        assert!(answer.status < 500, "{what}");
        if answer.status < 400 || method == "HEAD" {
            continue;
        }
        if answer.header("content-type") == Some("text/html; charset=utf-8") {
            let pages = ["/approvals", "/sign-", "/logout", "/auth"];
            assert!(pages.iter().any(|page| path.contains(page)), "a page where none belongs: {what}");
            assert!(answer.header("content-security-policy").is_some(), "{what}");
            continue;
        }
        assert_eq!(answer.header("content-type"), Some("application/json"), "{what}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
        let json = answer.json();
        let members: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(
            members == ["error", "error_description"] || json == serde_json::json!({"error": "Realm does not exist"}),
            "{what}"
        );
        for member in members {
            let text = json[member].as_str().unwrap();
            let good = |byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            assert!(!text.is_empty() && text.bytes().all(good), "{what}");
        }
        assert_eq!(answer.status == 405, answer.header("allow").is_some(), "{what}");
        assert!(answer.status != 401 || answer.header("www-authenticate").is_some(), "{what}");
    }
    for status in [200, 303, 400, 401, 403, 404, 405, 413] {
        assert!(seen.contains_key(&status), "chance has not come upon {status}: {seen:?}");
    }
    assert_eq!(world.get("/master/jwks").await.status, 200);
}
