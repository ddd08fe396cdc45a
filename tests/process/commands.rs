//! `check`, `hash` and `lookup` as scripts use them.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::program::{Folder, PROGRAM, REALM, brief, exits};

#[test]
fn the_shipped_configuration_is_sound() {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/config.toml");
    let folder = Folder::new("");
    let printed = exits(&folder.run(&["check", "--config", shipped]), 0);
    assert!(printed.contains("The configuration is sound: 1 realm."), "{printed}");
}

/// The hash of a user code that comes by standard input.
fn hash(input: &str) -> std::process::Output {
    let mut process = Command::new(PROGRAM);
    let process = process.arg("hash").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = process.spawn().unwrap();
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    process.wait_with_output().unwrap()
}

#[tokio::test]
async fn what_hash_prints_is_a_user_code() {
    let printed = exits(&hash("47 11 \u{e4}\n"), 0);
    let folder = Folder::new("");
    let text = REALM
        .replacen("email = \"alice@example.com\"", &format!("user_code = \"{}\"", printed.trim_end()), 1)
        .replace("client_id = \"till\"", "client_id = \"till\"\nbackchannel_user_code_parameter = true");
    folder.write("realms/master.toml", &text);
    let running = folder.serve();
    for (code, expected) in [("47 11 \u{e4}", "200"), ("47 11", "400 invalid_user_code"), ("", "400 missing_user_code")]
    {
        let form = [("scope", "openid"), ("login_hint", "alice"), ("user_code", code)];
        assert_eq!(brief(&running.till("/master/bc-authorize", &form).await), expected, "{code}");
    }
}

#[test]
fn hash_of_nothing() {
    for input in ["", "\n", "\r\n"] {
        let output = hash(input);
        assert!(exits(&output, 1).contains("empty"));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn how_a_hint_becomes_a_user() {
    let folder = Folder::new("");
    let keycloak = "[[lookups]]\nkind = \"keycloak\"\nurl = \"http://127.0.0.1:9/admin/realms/x\"\nclient_id = \"l\"\nclient_secret = \"canary-of-a-secret\"\n";
    folder.write("realms/down.toml", &format!("{REALM}{keycloak}"));
    folder.write("realms/off.toml", &format!("enabled = false\n{REALM}"));
    folder.write("realms/faulty.toml", "x = 1\n");
    let table = [
        ("master", "alice", 0, "alice-sub"),
        ("master", "ALICE@example.com", 0, "alice-sub"),
        ("master", "nobody", 3, "not found"),
        ("master", "twin@example.com", 4, "ambiguous"),
        ("down", "alice", 0, "alice-sub"),
        ("down", "nobody", 6, "upstream fault"),
        ("none", "alice", 2, "no realm `none`"),
        ("off", "alice", 2, "disabled"),
        ("faulty", "alice", 2, "faulty.toml:1: x"),
    ];
    for (realm, hint, code, expected) in table {
        let printed = exits(&folder.run(&["lookup", "--realm", realm, "--login-hint", hint]), code);
        assert!(printed.contains(expected), "{realm}, {hint}: {printed}");
        assert!(!printed.contains("canary"), "{printed}");
    }
    exits(&folder.run(&["lookup", "--realm", "master"]), 2);
    let output = folder.run(&["lookup", "--realm", "master", "--login-hint", "alice", "--json"]);
    exits(&output, 0);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["outcome"], &json["user"]["sub"]), (&"found".into(), &"alice-sub".into()));
}

#[test]
fn help_and_version() {
    let folder = Folder::new("");
    let help = exits(&folder.run(&["--help"]), 0);
    for command in ["serve", "demo", "check", "ciba", "lookup", "hash"] {
        assert!(help.contains(command), "{command}: {help}");
        exits(&folder.run(&[command, "--help"]), 0);
    }
    assert!(exits(&folder.run(&["--version"]), 0).contains(env!("CARGO_PKG_VERSION")));
    exits(&folder.run(&[]), 2);
    exits(&folder.run(&["dance"]), 2);
}
