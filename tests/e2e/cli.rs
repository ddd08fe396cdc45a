//! The commands of the contract, run as people and scripts run them: what they print and how they exit.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use crate::{
    free_port,
    gateway::{Files, Gateway, PROGRAM},
    keycloak::{ALICE, Keycloak},
    realm::{self, TILL},
};

/// `realmgate ciba request` at this issuer, as this client.
fn request(issuer: &str, (id, secret): (&str, &str), arguments: &[&str]) -> Output {
    Command::new(PROGRAM)
        .args(["ciba", "request", "--issuer", issuer, "--client-id", id])
        .args(arguments)
        .env("REALMGATE_CLIENT_SECRET", secret)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[track_caller]
fn assert_exit(output: &Output, code: i32) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!(output.status.code(), Some(code), "{}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn an_approved_request_prints_verified_tokens() {
    let demo = Gateway::demo(&["--answer", "approve"]);
    let client = ("demo", "demo-secret");
    let output = request(&demo.issuer("master"), client, &["--login-hint", "alice", "--json"]);
    assert_exit(&output, 0);
    let lines: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|fault| panic!("{fault}: {line}")))
        .collect();
    let last = lines.last().expect("a line").to_string();
    assert!(last.contains("access_token"), "the last line has the tokens: {last}");

    let plain = request(&demo.issuer("master"), client, &["--login-hint", "alice"]);
    assert_exit(&plain, 0);
    assert!(!plain.stdout.contains(&0x1b), "no escape codes without a terminal");
    demo.stop();
}

#[test]
fn each_outcome_has_its_exit_code() {
    let demo = Gateway::demo(&["--answer", "deny"]);
    let issuer = demo.issuer("master");
    let client = ("demo", "demo-secret");
    let alice = ["--login-hint", "alice"];
    assert_exit(&request(&issuer, client, &alice), 3);
    assert_exit(&request(&issuer, client, &["--login-hint", "nobody"]), 5);
    assert_exit(&request(&issuer, client, &["--login-hint", "carol"]), 5);
    assert_exit(&request(&issuer, ("demo", "wrong"), &alice), 5);
    assert_exit(&request(&issuer, client, &["--no-such-flag"]), 2);
    demo.stop();
    assert_exit(&request(&format!("http://127.0.0.1:{}/master", free_port()), client, &alice), 6);
}

#[tokio::test]
async fn a_request_that_nobody_answers_exits_as_expired() {
    let keycloak = Keycloak::shared().await;
    let text = realm::in_front_of(&keycloak.issuer(), "http://127.0.0.1:9/hook")
        .replace("interval = 1", "interval = 1\nexpires_in = 2");
    let gateway = Gateway::serve(realm::NAME, &text);
    assert_exit(&request(&gateway.issuer(realm::NAME), TILL, &["--login-hint", "alice"]), 4);
    gateway.stop();
}

#[tokio::test]
async fn lookup_shows_how_a_hint_becomes_a_user() {
    let keycloak = Keycloak::shared().await;
    let lookup = |upstream: &str, hint: &str| {
        let files = Files::write(&[(realm::NAME, &realm::in_front_of(upstream, "http://127.0.0.1:9/hook"))]);
        files.run(&["lookup", "--realm", realm::NAME, "--login-hint", hint])
    };
    let found = lookup(&keycloak.issuer(), "alice");
    assert_exit(&found, 0);
    assert!(String::from_utf8(found.stdout).unwrap().contains(ALICE));
    assert_exit(&lookup(&keycloak.issuer(), "nobody"), 3);
    let nowhere = format!("http://127.0.0.1:{}/realms/acme", free_port());
    assert_exit(&lookup(&nowhere, "alice"), 6);
}

#[test]
fn check_names_every_fault_of_every_file_at_once() {
    let sound = realm::in_front_of("https://sso.example.com/realms/acme", "https://notify.example.com/hook");
    assert_exit(&Files::write(&[("one", &sound), ("two", &sound)]).run(&["check"]), 0);

    let no_secret = sound.replace("client_secret = \"till-secret", "client_sekret = \"till-secret");
    let bad_number = sound.replace("interval = 1", "interval = \"soon\"");
    let output = Files::write(&[("one", &no_secret), ("two", &bad_number)]).run(&["check"]);
    assert_exit(&output, 2);
    let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    for part in ["one.toml", "client_sekret", "two.toml", "interval"] {
        assert!(printed.contains(part), "{part} is missing:\n{printed}");
    }
    assert!(!printed.contains("till-secret-0123"), "a secret is printed:\n{printed}");
}

#[test]
fn hash_prints_a_phc_string() {
    let mut process = Command::new(PROGRAM).arg("hash").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(b"1234\n").unwrap();
    let output = process.wait_with_output().unwrap();
    assert_exit(&output, 0);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.starts_with("$argon2id$") && printed.trim_end().lines().count() == 1, "{printed}");
}
