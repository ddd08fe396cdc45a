//! How an access token comes with a request: in the `Authorization` header with the scheme Bearer (RFC 6750 2.1) or DPoP
//! (RFC 9449 7.1), or in a form (RFC 6750 2.2). Never in a query string, which ends in logs.

use crate::oauth::{Code, Error, Params, error::Challenge};

/// An access token as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presented<'a> {
    pub scheme: Scheme,
    pub token: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Bearer,
    Dpop,
}

impl<'a> Presented<'a> {
    /// `authorization` is the header of that name; `form` the body where it is one.
    ///
    /// # Errors
    /// No token: `invalid_token` (401) without a code in the challenge (RFC 6750 3.1). Two: `invalid_request`.
    pub fn of(authorization: Option<&'a str>, form: Option<&'a Params>) -> Result<Self, Error> {
        match (authorization, form.and_then(|form| form.get("access_token"))) {
            (Some(_), Some(_)) => Err(malformed("The request carries an access token in two ways")),
            (None, Some(token)) => Ok(Self { scheme: Scheme::Bearer, token }),
            (authorization, None) => authorization.and_then(Self::in_header).ok_or_else(missing),
        }
    }

    fn in_header(header: &'a str) -> Option<Self> {
        let (scheme, token) = header.split_once(' ')?;
        let known = [("Bearer", Scheme::Bearer), ("DPoP", Scheme::Dpop)];
        let (_, scheme) = known.into_iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name))?;
        let token = token.trim();
        (!token.is_empty()).then_some(Self { scheme, token })
    }
}

/// The token of an `Authorization: Bearer` header.
pub fn bearer(authorization: Option<&str>) -> Option<&str> {
    let presented = Presented::in_header(authorization?)?;
    (presented.scheme == Scheme::Bearer).then_some(presented.token)
}

/// A request that carries its token in a way that is not taken (RFC 6750 3.1).
pub fn malformed(description: &'static str) -> Error {
    Error::invalid_request(description).challenge_with(Challenge::BearerError)
}

fn missing() -> Error {
    Error::new(Code::InvalidToken, "An access token is needed")
        .challenge_with(Challenge::AccessToken)
        .because("no access token")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_of_ways() {
        let form = Params::parse(b"access_token=f").unwrap();
        let empty = Params::parse(b"access_token=").unwrap();
        let found = |scheme, token| Ok(Presented { scheme, token });
        let table = [
            ("Bearer", Some("Bearer t"), None, found(Scheme::Bearer, "t")),
            ("in other case", Some("bEARER  t "), None, found(Scheme::Bearer, "t")),
            ("DPoP", Some("dpop t"), None, found(Scheme::Dpop, "t")),
            ("form", None, Some(&form), found(Scheme::Bearer, "f")),
            ("an empty one in a form is none", Some("Bearer t"), Some(&empty), found(Scheme::Bearer, "t")),
            ("header and form", Some("Bearer t"), Some(&form), Err(Code::InvalidRequest)),
            ("another scheme and a form", Some("Basic t"), Some(&form), Err(Code::InvalidRequest)),
            ("nothing", None, None, Err(Code::InvalidToken)),
            ("another scheme", Some("Basic t"), None, Err(Code::InvalidToken)),
            ("no token", Some("Bearer"), None, Err(Code::InvalidToken)),
            ("an empty token", Some("Bearer  "), None, Err(Code::InvalidToken)),
        ];
        for (case, authorization, form, expected) in table {
            assert_eq!(Presented::of(authorization, form).map_err(|error| error.code()), expected, "{case}");
        }
        assert_eq!((bearer(Some("Bearer t")), bearer(Some("DPoP t")), bearer(None)), (Some("t"), None, None));
    }
}
