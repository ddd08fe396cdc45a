//! Cookies of one realm: `__Host-` cookies where HTTPS (RFC 6265bis 4.1.3.2), so that no sibling host can plant one. Their
//! names carry the realm, since all realms of a gateway share a host.

use std::{fmt::Write, time::Duration};

use cookie::{Cookie, SameSite};

#[derive(Clone)]
pub(super) struct Cookies {
    realm: String,
    secure: bool,
}

impl Cookies {
    pub(super) fn new(realm: &str, secure: bool) -> Self {
        Self { realm: token(realm), secure }
    }

    /// `what` is a word of ours.
    pub(super) fn name(&self, what: &str) -> String {
        let prefix = if self.secure { "__Host-" } else { "" };
        format!("{prefix}realmgate-{what}-{}", self.realm)
    }

    /// A value of `Set-Cookie`. Without `life` the cookie ends with the browser's session.
    pub(super) fn set(&self, name: &str, value: &str, life: Option<Duration>) -> String {
        let mut cookie = Cookie::build((name, value))
            .path("/")
            .secure(self.secure)
            .http_only(true)
            // links in messages and the return from the upstream are top-level navigations from elsewhere
            .same_site(SameSite::Lax);
        if let Some(life) = life {
            let seconds = i64::try_from(life.as_secs()).unwrap_or(i64::MAX);
            cookie = cookie.max_age(cookie::time::Duration::seconds(seconds));
        }
        cookie.to_string()
    }

    /// A value of `Set-Cookie` that removes the cookie.
    pub(super) fn forget(&self, name: &str) -> String {
        self.set(name, "", Some(Duration::ZERO))
    }
}

/// Name and value of each cookie in the header.
pub(super) fn each(header: Option<&str>) -> impl Iterator<Item = (String, String)> {
    Cookie::split_parse(header.unwrap_or_default())
        .flatten()
        .map(|cookie| (cookie.name().to_owned(), cookie.value().to_owned()))
}

/// The first cookie of this name.
pub(super) fn get(header: Option<&str>, name: &str) -> Option<String> {
    each(header).find(|(other, _)| other == name).map(|(_, value)| value)
}

/// The realm's name in characters that a cookie's name may have (RFC 9110 5.6.2); different for different realms.
fn token(realm: &str) -> String {
    realm.bytes().fold(String::new(), |mut token, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => token.push(byte.into()),
            _ => _ = write!(token, "~{byte:02x}"),
        }
        token
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_as_strict_as_the_scheme_allows() {
        let table = [
            (true, "__Host-realmgate-session-acme=v; HttpOnly; SameSite=Lax; Secure; Path=/"),
            (false, "realmgate-session-acme=v; HttpOnly; SameSite=Lax; Path=/"),
        ];
        for (secure, expected) in table {
            let cookies = Cookies::new("acme", secure);
            assert_eq!(cookies.set(&cookies.name("session"), "v", None), expected);
        }
    }

    #[test]
    fn names_of_realms_stay_apart_and_are_tokens() {
        assert_eq!(token("a b;c=~"), "a~20b~3bc~3d~7e");
        assert_ne!(token("a b"), token("a~20b"));
    }

    #[test]
    fn a_header_is_read() {
        assert_eq!(get(Some("a=1; b=2;c=; broken; b=3"), "b").as_deref(), Some("2"));
        assert_eq!(get(Some("a=1"), "b"), None);
        assert_eq!(get(None, "b"), None);
    }
}
