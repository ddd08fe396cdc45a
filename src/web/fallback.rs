//! What no route is for: 405 with `Allow` where the address takes another method, 404 else, in the one error shape.

use http::{HeaderValue, Method, StatusCode, header};
use serde_json::json;

use super::{
    list::Route,
    path::realm_of,
    reply::{self, Reply},
};
use crate::{
    gateway::Gateway,
    oauth::{Code, Error},
    realm::Style,
};

/// The outcome in the access log of a request for a realm that is not served.
pub(super) const UNKNOWN_REALM: &str = "unknown_realm";

pub(super) fn answer(gateway: &Gateway, list: &[Route], path: &str) -> Reply {
    let (style, realm) = realm_of(path);
    if realm.is_none_or(|realm| gateway.realm(&realm).is_none()) {
        return unknown_realm(style);
    }
    let mut allowed: Vec<&Method> =
        list.iter().filter(|route| route.template.matches(path).is_some()).map(|route| &route.method).collect();
    if allowed.is_empty() {
        return reply::error(&Error::new(Code::NotFound, "There is nothing at this address"), None);
    }
    if allowed.contains(&&Method::GET) {
        allowed.push(&Method::HEAD);
    }
    let allow = allowed.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(", ");
    let mut reply = reply::error(&Error::new(Code::MethodNotAllowed, "This address takes another method"), None);
    if let Ok(allow) = HeaderValue::try_from(allow) {
        reply.response.headers_mut().insert(header::ALLOW, allow);
    }
    reply
}

/// A realm that is unknown or disabled, in the shape of the style that was asked.
pub(super) fn unknown_realm(style: Style) -> Reply {
    let reply = match style {
        Style::Short => reply::error(&Error::new(Code::NotFound, "There is no such realm"), None),
        Style::Keycloak => {
            Reply::ok(reply::private_json(StatusCode::NOT_FOUND, &json!({"error": "Realm does not exist"})))
        }
    };
    Reply { outcome: UNKNOWN_REALM, ..reply }
}
