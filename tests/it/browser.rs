//! A person's browser between the gateway's routes and the demo provider: one cookie jar (both are the same host), redirects
//! followed, forms sent as browsers send them. And the provider, served on loopback with the happy world's people.

use std::collections::BTreeMap;

use http::Method;
use realmgate::{
    clock::Clock,
    demo::{
        self, Person,
        provider::{Provider, Registration},
    },
    http::{Http, Limit, Outbound},
    random::Random,
    secret::Secret,
};
use tokio::net::TcpListener;
use url::Url;

use crate::world::{Answer, Build, World, encode, realm_file};

const PEOPLE: &[Person] = &[
    Person { sub: "alice-sub", name: "Alice Liddell", email: "alice@example.com", disabled: false },
    Person { sub: "bob-sub", name: "Bob Cratchit", email: "bob@example.com", disabled: false },
];

/// Serves a demo provider; its issuer.
pub(crate) async fn provider(clock: &Clock) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let issuer = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let registration = Registration {
        client_id: "realmgate".into(),
        client_name: "realmgate".into(),
        client_secret: Secret::new("upstream-secret"),
        redirect_path: "/sign-in/callback",
    };
    let provider = Provider::new(issuer, PEOPLE, vec![registration], clock.clone(), Random::system()).unwrap();
    let issuer = provider.issuer().to_owned();
    tokio::spawn(demo::serve(listener, provider.routes()));
    issuer
}

/// The happy world in front of a demo provider, with realms of these names and its realm file bent.
pub(crate) async fn world(realms: &[&str], build: Build, bend: impl FnOnce(&mut String)) -> World {
    let issuer = provider(&build.clock).await;
    let mut text = realm_file().replace("https://login.example.com", &issuer);
    bend(&mut text);
    World::of(&realms.iter().map(|name| (*name, text.as_str())).collect::<Vec<_>>(), build).await
}

pub(crate) struct Browser<'w> {
    world: &'w World,
    provider: Http,
    /// Names and values of cookies.
    pub(crate) jar: BTreeMap<String, String>,
    /// The page that is open, and its address.
    pub(crate) page: Answer,
    pub(crate) at: Url,
}

impl<'w> Browser<'w> {
    pub(crate) fn new(world: &'w World) -> Self {
        let page = Answer { status: 0, headers: http::HeaderMap::new(), text: String::new() };
        let (provider, at) = (Http::new(&Outbound::default()).unwrap(), Url::parse(world.public).unwrap());
        Self { world, provider, jar: BTreeMap::new(), page, at }
    }

    /// A browser in which this person opened a link of the gateway and signed in.
    pub(crate) async fn signed_in(world: &'w World, sub: &str, link: &str) -> Self {
        let mut browser = Self::new(world);
        browser.open(link).await;
        browser.sign_in(sub).await;
        browser
    }

    /// Opens an address (a path is one of the page's host), and follows where it leads.
    pub(crate) async fn open(&mut self, address: &str) -> &Answer {
        self.go(Method::GET, address, "", &[]).await
    }

    /// Follows the link of the landing page to the provider, and is this person there.
    pub(crate) async fn sign_in(&mut self, sub: &str) -> &Answer {
        self.open("?sign-in=start").await;
        let request = self.field("request");
        self.post("/choose", &[("request", &request), ("person", sub)]).await
    }

    /// Presses a button of the decision page.
    pub(crate) async fn decide(&mut self, decision: &str) -> &Answer {
        let form = self.form(decision);
        self.post("", &as_pairs(&form)).await
    }

    /// What a button of the decision page sends.
    pub(crate) fn form(&self, decision: &str) -> Vec<(&'static str, String)> {
        vec![("token", self.field("token")), ("shown", self.field("shown")), ("decision", decision.to_owned())]
    }

    /// Sends a form of the page that is open.
    pub(crate) async fn post(&mut self, action: &str, form: &[(&str, &str)]) -> &Answer {
        let origin = self.at.origin().ascii_serialization();
        let headers = [("origin", origin.as_str()), ("sec-fetch-site", "same-origin")];
        self.go(Method::POST, action, &encode(form), &headers).await
    }

    /// The value of a hidden field; of the last one of this name.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> String {
        let Some((_, rest)) = self.page.text.rsplit_once(&format!("name=\"{name}\" value=\"")) else {
            panic!("no field {name}: {:?}", self.page)
        };
        rest.split_once('"').unwrap().0.to_owned()
    }

    async fn go(&mut self, method: Method, address: &str, body: &str, headers: &[(&str, &str)]) -> &Answer {
        self.at = self.at.join(address).unwrap();
        self.page = self.send(&method, body, headers).await;
        for _ in 0..10 {
            let Some(location) = self.page.header("location").map(str::to_owned) else { break };
            self.at = self.at.join(&location).unwrap();
            self.page = self.send(&Method::GET, "", &[]).await;
        }
        &self.page
    }

    /// One request to where the browser is, with its cookies.
    pub(crate) async fn send(&mut self, method: &Method, body: &str, more: &[(&str, &str)]) -> Answer {
        let cookies: Vec<_> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let mut headers = more.to_vec();
        if !cookies.is_empty() {
            headers.push(("cookie", &cookies));
        }
        if *method == Method::POST {
            headers.push(("content-type", "application/x-www-form-urlencoded"));
        }
        let answer = if self.at.as_str().starts_with(self.world.public) {
            let path = &self.at[url::Position::BeforePath..url::Position::AfterQuery];
            self.world.send(method.as_str(), path, &headers, body).await
        } else {
            let mut request = self.provider.blank().request(method.clone(), self.at.clone()).body(body.to_owned());
            for (name, value) in headers {
                request = request.header(name, value);
            }
            let answer = self.provider.send(request, Limit::API).await.unwrap();
            let text = String::from_utf8(answer.body.to_vec()).unwrap();
            Answer { status: answer.status.as_u16(), headers: answer.headers, text }
        };
        for set in answer.headers.get_all("set-cookie") {
            let (name, rest) = set.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if rest.contains("Max-Age=0") {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}

pub(crate) fn as_pairs<'a>(form: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
    form.iter().map(|(name, value)| (*name, value.as_str())).collect()
}
