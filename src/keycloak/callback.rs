//! The body with which a device service calls back, and the answer that it gets for an accepted decision.
//!
//! Refusals are Keycloak's, with two of its faults left out: a number is no status (Keycloak takes it as the position in its
//! enum, so that 0 approves), and an empty body is the sender's fault, not ours.

use serde::Deserialize;
use serde_json::error::Category;

use crate::oauth::{Code, Error};

/// What a device service says. Members that it sends besides are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallbackBody {
    pub status: Status,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The person approved.
    Succeed,
    /// The person denied.
    Unauthorized,
    /// The person, or the device service, gave up. The client sees what it sees for a denial.
    Cancelled,
}

/// The body of the 200: Keycloak's, which serialises a media type by accident.
pub const ACCEPTED: &str =
    r#"{"type":"application","subtype":"json","parameters":{},"wildcardSubtype":false,"wildcardType":false}"#;

#[derive(Deserialize)]
struct Written {
    status: Option<String>,
}

/// # Errors
/// `invalid_request` for what is no JSON and for a missing status, `unknown_error` for JSON that says something else; always
/// 400.
pub fn parse(body: &[u8]) -> Result<CallbackBody, Error> {
    let refused = |code| Error::new(code, "Cannot parse the JSON");
    // from bytes, serde_json would not look into the texts that it skips
    let body = std::str::from_utf8(body).map_err(|_| refused(Code::InvalidRequest))?;
    let written: Written = serde_json::from_str(body).map_err(|error| match error.classify() {
        Category::Data => refused(Code::UnknownError),
        Category::Syntax | Category::Eof | Category::Io => refused(Code::InvalidRequest),
    })?;
    // serde reads a struct from an array, too
    if !body.trim_ascii_start().starts_with('{') {
        return Err(refused(Code::UnknownError));
    }
    let status = match written.status.as_deref() {
        Some("SUCCEED") => Status::Succeed,
        Some("UNAUTHORIZED") => Status::Unauthorized,
        Some("CANCELLED") => Status::Cancelled,
        Some(_) => return Err(refused(Code::UnknownError)),
        None => return Err(Error::invalid_request("Invalid authentication status")),
    };
    Ok(CallbackBody { status })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn answer(body: &[u8]) -> (u16, Value) {
        match parse(body) {
            Ok(_) => (200, serde_json::from_str(ACCEPTED).unwrap()),
            Err(error) => {
                (error.status(), json!({"error": error.code().as_str(), "error_description": error.description()}))
            }
        }
    }

    #[test]
    fn answers_as_recorded() {
        let recorded: Vec<Value> =
            serde_json::from_str(include_str!("../../tests/recorded/keycloak/ciba-callback.json")).unwrap();
        // exchange, and what is answered instead where the recorded answer is a fault
        let table = [
            ("succeed", None),
            ("succeed-extra-members", None),
            ("unauthorized", None),
            ("cancelled", None),
            ("status-unknown", None),
            ("status-lower-case", None),
            ("status-missing", None),
            ("status-null", None),
            ("status-number-0", Some("unknown_error")),
            ("status-number-9", None),
            ("status-empty", None),
            ("empty-body", Some("invalid_request")),
            ("content-type-missing", None),
        ];
        for (name, instead) in table {
            let exchange = recorded.iter().find(|exchange| exchange["name"] == name).expect(name);
            let body = match (&exchange["request"]["json"], &exchange["request"]["body"]) {
                (Value::Null, Value::String(text)) => text.clone(),
                (json, _) => json.to_string(),
            };
            let (status, answered) = answer(body.as_bytes());
            match instead {
                None => {
                    assert_eq!(exchange["response"]["status"], status, "{name}");
                    assert_eq!(exchange["response"]["body"], answered, "{name}");
                }
                Some(code) => {
                    assert_eq!(status, 400, "{name}");
                    assert_eq!(
                        answered,
                        json!({"error": code, "error_description": "Cannot parse the JSON"}),
                        "{name}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_else_is_refused() {
        // (as recorded: broken JSON is invalid_request)
        let table = [
            ("broken", r#"{"status":"SUCCEED""#, "invalid_request"),
            ("no JSON", "status=SUCCEED", "invalid_request"),
            ("something after it", r#"{"status":"SUCCEED"}{}"#, "invalid_request"),
            ("a control character", "\u{0}", "invalid_request"),
            ("sent twice", r#"{"status":"UNAUTHORIZED","status":"SUCCEED"}"#, "unknown_error"),
            ("an array", r#" ["SUCCEED"]"#, "unknown_error"),
            ("a text", r#""SUCCEED""#, "unknown_error"),
            ("null", "null", "unknown_error"),
            ("truth as a status", r#"{"status":true}"#, "unknown_error"),
            ("an object as a status", r#"{"status":{"SUCCEED":null}}"#, "unknown_error"),
        ];
        for (case, body, code) in table {
            assert_eq!(parse(body.as_bytes()).unwrap_err().code().as_str(), code, "{case}");
        }
        assert!(parse(&b"[".repeat(100_000)).is_err(), "deep nesting");
        let skipped = parse(b"{\"status\":\"SUCCEED\",\"more\":\"\xff\"}").unwrap_err();
        assert_eq!(skipped.code(), Code::InvalidRequest, "not UTF-8 where nobody looks");
    }
}
