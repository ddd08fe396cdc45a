//! Values into responses: one place for status, headers and shapes.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::{
    oauth::{Code, Error, error::Challenge},
    realm::Realm,
};

pub type Response = warp::reply::Response;

/// An answer with what the access log says of it.
pub(super) struct Reply {
    pub(super) response: Response,
    pub(super) client: Option<String>,
    /// The error code, or `ok`.
    pub(super) outcome: &'static str,
    pub(super) cause: Option<String>,
}

impl Reply {
    pub(super) fn ok(response: Response) -> Self {
        Self { response, client: None, outcome: "ok", cause: None }
    }

    pub(super) fn of_client(mut self, client: impl Into<String>) -> Self {
        self.client = Some(client.into());
        self
    }
}

/// JSON that nobody may keep: tokens, acknowledgements, claims.
pub(super) fn private_json(status: StatusCode, value: &impl Serialize) -> Response {
    private_json_text(status, serde_json::to_vec(value).unwrap_or_default())
}

/// The same for what is JSON already.
pub(super) fn private_json_text(status: StatusCode, json: impl Into<Bytes>) -> Response {
    let mut response = json_bytes(status, json.into());
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// Metadata and keys: anybody may read them from anywhere and keep them for five minutes.
pub(super) fn public_json(bytes: Bytes) -> Response {
    let mut response = json_bytes(StatusCode::OK, bytes);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

fn json_bytes(status: StatusCode, bytes: Bytes) -> Response {
    with_type(status, "application/json", bytes)
}

pub(super) fn with_type(status: StatusCode, content_type: &'static str, bytes: impl Into<Bytes>) -> Response {
    let bytes: Bytes = bytes.into();
    let mut response = Response::new(bytes.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    error_description: &'a str,
}

/// Nothing but a status: what was asked for is done.
pub(super) fn done(status: StatusCode) -> Response {
    let mut response = Response::new(Bytes::new().into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An error in the one shape: `error`, `error_description` and nothing else (RFC 6749 5.2, CIBA Core 13).
pub(super) fn error(error: &Error, realm: Option<&Realm>) -> Reply {
    let code = error.code().as_str();
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = Body { error: code, error_description: error.description() };
    let mut response = private_json(status, &body);
    let headers = response.headers_mut();
    let challenge = error.challenge().or_else(|| (status == StatusCode::UNAUTHORIZED).then_some(Challenge::Basic));
    for challenge in challenge.map(|challenge| challenges(challenge, error, realm)).unwrap_or_default() {
        if let Ok(challenge) = HeaderValue::try_from(challenge) {
            headers.append(header::WWW_AUTHENTICATE, challenge);
        }
    }
    if let Some(seconds) = error.retry_after_seconds() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    Reply { response, client: None, outcome: code, cause: error.cause().map(str::to_owned) }
}

/// The lines of `WWW-Authenticate` (RFC 9110 11.6.1).
fn challenges(challenge: Challenge, error: &Error, realm: Option<&Realm>) -> Vec<String> {
    let name = realm.map_or("realmgate", |realm| &realm.name);
    let described = || {
        let scope = if error.code() == Code::InsufficientScope { r#", scope="openid""# } else { "" };
        format!(r#"error="{}", error_description="{}"{scope}"#, error.code().as_str(), error.description())
    };
    let algs = || {
        let algorithms = realm.map_or(&[][..], |realm| realm.profile.restrictions().client_algorithms);
        let algorithms: Vec<_> = algorithms.iter().map(|algorithm| algorithm.as_str()).collect();
        format!(r#"algs="{}""#, algorithms.join(" "))
    };
    match challenge {
        Challenge::Basic => vec![format!(r#"Basic realm="{name}""#)],
        Challenge::Bearer => vec![format!(r#"Bearer realm="{name}""#)],
        Challenge::BearerError => vec![format!(r#"Bearer realm="{name}", {}"#, described())],
        Challenge::AccessToken => {
            vec![format!(r#"Bearer realm="{name}""#), format!(r#"DPoP realm="{name}", {}"#, algs())]
        }
        Challenge::DpopError => vec![format!(r#"DPoP realm="{name}", {}, {}"#, described(), algs())],
    }
}
