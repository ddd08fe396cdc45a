//! "Who do you want to be?": the page, and the choice.
//!
//! The form carries the authorization request sealed for this browser's cookie: that is its CSRF token, and the provider
//! keeps nothing while a visitor thinks.

use std::time::Duration;

use askama::Template;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use warp::reply::Response;

use super::{
    Provider,
    authorize::{Request, SignedIn},
};
use crate::{
    clock::Timestamp,
    demo::{call::Call, people::Person, reply},
};

/// Cookies know no ports: the name must not be one of the gateway's.
const COOKIE: &str = "demo-provider";

/// How long the page may stay open.
const TIME_TO_CHOOSE: Duration = Duration::from_secs(10 * 60);

/// A browser, as its cookie says.
#[derive(Serialize, Deserialize)]
pub(super) struct Browser {
    id: String,
    pub(super) signed_in: Option<SignedIn>,
}

/// What the form carries.
#[derive(Serialize, Deserialize)]
struct Asked {
    request: Request,
    at: Timestamp,
}

#[derive(Template)]
#[template(path = "demo/templates/choose.html")]
struct Page<'a> {
    application: &'a str,
    host: &'a str,
    people: Vec<&'a Person>,
    /// The `sub` of the person whom the application expects.
    hinted: &'a str,
    request: &'a str,
}

impl Provider {
    pub(super) fn browser(&self, call: &Call) -> Option<Browser> {
        let text = self.sealer.open("browser", &call.cookie(COOKIE)?)?;
        serde_json::from_slice(&text).ok()
    }

    fn remember(&self, response: Response, browser: &Browser) -> Option<Response> {
        let sealed = self.sealer.seal("browser", &serde_json::to_vec(browser).ok()?).ok()?;
        Some(reply::with_cookie(response, COOKIE, sealed))
    }

    /// The page. It makes the browser known, if it is not.
    pub(super) fn ask(&self, browser: Option<Browser>, request: &Request, now: Timestamp) -> Response {
        self.try_ask(browser, request, now).unwrap_or_else(reply::unavailable)
    }

    fn try_ask(&self, browser: Option<Browser>, request: &Request, now: Timestamp) -> Option<Response> {
        let browser = match browser {
            Some(browser) => browser,
            None => Browser { id: self.random.identifier().ok()?, signed_in: None },
        };
        let asked = serde_json::to_vec(&serde_json::json!({"request": request, "at": now})).ok()?;
        let sealed = self.sealer.seal(&purpose(&browser), &asked).ok()?;
        let is_hinted = |person: &&Person| request.login_hint.as_ref().is_some_and(|hint| person.is_hinted_by(hint));
        let mut people: Vec<&Person> = self.people.iter().collect();
        people.sort_by_key(|person| !is_hinted(person)); // stable
        let page = Page {
            application: &self.registration(&request.client_id)?.client_name,
            host: self.issuer.trim_start_matches("http://"),
            hinted: people.first().filter(|person| is_hinted(person)).map_or("", |person| person.sub),
            people,
            request: &sealed,
        };
        let form_action = format!("'self' {}", request.redirect_uri.origin().ascii_serialization());
        let response = reply::page(StatusCode::OK, &page, &form_action);
        self.remember(response, &browser)
    }

    pub(super) async fn choose(&self, call: &Call) -> Response {
        let now = self.clock.now();
        let form = match call.form() {
            Ok(form) if call.is_from_our_page() => form,
            _ => return refused(),
        };
        let opened = self.browser(call).and_then(|browser| {
            let text = self.sealer.open(&purpose(&browser), form.get("request")?)?;
            Some((browser, serde_json::from_slice::<Asked>(&text).ok()?))
        });
        let Some((browser, asked)) = opened.filter(|(_, asked)| now.since(asked.at) < TIME_TO_CHOOSE) else {
            return refused();
        };
        let request = asked.request;
        if form.get("cancel").is_some() {
            let refused = ("access_denied", "The person went back");
            return self.refuse(&request.redirect_uri, request.state.as_deref(), refused);
        }
        let Some(person) = form.get("person").and_then(|sub| self.able(sub)) else {
            return reply::message(
                StatusCode::FORBIDDEN,
                "This person cannot sign in",
                "The account is disabled or does not exist. Go back and be somebody else.",
            );
        };
        let signed_in = SignedIn { sub: person.sub.to_owned(), auth_time: now };
        let response = self.send_back(&request, &signed_in, now).await;
        self.remember(response, &Browser { id: browser.id, signed_in: Some(signed_in) })
            .unwrap_or_else(reply::unavailable)
    }
}

fn purpose(browser: &Browser) -> String {
    format!("choose {}", browser.id)
}

fn refused() -> Response {
    reply::message(
        StatusCode::FORBIDDEN,
        "Please start again",
        "This page was open for too long, or your browser did not send our cookie. Nobody was signed in. Go back to the \
         application and start again.",
    )
}
