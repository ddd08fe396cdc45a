//! Faults are judged by file, line, key and cause; what is sound, by what it became.

mod faults;
mod files;
mod meaning;
mod mtls;

use std::path::Path;

use super::{environment::Environment, fault::Fault, realm};
use crate::realm::Realm;

/// A realm file that is sound; tests bend one thing in it. `SOUND` begins with line 1.
const SOUND: &str = r#"enabled = true
[upstream]
issuer = "https://login.example.com/realms/acme"
client_id = "realmgate"
client_secret = "a secret at the upstream"
[[lookups]]
kind = "static"
[[lookups.users]]
sub = "248289761001"
preferred_username = "alice"
[[clients]]
client_id = "till"
client_secret = "a secret of the till"
"#;

const PUBLIC: &str = "https://id.example.com/auth";

#[track_caller]
fn sound(text: &str) -> Realm {
    let environment = Environment::of(&[("TILL_SECRET", "from the environment")]);
    let realm = realm::read("acme", Path::new("realms/acme.toml"), text, PUBLIC, &environment);
    match realm {
        Ok(realm) => realm.expect("enabled"),
        Err(faults) => panic!("{faults:#?}\n{text}"),
    }
}

#[track_caller]
fn faults(text: &str) -> Vec<Fault> {
    let environment = Environment::of(&[("EMPTY", ""), ("SET", "x")]);
    let realm = realm::read("acme", Path::new("realms/acme.toml"), text, PUBLIC, &environment);
    realm.expect_err(text)
}

/// `SOUND` with one text in place of another.
#[track_caller]
fn bent(from: &str, to: &str) -> String {
    assert!(SOUND.contains(from), "{from}");
    SOUND.replacen(from, to, 1)
}
