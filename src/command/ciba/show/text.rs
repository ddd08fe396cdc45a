//! Text for people: cleaned of what a terminal obeys or a reader cannot see, and in two columns.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use crate::clock::Timestamp;

/// The longest text of a server that is shown in one piece.
const LONGEST: usize = 400;

/// Two columns. Times as dates; tokens only where they are to be seen.
pub(super) fn table(members: &Map<String, Value>, show_tokens: bool) -> String {
    let width = members.keys().map(|name| clean(name).chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for (name, value) in members {
        let value = match value {
            Value::String(_) if name.ends_with("_token") && !show_tokens => "(hidden, see --show-tokens)".to_owned(),
            Value::String(token) if name.ends_with("_token") => visible(token),
            Value::String(value) => clean(value),
            Value::Number(seconds) if matches!(name.as_str(), "exp" | "iat" | "nbf" | "auth_time" | "updated_at") => {
                seconds
                    .as_u64()
                    .map_or_else(|| seconds.to_string(), |seconds| Timestamp::from_seconds(seconds).rfc3339())
            }
            other => clean(&other.to_string()),
        };
        let _ = writeln!(text, "  {:width$}  {value}", clean(name));
    }
    text
}

/// The text without characters that a terminal obeys or a reader cannot see, at most [`LONGEST`] characters of it.
pub(super) fn clean(text: &str) -> String {
    let text = visible(text);
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}

fn visible(text: &str) -> String {
    text.chars().filter(|c| !is_hidden(*c)).collect()
}

pub(super) fn is_hidden(c: char) -> bool {
    use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator};
    matches!(c.general_category(), Control | Format | LineSeparator | ParagraphSeparator)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn escape_sequences_and_reordering_are_stripped() {
        let table = [
            ("plain text, Zo\u{eb} 李", "plain text, Zo\u{eb} 李"),
            ("\u{1b}[31mred\u{1b}[0m", "[31mred[0m"),
            ("\u{1b}]0;title\u{7}", "]0;title"),
            ("\u{9b}2Jgone", "2Jgone"),
            ("one\r\ntwo\u{2028}three", "onetwothree"),
            ("\u{202e}txt.exe\u{2066}", "txt.exe"),
            ("zero\u{200b}width\u{feff}", "zerowidth"),
            ("\u{7f}\u{0}", ""),
        ];
        for (text, expected) in table {
            assert_eq!(clean(text), expected, "{text:?}");
        }
        assert_eq!(clean(&"x".repeat(1000)).len(), LONGEST + 3);
    }

    #[test]
    fn a_table_shows_times_as_dates_and_hides_tokens() {
        let members = json!({"access_token": "secret", "expires_in": 300, "iat": 1_800_000_000, "roles": ["a"]});
        let members = members.as_object().unwrap();
        let hidden = table(members, false);
        assert!(!hidden.contains("secret"), "{hidden}");
        assert!(table(members, true).contains("  access_token  secret\n"));
        assert!(hidden.contains("  iat           2027-01-15T08:00:00Z\n"), "{hidden}");
        assert!(hidden.contains("  expires_in    300\n"), "{hidden}");
        assert!(hidden.contains("  roles         [\"a\"]\n"), "{hidden}");
    }
}
