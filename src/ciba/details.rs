//! `authorization_details` (RFC 9396 2, 5): an array of objects, each of a type that the realm describes and the client may
//! ask for, with the members that the type has.
//!
//! Judged here by form alone. Whether the client may still ask for the types is judged by `realm::policy` at each step, how
//! they are told to the person is `approval`'s.

use std::{collections::HashMap, sync::Arc};

use serde_json::{Map, Value};

use crate::{
    ciba::visible::{is_heaped, is_visible},
    oauth::{AuthorizationDetails, Code, Error, json},
    realm::{Client, DetailsType, MemberKind},
};

/// In bytes, as it was sent and as tokens will hold it.
const LONGEST: usize = 8 * 1024;
/// So many a person can read.
const MOST: usize = 10;
/// Arrays and objects within each other, the outermost array included.
const DEEPEST: usize = 8;

/// The types that a realm describes, by name.
pub(super) type Types = HashMap<String, Arc<DetailsType>>;

/// # Errors
/// `invalid_authorization_details` (RFC 9396 5).
pub(super) fn parse(text: Option<&str>, types: &Types, client: &Client) -> Result<AuthorizationDetails, Error> {
    let Some(text) = text else { return Ok(AuthorizationDetails::default()) };
    let details = items(text)?;
    for item in &details {
        judge(item, types, client)?;
    }
    let details = AuthorizationDetails::new(details);
    // what was sent as `1e9` is longer in a token
    if serde_json::to_vec(&details).is_ok_and(|written| written.len() > LONGEST) {
        return Err(too_long());
    }
    Ok(details)
}

fn items(text: &str) -> Result<Vec<Map<String, Value>>, Error> {
    if text.len() > LONGEST {
        return Err(too_long());
    }
    let value = json::strict(text.as_bytes()).ok_or_else(|| invalid("authorization_details must be JSON"))?;
    if !is_shallow(&value, DEEPEST) {
        return Err(invalid("authorization_details are nested too deep"));
    }
    if !is_readable(&value) {
        return Err(invalid("authorization_details hold characters that nobody can see, or that hide others"));
    }
    let Value::Array(items) = value else { return Err(not_objects()) };
    if items.len() > MOST {
        return Err(invalid("authorization_details have too many items"));
    }
    let object = |item| match item {
        Value::Object(object) => Ok(object),
        _ => Err(not_objects()),
    };
    items.into_iter().map(object).collect()
}

fn judge(item: &Map<String, Value>, types: &Types, client: &Client) -> Result<(), Error> {
    let Some(Value::String(name)) = item.get("type") else {
        return Err(invalid("An item of authorization_details has no type"));
    };
    let allowed = client.authorization_details_types.contains(name);
    let Some(kind) = types.get(name).filter(|_| allowed) else {
        return Err(invalid("A type of authorization_details is not known, or not for this client"));
    };
    if kind.required.iter().any(|member| !item.contains_key(member)) {
        return Err(invalid("A member that its type requires is missing in authorization_details"));
    }
    for (member, value) in item.iter().filter(|(member, _)| *member != "type") {
        match kind.member(member) {
            Some(wanted) if !is_of(wanted, value) => {
                return Err(invalid("A member of authorization_details is of the wrong kind"));
            }
            None if !kind.members.is_empty() => {
                return Err(invalid("A member of authorization_details is not known for its type"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_of(kind: MemberKind, value: &Value) -> bool {
    match kind {
        MemberKind::Text => value.is_string(),
        MemberKind::Number => value.is_number(),
        MemberKind::Flag => value.is_boolean(),
        MemberKind::Texts => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
        MemberKind::Object => value.is_object(),
        MemberKind::List => value.is_array(),
    }
}

fn is_shallow(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|item| is_shallow(item, levels - 1)),
        Value::Object(members) => levels > 0 && members.values().all(|member| is_shallow(member, levels - 1)),
        _ => true,
    }
}

/// All of it is shown to the person, the names of members too.
fn is_readable(value: &Value) -> bool {
    let is_plain = |text: &str| text.chars().all(is_visible) && !is_heaped(text);
    match value {
        Value::String(text) => is_plain(text),
        Value::Array(items) => items.iter().all(is_readable),
        Value::Object(members) => members.iter().all(|(name, member)| is_plain(name) && is_readable(member)),
        _ => true,
    }
}

fn invalid(description: &'static str) -> Error {
    Error::new(Code::InvalidAuthorizationDetails, description)
}

fn too_long() -> Error {
    invalid("authorization_details are too long")
}

fn not_objects() -> Error {
    invalid("authorization_details must be an array of objects")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::realm::client::tests::client;

    fn types() -> Types {
        let kind = |name: &str, members: &[(&str, MemberKind)], required: &[&str]| {
            let members = members.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
            let required = required.iter().map(|name| (*name).to_owned()).collect();
            (name.to_owned(), Arc::new(DetailsType { name: name.to_owned(), sentence: None, members, required }))
        };
        let all = [
            ("amount", MemberKind::Object),
            ("creditor", MemberKind::Text),
            ("urgent", MemberKind::Flag),
            ("times", MemberKind::Number),
            ("tags", MemberKind::Texts),
            ("steps", MemberKind::List),
        ];
        HashMap::from([
            kind("payment", &all, &["amount", "creditor"]),
            kind("anything", &[], &[]),
            kind("not for the client", &[], &[]),
        ])
    }

    fn parsed(text: &str) -> Result<AuthorizationDetails, Error> {
        let client = Client {
            authorization_details_types: vec!["payment".into(), "anything".into(), "gone".into()],
            ..client()
        };
        parse(Some(text), &types(), &client)
    }

    fn payment(more: &str) -> String {
        format!(r#"[{{"type":"payment","amount":{{"value":"1.00"}},"creditor":"Shop"{more}}}]"#)
    }

    fn anything(value: &str) -> String {
        format!(r#"[{{"type":"anything","x":{value}}}]"#)
    }

    #[test]
    fn table_of_texts() {
        let long = format!("\"{}\"", "x".repeat(LONGEST));
        let items = |n| format!("[{}]", vec![r#"{"type":"anything"}"#; n].join(","));
        let deep = |levels| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let grows = format!("[{}]", vec!["1e15"; 1000].join(","));
        let table: Vec<(&str, String, Option<&str>)> = vec![
            ("all of its kind", payment(r#","urgent":true,"times":3,"tags":["a"],"steps":[1,{}]"#), None),
            ("P52 no JSON", "[".into(), Some("must be JSON")),
            ("P52 a member twice", anything(r#"1,"x":2"#), Some("must be JSON")),
            ("P53 an object alone", r#"{"type":"anything"}"#.into(), Some("array of objects")),
            ("P53 a text", "\"payment\"".into(), Some("array of objects")),
            ("P53 an array of texts", "[\"payment\"]".into(), Some("array of objects")),
            ("P54 no type", r#"[{"x":1}]"#.into(), Some("no type")),
            ("P54 a type that is no text", r#"[{"type":1}]"#.into(), Some("no type")),
            ("P54 unknown type", r#"[{"type":"other"}]"#.into(), Some("not known, or not for")),
            ("P54 the client's, but no more the realm's", r#"[{"type":"gone"}]"#.into(), Some("not known, or not for")),
            ("P54 another client's", r#"[{"type":"not for the client"}]"#.into(), Some("not known, or not for")),
            ("P54 in other case", r#"[{"type":"Payment"}]"#.into(), Some("not known, or not for")),
            ("P54 the second", r#"[{"type":"anything"},{}]"#.into(), Some("no type")),
            ("P55 unknown member", payment(r#","x":1"#), Some("not known for its type")),
            ("P55 required", r#"[{"type":"payment","creditor":"Shop"}]"#.into(), Some("requires is missing")),
            ("P55 text", payment(r#","urgent":"true""#), Some("wrong kind")),
            ("P55 number", payment(r#","times":"3""#), Some("wrong kind")),
            ("P55 texts", payment(r#","tags":["a",1]"#), Some("wrong kind")),
            ("P55 list", payment(r#","steps":{}"#), Some("wrong kind")),
            ("P55 null", payment(r#","urgent":null"#), Some("wrong kind")),
            ("RFC 9396 2.2", payment(r#","locations":["https://a"],"actions":["pay"],"identifier":"1""#), None),
            ("RFC 9396 2.2 wrong", payment(r#","locations":"https://a""#), Some("wrong kind")),
            ("RFC 9396 2.2 of any type", r#"[{"type":"anything","identifier":1}]"#.into(), Some("wrong kind")),
            ("any member", anything(r#"{"y":[1,null,true]}"#), None),
            ("P56 none", "[]".into(), None),
            ("P57 ten", items(10), None),
            ("P57 eleven", items(11), Some("too many")),
            ("P57 long", anything(&long), Some("too long")),
            ("P57 longer in a token", anything(&grows), Some("too long")),
            ("P57 eight levels", anything(&deep(6)), None),
            ("P57 nine", anything(&deep(7)), Some("too deep")),
            ("P57 ten thousand", deep(4000), Some("must be JSON")),
            ("line break", anything(r#""a\nb""#), Some("nobody can see")),
            ("right-to-left override", anything(r#""a\u202eb""#), Some("nobody can see")),
            ("zero width, in a name", r#"[{"type":"anything","a\u200bb":1}]"#.into(), Some("nobody can see")),
            ("a filler", anything("[[\"\u{3164}\"]]"), Some("nobody can see")),
            ("a blank of Braille", anything("\"\u{2800}\""), Some("nobody can see")),
            ("a blank name", anything("{\"\u{13441}\":1}"), Some("nobody can see")),
            (
                "marks of Burmese",
                anything("\"\u{1019}\u{103c}\u{103d}\u{103e}\u{1031}\u{102c}\u{1037}\u{103a}\""),
                None,
            ),
            ("marks heaped up", anything(&format!("\"5{}\"", "\u{489}".repeat(9))), Some("hide others")),
            ("marks heaped on a name", anything(&format!("{{\"a{}\":1}}", "\u{30d}".repeat(9))), Some("hide others")),
            ("half a pair", anything(r#""\ud800""#), Some("must be JSON")),
            ("signs of all kinds", anything("\"21 °C, 5 €, ™, \u{6c34}\""), None),
        ];
        for (case, text, expected) in table {
            match (parsed(&text), expected) {
                (Ok(_), None) => {}
                (Err(error), Some(expected)) => {
                    assert_eq!(error.code(), Code::InvalidAuthorizationDetails, "{case}");
                    assert!(error.description().contains(expected), "{case}: {}", error.description());
                }
                (other, _) => panic!("{case}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_kept_is_what_was_sent() {
        let details = parsed(&payment("")).unwrap();
        assert_eq!(
            serde_json::to_string(&details).unwrap(),
            r#"[{"amount":{"value":"1.00"},"creditor":"Shop","type":"payment"}]"#
        );
        assert_eq!(details.types().collect::<Vec<_>>(), ["payment"]);
        assert!(parse(None, &types(), &client()).unwrap().is_empty());
    }

    /// Any JSON, a few levels deep.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from)
        ];
        leaf.prop_recursive(5, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::hash_map("type|amount|creditor|tags|[a-z]{0,3}", inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = parsed(&text);
        }

        /// Whatever is taken is of the client's types and short, and says the same when it is read again.
        #[test]
        fn whatever_is_taken_is_what_it_must_be(items in prop::collection::vec((prop_oneof![Just("payment"), Just("anything"), Just("x")], any_json()), 0..4)) {
            let items = items.into_iter().map(|(kind, value)| {
                let mut item = Map::from_iter([("type".to_owned(), kind.into())]);
                match value {
                    Value::Object(more) => item.extend(more),
                    other => _ = item.insert("x".into(), other),
                }
                Value::Object(item)
            });
            let text = Value::Array(items.collect()).to_string();
            if let Ok(details) = parsed(&text) {
                let written = serde_json::to_string(&details).unwrap();
                prop_assert!(written.len() <= LONGEST);
                prop_assert!(details.types().all(|kind| ["payment", "anything"].contains(&kind)));
                prop_assert_eq!(parsed(&written).unwrap(), details);
            }
        }
    }
}
