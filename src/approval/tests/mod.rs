//! A realm made by hand, a provider that answers as the test says, and a browser with a cookie jar.

mod decision;
mod pages;
mod sign_in;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use url::Url;

use super::{provider::Provider, *};
use crate::{
    ciba::{
        grant::{AuthenticationRequest, Delivery, Grant, channel_alias},
        notify::tests::notifier,
    },
    clock::{Clock, Timestamp},
    event::Audit,
    oauth::{AuthorizationDetails, Params, Scope},
    realm::{
        self, Addresses, Client, DetailsType, SignIn,
        client::GrantTypes,
        user::{Claims, Identity, SamePerson, User},
    },
    upstream::{Prompt, Returned, SignInFault, Wish},
};

/// 2026-11-24T14:30:00Z
const START: Timestamp = Timestamp::from_seconds(1_795_530_600);
const ISSUER: &str = "https://login.example.com";

fn after(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

/// A handle of the right shape.
fn handle(letter: char) -> String {
    letter.to_string().repeat(43)
}

fn person(sub: &str, name: &str, user_name: &str) -> SignIn {
    SignIn {
        identity: Identity { iss: ISSUER.into(), sub: sub.into() },
        claims: Claims { name: Some(name.into()), preferred_username: Some(user_name.into()), ..Claims::default() },
        auth_time: START,
        acr: None,
        amr: Vec::new(),
    }
}

fn alice() -> SignIn {
    person("1", "Alice Example", "alice")
}

fn bob() -> SignIn {
    person("2", "Bob Example", "bob")
}

fn client(id: &str, name: Option<&str>) -> Client {
    Client {
        client_id: id.into(),
        client_name: name.map(Into::into),
        grant_types: GrantTypes { ciba: true, refresh_token: true },
        scope: Scope::parse("openid profile email accounts:read").unwrap(),
        authorization_details_types: vec!["payment_initiation".into(), "account_information".into()],
        ..realm::client::tests::client()
    }
}

pub(super) fn realm(name: &str) -> Realm {
    Realm {
        issuer: format!("https://approve.example.org/{name}"),
        addresses: Addresses::new("https://approve.example.org", name),
        clients: HashMap::from([("till".to_owned(), Arc::new(client("till", Some("Corner Shop Till"))))]),
        authorization_details_types: types("Pay {amount.value} {amount.currency} to {creditor}"),
        scope_texts: HashMap::from([("accounts:read".to_owned(), "see the balance of your accounts".to_owned())]),
        ..realm::tests::realm(name)
    }
}

/// The realm's types of `authorization_details`: a payment with this sentence, and one without any.
fn types(sentence: &str) -> HashMap<String, Arc<DetailsType>> {
    let kind = |name: &str, sentence: Option<&str>| {
        let sentence = sentence.map(Into::into);
        (name.to_owned(), Arc::new(DetailsType { name: name.into(), sentence, members: vec![], required: vec![] }))
    };
    HashMap::from([kind("payment_initiation", Some(sentence)), kind("account_information", None)])
}

/// A payment of all members, and an item of the type without a sentence.
fn details(creditor: &str) -> AuthorizationDetails {
    let items = json!([
        {
            "type": "payment_initiation",
            "amount": {"value": "378.45", "currency": "USD"},
            "creditor": creditor,
            "remittanceInformation": "Invoice 4711, June",
            "debtor": {"iban": "DE02 1001 0010 0006 8201 01"},
            "urgent": true,
        },
        {"type": "account_information", "actions": ["list accounts", "read balances"], "valid_until": null},
    ]);
    serde_json::from_value(items).unwrap()
}

fn request(handle: &str) -> AuthenticationRequest {
    let Identity { iss, sub } = alice().identity;
    AuthenticationRequest {
        realm: "acme".into(),
        client_id: "till".into(),
        user: Arc::new(User {
            sub: Some("1".into()),
            same_person: SamePerson::Identity(Identity { iss, sub }),
            claims: Claims::default(),
            user_code: None,
        }),
        scope: Scope::parse("openid profile accounts:read").unwrap(),
        authorization_details: AuthorizationDetails::default(),
        delivery: Delivery::Poll,
        sender_constraint: None,
        binding_message: Some("W4SCT-77".into()),
        acr_values: None,
        requested_at: START,
        expires_at: after(120),
        handle: handle.into(),
        channel_token: Some(channel_alias("acme", handle)),
    }
}

/// What the provider does, and what it was asked.
#[derive(Clone, Default)]
pub(super) struct Script(Arc<Mutex<Acts>>);

#[derive(Default)]
struct Acts {
    down: bool,
    returns: VecDeque<Result<SignIn, SignInFault>>,
    wishes: Vec<Wished>,
    finished: usize,
}

#[derive(Clone, Debug, PartialEq)]
struct Wished {
    login_hint: Option<String>,
    max_age: Duration,
    acr_values: Option<String>,
    prompt: Option<Prompt>,
}

impl Script {
    pub(super) fn begin(&self, redirect_uri: &str, wish: &Wish<'_>) -> Result<(Url, Value), String> {
        let mut acts = self.0.lock().unwrap();
        if acts.down {
            return Err("no answer".into());
        }
        acts.wishes.push(Wished {
            login_hint: wish.login_hint.map(Into::into),
            max_age: wish.max_age,
            acr_values: wish.acr_values.map(Into::into),
            prompt: wish.prompt,
        });
        let state = format!("state-{}", acts.wishes.len());
        let query = [("redirect_uri", redirect_uri), ("state", &state)];
        let url = Url::parse_with_params("https://login.example.com/authorize", query).unwrap();
        Ok((url, json!({ "state": state })))
    }

    pub(super) fn finish(&self, returned: &Returned<'_>, secrets: &Value) -> Result<SignIn, SignInFault> {
        let mut acts = self.0.lock().unwrap();
        acts.finished += 1;
        if secrets["state"].as_str() != returned.state {
            return Err(SignInFault::WrongState);
        }
        acts.returns.pop_front().unwrap_or_else(|| Ok(alice()))
    }

    fn returns(&self, result: Result<SignIn, SignInFault>) {
        self.0.lock().unwrap().returns.push_back(result);
    }

    fn wishes(&self) -> Vec<Wished> {
        self.0.lock().unwrap().wishes.clone()
    }
}

struct World {
    approval: Approval,
    grants: Arc<Table<Grant>>,
    sessions: Arc<Table<Session>>,
    provider: Script,
    sealer: Arc<Sealer>,
}

impl World {
    fn new() -> Self {
        Self::of(realm("acme"))
    }

    fn of(realm: Realm) -> Self {
        let clock = Clock::manual(START);
        let (grants, sessions) = (Arc::new(Table::in_memory(clock.clone())), Arc::new(Table::in_memory(clock)));
        let sealer = Arc::new(Sealer::new(&[7; 32], Random::counting()).unwrap());
        Self::over(realm, grants, sessions, sealer)
    }

    /// Another realm of the same gateway, or the same one after a reload.
    fn beside(&self, realm: Realm) -> Self {
        Self::over(realm, Arc::clone(&self.grants), Arc::clone(&self.sessions), Arc::clone(&self.sealer))
    }

    /// The same realm after a reload that took its pages away.
    fn without_pages(&self) -> Self {
        let mut world = self.beside(realm("acme"));
        world.approval.provider = None;
        world
    }

    fn over(realm: Realm, grants: Arc<Table<Grant>>, sessions: Arc<Table<Session>>, sealer: Arc<Sealer>) -> Self {
        let realm = Arc::new(realm);
        let events = Events::new(Audit::Off, Clock::manual(START));
        let notifier = notifier(&realm, &grants, &sealer);
        let decisions = Decisions::new(Arc::clone(&realm), Arc::clone(&grants), notifier, events.clone());
        let provider = Script::default();
        let approval = Approval::with_provider(
            realm,
            decisions,
            Some(Provider::Scripted(provider.clone())),
            Arc::clone(&sessions),
            Arc::clone(&sealer),
            events,
            Random::counting(),
        );
        Self { approval, grants, sessions, provider, sealer }
    }

    async fn ask(&self, request: AuthenticationRequest) -> Grant {
        let grant = Grant::new(request, Duration::from_secs(5));
        let key = Table::<Grant>::key("acme", &grant.request.handle);
        self.grants.insert(key, grant.clone(), &[]).await.unwrap();
        grant
    }

    async fn grant(&self, handle: &str) -> Grant {
        self.grants.get(Table::<Grant>::key("acme", handle)).await.unwrap().unwrap()
    }
}

/// A browser with cookies. What it sends besides can be bent.
struct Browser<'a> {
    world: &'a World,
    jar: BTreeMap<String, String>,
    now: Timestamp,
    sec_fetch_site: Option<&'static str>,
    origin: Option<&'static str>,
}

impl<'a> Browser<'a> {
    fn new(world: &'a World) -> Self {
        let (sec_fetch_site, origin) = (Some("same-origin"), Some("https://approve.example.org"));
        Self { world, jar: BTreeMap::new(), now: after(10), sec_fetch_site, origin }
    }

    /// A browser in which this person has signed in.
    async fn of(world: &'a World, person: SignIn) -> Self {
        let mut browser = Self::new(world);
        browser.sign_in(person).await;
        browser
    }

    async fn sign_in(&mut self, person: SignIn) -> Answer {
        let realm = self.world.approval.realm.name.clone();
        self.world.provider.returns(Ok(person));
        let there = self.get(&format!("/{realm}/approvals?sign-in=start")).await;
        self.get(&back(&there)).await
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.send(path, None).await
    }

    async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        self.send(path, Some(Params::parse(form.as_bytes()).unwrap())).await
    }

    async fn send(&mut self, path: &str, form: Option<Params>) -> Answer {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query = Params::parse(query.as_bytes()).unwrap();
        let cookie = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let visit = Visit {
            now: self.now,
            query: &query,
            cookie: (!cookie.is_empty()).then_some(&*cookie),
            sec_fetch_site: self.sec_fetch_site,
            origin: self.origin,
        };
        let approval = &self.world.approval;
        let answer = match (path.split('/').skip(2).collect::<Vec<_>>().as_slice(), form) {
            (["approvals"], None) => approval.inbox(&visit).await,
            (["approvals", handle], None) => approval.request(&visit, handle).await,
            (["approvals", handle], Some(form)) => approval.decide(&visit, handle, &form).await,
            (["sign-in", "callback"], None) => approval.sign_in_callback(&visit).await,
            (["sign-out"], Some(form)) => approval.sign_out(&visit, &form).await,
            other => panic!("no such page: {path} {}", other.0.len()),
        };
        for set in answer.cookies() {
            let (pair, attributes) = set.split_once("; ").unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.into(), value.into());
            }
        }
        answer
    }
}

impl Answer {
    #[track_caller]
    fn html(&self) -> &str {
        match self {
            Self::Page { html, .. } => html,
            Self::Redirect { location, .. } => panic!("a redirect to {location}"),
        }
    }

    #[track_caller]
    fn location(&self) -> &str {
        match self {
            Self::Redirect { location, .. } => location,
            Self::Page { status, html, .. } => panic!("a page, {status}: {html}"),
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::Page { status, .. } => *status,
            Self::Redirect { .. } => 303,
        }
    }

    fn cookies(&self) -> &[String] {
        let (Self::Page { cookies, .. } | Self::Redirect { cookies, .. }) = self;
        cookies
    }

    /// The value of a hidden field; of the last one of this name.
    #[track_caller]
    fn field(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let (_, rest) = self.html().rsplit_once(&start).expect(name);
        rest.split_once('"').unwrap().0.to_owned()
    }
}

/// The callback's address after a redirect to the provider.
#[track_caller]
fn back(there: &Answer) -> String {
    let url = Url::parse(there.location()).unwrap();
    let get = |name| url.query_pairs().find(|(other, _)| other == name).unwrap().1.into_owned();
    let redirect_uri = Url::parse(&get("redirect_uri")).unwrap();
    format!("{}?code=c&state={}", redirect_uri.path(), get("state"))
}
