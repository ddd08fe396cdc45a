//! `realmgate demo` as a newcomer meets it: the first page, and the README's commands as printed.

use std::process::{Command, Stdio};

use crate::{
    browser::Browser,
    client::{answer, http},
    end_of,
    gateway::{Gateway, PROGRAM},
};

#[tokio::test]
async fn a_newcomer_asks_and_approves_in_the_browser() {
    let demo = Gateway::demo(&[]);
    let browser = Browser::open().await;
    browser.goto(&demo.url).await;
    browser.photograph("demo").await;
    browser.press("Ask for approval").await;
    browser.sees("Time left").await;
    browser.photograph("demo-request").await;

    browser.press("Open the inbox").await;
    browser.switch_to_tab(1).await;
    browser.press("Continue to").await;
    browser.photograph("demo-provider").await;
    browser.press("Alice").await;
    browser.press("Review").await;
    browser.photograph("demo-decision").await;
    browser.press("Approve").await;
    browser.sees("You approved").await;

    browser.switch_to_tab(0).await;
    browser.sees("The application knows now").await;
    browser.photograph("demo-approved").await;
    demo.stop();
}

#[test]
fn the_readmes_commands_work_as_printed() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let demo = Gateway::demo(&["--answer", "approve"]);
    let mut ran = 0;
    for block in shell_blocks(&readme).filter(|block| block.contains("127.0.0.1:8080/master")) {
        // only the port differs: 8080 may be taken where the tests run
        let script = block.replace("http://127.0.0.1:8080", &demo.url);
        let output = Command::new("bash").args(["-euo", "pipefail", "-c", &script]).output().unwrap();
        let printed = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{block}\n{printed}");
        assert!(printed.contains("auth_req_id") || printed.contains("token"), "{block}\n{printed}");
        ran += 1;
    }
    assert!(ran > 0, "README.md has no sh block with a command for the demo");
    demo.stop();
}

#[test]
fn make_demo_runs_the_demo() {
    let mut make = Command::new("make");
    make.args(["--dry-run", "demo", "ARGS=--listen 127.0.0.1:8090"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let printed = String::from_utf8(make.output().unwrap().stdout).unwrap();
    assert!(printed.contains("cargo run --locked -- demo --listen 127.0.0.1:8090"), "{printed}");
}

#[test]
fn the_demo_says_where_it_is_and_what_to_type() {
    let demo = Gateway::demo(&[]);
    let url = demo.url.clone();
    let printed = demo.stop();
    assert!(printed.contains(&url) && printed.contains("realmgate ciba request"), "{printed}");
}

#[test]
fn the_demo_listens_on_loopback_alone() {
    for argument in ["--listen", "--provider-listen"] {
        let mut process = Command::new(PROGRAM)
            .args(["demo", argument, "0.0.0.0:0"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let end = end_of(&mut process);
        let _ = process.kill();
        assert_eq!(end.expect("it ends at once").code(), Some(2), "{argument}");
    }
}

#[tokio::test]
async fn another_host_is_misdirected() {
    let demo = Gateway::demo(&[]);
    let request = http().get(format!("{}/master/.well-known/openid-configuration", demo.url));
    let (status, body) = answer(request.header("Host", "evil.example")).await;
    assert_eq!(status, 421, "{body}");
    demo.stop();
}

/// What stands between ` ```sh ` and ` ``` `.
fn shell_blocks(page: &str) -> impl Iterator<Item = &str> {
    page.split("```sh\n").skip(1).filter_map(|rest| Some(rest.split_once("\n```")?.0))
}
