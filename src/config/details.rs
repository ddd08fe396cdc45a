//! `[[authorization_details_types]]`: the types of RFC 9396 that a realm knows, with the sentence that a person reads.

use std::{collections::HashMap, sync::Arc};

use toml::de::DeValue;

use super::{fault::Problem, table::Table, text};
use crate::realm::{DetailsType, MemberKind};

/// A sentence is for a person on a telephone.
const LONGEST_SENTENCE: usize = 200;

const KINDS: [(&str, MemberKind); 6] = [
    ("string", MemberKind::Text),
    ("number", MemberKind::Number),
    ("boolean", MemberKind::Flag),
    ("strings", MemberKind::Texts),
    ("object", MemberKind::Object),
    ("list", MemberKind::List),
];

pub(super) fn types(root: &Table<'_>) -> HashMap<String, Arc<DetailsType>> {
    let mut types = HashMap::new();
    for table in root.tables("authorization_details_types") {
        let line = table.line_of("type");
        let Some(kind) = details_type(&table) else {
            table.finish();
            continue;
        };
        if types.contains_key(&kind.name) {
            table.source.add(
                line,
                Some("authorization_details_types".into()),
                Problem::new("the type is described before", "describe each type once"),
            );
        }
        table.finish();
        types.insert(kind.name.clone(), Arc::new(kind));
    }
    types
}

fn details_type(table: &Table<'_>) -> Option<DetailsType> {
    table.require(&["type"]);
    let name = table.parsed("type", |text| {
        let plain = text.len() <= 255 && text.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
        let problem = || Problem::new("a type is ASCII without spaces, quotes and backslashes", "write another name");
        if plain { Ok(text.to_owned()) } else { Err(problem()) }
    });
    let sentence = table.parsed("sentence", |text| {
        let sentence = text::sentence(text, LONGEST_SENTENCE)?;
        if is_template(&sentence) { Ok(sentence) } else { Err(broken_template()) }
    });
    let members = members(table);
    let required = table.strings("required").unwrap_or_default();
    let is_stray = |name: &str| {
        let is_common = DetailsType::COMMON.iter().any(|(common, _)| *common == name);
        !members.is_empty() && !is_common && !members.iter().any(|(known, _)| known == name)
    };
    if let Some(stray) = required.iter().find(|name| is_stray(name)) {
        let cause = format!("`{}` is required and not among `members`", stray.escape_debug());
        table.fault("required", Problem::new(cause, "add it to `members`, or remove it here"));
    }
    if let Some(stray) = sentence.as_deref().and_then(|text| told(text).find(|name| is_stray(name))) {
        let cause = format!("`{}` stands in it and not among `members`", stray.escape_debug());
        table.fault("sentence", Problem::new(cause, "add it to `members`, or remove it here"));
    }
    let required = required.into_iter().map(str::to_owned).collect();
    Some(DetailsType { name: name?, sentence, members, required })
}

fn members(table: &Table<'_>) -> Vec<(String, MemberKind)> {
    let key = "members";
    let mut members = Vec::new();
    let Some(entries) = table.entries_of(key) else { return members };
    for (name, value) in entries.iter() {
        let word = match value.get_ref() {
            DeValue::String(word) => KINDS.iter().find(|(known, _)| known == word),
            _ => None,
        };
        let name = name.get_ref();
        match word {
            Some((_, kind)) => {
                if DetailsType::COMMON.iter().any(|(common, must)| common == name && must != kind) {
                    let cause = format!("`{name}` is of the kind that RFC 9396 2.2 gives it, in every type");
                    table.fault(key, Problem::new(cause, "leave it out"));
                }
                members.push((name.to_string(), *kind));
            }
            None => {
                let remedy = "write a kind after each name: \"string\", \"number\", \"boolean\", \"strings\", \"object\", \"list\"";
                table.fault(key, Problem::new("it must be a table of members and their kinds", remedy));
            }
        }
    }
    members
}

/// The members of which a sentence tells.
fn told(sentence: &str) -> impl Iterator<Item = &str> {
    let paths = sentence.split('{').skip(1).filter_map(|rest| rest.split(['.', '}']).next());
    paths.map(str::trim)
}

/// Every `{` is closed, and something that can be a member's path stands between.
fn is_template(text: &str) -> bool {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((path, next)) = after.split_once('}') else { return false };
        let sound = path.split('.').all(|name| !name.trim().is_empty() && !name.contains('{'));
        if before.contains('}') || !sound {
            return false;
        }
        rest = next;
    }
    !rest.contains('}')
}

fn broken_template() -> Problem {
    let remedy = "write members in braces, such as \"Pay {amount.value} {amount.currency} to {creditor}\"";
    Problem::new("its braces hold no path of members", remedy)
}
