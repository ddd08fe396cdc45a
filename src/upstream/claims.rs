//! Standard claims (OpenID Connect Core 5.1) as the gateway keeps them, from an ID token or a userinfo answer alike.
//! A claim of the wrong type, too long or with control characters is left out; it never spoils the others.

use openidconnect::core::CoreIdTokenClaims;
use serde_json::{Map, Value};

use crate::realm::user::Claims;

/// In bytes; what is longer is not a name.
const LONGEST: usize = 512;

pub(super) fn of_id_token(claims: &CoreIdTokenClaims) -> Claims {
    match serde_json::to_value(claims) {
        Ok(Value::Object(members)) => of(&members),
        _ => Claims::default(),
    }
}

pub(super) fn of(members: &Map<String, Value>) -> Claims {
    let text = |name: &str| members.get(name)?.as_str().and_then(bounded);
    // `true` alone counts: the text "true" is not what the specification says.
    let flag = |name: &str| members.get(name)?.as_bool();
    Claims {
        name: text("name"),
        given_name: text("given_name"),
        family_name: text("family_name"),
        preferred_username: text("preferred_username"),
        locale: text("locale"),
        email: text("email"),
        email_verified: flag("email_verified"),
        phone_number: text("phone_number"),
        phone_number_verified: flag("phone_number_verified"),
    }
}

/// `first`, and what it lacks from `second`. Whether an address is verified is said by whoever said the address.
pub(super) fn merged(first: Claims, second: Claims) -> Claims {
    let (email, email_verified) =
        if first.email.is_some() { (first.email, first.email_verified) } else { (second.email, second.email_verified) };
    let (phone_number, phone_number_verified) = if first.phone_number.is_some() {
        (first.phone_number, first.phone_number_verified)
    } else {
        (second.phone_number, second.phone_number_verified)
    };
    Claims {
        name: first.name.or(second.name),
        given_name: first.given_name.or(second.given_name),
        family_name: first.family_name.or(second.family_name),
        preferred_username: first.preferred_username.or(second.preferred_username),
        locale: first.locale.or(second.locale),
        email,
        email_verified,
        phone_number,
        phone_number_verified,
    }
}

pub(super) fn bounded(text: impl AsRef<str>) -> Option<Box<str>> {
    let text = text.as_ref();
    (!text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control)).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: &Value) -> Claims {
        of(value.as_object().unwrap())
    }

    #[test]
    fn what_is_no_claim_is_left_out() {
        let all = claims(&json!({
            "name": 7, "given_name": "a\u{1b}[2J", "family_name": "x".repeat(513), "locale": "",
            "preferred_username": "alice", "email": "a@x.example", "email_verified": "true",
        }));
        let expected =
            Claims { preferred_username: Some("alice".into()), email: Some("a@x.example".into()), ..Claims::default() };
        assert_eq!(all, expected);
    }

    #[test]
    fn an_address_keeps_the_word_of_its_own_source() {
        let first = claims(&json!({"email": "a@x.example"}));
        let second = claims(&json!({"email": "b@x.example", "email_verified": true, "name": "B"}));
        let both = merged(first, second.clone());
        assert_eq!((both.email.as_deref(), both.email_verified), (Some("a@x.example"), None));
        assert_eq!(both.name.as_deref(), Some("B"));
        assert_eq!(merged(Claims::default(), second.clone()), second);
    }
}
