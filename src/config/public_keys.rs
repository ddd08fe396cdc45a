//! Somebody's public keys: `jwks` (a table with `keys`), `jwks_file` or `jwks_uri` (RFC 7591 2), one of them.

use std::{fs, sync::Arc};

use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::{fault::Problem, table::Table, text};
use crate::jose::{ForeignKeys, JwsAlgorithm, PublicKeys};

const KEYS: [&str; 3] = ["jwks", "jwks_file", "jwks_uri"];

/// Whether one of them is there, sound or not.
pub(super) fn is_there(table: &Table<'_>) -> bool {
    KEYS.iter().any(|key| table.has(key))
}

pub(super) fn read(table: &Table<'_>) -> Option<PublicKeys> {
    let there: Vec<&'static str> = KEYS.into_iter().filter(|key| table.has(key)).collect();
    let [key] = there[..] else {
        if let [_, second, ..] = there[..] {
            table.fault(
                second,
                Problem::new("keys are named in two ways", "keep one of `jwks`, `jwks_file`, `jwks_uri`"),
            );
        }
        return None;
    };
    match key {
        "jwks" => listed(table, key, json_of(table.entries_of(key)?).to_string().as_bytes()),
        "jwks_file" => {
            let path = table.source.folder().join(table.string(key)?);
            match fs::read(&path) {
                Ok(text) => listed(table, key, &text),
                Err(error) => {
                    let remedy = "paths are relative to the folder of this file; check it and its mode";
                    table.fault(key, Problem::new(format!("{} cannot be read: {error}", path.display()), remedy));
                    None
                }
            }
        }
        _ => table.parsed(key, text::registered_url).map(PublicKeys::At),
    }
}

fn listed(table: &Table<'_>, key: &str, json: &[u8]) -> Option<PublicKeys> {
    let remedy =
        "write a JWK Set (RFC 7517 5) of public keys: RSA with at least 2048 bits, EC with P-256 or P-384, Ed25519";
    let problem = match ForeignKeys::parse(json) {
        Err(_) => Problem::new("it is no JWK Set", remedy),
        Ok(keys) if keys.is_empty() => Problem::new("it holds no public key that can be used", remedy),
        Ok(_) if broken(json).is_some() => {
            let at = broken(json).unwrap_or_default();
            Problem::new(format!("keys[{at}] of it is damaged, or an RSA key of fewer than 2048 bits"), remedy)
        }
        Ok(_) if holds_private(json) => Problem::new("it holds a private key, which is the client's alone", remedy),
        Ok(keys) => return Some(PublicKeys::Listed(Arc::new(keys))),
    };
    table.fault(key, problem);
    None
}

/// The first key of a kind that is known here and that cannot be used all the same: left out in silence, it would be missed on
/// the day when the client signs with it.
fn broken(json: &[u8]) -> Option<usize> {
    let set = serde_json::from_slice::<Value>(json).unwrap_or_default();
    let keys = set.get("keys").and_then(Value::as_array)?;
    keys.iter().position(|key| {
        let text = |name| key.get(name).and_then(Value::as_str);
        let is_known = matches!(
            (text("kty"), text("crv")),
            (Some("RSA"), _) | (Some("EC"), Some("P-256" | "P-384")) | (Some("OKP"), Some("Ed25519"))
        );
        let alone = serde_json::json!({ "keys": [key] }).to_string();
        is_known && ForeignKeys::parse(alone.as_bytes()).is_ok_and(|keys| keys.is_empty())
    })
}

/// The algorithm must be one that a key of the set can make; keys at an address are not known yet.
pub(super) fn must_serve(table: &Table<'_>, key: &str, keys: Option<&PublicKeys>, algorithm: JwsAlgorithm) {
    if let Some(PublicKeys::Listed(keys)) = keys
        && !keys.serves(algorithm)
    {
        let cause = format!("none of the client's keys can sign with {algorithm}");
        table.fault(key, Problem::new(cause, "add such a key, or write the algorithm of one that is there"));
    }
}

fn holds_private(json: &[u8]) -> bool {
    let set = serde_json::from_slice::<Value>(json).unwrap_or_default();
    let keys = set.get("keys").and_then(Value::as_array);
    keys.is_some_and(|keys| keys.iter().any(|key| key.get("d").is_some() || key.get("k").is_some()))
}

/// TOML that says the same as JSON. What JSON has no word for (dates) becomes nothing.
fn json_of(entries: &DeTable<'_>) -> Value {
    let members = entries.iter().map(|(name, value)| (name.get_ref().to_string(), json_value(value.get_ref())));
    Value::Object(members.collect::<Map<_, _>>())
}

fn json_value(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Boolean(flag) => (*flag).into(),
        DeValue::Array(items) => items.iter().map(|item| json_value(item.get_ref())).collect(),
        DeValue::Table(entries) => json_of(entries),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Null, Value::from)
        }
        DeValue::Float(_) | DeValue::Datetime(_) => Value::Null,
    }
}
