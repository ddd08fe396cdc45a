//! The claims of a verified JWT, read by their types (RFC 7519 4.1): a claim of the wrong type is a fault, never absent
//! (CVE-2026-25537).

use serde_json::{Map, Value};

use super::NotVerified;
use crate::clock::Timestamp;

/// How far clocks may differ.
pub const LEEWAY: std::time::Duration = std::time::Duration::from_secs(30);

/// The claims of a JWT whose signature is good.
#[derive(Clone, Debug, PartialEq)]
pub struct Claims(Map<String, Value>);

impl Claims {
    pub(super) const fn new(claims: Map<String, Value>) -> Self {
        Self(claims)
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    pub fn into_map(self) -> Map<String, Value> {
        self.0
    }

    /// A claim that is a text.
    pub fn text(&self, name: &'static str) -> Result<Option<&str>, NotVerified> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(NotVerified(name)),
        }
    }

    /// A `NumericDate` in whole seconds; a fraction of zero passes.
    pub fn time(&self, name: &'static str) -> Result<Option<Timestamp>, NotVerified> {
        // the largest whole number that every reader of JSON keeps exactly
        const MOST: u64 = 1 << 53;
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let whole =
            |number: f64| (number.fract() == 0.0 && (0.0..=MOST as f64).contains(&number)).then_some(number as u64);
        let seconds = value.as_u64().or_else(|| value.as_f64().and_then(whole)).filter(|seconds| *seconds <= MOST);
        seconds.map(|seconds| Some(Timestamp::from_seconds(seconds))).ok_or(NotVerified(name))
    }

    /// `aud`: each of its values, and whether it is one string.
    pub fn audience(&self) -> Result<Audience<'_>, NotVerified> {
        match self.0.get("aud") {
            Some(Value::String(one)) => Ok(Audience::One(one)),
            Some(Value::Array(values)) if !values.is_empty() => {
                let texts: Option<Vec<&str>> = values.iter().map(Value::as_str).collect();
                texts.map(Audience::List).ok_or(NotVerified("aud"))
            }
            _ => Err(NotVerified("aud")),
        }
    }

    /// `exp` is there and not past, `nbf` and `iat`, where they are there, are not ahead; all within [`LEEWAY`], and
    /// `exp` at most `most` ahead.
    pub fn are_of_now(&self, now: Timestamp, most: std::time::Duration) -> Result<Timestamp, NotVerified> {
        let expires = self.time("exp")?.ok_or(NotVerified("exp"))?;
        if expires.plus(LEEWAY) <= now {
            return Err(NotVerified("expired"));
        }
        if expires > now.plus(most).plus(LEEWAY) {
            return Err(NotVerified("exp is too far ahead"));
        }
        for name in ["nbf", "iat"] {
            if self.time(name)?.is_some_and(|time| time > now.plus(LEEWAY)) {
                return Err(NotVerified(if name == "nbf" { "nbf is ahead" } else { "iat is ahead" }));
            }
        }
        Ok(expires)
    }
}

/// Whom a JWT is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience<'a> {
    One(&'a str),
    List(Vec<&'a str>),
}

impl Audience<'_> {
    pub fn contains(&self, wanted: &str) -> bool {
        match self {
            Self::One(one) => *one == wanted,
            Self::List(list) => list.contains(&wanted),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn claims(value: &Value) -> Claims {
        Claims::new(value.as_object().unwrap().clone())
    }

    #[test]
    fn table_of_numeric_dates() {
        let table = [
            (json!({}), Ok(None)),
            (json!({"exp": 5}), Ok(Some(5))),
            (json!({"exp": 5.0}), Ok(Some(5))),
            (json!({"exp": 5.5}), Err(())),
            (json!({"exp": -5}), Err(())),
            (json!({"exp": "5"}), Err(())),
            (json!({"exp": "never"}), Err(())),
            (json!({"exp": true}), Err(())),
            (json!({"exp": null}), Err(())),
            (json!({"exp": [5]}), Err(())),
            (json!({"exp": 1e308}), Err(())),
            (json!({"exp": u64::MAX}), Err(())),
        ];
        for (value, expected) in table {
            let time = claims(&value).time("exp").map(|time| time.map(Timestamp::seconds)).map_err(|_| ());
            assert_eq!(time, expected, "{value}");
        }
    }

    #[test]
    fn table_of_times() {
        let now = Timestamp::from_seconds(1_000);
        let table = [
            (json!({"exp": 1_001}), true),
            (json!({"exp": 971}), true),
            (json!({"exp": 970}), false),
            (json!({"exp": 1_330}), true),
            (json!({"exp": 1_331}), false),
            (json!({}), false),
            (json!({"exp": 1_001, "nbf": 1_030}), true),
            (json!({"exp": 1_001, "nbf": 1_031}), false),
            (json!({"exp": 1_001, "iat": 1_031}), false),
            (json!({"exp": 1_001, "iat": "1"}), false),
        ];
        for (value, expected) in table {
            let judged = claims(&value).are_of_now(now, Duration::from_secs(300));
            assert_eq!(judged.is_ok(), expected, "{value}");
        }
    }

    #[test]
    fn table_of_audiences() {
        let contains = |value| claims(&value).audience().map(|audience| audience.contains("a")).map_err(|_| ());
        assert_eq!(contains(json!({"aud": "a"})), Ok(true));
        assert_eq!(contains(json!({"aud": "ab"})), Ok(false));
        assert_eq!(contains(json!({"aud": ["b", "a"]})), Ok(true));
        for malformed in [json!({}), json!({"aud": []}), json!({"aud": ["a", 1]}), json!({"aud": {"a": 1}})] {
            assert_eq!(contains(malformed.clone()), Err(()), "{malformed}");
        }
    }
}
