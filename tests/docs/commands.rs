//! The commands for the demo run as they stand, those of a page one after the other in one folder. Only the port is another:
//! the pages' may be taken where the tests run. Where JSON is shown next, it is what they print; `...` stands for any text.

use std::{fs, os::unix::fs::PermissionsExt, thread, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::{
    DEMO, are_there, demo, json,
    page::{Block, Page, pages},
    program::{Folder, PROGRAM, Running, exits},
    run,
};

#[test]
fn they_run_as_they_stand() {
    if !are_there(&["bash", "curl"]) {
        return;
    }
    let demo = demo();
    let ran: usize = thread::scope(|scope| {
        let pages: Vec<_> = pages().into_iter().map(|page| scope.spawn(|| of_page(page, &demo))).collect();
        pages.into_iter().map(|page| page.join().unwrap()).sum()
    });
    assert!(ran > 6, "only {ran} commands for the demo were found");
}

/// How many there were.
fn of_page(page: Page, demo: &Running) -> usize {
    let (folder, url) = (Folder::new(""), format!("http://{}", demo.address));
    program(&folder, &url);
    let mut ran = 0;
    for (at, block) in page.blocks.iter().enumerate().filter(|(_, block)| is_for_demo(block)) {
        let answer = answer(&folder, &block.text.replace(DEMO, &url));
        match page.blocks.get(at + 1).filter(|next| next.language == "json") {
            Some(shown) => {
                let (shown, answer) = (json(&shown.text), json(&answer));
                assert!(is_like(&shown, &answer), "{}: it answers {answer}", block.place);
            }
            None => assert!(answer.contains("token"), "{}: {answer}", block.place),
        }
        ran += 1;
    }
    if let Ok(tokens) = fs::read_to_string(folder.path().join("tokens.json")) {
        let tokens = json(&tokens);
        for claim in ["access_token", "id_token"].iter().flat_map(|name| claims(&tokens[name])) {
            assert!(page.text.contains(&format!("`{claim}`")), "{} does not name the claim {claim}", page.name);
        }
    }
    ran
}

/// Commands that the running demo answers.
fn is_for_demo(block: &Block) -> bool {
    let text = &block.text;
    let without_issuer = text.contains("realmgate ciba request") && !text.contains("--issuer");
    block.language == "sh" && (without_issuer || text.contains(&format!("{DEMO}/master")))
}

/// `realmgate`, on the `PATH` and where `make demo` leaves it, which knows this demo as the demo.
fn program(folder: &Folder, demo: &str) {
    let script = format!("#!/bin/sh\nexec {PROGRAM} \"$@\" --issuer {demo}/master\n");
    for name in ["realmgate", "target/debug/realmgate"] {
        fs::set_permissions(folder.write(name, &script), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// What it prints. A poll that was quicker than the demo's decision is sent again, after the interval of 5 s.
fn answer(folder: &Folder, script: &str) -> String {
    for _ in 0..3 {
        let output = run(folder, script);
        exits(&output, 0);
        let printed = String::from_utf8(output.stdout).unwrap();
        if !printed.contains("authorization_pending") {
            thread::sleep(Duration::from_millis(300)); // in which the demo decides
            return printed;
        }
        thread::sleep(Duration::from_secs(6));
    }
    panic!("the demo does not decide");
}

fn claims(token: &Value) -> Vec<String> {
    let payload = URL_SAFE_NO_PAD.decode(token.as_str().unwrap().split('.').nth(1).unwrap()).unwrap();
    json(std::str::from_utf8(&payload).unwrap()).as_object().unwrap().keys().cloned().collect()
}

fn is_like(shown: &Value, answer: &Value) -> bool {
    match (shown, answer) {
        (Value::Object(shown), Value::Object(answer)) => {
            shown.len() == answer.len()
                && shown.iter().all(|(name, value)| answer.get(name).is_some_and(|other| is_like(value, other)))
        }
        (Value::String(shown), Value::String(_)) if shown == "..." => true,
        _ => shown == answer,
    }
}
