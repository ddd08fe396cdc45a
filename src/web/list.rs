//! The route list: a line for each address. Matching, 404, 405 with `Allow` and HEAD all come from it.

use std::{future::Future, pin::Pin};

use http::Method;

use super::{call::Call, endpoints, path::Template, reply::Reply, tokens};
use crate::realm::{Endpoint, Style};

pub(super) type Serving = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// One address and method, and who serves it.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) template: Template,
    pub(super) serve: fn(Call) -> Serving,
}

/// The list. The busiest come first: a filter tries one after the other.
pub(super) fn list() -> Vec<Route> {
    let mut list = Vec::new();
    let mut both = |method: &Method, endpoint: Endpoint, serve: fn(Call) -> Serving| {
        for style in [Style::Short, Style::Keycloak] {
            list.push(Route { method: method.clone(), template: Template::new(style, endpoint.path(style)), serve });
        }
    };
    both(&Method::POST, Endpoint::Token, |call| Box::pin(endpoints::token(call)));
    both(&Method::POST, Endpoint::BackchannelAuthentication, |call| Box::pin(endpoints::bc_authorize(call)));
    both(&Method::POST, Endpoint::Introspection, |call| Box::pin(tokens::introspect(call)));
    both(&Method::POST, Endpoint::Callback, |call| Box::pin(endpoints::callback(call)));
    both(&Method::GET, Endpoint::Userinfo, |call| Box::pin(tokens::userinfo(call)));
    both(&Method::POST, Endpoint::Userinfo, |call| Box::pin(tokens::userinfo(call)));
    both(&Method::POST, Endpoint::Revocation, |call| Box::pin(tokens::revoke(call)));
    both(&Method::POST, Endpoint::Logout, |call| Box::pin(tokens::logout(call)));
    both(&Method::GET, Endpoint::Logout, |call| Box::pin(tokens::logout_page(call)));
    both(&Method::GET, Endpoint::Authorization, |call| Box::pin(endpoints::authorize(call)));
    both(&Method::POST, Endpoint::Authorization, |call| Box::pin(endpoints::authorize(call)));
    both(&Method::GET, Endpoint::Jwks, |call| Box::pin(endpoints::jwks(call)));
    both(&Method::GET, Endpoint::Discovery, |call| Box::pin(endpoints::discovery(call)));
    for style in [Style::Short, Style::Keycloak] {
        let metadata = "oauth-authorization-server";
        let appended = Template::new(style, "/.well-known/oauth-authorization-server");
        let inserted = ["openid-configuration", metadata].map(|name| Template::well_known(style, name));
        for template in [appended].into_iter().chain(inserted) {
            let serve: fn(Call) -> Serving = |call| Box::pin(endpoints::discovery(call));
            list.push(Route { method: Method::GET, template, serve });
        }
    }
    let mut page = |method: &Method, path: &'static str, serve: fn(Call) -> Serving| {
        list.push(Route { method: method.clone(), template: Template::new(Style::Short, path), serve });
    };
    page(&Method::GET, "/approvals", |call| Box::pin(endpoints::inbox(call)));
    page(&Method::GET, "/approvals/{handle}", |call| Box::pin(endpoints::request(call)));
    page(&Method::POST, "/approvals/{handle}", |call| Box::pin(endpoints::decide(call)));
    page(&Method::GET, "/sign-in/callback", |call| Box::pin(endpoints::sign_in_callback(call)));
    page(&Method::POST, "/sign-out", |call| Box::pin(endpoints::sign_out(call)));
    page(&Method::GET, "/approvals.css", |call| Box::pin(endpoints::stylesheet(call)));
    page(&Method::GET, "/approvals.js", |call| Box::pin(endpoints::script(call)));
    list
}
