//! Whatever is sent, wherever, by several at once: an answer each time, never a fault of ours, always the one shape of error,
//! and nothing is left behind. The requests are made by chance, the same in each run; the order in which they meet is not.
//!
//! The addresses are those of [`served`], so one that is added there is tried here.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt, fs,
    sync::{Arc, LazyLock},
    time::Duration,
};

use realmgate::{
    ciba::decide::Decision,
    keys::Algorithm,
    peer::{Peer, Presented},
    secret::Digest,
};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::timeout};

use crate::{
    addresses::served,
    browser,
    signer::Signer,
    world::{Answer, Build, CIBA, PUBLIC, World, basic},
};

const REQUESTS: usize = 100_000;
/// How many of them come first, before memory is measured.
const FIRST: usize = 20_000;
const SENDERS: usize = 8;
/// An answer takes a fraction of a millisecond; this is for a machine that does much else.
const LONGEST: Duration = Duration::from_secs(20);
/// Other tests run in this process at the same time.
const MOST_GROWTH: u64 = 256 * 1024 * 1024;
/// Undecided requests in the realm: few, so that they are reached.
const PENDING: usize = 10;
/// Pages are HTML, and so are their faults.
const PAGES: [&str; 4] = ["/approvals", "/sign-", "/auth", "/logout"];

static KEY: LazyLock<Signer> = LazyLock::new(|| Signer::new(Algorithm::EdDSA));

/// The happy world's people and clients, and clients that sign.
fn realm(text: &mut String) {
    let keys = format!("jwks = {{ keys = [{}] }}", KEY.toml());
    text.push_str(&format!(
        r#"
[[clients]]
client_id = "signer"
token_endpoint_auth_method = "private_key_jwt"
scope = "openid profile"
{keys}

[[clients]]
client_id = "bank"
client_secret = "bank-secret-0123456789"
token_endpoint_auth_method = "client_secret_post"
backchannel_authentication_request_signing_alg = "EdDSA"
authorization_details_types = ["payment"]
{keys}

[[authorization_details_types]]
type = "payment"

[[login_hint_token_issuers]]
issuer = "https://hints.example.com"
{keys}

[limits]
pending = {PENDING}
pending_per_client = 8
pending_per_user = 6
"#
    ));
}

/// Chance: the same sequence in each run (SplitMix64).
struct Dice(u64);

impl Dice {
    const fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.number() % most as u64).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<'t, T: ?Sized>(&mut self, all: &[&'t T]) -> &'t T {
        all[self.below(all.len())]
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.number().to_be_bytes()[0]).collect()
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
    "request_context",
    "claims",
    "resource",
    "authorization_details",
    "client_notification_token",
    "token",
    "token_type_hint",
    "access_token",
    "post_logout_redirect_uri",
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
    r#"[{"type":"payment","to":"Acme Books"}]"#,
    r#"[{"type":"#,
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
    "e30.e30.e30",
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    "=&;",
    "+",
    "\r\nx: y",
];

/// What replies give.
const GIVEN: &[&str] = &["auth_req_id", "access_token", "refresh_token", "id_token"];

const METHODS: &[&str] =
    &["POST", "POST", "POST", "GET", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "ANY"];

const FORM: &str = "application/x-www-form-urlencoded";

/// One who sends, and what it was given: identifiers and tokens that are genuine.
struct Sender {
    world: Arc<World>,
    known: Arc<Vec<(&'static str, String)>>,
    number: usize,
    dice: Dice,
    given: BTreeMap<&'static str, VecDeque<String>>,
    seen: Seen,
}

/// How often each status came, for each address as it is and by its own method.
type Seen = BTreeMap<(&'static str, String), BTreeMap<u16, usize>>;

/// What is sent.
struct Asked {
    /// Whose address it is, if it is one as it is.
    known: Option<usize>,
    method: String,
    path: String,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Vec<u8>,
    peer: Option<Peer>,
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        writeln!(f, "{} {}", self.method, self.path)?;
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {}", text(value))?;
        }
        writeln!(f, "\n{}", text(&self.body))
    }
}

impl Sender {
    async fn send(mut self, requests: usize) -> (Self, usize) {
        let mut refused = 0;
        for number in 0..requests {
            self.meanwhile(number).await;
            // most answers wait for nothing, and the others' turn would never come
            tokio::task::yield_now().await;
            let asked = self.make();
            let what = || format!("request {number}: {asked:?}");
            let sending =
                self.world.send_as(asked.peer.clone(), &asked.method, &asked.path, &asked.headers, asked.body.clone());
            let Ok(answer) = timeout(LONGEST, sending).await else { panic!("no answer: {}", what()) };
            let is_full = is_full(&answer);
            refused += usize::from(is_full);
            assert!(answer.status < 500 || is_full || is_out_of_reach(&asked, &answer), "{} {answer:?}", what());
            if let Err(fault) = judge(&asked, &answer) {
                panic!("{fault}: {} {answer:?}", what());
            }
            if let Some(known) = asked.known {
                *self.seen.entry(self.known[known].clone()).or_default().entry(answer.status).or_default() += 1;
            }
            self.keep(&answer);
        }
        (self, refused)
    }

    /// What happens meanwhile, as often as so many requests are sent: people decide, time goes on, tables are tidied.
    async fn meanwhile(&self, number: usize) {
        if self.number == 0 && number.is_multiple_of(100) {
            decide(&self.world).await;
        }
        if self.number == 0 && number.is_multiple_of(500) {
            self.world.advance(8);
            self.world.gateway.parts().tables.tidy();
            self.world.audited();
            assert!(self.world.pending("master").await <= PENDING);
        }
    }

    /// Keeps what was given.
    fn keep(&mut self, answer: &Answer) {
        if answer.status != 200 || !GIVEN.iter().any(|name| answer.text.contains(name)) {
            return;
        }
        let reply: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        for name in GIVEN {
            let Some(text) = reply[*name].as_str() else { continue };
            let given = self.given.entry(name).or_default();
            given.push_back(text.to_owned());
            if given.len() > 8 {
                given.pop_front();
            }
        }
    }

    /// One of those that were given by this name, and at times by another.
    fn given(&mut self, name: &str) -> String {
        let name = if self.dice.one_in(10) { self.dice.of(GIVEN) } else { name };
        match self.given.get(name) {
            Some(given) => given[self.dice.below(given.len())].clone(),
            None => "unknown".into(),
        }
    }

    fn make(&mut self) -> Asked {
        let mut at = self.dice.below(self.known.len());
        if self.known[at].0 == "GET" {
            at = self.dice.below(self.known.len()); // fewer of them
        }
        let (method, path) = self.known[at].clone();
        let method = if self.dice.one_in(5) { self.dice.of(METHODS) } else { method };
        let bent = if self.dice.one_in(5) { self.bend(&path) } else { path.clone() };
        let known = (method == self.known[at].0 && bent == path).then_some(at);
        let (form, authorization) = self.client_call(&path);
        let (content_type, body) = self.body(&path, form);
        let headers = self.headers(&path, content_type, authorization);
        Asked { known, method: method.into(), path: bent, headers, body, peer: self.peer() }
    }

    /// A client's call that is good for the path, then bent.
    fn client_call(&mut self, path: &str) -> (Vec<(String, String)>, Option<String>) {
        let mut form: Vec<(&str, String)> = Vec::new();
        let is_token = path.contains("token") != self.dice.one_in(20);
        let is_signed = self.dice.one_in(8);
        if is_signed && !is_token {
            form.push(("request", self.signed("bank")));
        } else if !is_token {
            form.push(("scope", "openid profile".into()));
            match self.dice.below(8) {
                0 => form.push(("login_hint_token", self.signed("https://hints.example.com"))),
                1 => form.push(("id_token_hint", self.given("id_token"))),
                _ => form.push(("login_hint", self.dice.of(&["alice", "bob", "user", "nobody"]).into())),
            }
        } else if self.dice.one_in(3) {
            form.extend([("grant_type", "refresh_token".into()), ("refresh_token", self.given("refresh_token"))]);
        } else {
            form.extend([("grant_type", CIBA.into()), ("auth_req_id", self.given("auth_req_id"))]);
        }
        // for what takes a token
        if self.dice.one_in(4) {
            form.push(("token", self.given("access_token")));
        }
        let authorization = if is_signed && !is_token {
            form.extend([("client_id", "bank".into()), ("client_secret", "bank-secret-0123456789".into())]);
            None
        } else {
            self.authenticated(path, &mut form)
        };
        let mut form = form.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        for _ in 0..self.dice.below(3) {
            self.bend_form(&mut form);
        }
        (form, authorization)
    }

    /// A client's authentication: in the form, or the `Authorization` header.
    fn authenticated(&mut self, path: &str, form: &mut Vec<(&str, String)>) -> Option<String> {
        match if path.ends_with("userinfo") { 7 } else { self.dice.below(8) } {
            0..4 => return Some(basic("till", "till secret: a+b%20c")),
            4..6 => form.extend([("client_id", "post".into()), ("client_secret", "post-secret-0123456789".into())]),
            6 => {
                let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
                form.extend([("client_assertion_type", kind.into()), ("client_assertion", self.signed("signer"))]);
            }
            _ => return Some(format!("{} {}", self.dice.of(&["Bearer", "DPoP"]), self.given("access_token"))),
        }
        None
    }

    /// A JWT by this issuer for the realm, mostly good for something.
    fn signed(&mut self, issuer: &str) -> String {
        let now = self.world.clock.now().seconds();
        let mut claims = json!({
            "iss": issuer, "aud": format!("{PUBLIC}/master"), "iat": now, "nbf": now, "exp": now + 60,
            "jti": self.dice.number().to_string(), "scope": "openid", "login_hint": "alice",
        });
        if issuer == "signer" {
            claims["sub"] = issuer.into();
        }
        let names = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope", "login_hint", "typ"];
        self.bend_claims(&mut claims, &names);
        KEY.sign(&claims)
    }

    fn bend_form(&mut self, form: &mut Vec<(String, String)>) {
        let value = match self.dice.below(4) {
            0 => String::from_utf8_lossy(&self.dice.bytes(60)).into_owned(),
            1 => self.given("refresh_token"),
            _ => self.dice.of(VALUES).to_owned(),
        };
        let at = self.dice.below(form.len() + 1);
        match self.dice.below(4) {
            0 if at < form.len() => _ = form.remove(at),
            1 if at < form.len() => form[at].1 = value,
            2 if at < form.len() => form.push(form[at].clone()),
            _ => form.insert(at, (self.dice.of(NAMES).to_owned(), value)),
        }
    }

    /// The form, or something else in its place.
    fn body(&mut self, path: &str, form: Vec<(String, String)>) -> (&'static str, Vec<u8>) {
        let json = [r#"{"status":"SUCCEED"}"#, r#"{"status":"#, "[[[[", "null", "\"\\ud800\"", "{\"status\":{}}"];
        let types = [FORM, "application/json", "text/plain", "x", "application/x-www-form-urlencoded;", ""];
        let mut body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish().into_bytes();
        let usual = if path.ends_with("callback") { "application/json" } else { FORM };
        match self.dice.below(24) {
            0 => body = self.dice.bytes(2000),
            1 => body.clear(),
            2 if self.dice.one_in(20) => body = vec![b'a'; 70_000],
            // a byte that is another
            3 | 4 if !body.is_empty() => {
                let at = self.dice.below(body.len());
                body[at] = self.dice.number().to_be_bytes()[0];
            }
            5 => return (self.dice.of(&types), body),
            _ if usual != FORM => body = self.dice.of(&json).bytes().collect(),
            _ => {}
        }
        (usual, body)
    }

    /// A DPoP proof (RFC 9449 4.2), mostly a good one.
    fn proof(&mut self, path: &str) -> String {
        let header = json!({"typ": "dpop+jwt", "kid": null, "jwk": KEY.jwk()});
        let mut claims = json!({
            "jti": self.dice.number().to_string(), "htm": "POST", "htu": format!("{PUBLIC}{path}"),
            "iat": self.world.clock.now().seconds(),
        });
        self.bend_claims(&mut claims, &["jti", "htm", "htu", "iat", "ath"]);
        KEY.jwt(&header, &claims)
    }

    fn bend_claims(&mut self, claims: &mut Value, names: &[&str]) {
        if self.dice.one_in(3) {
            let values = [json!(0), json!([]), json!({}), json!("x"), json!(-1e300), json!([["x"]])];
            claims[self.dice.of(names)] = values[self.dice.below(values.len())].clone();
        }
    }

    fn headers(
        &mut self,
        path: &str,
        content_type: &'static str,
        authorization: Option<String>,
    ) -> Vec<(&'static str, Vec<u8>)> {
        let mut headers: Vec<(&str, Vec<u8>)> = Vec::new();
        if !content_type.is_empty() {
            headers.push(("content-type", content_type.into()));
        }
        headers.extend(authorization.map(|value| ("authorization", value.into_bytes())));
        let names =
            ["cookie", "origin", "sec-fetch-site", "host", "forwarded", "accept", "authorization", "client-cert"];
        for name in names {
            if self.dice.one_in(20) {
                headers.push((name, self.header()));
            }
        }
        if self.dice.one_in(4) {
            let proof = if self.dice.one_in(4) { self.header() } else { self.proof(path).into_bytes() };
            headers.push(("dpop", proof));
        }
        headers
    }

    /// A value that a header may have.
    fn header(&mut self) -> Vec<u8> {
        if self.dice.one_in(4) {
            return self.dice.of(&["Basic", "Basic !", "Basic Og==", "Bearer", "DPoP x", "Digest x", ":AA==:"]).into();
        }
        let bytes = self.dice.bytes(60).into_iter();
        bytes.map(|byte| if byte == 127 || byte < 32 { b' ' } else { byte }).collect()
    }

    fn peer(&mut self) -> Option<Peer> {
        if !self.dice.one_in(20) {
            return None;
        }
        let address = [192, 0, 2, self.dice.number().to_be_bytes()[0]].into();
        Some(Peer { address: Some(address), certificate: Presented::new(&self.dice.bytes(200), Vec::new()) })
    }

    /// The address, bent; or anything that is a path.
    fn bend(&mut self, path: &str) -> String {
        let mut path = path.to_owned();
        if self.dice.one_in(4) {
            path = format!("/{}", escaped(&self.dice.bytes(30)));
        }
        if self.dice.one_in(2) {
            let bends = ["/", "//", "/..", "/%2e%2e", "%00", "%2f", "%ff", ";x", "/x", "%", "%zz"];
            path.insert_str(self.dice.below(path.len() + 1), self.dice.of(&bends));
        }
        if self.dice.one_in(2) {
            let queries =
                ["?", "?scope=openid", "?sign-in=start", "?sign-in=again", "?a=1&a=2", "?%zz", "?code=c&state=s"];
            path += self.dice.of(&queries);
            if self.dice.one_in(2) {
                path += &escaped(&self.dice.bytes(20));
            }
        }
        if self.dice.one_in(8) {
            path += &format!("?id_token_hint={}", self.given("id_token"));
        }
        // what is no URI never comes this far
        let is_one = path.starts_with('/') && path.parse::<http::Uri>().is_ok();
        if is_one { path } else { "/".into() }
    }
}

/// As much of it as a URI may hold as it is, the rest percent-encoded.
fn escaped(bytes: &[u8]) -> String {
    percent_encoding::percent_encode(bytes, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// A 5xx that is explained: the undecided requests of the realm or the client are as many as may be.
fn is_full(answer: &Answer) -> bool {
    let full =
        ["Too many requests are waiting for a decision", "Too many requests of this client are waiting for a decision"];
    answer.brief() == "503 temporarily_unavailable"
        && answer.header("retry-after").is_some()
        && full.iter().any(|full| answer.json()["error_description"] == *full)
}

/// The other one: a machine that does much else has not let the provider answer in time, so that nobody can begin to sign in.
fn is_out_of_reach(asked: &Asked, answer: &Answer) -> bool {
    asked.path.contains("sign-in=") && answer.status == 503 && answer.text.contains("cannot be reached right now")
}

/// Whether an answer has the shape of all.
fn judge(asked: &Asked, answer: &Answer) -> Result<(), &'static str> {
    let rule = |holds: bool, fault| if holds { Ok(()) } else { Err(fault) };
    if answer.status < 400 || asked.method == "HEAD" {
        return Ok(());
    }
    if answer.header("content-type") == Some("text/html; charset=utf-8") {
        rule(PAGES.iter().any(|page| asked.path.contains(page)), "a page where none belongs")?;
        return rule(answer.header("content-security-policy").is_some(), "no content security policy");
    }
    rule(answer.header("content-type") == Some("application/json"), "neither JSON nor a page")?;
    rule(answer.header("cache-control") == Some("no-store"), "it may be kept")?;
    let json = answer.json();
    let is_unknown_realm = json == json!({"error": "Realm does not exist"});
    rule(is_unknown_realm || json["error_description"].is_string(), "no description")?;
    for (name, text) in json.as_object().ok_or("no object")? {
        // CIBA Core 13
        rule(["error", "error_description", "error_uri"].contains(&name.as_str()), "another member")?;
        let good = |byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        rule(text.as_str().is_some_and(|text| !text.is_empty() && text.bytes().all(good)), "not the characters")?;
    }
    rule((answer.status == 405) == answer.header("allow").is_some(), "405 and Allow go together")?;
    rule(answer.status != 401 || answer.header("www-authenticate").is_some(), "401 without a challenge")?;
    rule(![429, 503].contains(&answer.status) || answer.header("retry-after").is_some(), "no word of when to try again")
}

/// Everybody decides what waits for them: half of it is approved.
async fn decide(world: &World) {
    let live = world.gateway.realm("master").unwrap();
    for sub in ["alice-sub", "bob-sub", "user-sub"] {
        let person = world.signed_in(sub);
        let pending = live.decisions.pending_of(&person, world.clock.now()).await.unwrap();
        for (at, grant) in pending.iter().enumerate() {
            let decision = if at % 2 == 0 { Decision::Approve } else { Decision::Deny };
            let (handle, shown) = (&grant.request.handle, Digest::of(b"shown"));
            // one that expired meanwhile is refused
            let _ = live.decisions.by_person(handle, &person, decision, shown, world.clock.now()).await;
        }
    }
}

/// Memory of this process, in bytes; nothing where the system does not say.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()).unwrap_or_default() * 1024
}

/// All senders together send so many requests; with them, how often there was no room.
async fn bombard(senders: Vec<Sender>, requests: usize) -> (Vec<Sender>, usize) {
    let share = requests / senders.len();
    let sending: JoinSet<_> = senders.into_iter().map(|sender| sender.send(share)).collect();
    let (senders, refused): (_, Vec<usize>) = sending.join_all().await.into_iter().unzip();
    (senders, refused.iter().sum())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_requests_are_answered_and_leave_nothing_behind() {
    let world = Arc::new(browser::world(&["master"], Build::default(), realm).await);
    let known = Arc::new(served(&"A".repeat(43)));
    let sender = |number: usize| Sender {
        world: Arc::clone(&world),
        known: Arc::clone(&known),
        number,
        dice: Dice(number as u64),
        given: BTreeMap::new(),
        seen: Seen::new(),
    };
    let (senders, _) = bombard((0..SENDERS).map(sender).collect(), FIRST).await;
    let before = resident();
    let (senders, refused) = bombard(senders, REQUESTS - FIRST).await;
    let growth = resident().saturating_sub(before);
    assert!(growth < MOST_GROWTH, "{growth} bytes more");

    let mut seen = Seen::new();
    for (address, statuses) in senders.into_iter().flat_map(|sender| sender.seen) {
        let all = seen.entry(address).or_default();
        statuses.into_iter().for_each(|(status, count)| *all.entry(status).or_default() += count);
    }
    let fewest = REQUESTS / known.len() / 8;
    for address in &*known {
        let statuses = seen.get(address).unwrap_or_else(|| panic!("nobody has asked {address:?}"));
        assert!(statuses.values().sum::<usize>() > fewest, "{address:?}: {statuses:?}");
        assert!(!statuses.contains_key(&404) && !statuses.contains_key(&405), "{address:?}: {statuses:?}");
    }
    // chance goes deep enough
    assert!(refused > 0, "there was always room");
    for path in ["bc-authorize", "token", "introspect", "userinfo"] {
        let statuses = &seen[known.iter().find(|(_, known)| known.ends_with(path)).unwrap()];
        assert!(statuses.get(&200).is_some_and(|good| *good > 50), "{path}: {statuses:?}");
    }

    assert_eq!(world.sessions("master").await, 0, "nobody has signed in");
    decide(&world).await;
    let auth_req_id = world.ask_alice().await;
    world.decides("alice-sub", Decision::Approve).await;
    assert_eq!(world.poll(&auth_req_id).await.status, 200);
}
