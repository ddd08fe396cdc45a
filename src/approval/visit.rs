//! One request of a browser, as the pages need it.

use crate::{clock::Timestamp, oauth::Params};

/// What a browser sent.
#[derive(Clone, Copy)]
pub struct Visit<'a> {
    pub now: Timestamp,
    pub query: &'a Params,
    /// `Cookie`; several header lines joined with `; `.
    pub cookie: Option<&'a str>,
    /// `Sec-Fetch-Site`
    pub sec_fetch_site: Option<&'a str>,
    /// `Origin`
    pub origin: Option<&'a str>,
}

impl Visit<'_> {
    /// Whether a form was sent from a page of `origin`, as far as the browser tells. One that tells nothing (an old one, or
    /// plain HTTP) is held to the form's token alone.
    pub(super) fn is_from(&self, origin: &str) -> bool {
        self.sec_fetch_site.is_none_or(|site| site == "same-origin") && self.origin.is_none_or(|from| from == origin)
    }
}
