//! The demo's first page: says what CIBA is, starts a request as the client `demo`, shows what becomes of it. It works
//! without JavaScript; a script adds that the state shows by itself.
//!
//! It is a client of the gateway like any other (`request`): it calls the gateway's HTTP endpoints and has no other way in.

mod request;
mod show;
mod start;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use start::{command, curl};

use http::StatusCode;
use url::Url;
use warp::Filter;

use super::{
    call::{Call, Routes, any_of, at, route},
    reply,
};
use crate::{
    clock::Clock,
    http::Http,
    random::{NoRandomness, Random},
    secret::Secret,
    store::Table,
};

pub struct Page {
    /// The realm's address, with a slash at its end.
    realm: Url,
    client_id: String,
    client_secret: Secret,
    /// How the command line is called.
    program: String,
    http: Http,
    requests: Table<request::Started>,
    /// For the CSRF tokens of this run.
    key: [u8; 32],
    clock: Clock,
    random: Random,
}

impl Page {
    /// `gateway_base` is where the gateway answers, such as `http://127.0.0.1:8080`; the realm is `master`.
    pub fn new(
        gateway_base: &Url,
        client_id: impl Into<String>,
        client_secret: Secret,
        program: impl Into<String>,
        http: Http,
        clock: Clock,
        random: Random,
    ) -> Result<Self, NoRandomness> {
        let mut realm = gateway_base.clone();
        realm.set_path("/master/");
        Ok(Self {
            realm,
            client_id: client_id.into(),
            client_secret,
            program: program.into(),
            http,
            requests: Table::in_memory(clock.clone()),
            key: random.bytes()?,
            clock,
            random,
        })
    }

    /// `/` and what is below `/demo/`; nothing else is matched.
    pub fn routes(self) -> Routes {
        let page = Arc::new(self);
        let one = || warp::path!("demo" / "requests" / String).map(|_| ()).untuple_one().boxed();
        let state = || warp::path!("demo" / "requests" / String / "state").map(|_| ()).untuple_one().boxed();
        any_of([
            route(&page, at("/"), "GET, HEAD", |page, call| Box::pin(async move { page.first(&call) })),
            route(&page, at("/demo/requests"), "POST", |page, call| Box::pin(async move { page.start(&call).await })),
            route(&page, one(), "GET, HEAD", |page, call| Box::pin(async move { page.show(&call).await })),
            route(&page, state(), "GET, HEAD", |page, call| Box::pin(async move { page.state(&call).await })),
            route(&page, at("/demo/style.css"), "GET, HEAD", |_, _| Box::pin(async { reply::style() })),
            route(&page, at("/demo/script.js"), "GET, HEAD", |_, _| {
                Box::pin(async {
                    reply::content(StatusCode::OK, "text/javascript; charset=utf-8", include_str!("../script.js"))
                })
            }),
        ])
    }

    fn at_realm(&self, path: &str) -> Url {
        let mut url = self.realm.clone();
        url.set_path(&format!("{}{path}", self.realm.path()));
        url
    }

    fn inbox(&self) -> String {
        self.at_realm("approvals").into()
    }
}

/// The request's identifier in `/demo/requests/{id}`.
fn identifier(call: &Call) -> &str {
    call.path.split('/').nth(3).unwrap_or_default()
}
