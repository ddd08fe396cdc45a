//! The first page and its form. The form carries a CSRF token bound to a cookie: the demo's client has a credential, and no
//! page elsewhere shall use it.

use std::sync::Arc;

use askama::Template;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::StatusCode;
use warp::reply::Response;

use super::{Page, request::NotStarted};
use crate::{
    demo::{PEOPLE, Person, call::Call, reply},
    oauth::Params,
    random::NoRandomness,
    secret::{Secret, hmac_sha256},
};

/// Cookies know no ports: the name must not be one of the provider's or the gateway's.
const COOKIE: &str = "demo-page";

/// Who can be asked here. Carol is disabled and shows a refusal; `user` needs a user code, for which there is no field.
const ASKED: [&str; 4] = ["alice", "bob", "carol", "dave"];

#[derive(Template)]
#[template(path = "demo/templates/start.html")]
struct Start<'a> {
    problem: Option<&'a str>,
    csrf_token: &'a str,
    people: Vec<&'a Person>,
    chosen: &'a str,
    message: &'a str,
    realm_path: &'a str,
    inbox: &'a str,
    discovery: &'a str,
    command: &'a str,
    curl: &'a str,
}

impl Page {
    pub(super) fn first(&self, call: &Call) -> Response {
        let message = self.message().unwrap_or_default();
        self.form(call, StatusCode::OK, None, ASKED[0], &message)
    }

    pub(super) async fn start(self: &Arc<Self>, call: &Call) -> Response {
        let form = match call.form() {
            Ok(form) => form,
            Err(error) => return self.problem(call, error.status(), error.description(), &Params::default()),
        };
        if !call.is_from_our_page() || !self.is_ours(call, &form) {
            return reply::message(
                StatusCode::FORBIDDEN,
                "Please start again",
                "Your browser did not send our cookie, or the page is from an earlier run of the demo. Nothing was \
                 started. Open the first page again.",
            );
        }
        let Some(person) = form.get("person").filter(|person| ASKED.contains(person)) else {
            return self.problem(call, 400, "Choose whom to ask.", &form);
        };
        match self.ask(person, form.get("binding_message")).await {
            Ok(waiting) => {
                let address = format!("/demo/requests/{}", waiting.id);
                tokio::spawn(waiting.run());
                reply::redirect(&address)
            }
            Err(error) => {
                let status = match error {
                    NotStarted::Refused { .. } => 400,
                    NotStarted::NoAnswer(_) => 502,
                    NotStarted::Full => 503,
                };
                self.problem(call, status, &error.to_string(), &form)
            }
        }
    }

    /// The form again, as it was filled in, with what is wrong.
    fn problem(&self, call: &Call, status: u16, problem: &str, form: &Params) -> Response {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        let chosen = form.get("person").unwrap_or_default();
        self.form(call, status, Some(problem), chosen, form.get("binding_message").unwrap_or_default())
    }

    fn form(&self, call: &Call, status: StatusCode, problem: Option<&str>, chosen: &str, message: &str) -> Response {
        let Ok(cookie) = call.cookie(COOKIE).map_or_else(|| self.random.identifier(), Ok) else {
            return reply::unavailable();
        };
        let start = Start {
            problem,
            csrf_token: &self.csrf_token(&cookie),
            people: PEOPLE.iter().filter(|person| ASKED.contains(&person.sub)).collect(),
            chosen,
            message,
            realm_path: self.realm.path().trim_end_matches('/'),
            inbox: &self.inbox(),
            discovery: &String::from(self.at_realm(".well-known/openid-configuration")),
            command: &command(&self.program, self.realm.as_str().trim_end_matches('/')),
            curl: &curl(self.at_realm("bc-authorize").as_str()),
        };
        reply::with_cookie(reply::page(status, &start, "'self'"), COOKIE, cookie)
    }

    fn csrf_token(&self, cookie: &str) -> String {
        URL_SAFE_NO_PAD.encode(hmac_sha256(&self.key, cookie.as_bytes()))
    }

    fn is_ours(&self, call: &Call, form: &Params) -> bool {
        match (call.cookie(COOKIE), form.get("csrf_token")) {
            (Some(cookie), Some(token)) => Secret::new(self.csrf_token(&cookie)).matches(token),
            _ => false,
        }
    }

    /// Something short to compare, such as `KX-42`. No letter or digit that looks like another.
    fn message(&self) -> Result<String, NoRandomness> {
        const LETTERS: &[u8] = b"ACDEFHJKLMNPRTUVWXY";
        let [a, b, c, d] = self.random.bytes::<4>()?;
        let letter = |byte: u8| char::from(LETTERS[usize::from(byte) % LETTERS.len()]);
        Ok(format!("{}{}-{}{}", letter(a), letter(b), 2 + c % 8, 2 + d % 8))
    }
}

/// Asks alice from a terminal and waits; `program` is how the command line is called. Without flags it talks to the demo at
/// its default address.
pub fn command(program: &str, issuer: &str) -> String {
    match issuer {
        "http://127.0.0.1:8080/master" => format!("{program} ciba request"),
        _ => format!("{program} ciba request --issuer {issuer}"),
    }
}

/// The request of the published profile page, with the demo's client and user in it, to be pasted into a terminal.
pub fn curl(bc_authorize: &str) -> String {
    format!(
        "curl -d client_id=demo -d client_secret=demo-secret \\\n     -d 'scope=openid profile' -d login_hint=user -d \
         user_code=password \\\n     {bc_authorize}"
    )
}
