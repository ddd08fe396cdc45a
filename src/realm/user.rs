//! The person: as a lookup knows them before they sign in ([`User`]), and as the upstream's sign-in shows them
//! ([`SignIn`]). Whether the two are the same person is decided here and nowhere else (I7).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{clock::Timestamp, secret::Digest};

/// A user that a lookup found for a hint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct User {
    /// The `sub` of this realm's tokens; absent where only the sign-in will tell (lookup of kind `sign-in`).
    pub sub: Option<Box<str>>,
    pub same_person: SamePerson,
    pub claims: Claims,
    /// An Argon2id PHC string, where the user has a user code.
    #[serde(skip)]
    pub user_code: Option<Arc<str>>,
}

/// What a sign-in must show to be the looked-up person. Never an e-mail address of an unlisted domain or an unverified one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SamePerson {
    /// The upstream's identifier of the person.
    Identity(Identity),
    /// The upstream's `sub` equals the hint.
    Sub { iss: Box<str>, sub: Box<str> },
    /// The upstream's `preferred_username` equals the hint.
    PreferredUsername { iss: Box<str>, preferred_username: Box<str> },
    /// The upstream's verified `email` equals the hint, both with ASCII letters in lower case.
    Email { iss: Box<str>, email: Box<str> },
}

/// Who somebody is: an issuer and its identifier for the person.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    pub iss: Box<str>,
    pub sub: Box<str>,
}

/// What the upstream said when somebody signed in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignIn {
    pub identity: Identity,
    pub claims: Claims,
    /// When the person authenticated at the upstream: its `auth_time`, or `iat` where it sends none although it was asked
    /// for a fresh sign-in.
    pub auth_time: Timestamp,
    pub acr: Option<Box<str>>,
    pub amr: Vec<Box<str>>,
}

/// Standard claims about a person (OpenID Connect Core 5.1).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Claims {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_username: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_verified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number_verified: Option<bool>,
}

impl User {
    /// Whether the person who signed in is this user.
    pub fn is(&self, sign_in: &SignIn) -> bool {
        match &self.same_person {
            SamePerson::Identity(identity) => *identity == sign_in.identity,
            SamePerson::Sub { iss, sub } => *iss == sign_in.identity.iss && *sub == sign_in.identity.sub,
            SamePerson::PreferredUsername { iss, preferred_username } => {
                *iss == sign_in.identity.iss && sign_in.claims.preferred_username.as_ref() == Some(preferred_username)
            }
            SamePerson::Email { iss, email } => {
                *iss == sign_in.identity.iss && sign_in.claims.verified_email().as_ref() == Some(email)
            }
        }
    }

    /// The name under which this user's undecided requests are counted and listed.
    pub fn group(&self) -> Digest {
        self.same_person.group()
    }
}

impl SamePerson {
    fn group(&self) -> Digest {
        let (kind, iss, value) = match self {
            Self::Identity(Identity { iss, sub }) | Self::Sub { iss, sub } => ("sub", iss, sub),
            Self::PreferredUsername { iss, preferred_username } => ("preferred_username", iss, preferred_username),
            Self::Email { iss, email } => ("email", iss, email),
        };
        Digest::of_parts(&[kind.as_bytes(), b"\0", iss.as_bytes(), b"\0", value.as_bytes()])
    }
}

impl SignIn {
    /// Every [`User::group`] that a request for this person can be in.
    pub fn groups(&self) -> Vec<Digest> {
        let iss = &self.identity.iss;
        let mut groups = vec![SamePerson::Identity(self.identity.clone()).group()];
        if let Some(preferred_username) = self.claims.preferred_username.clone() {
            groups.push(SamePerson::PreferredUsername { iss: iss.clone(), preferred_username }.group());
        }
        if let Some(email) = self.claims.verified_email() {
            groups.push(SamePerson::Email { iss: iss.clone(), email }.group());
        }
        groups
    }
}

impl Claims {
    /// The e-mail address, its ASCII letters in lower case, if the provider says that it is verified and it holds exactly one
    /// `@`. Other letters stay as they are: the lower case of the Kelvin sign (U+212A) is `k`, which is another address.
    pub fn verified_email(&self) -> Option<Box<str>> {
        let email = self.email.as_ref().filter(|_| self.email_verified == Some(true))?;
        (email.matches('@').count() == 1).then(|| email.to_ascii_lowercase().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed_in(sub: &str, claims: Claims) -> SignIn {
        SignIn {
            identity: Identity { iss: "https://op".into(), sub: sub.into() },
            claims,
            auth_time: Timestamp::from_seconds(1),
            acr: None,
            amr: Vec::new(),
        }
    }

    #[test]
    fn who_is_the_same_person() {
        let iss: Box<str> = "https://op".into();
        let mail =
            |email: &str, verified| Claims { email: Some(email.into()), email_verified: verified, ..Claims::default() };
        let name = Claims { preferred_username: Some("alice".into()), ..Claims::default() };
        let identity = |iss: &str, sub: &str| SamePerson::Identity(Identity { iss: iss.into(), sub: sub.into() });
        let email = || SamePerson::Email { iss: iss.clone(), email: "a@x.example".into() };
        let mail_of_k = || SamePerson::Email { iss: iss.clone(), email: "k@x.example".into() };
        let username = || SamePerson::PreferredUsername { iss: iss.clone(), preferred_username: "alice".into() };
        let table = [
            ("same issuer and sub", identity("https://op", "1"), signed_in("1", Claims::default()), true),
            ("other sub", identity("https://op", "1"), signed_in("2", Claims::default()), false),
            ("other issuer", identity("https://evil", "1"), signed_in("1", Claims::default()), false),
            (
                "same sub, e-mail of another",
                identity("https://op", "1"),
                signed_in("2", mail("a@x.example", Some(true))),
                false,
            ),
            ("verified e-mail, other case", email(), signed_in("9", mail("A@X.example", Some(true))), true),
            ("e-mail that looks alike", mail_of_k(), signed_in("9", mail("\u{212a}@x.example", Some(true))), false),
            ("e-mail not verified", email(), signed_in("9", mail("a@x.example", Some(false))), false),
            ("e-mail of unknown state", email(), signed_in("9", mail("a@x.example", None)), false),
            ("two @", email(), signed_in("9", mail("a@x.example@evil.example", Some(true))), false),
            ("user name", username(), signed_in("9", name.clone()), true),
            (
                "user name in other case",
                username(),
                signed_in("9", Claims { preferred_username: Some("Alice".into()), ..Claims::default() }),
                false,
            ),
        ];
        for (case, same_person, sign_in, expected) in table {
            let user = User { sub: None, same_person, claims: Claims::default(), user_code: None };
            assert_eq!(user.is(&sign_in), expected, "{case}");
            assert_eq!(sign_in.groups().contains(&user.group()), expected, "{case}: groups");
        }
    }
}
