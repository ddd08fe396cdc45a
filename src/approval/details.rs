//! `authorization_details` in words: the operator's sentence for the type, filled in, and a list of all that the sentence does
//! not tell. Never JSON.
//!
//! The values, and where the type does not list its members their names too, are the client's. They are kept apart from the
//! operator's words to the end, so that no value can pass for a part of the sentence (T-A4).

use serde::Serialize;
use serde_json::{Map, Value};

use crate::realm::DetailsType;

/// One item, as it is told.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Detail {
    /// The sentence, or the type's name where there is none that tells this item.
    pub(super) said: Vec<Part>,
    /// What the sentence leaves out: names and values.
    pub(super) rest: Vec<(String, String)>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) enum Part {
    /// The operator's.
    Words(String),
    /// The client's.
    Value(String),
}

/// A member's place: the names, or numbers in lists, that lead there.
type Path = Vec<String>;

impl Detail {
    /// `kind` is the item's type, as the realm describes it.
    pub(super) fn of(kind: Option<&DetailsType>, item: &Map<String, Value>) -> Self {
        let sentence = kind.and_then(|kind| kind.sentence.as_deref()).and_then(|text| filled(text, item));
        let (said, told) = sentence.unwrap_or_else(|| {
            let name = item.get("type").and_then(Value::as_str).unwrap_or_default();
            (vec![Part::Words(title(&in_words(name)))], Vec::new())
        });
        let mut rest = Vec::new();
        for (name, value) in item.iter().filter(|(name, _)| *name != "type") {
            list(vec![name.clone()], value, &told, &mut rest);
        }
        Self { said, rest }
    }
}

/// The sentence with its values, and which they are; nothing where one of them is not there or cannot stand in a sentence.
fn filled(sentence: &str, item: &Map<String, Value>) -> Option<(Vec<Part>, Vec<Path>)> {
    let (mut parts, mut told, mut rest) = (Vec::new(), Vec::new(), sentence);
    while let Some((before, (name, after))) =
        rest.split_once('{').and_then(|(before, after)| Some((before, after.split_once('}')?)))
    {
        let path: Path = name.split('.').map(|name| name.trim().to_owned()).collect();
        let text = at(item, &path).and_then(in_line).filter(|text| !text.trim().is_empty())?;
        if !before.is_empty() {
            parts.push(Part::Words(before.to_owned()));
        }
        parts.push(Part::Value(text));
        told.push(path);
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Words(rest.to_owned()));
    }
    Some((parts, told))
}

fn at<'v>(item: &'v Map<String, Value>, path: &[String]) -> Option<&'v Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(item.get(first)?, |value, name| value.as_object()?.get(name))
}

/// A value that can stand in one line: no object, and no list of lists.
fn in_line(value: &Value) -> Option<String> {
    match value {
        Value::Array(items) => {
            let texts: Vec<String> = items.iter().map(single).collect::<Option<_>>()?;
            // a comma within a text must not look like one between two
            let quoted = texts.iter().any(|text| text.contains([',', '“', '”']));
            let texts = texts.into_iter().map(|text| if quoted { format!("“{text}”") } else { text });
            Some(texts.collect::<Vec<_>>().join(", "))
        }
        single_value => single(single_value),
    }
}

fn single(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(if *flag { "yes" } else { "no" }.to_owned()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// One line for each value that is not `told`, the names that lead there joined.
fn list(path: Path, value: &Value, told: &[Path], lines: &mut Vec<(String, String)>) {
    if told.contains(&path) {
        return;
    }
    let below = |name: String| path.iter().cloned().chain([name]).collect::<Path>();
    match (value, in_line(value)) {
        (_, Some(text)) if !text.trim().is_empty() => lines.push((label(&path), text)),
        (Value::Object(members), _) if !members.is_empty() => {
            for (name, member) in members {
                list(below(name.clone()), member, told, lines);
            }
        }
        (Value::Array(items), None) => {
            for (number, item) in items.iter().enumerate() {
                list(below((number + 1).to_string()), item, told, lines);
            }
        }
        _ => lines.push((label(&path), "nothing".to_owned())),
    }
}

fn label(path: &[String]) -> String {
    title(&path.iter().map(|name| in_words(name)).collect::<Vec<_>>().join(", "))
}

/// A name of JSON as people write: `instructedAmount` and `instructed_amount` are `instructed amount`. Addresses stay as they
/// are.
fn in_words(name: &str) -> String {
    if name.contains("://") {
        return name.to_owned();
    }
    let mut words = String::with_capacity(name.len() + 4);
    let letters: Vec<char> = name.chars().collect();
    for (at, &letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| letters[at]);
        let after = letters.get(at + 1);
        let begins = letter.is_uppercase() && before.is_some_and(|before| before.is_lowercase() || before.is_numeric());
        if begins {
            words.push(' ');
        }
        match letter {
            '_' | '-' => words.push(' '),
            // an abbreviation stays one
            letter if begins && after.is_none_or(|after| !after.is_uppercase()) => words.extend(letter.to_lowercase()),
            letter => words.push(letter),
        }
    }
    words
}

fn title(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(sentence: Option<&str>, item: &Value) -> (String, Vec<(String, String)>) {
        let kind = DetailsType {
            name: "payment".into(),
            sentence: sentence.map(Into::into),
            members: Vec::new(),
            required: Vec::new(),
        };
        let Detail { said, rest } = Detail::of(Some(&kind), item.as_object().unwrap());
        let said = said.iter().map(|part| match part {
            Part::Words(words) => words.clone(),
            Part::Value(value) => format!("[{value}]"),
        });
        (said.collect(), rest)
    }

    #[test]
    fn table_of_sentences() {
        let pay = Some("Pay {amount.value} {amount.currency} to {creditor}");
        let item = json!({"type": "payment", "amount": {"value": "12.50", "currency": "EUR"}, "creditor": "Shop"});
        let with = |name: &str, value: Value| {
            let mut item = item.clone();
            item[name] = value;
            item
        };
        let list = |lines: &[(&str, &str)]| -> Vec<(String, String)> {
            lines.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
        };
        let amount = [("Amount, currency", "EUR"), ("Amount, value", "12.50")];
        let table = [
            ("all told", pay, item.clone(), "Pay [12.50] [EUR] to [Shop]", list(&[])),
            (
                "a rest",
                pay,
                with("endToEnd_id", json!("A1")),
                "Pay [12.50] [EUR] to [Shop]",
                list(&[("End to end id", "A1")]),
            ),
            (
                "a part of an object left",
                Some("Pay {amount.value}!"),
                item.clone(),
                "Pay [12.50]!",
                list(&[("Amount, currency", "EUR"), ("Creditor", "Shop")]),
            ),
            (
                "a name that looks like a path hides nothing",
                pay,
                with("amount.value", json!("1000")),
                "Pay [12.50] [EUR] to [Shop]",
                list(&[("Amount.value", "1000")]),
            ),
            (
                "a value is not filled in again",
                pay,
                with("creditor", json!("{amount.value}")),
                "Pay [12.50] [EUR] to [{amount.value}]",
                list(&[]),
            ),
            (
                "a value is missing",
                Some("Pay from {debtor}"),
                item.clone(),
                "Payment",
                list(&[amount[0], amount[1], ("Creditor", "Shop")]),
            ),
            (
                "a value is blank",
                Some("Pay to {creditor}"),
                with("creditor", json!(" ")),
                "Payment",
                list(&[amount[0], amount[1], ("Creditor", "nothing")]),
            ),
            (
                "a value is an object",
                Some("Pay {amount}"),
                item.clone(),
                "Payment",
                list(&[amount[0], amount[1], ("Creditor", "Shop")]),
            ),
            ("no sentence", None, item.clone(), "Payment", list(&[amount[0], amount[1], ("Creditor", "Shop")])),
            ("no values at all", Some("Read it"), json!({"type": "payment"}), "Read it", list(&[])),
            (
                "kinds of values",
                Some("{a} {b} {c} {d}"),
                json!({"type": "payment", "a": 1.5, "b": true, "c": ["x", "y"], "d": ["x, y", 2], "e": null, "f": [], "g": {}}),
                "[1.5] [yes] [x, y] [“x, y”, “2”]",
                list(&[("E", "nothing"), ("F", "nothing"), ("G", "nothing")]),
            ),
            (
                "lists of objects are counted",
                None,
                json!({"type": "payment", "accounts": [{"iban": "DE1"}, {"iban": "DE2", "x": [[1], null]}]}),
                "Payment",
                list(&[
                    ("Accounts, 1, iban", "DE1"),
                    ("Accounts, 2, iban", "DE2"),
                    ("Accounts, 2, x, 1", "1"),
                    ("Accounts, 2, x, 2", "nothing"),
                ]),
            ),
        ];
        for (case, sentence, item, said, rest) in table {
            assert_eq!(told(sentence, &item), (said.to_owned(), rest), "{case}");
        }
    }

    #[test]
    fn names_become_words() {
        let table = [
            ("payment_initiation", "payment initiation"),
            ("instructedAmount", "instructed amount"),
            ("creditor-account", "creditor account"),
            ("creditorIBAN", "creditor IBAN"),
            ("IBAN", "IBAN"),
            ("line2Text", "line2 text"),
            ("https://api.example.com/pay_now", "https://api.example.com/pay_now"),
            ("3ds:payment_authorisation", "3ds:payment authorisation"),
            ("", ""),
            ("Größe", "Größe"),
        ];
        for (name, words) in table {
            assert_eq!(in_words(name), words, "{name}");
        }
        assert_eq!((title("über"), title("")), ("Über".into(), String::new()));
    }

    #[test]
    fn a_type_that_is_not_described_is_told_by_its_name() {
        let item = json!({"type": "account_information", "actions": ["read"]});
        let detail = Detail::of(None, item.as_object().unwrap());
        assert_eq!(detail.said, [Part::Words("Account information".into())]);
        assert_eq!(detail.rest, [("Actions".to_owned(), "read".to_owned())]);
    }

    proptest::proptest! {
        /// Every text and number of an item is on the page.
        #[test]
        fn nothing_is_left_out(value: String, other: i64, name in "[a-z]{1,5}", sentence in "(Pay \\{(a|b|c|[a-z]{1,2})\\}|x){0,3}") {
            let mut item = json!({"type": "payment", "a": {"b": [value]}, "b": other, "c": [[value]]});
            item[&name] = json!(value);
            let (said, rest) = told(Some(&sentence), &item);
            let all = rest.iter().fold(said, |all, (_, value)| all + "\n" + value);
            let shown = if value.trim().is_empty() { "" } else { &value };
            proptest::prop_assert!(all.contains(shown), "{:?}", all);
            proptest::prop_assert!(name == "b" || all.contains(&other.to_string()), "{:?}", all);
        }
    }
}
