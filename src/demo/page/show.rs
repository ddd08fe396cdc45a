//! What became of a request: as a page, and its state alone as JSON for the page's script.

use askama::Template;
use http::StatusCode;
use serde_json::{Map, Value, json};
use warp::reply::Response;

use super::{Page, identifier, request::Outcome};
use crate::{
    clock::Timestamp,
    demo::{PEOPLE, call::Call, reply},
};

#[derive(Template)]
#[template(path = "demo/templates/request.html")]
struct Show<'a> {
    heading: &'a str,
    word: &'a str,
    sentence: &'a str,
    person: &'a str,
    message: Option<&'a str>,
    asked_at: Timestamp,
    seconds_left: u64,
    state_url: &'a str,
    inbox: &'a str,
    id_token: Vec<(&'a str, String)>,
    access_token: Vec<(&'a str, String)>,
}

impl Page {
    pub(super) async fn show(&self, call: &Call) -> Response {
        let Some(started) = self.started(identifier(call)).await else { return not_there() };
        let person = PEOPLE.iter().find(|person| person.sub == started.person).map_or("", |person| person.name);
        let (heading, sentence) = match &started.outcome {
            Outcome::Pending => {
                ("Waiting for an answer".to_owned(), "The application waits. Nobody has decided yet.".to_owned())
            }
            Outcome::Approved { .. } => {
                ("Approved".to_owned(), format!("{person} approved. The application has received its tokens."))
            }
            Outcome::Denied => ("Denied".to_owned(), format!("{person} denied. The application has received nothing.")),
            Outcome::Expired => {
                ("Expired".to_owned(), "Nobody decided in time. The application has received nothing.".to_owned())
            }
            Outcome::Failed(code) => {
                ("Failed".to_owned(), format!("The gateway answered the application with {code}."))
            }
        };
        let (id_token, access_token) = match &started.outcome {
            Outcome::Approved { id_token, access_token } => (rows(id_token), rows(access_token)),
            _ => Default::default(),
        };
        let show = Show {
            heading: &heading,
            word: started.outcome.word(),
            sentence: &sentence,
            person,
            message: started.message.as_deref(),
            asked_at: started.started_at,
            seconds_left: started.expires_at.since(self.clock.now()).as_secs(),
            state_url: &format!("{}/state", call.path),
            inbox: &self.inbox(),
            id_token,
            access_token,
        };
        reply::page(StatusCode::OK, &show, "'none'")
    }

    pub(super) async fn state(&self, call: &Call) -> Response {
        match self.started(identifier(call)).await {
            Some(started) => reply::json(&json!({
                "state": started.outcome.word(),
                "seconds_left": started.expires_at.since(self.clock.now()).as_secs(),
            })),
            None => {
                reply::content(StatusCode::NOT_FOUND, "application/json", json!({"error": "not_found"}).to_string())
            }
        }
    }
}

impl Outcome {
    const fn word(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved { .. } => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Failed(_) => "failed",
        }
    }
}

fn not_there() -> Response {
    reply::message(
        StatusCode::NOT_FOUND,
        "This request is not known",
        "The demo forgets a request some minutes after its end, and all of them when it is restarted.",
    )
}

fn rows(claims: &Map<String, Value>) -> Vec<(&str, String)> {
    claims.iter().map(|(name, value)| (name.as_str(), row(name, value))).collect()
}

fn row(name: &str, value: &Value) -> String {
    match (value, value.as_u64()) {
        (Value::String(text), _) => text.clone(),
        (_, Some(seconds)) if matches!(name, "iat" | "exp" | "nbf" | "auth_time") => {
            format!("{seconds} ({})", Timestamp::from_seconds(seconds).rfc3339())
        }
        _ => value.to_string(),
    }
}
