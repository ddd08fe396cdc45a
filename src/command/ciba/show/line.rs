//! The lines of `--json`: one object for each change of state.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{super::failure::Refusal, text::is_hidden};

/// One line of `--json`. Times in seconds.
#[derive(Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum Line<'a> {
    Requested {
        auth_req_id: &'a str,
        expires_in: u64,
        interval: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        binding_message: Option<&'a str>,
    },
    Listening {
        notification_endpoint: &'a str,
    },
    Pinged,
    Pending,
    SlowDown {
        interval: u64,
    },
    Approved {
        tokens: &'a Map<String, Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        claims: Option<&'a Map<String, Value>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        userinfo: Option<&'a Map<String, Value>>,
    },
    Denied(Problem<'a>),
    Expired(Problem<'a>),
    Refused(Problem<'a>),
    Failed(Problem<'a>),
    Interrupted {
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_in: Option<u64>,
    },
}

#[derive(Serialize)]
pub(super) struct Problem<'a> {
    pub(super) error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error_description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retry_after: Option<u64>,
}

impl<'a> Problem<'a> {
    pub(super) fn of(refusal: &'a Refusal) -> Self {
        Self {
            error: &refusal.error,
            error_description: refusal.error_description.as_deref(),
            retry_after: refusal.retry_after,
        }
    }
}

/// JSON on one line, without a character that a terminal obeys or a reader cannot see.
pub(super) fn json_line(line: &Line<'_>) -> String {
    let json = serde_json::to_string(line).unwrap_or_default();
    let mut text = String::with_capacity(json.len() + 1);
    for c in json.chars() {
        if is_hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(c);
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_keeps_them_escaped() {
        let text = "\u{1b}[2J \u{9b} \u{202e} \u{e0001} é";
        let tokens = json!({ "scope": text });
        let line = json_line(&Line::Approved { tokens: tokens.as_object().unwrap(), claims: None, userinfo: None });
        assert_eq!(
            line,
            "{\"state\":\"approved\",\"tokens\":{\"scope\":\"\\u001b[2J \\u009b \\u202e \\udb40\\udc01 é\"}}\n"
        );
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["tokens"]["scope"], text);
    }
}
