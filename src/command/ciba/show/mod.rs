//! What people and scripts see. Progress and faults go to standard error, results to standard output; with `--json` there
//! is one JSON object a line for each change of state, on standard output alone.
//!
//! What the server sends is cleaned before it is shown: a terminal obeys control characters, and a reader is deceived by
//! invisible and reordering ones. In JSON they are escaped, so that nothing is lost.

mod line;
mod text;

use std::{
    io::{self, Write},
    time::Duration,
};

use console::{Style, Term};
use serde_json::{Map, Value};

use self::{
    line::{Line, Problem, json_line},
    text::{clean, table},
};
use super::{
    ask::{Accepted, Hint, Question},
    client::Client,
    failure::{Failure, Refusal},
};
use crate::{clock::Timestamp, jose::foreign::Signed};

/// Verified tokens, and what they were good for.
pub(super) struct Outcome {
    pub(super) tokens: Map<String, Value>,
    pub(super) id_token: Option<Signed>,
    pub(super) userinfo: Option<Map<String, Value>>,
}

/// Where everything is shown.
pub(super) struct Show<'a> {
    out: Box<dyn Write + 'a>,
    err: Box<dyn Write + 'a>,
    json: bool,
    show_tokens: bool,
    /// The terminal whose last line is rewritten while waiting.
    live: Option<Term>,
    colour: bool,
    /// Since when and until when the person is asked.
    span: Option<(Timestamp, Timestamp)>,
    pending: bool,
}

impl<'a> Show<'a> {
    /// On the terminal, or on what stands in its place.
    pub(super) fn new(json: bool, show_tokens: bool) -> Self {
        let term = Term::stderr();
        let colour = term.features().colors_supported();
        let live = (!json && term.is_term() && !console::is_dumb()).then_some(term);
        Self { live, colour, ..Self::plain(Box::new(io::stdout()), Box::new(io::stderr()), json, show_tokens) }
    }

    /// Plain lines, or JSON.
    pub(super) fn plain(out: Box<dyn Write + 'a>, err: Box<dyn Write + 'a>, json: bool, show_tokens: bool) -> Self {
        Self { out, err, json, show_tokens, live: None, colour: false, span: None, pending: false }
    }

    /// Who is asked, before anything is sent.
    pub(super) fn start(&mut self, client: &Client, question: &Question) {
        let (issuer, id) = (&client.issuer.text, clean(&client.client_id));
        let hint = match &question.hint {
            Hint::Login(hint) => clean(hint),
            Hint::LoginToken(_) => "whom the login hint token means".to_owned(),
            Hint::IdToken(_) => "whom the ID token is about".to_owned(),
        };
        self.say(&format!("Asking {hint} at {issuer} (client {id})"));
        if !client.issuer.is_encrypted() && !client.issuer.is_loopback() {
            self.say("Warning: this is plain HTTP; the client's secret and the tokens can be read on the way");
        }
    }

    /// Notifications are taken there.
    pub(super) fn listening(&mut self, address: &str) {
        self.line(&Line::Listening { notification_endpoint: address });
        self.say(&format!("Taking notifications at {address} (the client's backchannel_client_notification_endpoint)"));
    }

    /// The server has taken the request.
    pub(super) fn requested(
        &mut self,
        accepted: &Accepted,
        client: &Client,
        question: &Question,
        span: (Timestamp, Timestamp),
    ) {
        self.span = Some(span);
        let (expires_in, interval) = (accepted.expires_in, accepted.interval().as_secs());
        let binding_message = question.binding_message.as_deref();
        self.line(&Line::Requested { auth_req_id: &accepted.auth_req_id, expires_in, interval, binding_message });
        if let Some(message) = binding_message {
            let message = self.paint(&clean(message), &Style::new().bold());
            self.say(&format!("The person must see this with the request: {message}"));
        }
        if client.issuer.is_loopback() {
            self.say(&format!("Approve or deny it at {}", client.issuer.below("approvals")));
        }
        if self.live.is_none() {
            self.say(&format!("Waiting for {expires_in} s at most"));
        }
    }

    /// Rewrites the live line; elsewhere there is none. Called every second.
    pub(super) fn waiting(&self, left: Duration, polls: Option<u32>) {
        let Some(term) = &self.live else { return };
        let left = (left.as_millis() + 500) / 1000;
        let (minutes, seconds) = (left / 60, left % 60);
        let polls = polls.map_or_else(String::new, |polls| format!(", polls: {polls}"));
        let line = format!("Waiting, {minutes}:{seconds:02} left{polls} (Ctrl-C stops waiting)");
        let width = usize::from(term.size().1).saturating_sub(1);
        let _ = term.clear_line();
        let _ = term.write_str(&line.chars().take(width).collect::<String>());
    }

    /// The server says that there is an answer; or the time is nearly over, and it has said nothing.
    pub(super) fn pinged(&mut self, came: bool) {
        if came {
            self.line(&Line::Pinged);
            self.say("The server has sent its ping; asking for the outcome");
        } else {
            self.say("No ping has come; asking for the outcome all the same");
        }
    }

    pub(super) fn pending(&mut self) {
        if !std::mem::replace(&mut self.pending, true) {
            self.line(&Line::Pending);
        }
    }

    pub(super) fn slow_down(&mut self, interval: Duration) {
        self.line(&Line::SlowDown { interval: interval.as_secs() });
        self.say(&format!("The server wants to be asked less often: now every {} s", interval.as_secs()));
    }

    /// A poll brought nothing, and is tried again after `pause`.
    pub(super) fn trouble(&mut self, what: &str, pause: Duration) {
        self.say(&format!("The server could not be asked: {}; trying again in {} s", clean(what), pause.as_secs()));
    }

    /// # Errors
    /// The result cannot be written; the tokens are lost then.
    pub(super) fn approved(
        &mut self,
        Outcome { tokens, id_token, userinfo }: &Outcome,
        now: Timestamp,
    ) -> io::Result<()> {
        let claims = id_token.as_ref().map(|signed| &signed.claims);
        if self.json {
            let line = json_line(&Line::Approved { tokens, claims, userinfo: userinfo.as_ref() });
            return self.out.write_all(line.as_bytes()).and_then(|()| self.out.flush());
        }
        let took = self.span.map_or(Duration::ZERO, |(since, _)| now.since(since)).as_secs();
        let word = self.paint("Approved", &Style::new().green());
        self.say(&format!("{word} after {took} s"));
        if let Some(signed) = id_token {
            let kid = signed.kid.as_deref().map_or(String::new(), |kid| format!(", key {}", clean(kid)));
            self.say(&format!("The ID token is genuine ({}{kid})", signed.algorithm()));
        }
        let mut text = String::new();
        if let Some(claims) = claims {
            text.push_str("Claims\n");
            text.push_str(&table(claims, true));
        }
        if let Some(claims) = userinfo {
            text.push_str("Userinfo\n");
            text.push_str(&table(claims, true));
        }
        text.push_str("Tokens\n");
        text.push_str(&table(tokens, self.show_tokens));
        self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush())
    }

    pub(super) fn failed(&mut self, failure: &Failure) {
        let own = |error, what| Problem { error, error_description: Some(what), retry_after: None };
        let (line, word, why) = match failure {
            Failure::Denied(r) => (Line::Denied(Problem::of(r)), "Denied", told("the person said no", r)),
            Failure::Expired(r) => (Line::Expired(Problem::of(r)), "Expired", told("nobody decided in time", r)),
            Failure::Refused(r) if r.is_temporary() => (Line::Refused(Problem::of(r)), "Not now", later(r)),
            Failure::Refused(r) => (Line::Refused(Problem::of(r)), "Refused", told(&clean(&r.error), r)),
            Failure::NoAnswer(what) | Failure::Network(what) => {
                (Line::Failed(own("network", what)), "Failed", clean(what))
            }
            Failure::NotVerified(what) => (
                Line::Failed(own("not_verified", what)),
                "Failed",
                format!("the tokens do not verify: {}", clean(what)),
            ),
            Failure::Listen(what) => (Line::Failed(own("listen", what)), "Failed", what.clone()),
            Failure::Output(what) => (Line::Failed(own("output", what)), "Failed", what.clone()),
        };
        self.line(&line);
        let word = self.paint(word, &Style::new().red());
        self.say(&format!("{word}: {why}"));
    }

    /// Somebody does not want to wait any longer.
    pub(super) fn interrupted(&mut self, now: Timestamp) {
        let left = self.span.map(|(_, deadline)| deadline.since(now).as_secs());
        self.line(&Line::Interrupted { expires_in: left });
        match left {
            Some(left) => self.say(&format!(
                "Stopped waiting. The request stays open for another {left} s and can still be approved"
            )),
            None => self.say("Stopped"),
        }
    }

    /// One line for a person.
    pub(super) fn say(&mut self, text: &str) {
        if self.json {
            return;
        }
        if let Some(term) = &self.live {
            let _ = term.clear_line();
        }
        let _ = writeln!(self.err, "{text}");
    }

    /// One line for a script. A reader who has gone away is no reason to stop: the exit code still says how it ended.
    fn line(&mut self, line: &Line<'_>) {
        if self.json {
            let _ = self.out.write_all(json_line(line).as_bytes()).and_then(|()| self.out.flush());
        }
    }

    fn paint(&self, text: &str, style: &Style) -> String {
        if self.colour { style.apply_to(text).force_styling(true).to_string() } else { text.to_owned() }
    }
}

/// Our words, and the server's where it has any.
fn told(ours: &str, refusal: &Refusal) -> String {
    refusal.error_description.as_deref().map_or_else(|| ours.to_owned(), |text| format!("{ours} ({})", clean(text)))
}

/// Why not now, and when.
fn later(refusal: &Refusal) -> String {
    let why = clean(refusal.error_description.as_deref().unwrap_or(&refusal.error));
    refusal
        .retry_after
        .map_or_else(|| format!("{why}; try again later"), |seconds| format!("{why}; try again in {seconds} s"))
}
