//! Step 1 of an authentication request: the parameters, parsed and judged each by itself (CIBA Core 7.1, 7.2).

use std::time::Duration;

use crate::{
    ciba::{details, hint::Hint, visible::is_plain},
    oauth::{AuthorizationDetails, Code, Error, Params, Scope, json},
    realm::{CibaPolicy, Client, Realm, client::Delivery},
};

/// The longest `binding_message`, in Unicode scalar values.
const LONGEST_MESSAGE: usize = 150;
/// How long a `client_notification_token` may be, in characters. CIBA Core asks for 128 bits, which fewer hardly hold.
const NOTIFICATION_TOKEN: std::ops::RangeInclusive<usize> = 16..=1024;
/// The longest `acr_values`, in characters.
const LONGEST_ACR_VALUES: usize = 1000;

/// The parameters of a well-formed request.
pub(super) struct Parameters<'a> {
    pub scope: Scope,
    pub hint: Hint<'a>,
    pub binding_message: Option<&'a str>,
    pub acr_values: Option<&'a str>,
    /// Within the realm's bounds.
    pub expires_in: Duration,
    pub user_code: Option<&'a str>,
    /// The bearer token for the client's notification endpoint; there exactly where the client is notified.
    pub client_notification_token: Option<&'a str>,
    pub authorization_details: AuthorizationDetails,
}

impl<'a> Parameters<'a> {
    /// `params` are those of the form, or of the request object that stands for them.
    pub(super) fn parse(params: &'a Params, client: &Client, realm: &Realm) -> Result<Self, Error> {
        json_object(params, "claims")?;
        json_object(params, "request_context")?;
        resource(params, realm)?;
        let types = &realm.authorization_details_types;
        Ok(Self {
            hint: Hint::of(params, client)?,
            scope: scope(params, client)?,
            binding_message: binding_message(params, realm)?,
            acr_values: acr_values(params)?,
            expires_in: requested_expiry(params, &realm.ciba)?,
            user_code: user_code(params, client)?,
            client_notification_token: client_notification_token(params, client)?,
            authorization_details: details::parse(params.get("authorization_details"), types, client)?,
        })
    }
}

/// `claims` (OpenID Connect Core 5.5) and `request_context` (FAPI-CIBA 5.3) change nothing here, but must be what they are.
fn json_object(params: &Params, name: &'static str) -> Result<(), Error> {
    match params.get(name).map(|text| json::strict_object(text.as_bytes())) {
        Some(None) => Err(Error::invalid_request(format!("{name} must be a JSON object"))),
        _ => Ok(()),
    }
}

/// Access tokens are for the issuer itself; that they count elsewhere must not be thought (RFC 8707 2).
fn resource(params: &Params, realm: &Realm) -> Result<(), Error> {
    match params.get("resource") {
        Some(resource) if resource != realm.issuer => {
            Err(Error::new(Code::InvalidTarget, "Access tokens are issued for the issuer alone"))
        }
        _ => Ok(()),
    }
}

fn scope(params: &Params, client: &Client) -> Result<Scope, Error> {
    let text = params.get("scope").ok_or_else(|| Error::invalid_request("scope is missing"))?;
    let invalid = |description| Error::new(Code::InvalidScope, description);
    let scope = Scope::parse(text).map_err(|_| invalid("scope is malformed"))?;
    if !scope.contains("openid") {
        return Err(invalid("scope must contain openid"));
    }
    if !scope.is_subset_of(&client.scope) {
        return Err(invalid("The client may not ask for this scope"));
    }
    Ok(scope)
}

fn binding_message<'a>(params: &'a Params, realm: &Realm) -> Result<Option<&'a str>, Error> {
    let Some(message) = params.get("binding_message") else {
        let required = realm.profile.restrictions().binding_message;
        return if required { Err(Error::invalid_request("binding_message is missing")) } else { Ok(None) };
    };
    let invalid = |description| Err(Error::new(Code::InvalidBindingMessage, description));
    if message.chars().count() > LONGEST_MESSAGE {
        return invalid("binding_message must not have more than 150 characters");
    }
    if !message.chars().all(is_plain) {
        return invalid("binding_message must consist of printable characters, without emoji");
    }
    if message.trim().is_empty() {
        return invalid("binding_message must not be blank");
    }
    Ok(Some(message))
}

fn acr_values(params: &Params) -> Result<Option<&str>, Error> {
    match params.get("acr_values") {
        Some(values) if values.len() > LONGEST_ACR_VALUES => Err(Error::invalid_request("acr_values is too long")),
        values => Ok(values),
    }
}

/// Decimal digits and nothing else; honoured within the realm's bounds.
fn requested_expiry(params: &Params, policy: &CibaPolicy) -> Result<Duration, Error> {
    let Some(text) = params.get("requested_expiry") else { return Ok(policy.expires_in) };
    let seconds = text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    match seconds {
        Some(seconds) if seconds > 0 => {
            Ok(Duration::from_secs(seconds).clamp(policy.min_requested_expiry, policy.max_requested_expiry))
        }
        _ => Err(Error::invalid_request("requested_expiry must be a positive whole number of seconds")),
    }
}

fn user_code<'a>(params: &'a Params, client: &Client) -> Result<Option<&'a str>, Error> {
    match params.get("user_code") {
        Some(_) if !client.backchannel_user_code_parameter => {
            Err(Error::invalid_request("The client is not registered for user_code"))
        }
        code => Ok(code),
    }
}

/// CIBA Core 7.1: required for ping and push, in the syntax of a bearer token (RFC 6750 2.1); of no use to a client that
/// polls.
fn client_notification_token<'a>(params: &'a Params, client: &Client) -> Result<Option<&'a str>, Error> {
    if client.delivery == Delivery::Poll {
        return Ok(None);
    }
    let Some(token) = params.get("client_notification_token") else {
        return Err(Error::invalid_request("client_notification_token is missing"));
    };
    if !NOTIFICATION_TOKEN.contains(&token.len()) {
        return Err(Error::invalid_request("client_notification_token must have 16 to 1024 characters"));
    }
    if !is_b64token(token) {
        return Err(Error::invalid_request("client_notification_token is no bearer token"));
    }
    Ok(Some(token))
}

/// `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`
fn is_b64token(text: &str) -> bool {
    let token = text.trim_end_matches('=');
    let is_one = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(&b);
    !token.is_empty() && token.bytes().all(is_one)
}
