//! The authorization endpoint (OpenID Connect Core 3.1.2, PKCE: RFC 7636): reads the request, then either sends the browser
//! straight back because it remembers the person, or asks who they want to be.
//!
//! Until client and redirect URI are known to belong together a fault is a page; after that it goes back to the client.

use std::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use url::Url;
use warp::reply::Response;

use super::{Provider, Registration};
use crate::{
    clock::Timestamp,
    demo::{call::Call, people::Person, reply},
    oauth::{Params, Scope},
};

/// A browser stays somebody for this long.
const SIGNED_IN_FOR: Duration = Duration::from_secs(8 * 60 * 60);

/// An authorization request, checked.
#[derive(Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) client_id: String,
    pub(super) redirect_uri: Url,
    pub(super) scope: Scope,
    pub(super) state: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) code_challenge: String,
    pub(super) login_hint: Option<String>,
    prompt: Prompt,
    /// In seconds.
    max_age: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Prompt {
    Absent,
    /// `none`
    Never,
    /// `login`, `select_account`, `consent`
    Always,
}

/// Who a browser is, and since when.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct SignedIn {
    pub(super) sub: String,
    pub(super) auth_time: Timestamp,
}

/// An error that the client is told: code and sentence.
type Refused = (&'static str, &'static str);

impl Provider {
    pub(super) async fn authorize(&self, call: &Call) -> Response {
        let params = if call.is_post() { call.form() } else { Params::parse(call.query.as_bytes()) };
        let Ok(params) = params else {
            return fault("The request is malformed: a parameter is repeated or not encoded correctly.");
        };
        let Some(registration) = params.get("client_id").and_then(|client_id| self.registration(client_id)) else {
            return fault("The application is not registered here.");
        };
        // never a redirect to an address that is not registered (RFC 9700 2.1)
        let Some(redirect_uri) = params.get("redirect_uri").and_then(|sent| registration.redirect_uri(sent)) else {
            return fault("The application did not send a redirect_uri that is registered for it.");
        };
        match request(registration, &redirect_uri, &params) {
            Ok(request) => self.answer(call, request).await,
            Err(refused) => self.refuse(&redirect_uri, params.get("state"), refused),
        }
    }

    async fn answer(&self, call: &Call, request: Request) -> Response {
        let now = self.clock.now();
        let browser = self.browser(call);
        let remembered = browser.as_ref().and_then(|browser| browser.signed_in.as_ref());
        match (remembered.filter(|signed_in| self.suffices(signed_in, &request, now)), request.prompt) {
            (Some(signed_in), _) => self.send_back(&request, signed_in, now).await,
            (None, Prompt::Never) => self.refuse(
                &request.redirect_uri,
                request.state.as_deref(),
                ("login_required", "Nobody is signed in who would do"),
            ),
            (None, _) => self.ask(browser, &request, now),
        }
    }

    /// Whether this browser's person can be sent back without asking.
    fn suffices(&self, signed_in: &SignedIn, request: &Request, now: Timestamp) -> bool {
        let age = now.since(signed_in.auth_time);
        let hinted = |person: &Person| request.login_hint.as_ref().is_none_or(|hint| person.is_hinted_by(hint));
        request.prompt != Prompt::Always
            && age < SIGNED_IN_FOR
            // strictly: `max_age=0` asks always (OpenID Connect Core 3.1.2.1)
            && request.max_age.is_none_or(|max_age| age < Duration::from_secs(max_age))
            && self.able(&signed_in.sub).is_some_and(hinted)
    }

    /// Back to the client with a code.
    pub(super) async fn send_back(&self, request: &Request, signed_in: &SignedIn, now: Timestamp) -> Response {
        match self.new_code(request, signed_in, now).await {
            Ok(code) => self.redirect(&request.redirect_uri, request.state.as_deref(), &[("code", &code)]),
            Err(_) => self.refuse(
                &request.redirect_uri,
                request.state.as_deref(),
                ("temporarily_unavailable", "Too many sign-ins at once"),
            ),
        }
    }

    /// Back to the client with an error.
    pub(super) fn refuse(&self, redirect_uri: &Url, state: Option<&str>, (code, description): Refused) -> Response {
        self.redirect(redirect_uri, state, &[("error", code), ("error_description", description)])
    }

    fn redirect(&self, redirect_uri: &Url, state: Option<&str>, answer: &[(&str, &str)]) -> Response {
        let mut location = redirect_uri.clone();
        let mut query = location.query_pairs_mut();
        query.extend_pairs(answer);
        if let Some(state) = state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", &self.issuer);
        drop(query);
        reply::redirect(location.as_str())
    }
}

fn fault(text: &str) -> Response {
    reply::message(StatusCode::BAD_REQUEST, "This sign-in cannot start", text)
}

fn request(registration: &Registration, redirect_uri: &Url, params: &Params) -> Result<Request, Refused> {
    let invalid = |description| Err(("invalid_request", description));
    if params.get("request").is_some() {
        return Err(("request_not_supported", "Request objects are not supported"));
    }
    if params.get("request_uri").is_some() {
        return Err(("request_uri_not_supported", "Request objects are not supported"));
    }
    match params.get("response_type") {
        Some("code") => {}
        Some(_) => return Err(("unsupported_response_type", "Only code is supported")),
        None => return invalid("response_type is missing"),
    }
    if params.get("response_mode").is_some_and(|mode| mode != "query") {
        return invalid("Only the response mode query is supported");
    }
    let scope = match Scope::parse(params.get("scope").unwrap_or_default()) {
        Ok(scope) if scope.contains("openid") => scope,
        _ => return Err(("invalid_scope", "The scope must contain openid")),
    };
    let code_challenge = match (params.get("code_challenge"), params.get("code_challenge_method")) {
        (Some(challenge), Some("S256")) if is_s256(challenge) => challenge.to_owned(),
        _ => return invalid("PKCE with S256 is required"),
    };
    let max_age = match params.get("max_age").map(str::parse) {
        None => None,
        Some(Ok(max_age)) => Some(max_age),
        Some(Err(_)) => return invalid("max_age must be a number of seconds"),
    };
    let owned = |name| params.get(name).map(str::to_owned);
    Ok(Request {
        client_id: registration.client_id.clone(),
        redirect_uri: redirect_uri.clone(),
        scope,
        state: owned("state"),
        nonce: owned("nonce"),
        code_challenge,
        login_hint: owned("login_hint"),
        prompt: prompt(params.get("prompt").unwrap_or_default())?,
        max_age,
    })
}

/// Base64url of a SHA-256 digest.
fn is_s256(challenge: &str) -> bool {
    challenge.len() == 43 && challenge.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn prompt(text: &str) -> Result<Prompt, Refused> {
    let mut prompt = Prompt::Absent;
    for value in text.split(' ').filter(|value| !value.is_empty()) {
        let said = match value {
            "none" => Prompt::Never,
            "login" | "select_account" | "consent" => Prompt::Always,
            _ => return Err(("invalid_request", "The prompt is not known")),
        };
        if prompt != Prompt::Absent && said != prompt {
            return Err(("invalid_request", "The prompt none stands alone"));
        }
        prompt = said;
    }
    Ok(prompt)
}
