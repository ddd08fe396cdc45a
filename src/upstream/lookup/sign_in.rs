//! Lookup of kind `sign-in`: nobody is asked. Any hint may be somebody, and whoever signs in must match it; until then the
//! user has no `sub`.

use std::sync::Arc;

use super::Found;
use crate::realm::{
    HintMatch, User,
    user::{Claims, SamePerson},
};

pub(super) struct BySignIn {
    iss: Box<str>,
    matching: HintMatch,
}

impl BySignIn {
    pub(super) fn new(iss: &str, matching: HintMatch) -> Self {
        Self { iss: iss.into(), matching }
    }

    pub(super) fn find(&self, hint: &str) -> Found {
        let iss = self.iss.clone();
        let (same_person, claims) = match &self.matching {
            HintMatch::Sub => (SamePerson::Sub { iss, sub: hint.into() }, Claims::default()),
            HintMatch::PreferredUsername => (
                SamePerson::PreferredUsername { iss, preferred_username: hint.into() },
                Claims { preferred_username: Some(hint.into()), ..Claims::default() },
            ),
            HintMatch::Email { domains } => {
                let Some(email) = listed(hint, domains) else { return Found::Nobody };
                let claims = Claims { email: Some(email.clone()), ..Claims::default() };
                (SamePerson::Email { iss, email }, claims)
            }
        };
        Found::User(Arc::new(User { sub: None, same_person, claims, user_code: None }))
    }

    /// Whoever signs in with this `sub`. Where people belong to the realm by the domain of their address, a `sub` says nothing
    /// of that, and names nobody.
    pub(super) fn find_by_sub(&self, sub: &str) -> Found {
        if let HintMatch::Email { .. } = self.matching {
            return Found::Nobody;
        }
        let same_person = SamePerson::Sub { iss: self.iss.clone(), sub: sub.into() };
        Found::User(Arc::new(User { sub: None, same_person, claims: Claims::default(), user_code: None }))
    }

    pub(super) fn in_words(&self, found: &Found) -> String {
        let claim = match self.matching {
            HintMatch::Sub => "sub",
            HintMatch::PreferredUsername => "preferred_username",
            HintMatch::Email { .. } => "verified email",
        };
        match found {
            Found::User(_) => format!("nobody is asked: whoever signs in with this {claim} is the user"),
            _ => "the hint is no e-mail address of a listed domain".to_owned(),
        }
    }
}

/// The address, its ASCII letters in lower case, if it has exactly one `@` and its domain is listed.
fn listed(hint: &str, domains: &[String]) -> Option<Box<str>> {
    let email = hint.to_ascii_lowercase();
    let (local, domain) = email.split_once('@')?;
    let is_address = !local.is_empty() && !domain.contains('@');
    (is_address && domains.iter().any(|listed| listed.to_ascii_lowercase() == domain)).then(|| email.as_str().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_sub() {
        let by = |matching| match BySignIn::new("https://op.example", matching).find_by_sub("Az1") {
            Found::User(user) => Some(user.same_person.clone()),
            _ => None,
        };
        let sub = SamePerson::Sub { iss: "https://op.example".into(), sub: "Az1".into() };
        assert_eq!(by(HintMatch::Sub), Some(sub.clone()));
        assert_eq!(by(HintMatch::PreferredUsername), Some(sub));
        assert_eq!(by(HintMatch::Email { domains: vec!["x.example".into()] }), None);
    }

    #[test]
    fn what_must_match() {
        let iss = || Box::<str>::from("https://op.example");
        let mail = || HintMatch::Email { domains: vec!["X.example".into(), "y.example".into()] };
        let email = |email: &str| Some(SamePerson::Email { iss: iss(), email: email.into() });
        let table = [
            ("sub", HintMatch::Sub, "Az1", Some(SamePerson::Sub { iss: iss(), sub: "Az1".into() })),
            (
                "user name, as it is",
                HintMatch::PreferredUsername,
                "Alice",
                Some(SamePerson::PreferredUsername { iss: iss(), preferred_username: "Alice".into() }),
            ),
            ("e-mail in lower case", mail(), "Alice@X.Example", email("alice@x.example")),
            ("second domain", mail(), "a@y.example", email("a@y.example")),
            ("T-B2 unlisted domain", mail(), "a@z.example", None),
            ("T-B2 two @", mail(), "a@evil.example@x.example", None),
            ("T-B2 two @, listed first", mail(), "a@x.example@evil.example", None),
            ("sub-domain of a listed one", mail(), "a@b.x.example", None),
            (
                "a domain that looks alike",
                HintMatch::Email { domains: vec!["k.example".into()] },
                "a@\u{212a}.example",
                None,
            ),
            ("no local part", mail(), "@x.example", None),
            ("no @", mail(), "x.example", None),
        ];
        for (case, matching, hint, expected) in table {
            let found = match BySignIn::new("https://op.example", matching).find(hint) {
                Found::User(user) => {
                    assert_eq!(user.sub, None, "{case}");
                    Some(user.same_person.clone())
                }
                _ => None,
            };
            assert_eq!(found, expected, "{case}");
        }
    }
}
