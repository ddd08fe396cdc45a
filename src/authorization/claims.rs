//! Which claims a scope releases (OpenID Connect Core 5.4).

use crate::{oauth::Scope, realm::user::Claims};

/// The claims about a person that `scope` releases.
pub fn released(claims: &Claims, scope: &Scope) -> Claims {
    let mut released = Claims::default();
    if scope.contains("profile") {
        released.name.clone_from(&claims.name);
        released.given_name.clone_from(&claims.given_name);
        released.family_name.clone_from(&claims.family_name);
        released.preferred_username.clone_from(&claims.preferred_username);
        released.locale.clone_from(&claims.locale);
    }
    if scope.contains("email") {
        released.email.clone_from(&claims.email);
        released.email_verified = claims.email_verified;
    }
    if scope.contains("phone") {
        released.phone_number.clone_from(&claims.phone_number);
        released.phone_number_verified = claims.phone_number_verified;
    }
    released
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_releases_its_own_claims_and_no_others() {
        let all = Claims {
            name: Some("n".into()),
            given_name: Some("g".into()),
            family_name: Some("f".into()),
            preferred_username: Some("p".into()),
            locale: Some("l".into()),
            email: Some("e".into()),
            email_verified: Some(true),
            phone_number: Some("t".into()),
            phone_number_verified: Some(false),
        };
        let table = [
            ("openid", serde_json::json!({})),
            ("openid email", serde_json::json!({"email": "e", "email_verified": true})),
            ("openid phone", serde_json::json!({"phone_number": "t", "phone_number_verified": false})),
            (
                "openid profile",
                serde_json::json!({"name": "n", "given_name": "g", "family_name": "f", "preferred_username": "p", "locale": "l"}),
            ),
        ];
        for (scope, expected) in table {
            let released = released(&all, &Scope::parse(scope).unwrap());
            assert_eq!(serde_json::to_value(released).unwrap(), expected, "{scope}");
        }
    }
}
