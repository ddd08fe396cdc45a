//! Lookups at a Keycloak that does as it is told, and the chain of several lookups.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use url::Url;

use super::{Found, Lookups};
use crate::{
    clock::Clock,
    oauth::Scope,
    realm::{
        HintMatch, Lookup, Realm, StaticUser, Upstream,
        policy::Status,
        user::{Claims, Identity, SamePerson},
    },
    secret::Secret,
    upstream::{
        Fault,
        caller::Caller,
        stub::{NOW, Reply, Seen, Stub, caller, impatient},
    },
};

const ISS: &str = "https://op.example";
const USERS: &str = "/admin/realms/acme/users";
const ALICE: &str = "1d513016-0118-4227-806f-b3329f88ad02";

/// What the provider does.
struct Does {
    users: Vec<Value>,
    /// As an ancient or careless server: `exact` means nothing.
    substring: bool,
    /// Instead of the good answer.
    users_reply: Option<Reply>,
    token_reply: Option<Reply>,
    tokens: usize,
    /// Access tokens up to this number are refused.
    revoked: usize,
}

struct World {
    does: Arc<Mutex<Does>>,
    stub: Stub,
    clock: Clock,
    lookups: Lookups,
}

fn alice() -> Value {
    json!({
        "id": ALICE, "username": "alice", "firstName": "Alice", "lastName": "Liddell", "email": "Alice@acme.example",
        "emailVerified": true, "enabled": true, "createdTimestamp": 1, "requiredActions": [],
        "attributes": {"phoneNumber": ["+4930123456"], "locale": ["en"], "skills": ["rust", "java"]},
    })
}

fn user(id: &str, username: &str, email: Option<&str>, enabled: bool) -> Value {
    json!({"id": id, "username": username, "email": email, "enabled": enabled})
}

impl World {
    async fn new() -> Self {
        Self::with(caller, |_, _| {}).await
    }

    async fn with(caller: fn(&Clock) -> Caller, bend: impl FnOnce(&mut Realm, &str)) -> Self {
        let does = Arc::new(Mutex::new(Does {
            users: vec![
                alice(),
                user("2", "bob", Some("both@acme.example"), true),
                user("3", "bobby", Some("both@acme.example"), true),
                user("4", "carol", Some("carol@acme.example"), false),
                user("5", "carol@acme.example", None, true),
            ],
            substring: false,
            users_reply: None,
            token_reply: None,
            tokens: 0,
            revoked: 0,
        }));
        let told = Arc::clone(&does);
        let stub = Stub::start(move |seen| answer(&mut told.lock().unwrap(), seen)).await;
        let clock = Clock::manual(NOW);
        let mut realm = realm(vec![keycloak(&stub.base())]);
        bend(&mut realm, &stub.base());
        let lookups = Lookups::with_caller(&realm, caller(&clock));
        Self { does, stub, clock, lookups }
    }

    fn bend(&self, bend: impl FnOnce(&mut Does)) {
        bend(&mut self.does.lock().unwrap());
    }

    async fn find(&self, hint: &str) -> String {
        line(&self.lookups.find(hint).await)
    }

    async fn find_by_sub(&self, sub: &str) -> String {
        line(&self.lookups.find_by_sub(sub).await)
    }

    /// The status of a user of that id.
    async fn status(&self, sub: &str) -> Result<Status, Fault> {
        let same_person = SamePerson::Identity(Identity { iss: ISS.into(), sub: sub.into() });
        let user =
            crate::realm::User { sub: Some(sub.into()), same_person, claims: Claims::default(), user_code: None };
        self.lookups.status(&user).await
    }

    fn asked(&self) -> usize {
        self.stub.count(USERS)
    }
}

/// As Keycloak does: user names in lower case, `exact` or parts.
fn answer(does: &mut Does, seen: &Seen) -> Reply {
    if seen.path() == "/token" {
        does.tokens += 1;
        let response =
            json!({"access_token": format!("token-{}", does.tokens), "expires_in": 600, "token_type": "Bearer"});
        return does.token_reply.clone().unwrap_or(Reply::Json(200, response));
    }
    if let Some(reply) = &does.users_reply {
        return reply.clone();
    }
    let token = seen.header("authorization").and_then(|value| value.strip_prefix("Bearer token-"));
    if token.and_then(|number| number.parse().ok()).is_none_or(|number: usize| number <= does.revoked) {
        return Reply::Json(401, json!({"error": "HTTP 401 Unauthorized"}));
    }
    if let Some(id) = seen.path().strip_prefix(USERS).and_then(|rest| rest.strip_prefix('/')) {
        let user = does.users.iter().find(|user| user["id"] == id);
        return user
            .map_or(Reply::Json(404, json!({"error": "User not found"})), |user| Reply::Json(200, user.clone()));
    }
    let exact = seen.query("exact").as_deref() == Some("true") && !does.substring;
    let matching = |user: &&Value| {
        ["username", "email"].iter().any(|by| {
            let Some(wanted) = seen.query(by).map(|wanted| wanted.to_lowercase()) else { return false };
            let has = user[by].as_str().unwrap_or_default().to_lowercase();
            if exact { has == wanted } else { has.contains(&wanted) }
        })
    };
    Reply::Json(200, does.users.iter().filter(matching).cloned().collect())
}

fn keycloak(base: &str) -> Lookup {
    Lookup::Keycloak {
        url: Url::parse(&format!("{base}/admin/realms/acme")).unwrap(),
        token_endpoint: Url::parse(&format!("{base}/token")).unwrap(),
        client_id: "realmgate-lookup".into(),
        client_secret: Secret::new("s3cret+&%"),
    }
}

fn static_users(sub: &str, username: &str) -> Lookup {
    let claims = Claims { preferred_username: Some(username.into()), ..Claims::default() };
    Lookup::Static { users: vec![StaticUser { sub: sub.into(), enabled: true, claims, user_code: None }] }
}

fn realm(lookups: Vec<Lookup>) -> Realm {
    Realm {
        upstream: Some(Upstream {
            issuer: ISS.into(),
            client_id: "gateway".into(),
            client_secret: None,
            scope: Scope::parse("openid").unwrap().to_string(),
        }),
        lookups,
        ..crate::realm::tests::realm("acme")
    }
}

/// The outcome as one line, for tables.
fn line(outcome: &Result<Found, Fault>) -> String {
    match outcome {
        Ok(Found::User(user)) => user.sub.as_deref().unwrap_or("no sub").to_owned(),
        Ok(other) => other.in_words().to_owned(),
        Err(fault) => format!("fault: {fault}"),
    }
}

#[tokio::test]
async fn a_user_of_keycloak() {
    let world = World::new().await;
    let Ok(Found::User(user)) = world.lookups.find("alice").await else { panic!("alice") };
    assert_eq!(user.sub.as_deref(), Some(ALICE));
    assert_eq!(user.same_person, SamePerson::Identity(Identity { iss: ISS.into(), sub: ALICE.into() }));
    let expected = Claims {
        name: Some("Alice Liddell".into()),
        given_name: Some("Alice".into()),
        family_name: Some("Liddell".into()),
        preferred_username: Some("alice".into()),
        locale: Some("en".into()),
        email: Some("Alice@acme.example".into()),
        email_verified: Some(true),
        phone_number: Some("+4930123456".into()),
        phone_number_verified: None,
    };
    assert_eq!(user.claims, expected);

    let request = world.stub.last("/token");
    assert_eq!(request.method, "POST");
    assert_eq!(request.form("grant_type").as_deref(), Some("client_credentials"));
    assert_eq!(request.form("client_id").as_deref(), Some("realmgate-lookup"));
    assert_eq!(request.form("client_secret").as_deref(), Some("s3cret+&%"));
    assert_eq!(world.stub.last(USERS).target, "/admin/realms/acme/users?username=alice&exact=true", "as recorded");
}

#[tokio::test]
async fn hints() {
    let table: &[(&str, &str, fn(&mut Does), &str)] = &[
        ("user name", "bob", |_| {}, "2"),
        ("user name in other case", "ALICE", |_| {}, ALICE),
        ("e-mail in other case", "alice@ACME.example", |_| {}, ALICE),
        ("part of a user name", "ali", |_| {}, "nobody"),
        ("substring trap: `bob` is part of `bobby`", "bob", |does| does.substring = true, "2"),
        ("substring trap: nobody is `bo`", "bo", |does| does.substring = true, "nobody"),
        ("substring trap: part of an e-mail", "a@b", |does| does.substring = true, "nobody"),
        ("e-mail of two", "both@acme.example", |_| {}, "more than one user"),
        ("user name of one, e-mail of another", "carol@acme.example", |_| {}, "more than one user"),
        ("disabled", "carol", |_| {}, "one user, who is disabled"),
        ("nobody", "mallory", |_| {}, "nobody"),
        ("nobody's e-mail", "mallory@acme.example", |_| {}, "nobody"),
        ("an id is no hint", ALICE, |_| {}, "nobody"),
        ("white space", " alice", |_| {}, "nobody"),
        ("empty", "", |_| {}, "fault: a hint has 1 to 255 characters"),
    ];
    for (case, hint, bend, expected) in table {
        let world = World::new().await;
        world.bend(bend);
        assert_eq!(world.find(hint).await, *expected, "{case}");
    }
    let world = World::new().await;
    assert_eq!(world.find(&"x".repeat(255)).await, "nobody");
    assert_eq!(world.find(&"x".repeat(256)).await, "fault: a hint has 1 to 255 characters");
}

#[tokio::test]
async fn a_hint_arrives_as_data() {
    let world = World::new().await;
    for hint in [
        "*)(uid=*",
        "\" or \"\"=\"",
        "'--",
        "a&exact=false&search=b",
        "a#b",
        "a?b",
        "../../master/users",
        "%00",
        "a+b c",
        "ümläut😀",
        "x\u{202e}y",
        "*",
        "_",
        "%",
        "a@b&email=c",
    ] {
        assert_eq!(world.find(hint).await, "nobody", "{hint}");
        let by = if hint.contains('@') { "email" } else { "username" };
        let seen = world.stub.last(USERS);
        assert_eq!(seen.query(by).as_deref(), Some(hint));
        assert_eq!(seen.query("exact").as_deref(), Some("true"), "{hint}");
        assert_eq!(seen.target.matches('&').count(), 1, "{hint}: {}", seen.target);
    }
    assert_eq!(world.status("../clients/x").await, Ok(Status::Gone));
    assert_eq!(world.stub.count("/admin/realms/acme/users/..%2Fclients%2Fx"), 1);
}

#[tokio::test]
async fn trouble_is_a_fault_and_never_nobody() {
    let cut = || Reply::CutOff("[{\"id\":\"1\"".into());
    let json = |status, value| Some(Reply::Json(status, value));
    let table = [
        ("500", json(500, json!({})), None, "fault: users: unexpected status 500"),
        (
            "404 for a search",
            json(404, json!({"error": "Realm not found."})),
            None,
            "fault: users: unexpected status 404",
        ),
        ("403: a role is missing", json(403, json!({})), None, "fault: users: unexpected status 403"),
        ("429", json(429, json!({})), None, "fault: users: unexpected status 429"),
        ("204", json(204, json!({})), None, "fault: users: unexpected status 204"),
        ("T-H3 redirect", Some(Reply::Redirect("/x".into())), None, "fault: users: unexpected status 302"),
        ("T-H4 drips", Some(Reply::Drip), None, "fault: users: no answer"),
        ("T-H4 huge", Some(Reply::Huge), None, "fault: users: the answer is larger"),
        ("cut off", Some(cut()), None, "fault: users: no answer"),
        ("half a list", Some(Reply::Text("[{\"id\":\"1\",".into())), None, "fault: users: the answer is not"),
        ("empty body", Some(Reply::Text(String::new())), None, "fault: users: the answer is not"),
        ("HTML", Some(Reply::Text("<html>".into())), None, "fault: users: the answer is not"),
        ("an object, no list", json(200, json!({})), None, "fault: users: the answer is not"),
        (
            "without `enabled`",
            json(200, json!([{"id": "1", "username": "alice"}])),
            None,
            "fault: users: the answer is not",
        ),
        (
            "`enabled` is a text",
            json(200, json!([{"id": "1", "username": "alice", "enabled": "alice@acme.example"}])),
            None,
            "fault: users: the answer is not",
        ),
        ("still 401", json(401, json!({})), None, "fault: users: unexpected status 401"),
        (
            "token 401",
            None,
            json(401, json!({"error": "invalid_client"})),
            "fault: token endpoint: unexpected status 401",
        ),
        ("token 500", None, json(500, json!({})), "fault: token endpoint: unexpected status 500"),
        ("token drips", None, Some(Reply::Drip), "fault: token endpoint: no answer"),
        ("token is cut off", None, Some(cut()), "fault: token endpoint: no answer"),
        ("no token", None, json(200, json!({"token_type": "Bearer"})), "fault: token endpoint: the answer is not"),
        (
            "a token that is no header value",
            None,
            json(200, json!({"access_token": "a\nb"})),
            "fault: users: no answer",
        ),
    ];
    for (case, users_reply, token_reply, expected) in table {
        let patience = if case.contains("drips") { impatient } else { caller };
        let world = World::with(patience, |_, _| {}).await;
        world.bend(|does| (does.users_reply, does.token_reply) = (users_reply, token_reply));
        let found = world.find("alice").await;
        assert!(found.starts_with(expected), "{case}: {found}");
        assert!(!found.contains("acme.example"), "{case}: {found}");
        assert!(world.status(ALICE).await.is_err(), "{case}: status");

        world.bend(|does| (does.users_reply, does.token_reply) = (None, None));
        world.clock.advance(Duration::from_secs(1));
        if !case.contains("no header value") {
            assert_eq!(world.find("alice").await, ALICE, "{case}: faults are not kept");
        }
    }
}

#[tokio::test]
async fn an_access_token_serves_until_it_expires_or_is_refused() {
    let world = World::new().await;
    world.find("alice").await;
    world.find("bob").await;
    assert_eq!(world.stub.count("/token"), 1);

    world.bend(|does| does.revoked = 1);
    assert_eq!(world.find("mallory").await, "nobody");
    assert_eq!((world.stub.count("/token"), world.asked()), (2, 4), "401 renewed once");

    world.clock.advance(Duration::from_secs(589));
    world.find("dave").await;
    assert_eq!(world.stub.count("/token"), 2);
    world.clock.advance(Duration::from_secs(1));
    world.find("erin").await;
    assert_eq!(world.stub.count("/token"), 3, "10 s before it expires");
}

#[tokio::test]
async fn a_token_endpoint_that_hangs_is_waited_for_once() {
    let world = World::with(impatient, |_, _| {}).await;
    world.bend(|does| does.token_reply = Some(Reply::Drip));
    let find = |hint| world.lookups.find(hint);
    let (a, b, c) = tokio::join!(find("a"), find("b"), find("c"));
    assert!(a.is_err() && b.is_err() && c.is_err());
    assert_eq!(world.stub.count("/token"), 1);
}

#[tokio::test]
async fn answers_are_kept_for_a_short_time() {
    let world = World::new().await;
    for (hint, seconds) in [("alice", 60), ("mallory", 10), ("carol", 10)] {
        world.find(hint).await;
        let asked = world.asked();
        world.clock.advance(Duration::from_secs(seconds - 1));
        world.find(hint).await;
        assert_eq!(world.asked(), asked, "{hint}");
        world.clock.advance(Duration::from_secs(1));
        world.find(hint).await;
        assert_eq!(world.asked(), asked + 1, "{hint}");
    }
}

#[tokio::test]
async fn by_sub() {
    let world = World::new().await;
    let Ok(Found::User(user)) = world.lookups.find_by_sub(ALICE).await else { panic!("alice") };
    let Ok(Found::User(same)) = world.lookups.find("alice").await else { panic!("alice") };
    assert_eq!(user, same);
    let long = "x".repeat(256);
    let table = [
        ("4", "one user, who is disabled"),
        ("alice", "nobody"),
        (".", "nobody"),
        ("..", "nobody"),
        ("../clients/x", "nobody"),
        ("", "fault: a hint has 1 to 255 characters"),
        (&long, "fault: a hint has 1 to 255 characters"),
    ];
    for (sub, expected) in table {
        assert_eq!(world.find_by_sub(sub).await, expected, "{sub}");
    }
    let by_id = format!("{USERS}/{ALICE}");
    assert_eq!(world.stub.count(&by_id), 1);
    world.find_by_sub(ALICE).await;
    assert_eq!(world.status(ALICE).await, Ok(Status::Active));
    assert_eq!(world.stub.count(&by_id), 1, "kept for a minute, the status, too");
    world.clock.advance(Duration::from_secs(60));
    world.bend(|does| does.users_reply = Some(Reply::Json(404, json!({"error": "Realm not found."}))));
    assert_eq!(world.find_by_sub(ALICE).await, "fault: users: unexpected status 404", "I10");

    let by_name = || Lookup::SignIn { matching: HintMatch::PreferredUsername };
    let world = World::with(caller, |realm, base| {
        realm.lookups = vec![static_users("s", "sue"), keycloak(base), by_name()];
    })
    .await;
    assert_eq!(world.find_by_sub("s").await, "s");
    assert_eq!(world.find_by_sub("4").await, "one user, who is disabled");
    let Ok(Found::User(user)) = world.lookups.find_by_sub("new").await else { panic!("sign-in") };
    assert_eq!(user.same_person, SamePerson::Sub { iss: ISS.into(), sub: "new".into() });
    assert_eq!(world.lookups.status(&user).await, Ok(Status::Untracked));
}

#[tokio::test]
async fn questions_for_one_hint_at_the_same_time_are_one_call() {
    let world = World::new().await;
    let find = || world.lookups.find("alice");
    let all = tokio::join!(find(), find(), find(), find());
    assert_eq!([all.0, all.1, all.2, all.3].map(|found| line(&found)), [ALICE; 4]);
    assert_eq!((world.asked(), world.stub.count("/token")), (1, 1));
}

#[tokio::test]
async fn status_is_at_most_a_minute_old() {
    let world = World::new().await;
    let by_id = format!("{USERS}/{ALICE}");
    assert_eq!(world.find("alice").await, ALICE);
    assert_eq!(world.status(ALICE).await, Ok(Status::Active));
    assert_eq!(world.stub.count(&by_id), 0, "the lookup has just said so");

    world.bend(|does| does.users[0]["enabled"] = false.into());
    world.clock.advance(Duration::from_secs(59));
    assert_eq!(world.status(ALICE).await, Ok(Status::Active));
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.status(ALICE).await, Ok(Status::Disabled));
    assert_eq!(world.status(ALICE).await, Ok(Status::Disabled));
    assert_eq!(world.stub.count(&by_id), 1);

    world.bend(|does| does.users.clear());
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(world.status(ALICE).await, Ok(Status::Gone));

    world.bend(|does| does.users_reply = Some(Reply::Json(200, user("2", "bob", None, true))));
    world.clock.advance(Duration::from_secs(60));
    assert!(world.status(ALICE).await.is_err(), "another user's");
}

#[tokio::test]
async fn the_chain() {
    let by_name = || Lookup::SignIn { matching: HintMatch::PreferredUsername };
    let by_email = || Lookup::SignIn { matching: HintMatch::Email { domains: vec!["x.example".into()] } };
    let table: &[(&str, &dyn Fn(&str) -> Vec<Lookup>, &str, bool, &str)] = &[
        ("first answer wins", &|base| vec![static_users("s", "alice"), keycloak(base)], "alice", false, "s"),
        ("order counts", &|base| vec![keycloak(base), static_users("s", "alice")], "alice", false, ALICE),
        ("nobody falls to the next", &|base| vec![static_users("s", "x"), keycloak(base)], "alice", false, ALICE),
        (
            "disabled stops",
            &|base| vec![keycloak(base), static_users("s", "carol")],
            "carol",
            false,
            "one user, who is disabled",
        ),
        ("ambiguous stops", &|base| vec![keycloak(base), by_name()], "both@acme.example", false, "more than one user"),
        ("nobody to a sign-in", &|base| vec![keycloak(base), by_name()], "mallory", false, "no sub"),
        ("nobody after a sign-in", &|_| vec![by_email(), static_users("s", "alice")], "alice", false, "s"),
        (
            "a fault stops (I10)",
            &|base| vec![keycloak(base), static_users("s", "alice")],
            "alice",
            true,
            "fault: users: unexpected status 500",
        ),
        (
            "a fault behind the answer is not met",
            &|base| vec![static_users("s", "alice"), keycloak(base)],
            "alice",
            true,
            "s",
        ),
        ("no lookups", &|_| Vec::new(), "alice", false, "nobody"),
    ];
    for (case, lookups, hint, broken, expected) in table {
        let world = World::with(caller, |realm, base| realm.lookups = lookups(base)).await;
        if *broken {
            world.bend(|does| does.users_reply = Some(Reply::Json(500, json!({}))));
        }
        assert_eq!(world.find(hint).await, *expected, "{case}");
    }
}

#[tokio::test]
async fn the_status_of_a_chain() {
    let by_name = || Lookup::SignIn { matching: HintMatch::PreferredUsername };
    let world = World::with(caller, |realm, base| {
        realm.lookups = vec![static_users("s", "sue"), keycloak(base), by_name()];
    })
    .await;
    assert_eq!(world.status("s").await, Ok(Status::Active));
    assert_eq!(world.status(ALICE).await, Ok(Status::Active));
    assert_eq!(world.status("4").await, Ok(Status::Disabled));
    assert_eq!(world.status("gone").await, Ok(Status::Gone), "a sign-in does not make a lost user good");
    let Ok(Found::User(user)) = world.lookups.find("mallory").await else { panic!("sign-in") };
    assert_eq!(world.lookups.status(&user).await, Ok(Status::Untracked));
    world.bend(|does| does.users_reply = Some(Reply::Json(500, json!({}))));
    world.clock.advance(Duration::from_secs(60));
    assert!(world.status(ALICE).await.is_err(), "I10");
}

#[tokio::test]
async fn without_an_upstream_the_realm_vouches_for_its_users() {
    let world = World::with(caller, |realm, _| {
        (realm.upstream, realm.lookups) = (None, vec![static_users("s", "alice")]);
    })
    .await;
    let Ok(Found::User(user)) = world.lookups.find("alice").await else { panic!("alice") };
    let identity = Identity { iss: "https://gateway.example/acme".into(), sub: "s".into() };
    assert_eq!(user.same_person, SamePerson::Identity(identity));
}

#[tokio::test]
async fn a_trace_tells_each_step_and_no_secret() {
    let world = World::with(caller, |realm, base| {
        realm.lookups = vec![static_users("s", "sue"), keycloak(base)];
    })
    .await;
    let trace = world.lookups.trace("alice@acme.example").await;
    assert_eq!(line(&trace.outcome), ALICE);
    let steps: Vec<_> = trace
        .steps
        .iter()
        .map(|step| format!("{}: {}", step.lookup, step.text.replace(&world.stub.base(), "")))
        .collect();
    let expected = [
        "static: nobody among the realm file's 1 users",
        "keycloak: POST /token as client realmgate-lookup (secret not shown): an access token for 600 s",
        "keycloak: GET /admin/realms/acme/users?username=alice%40acme.example&exact=true: 200",
        "keycloak: GET /admin/realms/acme/users?email=alice%40acme.example&exact=true: 200",
        "keycloak: one user",
    ];
    assert_eq!(steps, expected);

    world.bend(|does| does.users_reply = Some(Reply::Json(403, json!({}))));
    let trace = world.lookups.trace("alice").await;
    assert_eq!(line(&trace.outcome), "fault: users: unexpected status 403");
    assert!(trace.steps.iter().all(|step| !step.text.contains("token-") && !step.text.contains("s3cret")));
}
