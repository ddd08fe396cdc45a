//! Where the pages stand, how a template becomes an [`Answer`], and the page that only says something.

use std::{borrow::Cow, time::Duration};

use askama::Template;
use url::Url;

use super::{Answer, session::SignOut, wording};
use crate::{ciba::grant::Grant, clock::Timestamp, realm::Realm};

/// The pages' place, from the configured public URL alone (I9).
pub(super) struct Site {
    pub(super) realm: String,
    /// Host and port, as people read them in the address bar.
    pub(super) host: String,
    /// Scheme, host and port, as browsers send them in `Origin`.
    pub(super) origin: String,
    /// The path of the realm's addresses, without a slash at the end.
    base: String,
}

impl Site {
    pub(super) fn of(realm: &Realm) -> Self {
        let url = Url::parse(&realm.addresses.short).ok();
        let origin = url.as_ref().map(|url| url.origin().ascii_serialization()).unwrap_or_default();
        let host = origin.split_once("://").map_or("", |(_, host)| host).to_owned();
        let base = url.as_ref().map_or("", |url| url.path()).trim_end_matches('/').to_owned();
        Self { realm: realm.name.to_string(), host, origin, base }
    }

    pub(super) fn is_https(&self) -> bool {
        self.origin.starts_with("https:")
    }

    /// The address of a file or form of ours.
    pub(super) fn path(&self, below: &str) -> String {
        format!("{}/{below}", self.base)
    }

    /// The address of a request, or of the inbox.
    pub(super) fn path_of(&self, handle: Option<&str>) -> String {
        match handle {
            Some(handle) => format!("{}/approvals/{handle}", self.base),
            None => format!("{}/approvals", self.base),
        }
    }
}

/// Until when somebody can decide, and how far away that is.
pub(super) struct Deadline {
    pub(super) at: Timestamp,
    pub(super) left: Duration,
}

impl Deadline {
    pub(super) fn of(grant: &Grant, now: Timestamp) -> Self {
        let at = grant.request.expires_at;
        Self { at, left: at.since(now) }
    }

    /// In words.
    pub(super) fn left(&self) -> String {
        wording::left(self.left)
    }
}

/// `outcome` is a word for the access log.
pub(super) fn page(status: u16, outcome: &'static str, template: &impl Template) -> Answer {
    match template.render() {
        Ok(html) => Answer::Page { status, html, cookies: Vec::new(), outcome, cause: None },
        Err(error) => Answer::Page {
            status: 500,
            html: "<!doctype html><html lang=\"en\"><title>Sorry</title><h1>Sorry, there is a problem</h1>".into(),
            cookies: Vec::new(),
            outcome: "fault",
            cause: Some(error.to_string()),
        },
    }
}

/// A page that only says something, and where to go next.
#[derive(Template)]
#[template(path = "approval/templates/notice.html")]
pub(super) struct Notice<'a> {
    site: &'a Site,
    /// Begins the page's title: the state.
    title: &'static str,
    heading: Cow<'a, str>,
    said: Vec<Cow<'a, str>>,
    link: Option<Link>,
    /// To use another account.
    switch: Option<SignOut<'a>>,
    /// When it happened, for talking about a fault.
    at: Option<Timestamp>,
}

struct Link {
    address: String,
    text: &'static str,
}

impl<'a> Notice<'a> {
    pub(super) fn new(site: &'a Site, title: &'static str, heading: impl Into<Cow<'a, str>>) -> Self {
        Self { site, title, heading: heading.into(), said: Vec::new(), link: None, switch: None, at: None }
    }

    /// One more paragraph.
    #[must_use]
    pub(super) fn say(mut self, text: impl Into<Cow<'a, str>>) -> Self {
        self.said.push(text.into());
        self
    }

    #[must_use]
    pub(super) fn link(mut self, address: String, text: &'static str) -> Self {
        self.link = Some(Link { address, text });
        self
    }

    #[must_use]
    pub(super) fn switch(mut self, switch: SignOut<'a>) -> Self {
        self.switch = Some(switch);
        self
    }

    #[must_use]
    pub(super) fn at(mut self, now: Timestamp) -> Self {
        self.at = Some(now);
        self
    }

    pub(super) fn answer(&self, status: u16, outcome: &'static str) -> Answer {
        page(status, outcome, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{approval::tests::realm, realm::Addresses};

    #[test]
    fn a_site_is_where_the_public_url_says() {
        // public URL with prefix; host, origin, base, https
        let table = [
            ("https://id.example.com", "id.example.com", "https://id.example.com", "/acme", true),
            ("https://ID.example.com:443/auth", "id.example.com", "https://id.example.com", "/auth/acme", true),
            ("http://127.0.0.1:8080", "127.0.0.1:8080", "http://127.0.0.1:8080", "/acme", false),
            ("http://[::1]:8080/a/b", "[::1]:8080", "http://[::1]:8080", "/a/b/acme", false),
        ];
        for (public, host, origin, base, https) in table {
            let site = Site::of(&Realm { addresses: Addresses::new(public, "acme"), ..realm("acme") });
            assert_eq!((&*site.host, &*site.origin, &*site.base, site.is_https()), (host, origin, base, https));
            assert_eq!(site.path_of(Some("h")), format!("{base}/approvals/h"));
        }
    }
}
