//! Replies of the demo's programs, with the headers that every page has: no other origin may frame it, nothing but our own
//! style and script is loaded, nothing is kept.

use askama::Template;
use cookie::{Cookie, SameSite};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use warp::{Reply, reply::Response};

use crate::oauth::{Error, error::Challenge};

/// What the demo's pages and replies have in common on top.
#[derive(Template)]
#[template(path = "demo/templates/message.html")]
pub(super) struct Message<'a> {
    pub(super) title: &'a str,
    pub(super) text: &'a str,
    /// Text and address.
    pub(super) link: Option<(&'a str, &'a str)>,
}

/// A page. `form_action` is where its forms may lead: browsers apply it to the redirect after a form, too.
pub(super) fn page(status: StatusCode, template: &impl Template, form_action: &str) -> Response {
    let Ok(html) = template.render() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let policy = format!(
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; \
         form-action {form_action}; base-uri 'none'; frame-ancestors 'none'"
    );
    let mut response = content(status, "text/html; charset=utf-8", html);
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    } else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    // `no-referrer` would make browsers send `Origin: null` with our own forms
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

pub(super) fn message(status: StatusCode, title: &str, text: &str) -> Response {
    page(status, &Message { title, text, link: None }, "'none'")
}

pub(super) fn not_found() -> Response {
    message(StatusCode::NOT_FOUND, "Not found", "There is nothing at this address.")
}

pub(super) fn method_not_allowed(methods: &'static str) -> Response {
    let mut response = message(
        StatusCode::METHOD_NOT_ALLOWED,
        "This address works differently",
        "It does not take this kind of request.",
    );
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods));
    response
}

/// Says where the demo answers: to a person as a page, to a program as JSON.
pub(super) fn misdirected(address: &str, is_browser: bool) -> Response {
    if !is_browser {
        let error = Error::invalid_request(format!("The demo answers at {address} alone"));
        return self::error(&error.with_status(StatusCode::MISDIRECTED_REQUEST.as_u16()));
    }
    let text = "The demo answers at its own address alone.";
    let link = Some((address, address));
    page(StatusCode::MISDIRECTED_REQUEST, &Message { title: "Another address", text, link }, "'none'")
}

pub(super) fn unavailable() -> Response {
    message(
        StatusCode::SERVICE_UNAVAILABLE,
        "Sorry, there is a problem with the demo",
        "Nothing was started. Wait a minute and try again.",
    )
}

pub(super) fn content(status: StatusCode, kind: &'static str, body: impl Into<String>) -> Response {
    let mut response = body.into().into_response();
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

pub(super) fn style() -> Response {
    content(StatusCode::OK, "text/css; charset=utf-8", include_str!("style.css"))
}

pub(super) fn json(body: &impl Serialize) -> Response {
    match serde_json::to_string(body) {
        Ok(body) => content(StatusCode::OK, "application/json", body),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// RFC 6749 5.2, RFC 6750 3.
pub(super) fn error(error: &Error) -> Response {
    let body = serde_json::json!({"error": error.code().as_str(), "error_description": error.description()});
    let mut response = content(StatusCode::OK, "application/json", body.to_string());
    *response.status_mut() = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let challenge = error.challenge().map(|challenge| match challenge {
        Challenge::Basic => "Basic realm=\"demo\"".to_owned(),
        Challenge::Bearer | Challenge::AccessToken => "Bearer realm=\"demo\"".to_owned(),
        Challenge::BearerError | Challenge::DpopError => {
            format!("Bearer realm=\"demo\", error=\"{}\"", error.code().as_str())
        }
    });
    if let Some(challenge) = challenge.and_then(|challenge| HeaderValue::from_str(&challenge).ok()) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// 303: the browser goes there with GET.
pub(super) fn redirect(location: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(location) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = content(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", "");
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// A cookie for as long as the browser is open; the demo has no HTTPS, so neither `Secure` nor a prefix.
pub(super) fn with_cookie(mut response: Response, name: &'static str, value: String) -> Response {
    let cookie = Cookie::build((name, value)).path("/").http_only(true).same_site(SameSite::Lax).build();
    if let Ok(cookie) = HeaderValue::from_str(&cookie.to_string()) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
