//! What an access token is bound to: the key of this run (RFC 9449 6), the client's certificate (RFC 8705 3), or nothing. An
//! opaque token does not say; its type does.

use serde_json::{Map, Value};

/// What this client could prove.
#[derive(Clone, Copy, Default)]
pub(super) struct Binding<'a> {
    /// The thumbprint of the key that its requests prove.
    pub(super) key: Option<&'a str>,
    /// The digest of the certificate that its connections show.
    pub(super) certificate: Option<&'a str>,
}

impl Binding<'_> {
    /// `claims` are the access token's, where it is a JWT.
    ///
    /// # Errors
    /// What does not fit.
    pub(super) fn check(
        self,
        token_type: Option<&str>,
        claims: Option<&Map<String, Value>>,
    ) -> Result<(), &'static str> {
        let (expected, fault) = match self.key {
            Some(_) => ("DPoP", "its token_type is not DPoP"),
            None => ("Bearer", "its token_type is not Bearer"),
        };
        if !token_type.is_some_and(|it| it.eq_ignore_ascii_case(expected)) {
            return Err(fault);
        }
        let Some(claims) = claims else { return Ok(()) };
        let confirmed = |name| claims.get("cnf").and_then(|cnf| cnf.get(name));
        let is = |value: &Value, ours: &str| value.as_str() == Some(ours);
        match (self.key, confirmed("jkt")) {
            (None, None) => {}
            (Some(ours), Some(theirs)) if is(theirs, ours) => {}
            (Some(_), None) => return Err("it is not bound to the key of this run"),
            (_, Some(_)) => return Err("it is bound to another key"),
        }
        match (self.certificate, confirmed("x5t#S256")) {
            (_, None) => Ok(()), // a certificate may be for authentication alone
            (Some(ours), Some(theirs)) if is(theirs, ours) => Ok(()),
            (_, Some(_)) => Err("it is bound to another certificate"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn table_of_bindings() {
        let none = Binding::default();
        let key = Binding { key: Some("ours"), ..none };
        let certificate = Binding { certificate: Some("ours"), ..none };
        let both = Binding { certificate: Some("cert"), ..key };
        let table = [
            ("a bearer token", none, "Bearer", json!({}), Ok(())),
            ("in lower case", none, "bearer", json!({}), Ok(())),
            ("a DPoP token nobody asked for", none, "DPoP", json!({}), Err("its token_type is not Bearer")),
            ("no type that is known", none, "N_A", json!({}), Err("its token_type is not Bearer")),
            ("a stranger's key", none, "Bearer", json!({"jkt": "ours"}), Err("it is bound to another key")),
            (
                "a stranger's certificate",
                none,
                "Bearer",
                json!({"x5t#S256": "x"}),
                Err("it is bound to another certificate"),
            ),
            ("our key", key, "DPoP", json!({"jkt": "ours"}), Ok(())),
            ("a bearer token in its place", key, "Bearer", json!({"jkt": "ours"}), Err("its token_type is not DPoP")),
            ("no key", key, "DPoP", json!({}), Err("it is not bound to the key of this run")),
            ("another key", key, "DPoP", json!({"jkt": "other"}), Err("it is bound to another key")),
            ("no text", key, "DPoP", json!({"jkt": ["ours"]}), Err("it is bound to another key")),
            ("our certificate", certificate, "Bearer", json!({"x5t#S256": "ours"}), Ok(())),
            ("authenticated alone", certificate, "Bearer", json!({}), Ok(())),
            (
                "another certificate",
                certificate,
                "Bearer",
                json!({"x5t#S256": "o"}),
                Err("it is bound to another certificate"),
            ),
            ("both", both, "DPoP", json!({"jkt": "ours", "x5t#S256": "cert"}), Ok(())),
        ];
        for (case, binding, token_type, cnf, expected) in table {
            let claims = json!({ "cnf": cnf });
            assert_eq!(binding.check(Some(token_type), claims.as_object()), expected, "{case}");
        }
        assert!(none.check(None, None).is_err(), "a type must be there");
        assert_eq!(none.check(Some("Bearer"), None), Ok(()), "an opaque token");
        assert_eq!(key.check(Some("DPoP"), None), Ok(()), "an opaque token says nothing of its key");
        assert_eq!(none.check(Some("Bearer"), json!({"cnf": "x"}).as_object()), Ok(()));
    }
}
