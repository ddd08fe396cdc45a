//! Each endpoint: from the call of its kind to the feature, and from its result to a reply.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;

use super::{
    call::Call,
    reply::{self, Reply, private_json, private_json_text, public_json},
};
use crate::{
    approval::{self, Answer, Visit},
    client_auth::AuthenticatedClient,
    event::Event,
    keycloak,
    oauth::{Error, Params},
    realm::Endpoint,
    token::{GrantType, presented},
};

/// `POST /{realm}/token`
pub(super) async fn token(call: Call) -> Reply {
    match call.form() {
        Ok(params) => token_request(&call, &params, Endpoint::Token).await,
        Err(error) => token_refused(&call, &error),
    }
}

async fn token_request(call: &Call, params: &Params, endpoint: Endpoint) -> Reply {
    if let Err(error) = GrantType::of(params) {
        return token_refused(call, &error);
    }
    let client = match call.client(params).await {
        Ok(client) => client,
        Err(error) => return token_refused(call, &error),
    };
    let live = &call.live;
    let result = live.tokens.token(&live.ciba, &client, params, &call.sender(endpoint), call.now).await;
    of_client(call, &client, result)
}

/// Before it is known who asks.
pub(super) fn token_refused(call: &Call, error: &Error) -> Reply {
    call.gateway.parts().events.tell(Event::TokenRefused { realm: &call.live.realm.name, client: None, error });
    refusal(call, error)
}

/// `POST /{realm}/bc-authorize`; with a `grant_type` it is a token request, since a widely read page prints it so.
pub(super) async fn bc_authorize(call: Call) -> Reply {
    let params = match call.form() {
        Ok(params) if params.get("grant_type").is_some() => {
            return token_request(&call, &params, Endpoint::BackchannelAuthentication).await;
        }
        Ok(params) => params,
        Err(error) => return request_refused(&call, &error),
    };
    let client = match call.client(&params).await {
        Ok(client) => client,
        Err(error) => return request_refused(&call, &error),
    };
    let result = call.live.ciba.authenticate(&client, &params, call.now).await;
    if let Err(error) = &result {
        tell_request_refused(&call, Some(&client.client_id), error);
    }
    of_client(&call, &client, result)
}

/// Before it is known who asks.
fn request_refused(call: &Call, error: &Error) -> Reply {
    tell_request_refused(call, None, error);
    refusal(call, error)
}

fn tell_request_refused(call: &Call, client: Option<&str>, error: &Error) {
    let realm = &*call.live.realm.name;
    call.gateway.parts().events.tell(Event::RequestRefused { realm, client, error });
}

/// `POST /{realm}/bc-authorize/callback`
pub(super) async fn callback(call: Call) -> Reply {
    let live = &call.live;
    let result = async {
        let authorization = call.authorization()?;
        if call.media_type().is_some_and(|media_type| !media_type.eq_ignore_ascii_case("application/json")) {
            return Err(Error::invalid_request("The content type must be application/json"));
        }
        let bearer = presented::bearer(authorization);
        let body = call.body.as_ref().map_err(Clone::clone)?;
        live.ciba.callback(bearer, body, call.now).await
    };
    match result.await {
        Ok(client) => {
            let response = private_json_text(StatusCode::OK, keycloak::callback::ACCEPTED);
            Reply::ok(response).of_client(client)
        }
        Err(error) => refusal(&call, &error),
    }
}

/// `GET /{realm}/jwks`
pub(super) async fn jwks(call: Call) -> Reply {
    Reply::ok(public_json(call.live.jwks()))
}

/// `GET /{realm}/.well-known/openid-configuration`
pub(super) async fn discovery(call: Call) -> Reply {
    Reply::ok(public_json(call.live.discovery(call.style)))
}

pub(super) fn of_client<T: Serialize>(call: &Call, client: &AuthenticatedClient, result: Result<T, Error>) -> Reply {
    match result {
        Ok(value) => Reply::ok(private_json(StatusCode::OK, &value)),
        Err(error) => refusal(call, &error),
    }
    .of_client(&*client.client_id)
}

pub(super) fn refusal(call: &Call, error: &Error) -> Reply {
    reply::error(error, Some(&call.live.realm))
}

/// `GET` and `POST /{realm}/authorize`: there is no front channel, whatever is sent.
pub(super) async fn authorize(call: Call) -> Reply {
    answered(call.live.approval.no_authorization(call.now))
}

/// `GET /{realm}/approvals`
pub(super) async fn inbox(call: Call) -> Reply {
    let browser = Browser::of(&call, false);
    let (approval, visit) = (&call.live.approval, browser.visit(&call));
    answered(match browser.unreadable {
        None => approval.inbox(&visit).await,
        Some(status) => approval.bad_request(&visit, status),
    })
}

/// `GET /{realm}/approvals/{handle}`
pub(super) async fn request(call: Call) -> Reply {
    let browser = Browser::of(&call, false);
    let (approval, visit) = (&call.live.approval, browser.visit(&call));
    let handle = call.handle.as_deref().unwrap_or_default();
    answered(match browser.unreadable {
        None => approval.request(&visit, handle).await,
        Some(status) => approval.bad_request(&visit, status),
    })
}

/// `POST /{realm}/approvals/{handle}`
pub(super) async fn decide(call: Call) -> Reply {
    let browser = Browser::of(&call, true);
    let (approval, visit) = (&call.live.approval, browser.visit(&call));
    let handle = call.handle.as_deref().unwrap_or_default();
    answered(match browser.unreadable {
        None => approval.decide(&visit, handle, &browser.form).await,
        Some(status) => approval.bad_request(&visit, status),
    })
}

/// `GET /{realm}/sign-in/callback`
pub(super) async fn sign_in_callback(call: Call) -> Reply {
    let browser = Browser::of(&call, false);
    let (approval, visit) = (&call.live.approval, browser.visit(&call));
    answered(match browser.unreadable {
        None => approval.sign_in_callback(&visit).await,
        Some(status) => approval.bad_request(&visit, status),
    })
}

/// `POST /{realm}/sign-out`
pub(super) async fn sign_out(call: Call) -> Reply {
    let browser = Browser::of(&call, true);
    let (approval, visit) = (&call.live.approval, browser.visit(&call));
    answered(match browser.unreadable {
        None => approval.sign_out(&visit, &browser.form).await,
        Some(status) => approval.bad_request(&visit, status),
    })
}

/// `GET /{realm}/approvals.css`
pub(super) async fn stylesheet(_: Call) -> Reply {
    asset(approval::stylesheet())
}

/// `GET /{realm}/approvals.js`
pub(super) async fn script(_: Call) -> Reply {
    asset(approval::script())
}

fn asset((content_type, bytes): (&'static str, &'static [u8])) -> Reply {
    let mut response = reply::with_type(StatusCode::OK, content_type, bytes);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    Reply::ok(response)
}

/// A browser's call: query, form and cookies, parsed.
pub(super) struct Browser {
    pub(super) query: Params,
    pub(super) form: Params,
    cookies: String,
    /// The answer's status where query or form could not be read.
    pub(super) unreadable: Option<u16>,
}

impl Browser {
    pub(super) fn of(call: &Call, has_form: bool) -> Self {
        let cookies = cookies(&call.headers);
        let form = if has_form { call.form() } else { Ok(Params::default()) };
        match Params::parse(call.query.as_bytes()).and_then(|query| Ok((query, form?))) {
            Ok((query, form)) => Self { query, form, cookies, unreadable: None },
            Err(error) => {
                Self { query: Params::default(), form: Params::default(), cookies, unreadable: Some(error.status()) }
            }
        }
    }

    pub(super) fn visit<'a>(&'a self, call: &'a Call) -> Visit<'a> {
        Visit {
            now: call.now,
            query: &self.query,
            cookie: (!self.cookies.is_empty()).then_some(&self.cookies),
            origin: call.header(header::ORIGIN),
            sec_fetch_site: call.headers.get("sec-fetch-site").and_then(|value| value.to_str().ok()),
        }
    }
}

/// All cookies as one header has them. A value that is not ASCII spoils none but itself: any site of the same domain can give
/// a browser such a cookie, and nobody could sign in any more.
fn cookies(headers: &HeaderMap) -> String {
    let lines = headers.get_all(header::COOKIE).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    lines.collect::<Vec<_>>().join("; ")
}

/// A page or redirect with the headers that all of them carry.
pub(super) fn answered(answer: Answer) -> Reply {
    let (status, body, location, cookies, outcome, cause) = match answer {
        Answer::Page { status, html, cookies, outcome, cause } => (status, html, None, cookies, outcome, cause),
        Answer::Redirect { location, cookies } => (303, String::new(), Some(location), cookies, "ok", None),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = reply::with_type(status, "text/html; charset=utf-8", body);
    let headers = response.headers_mut();
    for (name, value) in approval::HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some(location) = location.and_then(|location| HeaderValue::try_from(location).ok()) {
        headers.insert(header::LOCATION, location);
    }
    for cookie in cookies {
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            headers.append(header::SET_COOKIE, cookie);
        }
    }
    Reply { outcome, cause, ..Reply::ok(response) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_that_is_not_ascii_spoils_no_other() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_bytes(b"theirs=\xe9\xff; ours=1").unwrap());
        headers.append(header::COOKIE, HeaderValue::from_static("second=2"));
        assert!(cookies(&headers).ends_with("; ours=1; second=2"));
    }
}
