//! Scopes (RFC 6749 3.3): a set of tokens that keeps the order in which they were asked for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A set of scope tokens, without repetition, in the order of the request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scope(Vec<Box<str>>);

/// A character outside `%x21 / %x23-5B / %x5D-7E`, or more than 64 tokens or 2,048 characters.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the scope is malformed")]
pub struct Malformed;

impl Scope {
    /// Splits at runs of spaces; a token that comes twice counts once.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let mut tokens: Vec<Box<str>> = Vec::new();
        if text.len() > 2048 {
            return Err(Malformed);
        }
        for token in text.split(' ').filter(|token| !token.is_empty()) {
            if !token.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
                return Err(Malformed);
            }
            if !tokens.iter().any(|other| **other == *token) {
                if tokens.len() == 64 {
                    return Err(Malformed);
                }
                tokens.push(token.into());
            }
        }
        Ok(Self(tokens))
    }

    pub fn contains(&self, token: &str) -> bool {
        self.0.iter().any(|other| **other == *token)
    }

    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.0.iter().all(|token| other.contains(token))
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, token) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            f.write_str(token)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_cases() {
        let table: &[(&str, &str, Option<&str>)] = &[
            ("P4 repeated", "openid openid", Some("openid")),
            ("P5 runs of spaces", "  openid   profile ", Some("openid profile")),
            ("P5 tab", "openid\tprofile", None),
            ("P5 quote", "openid \"x", None),
            ("P5 backslash", "openid \\x", None),
            ("P6 order kept", "profile openid", Some("profile openid")),
            ("not ASCII", "openid é", None),
        ];
        for (number, text, expected) in table {
            assert_eq!(Scope::parse(text).ok().map(|s| s.to_string()).as_deref(), *expected, "{number}");
        }
    }

    #[test]
    fn a_hundred_thousand_repetitions_are_refused_at_once() {
        assert_eq!(Scope::parse(&"openid ".repeat(100_000)), Err(Malformed));
    }
}
