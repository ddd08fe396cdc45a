//! Lookup of kind `static`: the realm file's own list. A hint is a `preferred_username`, exactly, or an `email`, without
//! regard to case; two hits are ambiguous.

use std::{collections::HashMap, sync::Arc};

use super::Found;
use crate::realm::{
    StaticUser, User,
    policy::Status,
    user::{Identity, SamePerson},
};

pub(super) struct StaticUsers {
    iss: Box<str>,
    users: Vec<(Arc<User>, bool)>,
    by_username: HashMap<Box<str>, Vec<usize>>,
    /// In lower case.
    by_email: HashMap<Box<str>, Vec<usize>>,
    by_sub: HashMap<Box<str>, usize>,
}

impl StaticUsers {
    /// Each user must sign in as `sub` of `iss`.
    pub(super) fn new(iss: &str, users: &[StaticUser]) -> Self {
        let mut all = Self {
            iss: iss.into(),
            users: Vec::with_capacity(users.len()),
            by_username: HashMap::new(),
            by_email: HashMap::new(),
            by_sub: HashMap::new(),
        };
        for (at, user) in users.iter().enumerate() {
            if let Some(username) = &user.claims.preferred_username {
                all.by_username.entry(username.clone()).or_default().push(at);
            }
            if let Some(email) = &user.claims.email {
                all.by_email.entry(email.to_lowercase().into()).or_default().push(at);
            }
            all.by_sub.insert(user.sub.as_str().into(), at);
            let sub: Box<str> = user.sub.as_str().into();
            let found = User {
                sub: Some(sub.clone()),
                same_person: SamePerson::Identity(Identity { iss: iss.into(), sub }),
                claims: user.claims.clone(),
                user_code: user.user_code.clone(),
            };
            all.users.push((Arc::new(found), user.enabled));
        }
        all
    }

    pub(super) const fn len(&self) -> usize {
        self.users.len()
    }

    pub(super) fn find(&self, hint: &str) -> Found {
        let by_username = self.by_username.get(hint).map(Vec::as_slice).unwrap_or_default();
        let by_email = if hint.contains('@') { self.by_email.get(hint.to_lowercase().as_str()) } else { None };
        let by_email = by_email.map(Vec::as_slice).unwrap_or_default();
        let at = match (by_username, by_email) {
            ([], []) => return Found::Nobody,
            ([at], []) | ([], [at]) => *at,
            ([at], [same]) if at == same => *at,
            _ => return Found::Ambiguous,
        };
        self.at(at)
    }

    pub(super) fn find_by_sub(&self, sub: &str) -> Found {
        self.by_sub.get(sub).map_or(Found::Nobody, |at| self.at(*at))
    }

    fn at(&self, at: usize) -> Found {
        match self.users.get(at) {
            Some((user, true)) => Found::User(Arc::clone(user)),
            Some((_, false)) => Found::Disabled,
            None => Found::Nobody,
        }
    }

    pub(super) fn status(&self, identity: &Identity) -> Status {
        let at = self.by_sub.get(&identity.sub).filter(|_| identity.iss == self.iss);
        match at.and_then(|at| self.users.get(*at)) {
            Some((_, true)) => Status::Active,
            Some((_, false)) => Status::Disabled,
            None => Status::Gone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realm::user::Claims;

    fn user(sub: &str, username: Option<&str>, email: Option<&str>, enabled: bool) -> StaticUser {
        let claims =
            Claims { preferred_username: username.map(Into::into), email: email.map(Into::into), ..Claims::default() };
        StaticUser { sub: sub.into(), enabled, claims, user_code: Some("$argon2id$".into()) }
    }

    fn users() -> StaticUsers {
        StaticUsers::new(
            "https://op.example",
            &[
                user("1", Some("alice"), Some("Alice@x.example"), true),
                user("2", Some("bob"), Some("both@x.example"), true),
                user("3", Some("bobby"), Some("both@x.example"), true),
                user("4", Some("carol"), None, false),
                user("5", Some("alice@x.example"), None, true),
                user("6", Some("eve@x.example"), Some("eve@x.example"), true),
                user("7", None, None, true),
            ],
        )
    }

    #[test]
    fn hints() {
        let table = [
            ("user name", "bob", "2"),
            ("user name in other case", "Bob", "nobody"),
            ("part of a user name", "ali", "nobody"),
            ("the `sub` is no hint", "2", "nobody"),
            ("e-mail of two", "both@x.example", "ambiguous"),
            ("e-mail in other case", "EVE@X.EXAMPLE", "6"),
            ("user name and e-mail of the same", "eve@x.example", "6"),
            ("user name of one, e-mail of another", "alice@x.example", "ambiguous"),
            ("disabled", "carol", "disabled"),
            ("white space", " bob", "nobody"),
            ("nobody", "mallory", "nobody"),
        ];
        for (case, hint, expected) in table {
            let found = match users().find(hint) {
                Found::User(user) => user.sub.clone().unwrap().into_string(),
                Found::Nobody => "nobody".into(),
                Found::Ambiguous => "ambiguous".into(),
                Found::Disabled => "disabled".into(),
            };
            assert_eq!(found, expected, "{case}");
        }
    }

    #[test]
    fn by_sub() {
        for (sub, expected) in
            [("2", "one user"), ("4", "one user, who is disabled"), ("bob", "nobody"), ("", "nobody")]
        {
            assert_eq!(users().find_by_sub(sub).in_words(), expected, "{sub}");
        }
    }

    #[test]
    fn a_user_signs_in_as_its_sub_and_keeps_its_user_code() {
        let Found::User(user) = users().find("bob") else { panic!("bob") };
        let identity = Identity { iss: "https://op.example".into(), sub: "2".into() };
        assert_eq!(user.same_person, SamePerson::Identity(identity));
        assert_eq!(user.user_code.as_deref(), Some("$argon2id$"));
    }

    #[test]
    fn status() {
        let identity = |iss: &str, sub: &str| Identity { iss: iss.into(), sub: sub.into() };
        assert_eq!(users().status(&identity("https://op.example", "2")), Status::Active);
        assert_eq!(users().status(&identity("https://op.example", "4")), Status::Disabled);
        assert_eq!(users().status(&identity("https://op.example", "9")), Status::Gone);
        assert_eq!(users().status(&identity("https://other.example", "2")), Status::Gone);
    }
}
