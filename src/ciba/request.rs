//! Step 1 of an authentication request: the parameters, parsed and judged each by itself (CIBA Core 7.1, 7.2).

use std::time::Duration;

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use crate::{
    oauth::{Code, Error, Params, Scope},
    realm::{CibaPolicy, Client, client::Delivery},
};

/// The longest hint that is looked up, in characters.
const LONGEST_HINT: usize = 255;
/// The longest `binding_message`, in Unicode scalar values.
const LONGEST_MESSAGE: usize = 150;
/// How long a `client_notification_token` may be, in characters. CIBA Core asks for 128 bits, which fewer hardly hold.
const NOTIFICATION_TOKEN: std::ops::RangeInclusive<usize> = 16..=1024;
/// The longest `acr_values`, in characters.
const LONGEST_ACR_VALUES: usize = 1000;

/// The parameters of a well-formed request.
pub(super) struct Parameters<'a> {
    pub scope: Scope,
    pub login_hint: &'a str,
    pub binding_message: Option<&'a str>,
    pub acr_values: Option<&'a str>,
    /// Within the realm's bounds.
    pub expires_in: Duration,
    pub user_code: Option<&'a str>,
    /// The bearer token for the client's notification endpoint; there exactly where the client is notified.
    pub client_notification_token: Option<&'a str>,
}

impl<'a> Parameters<'a> {
    pub(super) fn parse(params: &'a Params, client: &Client, policy: &CibaPolicy) -> Result<Self, Error> {
        not_supported(params)?;
        Ok(Self {
            login_hint: hint(params)?,
            scope: scope(params, client)?,
            binding_message: binding_message(params)?,
            acr_values: acr_values(params)?,
            expires_in: requested_expiry(params, policy)?,
            user_code: user_code(params, client)?,
            client_notification_token: client_notification_token(params, client)?,
        })
    }
}

/// What would change the meaning of the request if it were ignored.
fn not_supported(params: &Params) -> Result<(), Error> {
    if params.get("request").is_some() {
        return Err(Error::invalid_request("Signed authentication requests are not supported"));
    }
    if params.get("request_uri").is_some() {
        return Err(Error::invalid_request("request_uri is not supported"));
    }
    if params.get("authorization_details").is_some() {
        return Err(Error::new(Code::InvalidAuthorizationDetails, "authorization_details are not supported"));
    }
    Ok(())
}

/// Exactly one hint.
fn hint(params: &Params) -> Result<&str, Error> {
    let hints = ["login_hint", "login_hint_token", "id_token_hint"].map(|name| params.get(name));
    match hints {
        [Some(hint), None, None] if hint.chars().count() > LONGEST_HINT => {
            Err(Error::invalid_request("login_hint is too long"))
        }
        [Some(hint), None, None] => Ok(hint),
        [None, Some(_), None] => Err(Error::invalid_request("login_hint_token is not supported")),
        [None, None, Some(_)] => Err(Error::invalid_request("id_token_hint is not supported")),
        [None, None, None] => Err(Error::invalid_request("A hint is missing: login_hint")),
        _ => Err(Error::invalid_request("The request has more than one hint")),
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

/// Letters, marks, numbers, punctuation, spaces, currency and mathematical signs of any language. No controls, no
/// bidirectional overrides, nothing invisible, no emoji: what the person sees must be what the client sent.
fn binding_message(params: &Params) -> Result<Option<&str>, Error> {
    let Some(message) = params.get("binding_message") else { return Ok(None) };
    let invalid = |description| Err(Error::new(Code::InvalidBindingMessage, description));
    if message.chars().count() > LONGEST_MESSAGE {
        return invalid("binding_message must not have more than 150 characters");
    }
    if !message.chars().all(is_shown) {
        return invalid("binding_message must consist of printable characters, without emoji");
    }
    if message.trim().is_empty() {
        return invalid("binding_message must not be blank");
    }
    Ok(Some(message))
}

fn is_shown(c: char) -> bool {
    use unicode_properties::GeneralCategory::{
        CurrencySymbol, LineSeparator, MathSymbol, ModifierSymbol, ParagraphSeparator,
    };
    if is_invisible(c) {
        return false;
    }
    match c.general_category_group() {
        GeneralCategoryGroup::Letter | GeneralCategoryGroup::Number | GeneralCategoryGroup::Punctuation => true,
        // turns digits and signs into emoji
        GeneralCategoryGroup::Mark => c != '\u{20e3}',
        GeneralCategoryGroup::Separator => !matches!(c.general_category(), LineSeparator | ParagraphSeparator),
        GeneralCategoryGroup::Symbol => matches!(c.general_category(), CurrencySymbol | MathSymbol | ModifierSymbol),
        GeneralCategoryGroup::Other => false,
    }
}

/// Letters and marks that show nothing (Unicode's `Default_Ignorable_Code_Point`): fillers, joiners, variation selectors.
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{34f}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{ffa0}'
            | '\u{e0100}'..='\u{e01ef}'
    )
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
