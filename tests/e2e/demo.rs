//! `realmgate demo` as a newcomer meets it. The commands in README.md and `docs/` are run by `tests/docs`.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

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

#[tokio::test]
async fn a_screen_reader_is_told_how_much_time_is_left_when_it_is() {
    let demo = Gateway::demo(&[]);
    let form = [
        ("client_id", "demo"),
        ("client_secret", "demo-secret"),
        ("scope", "openid"),
        ("login_hint", "alice"),
        ("requested_expiry", "35"),
    ];
    assert_eq!(answer(http().post(format!("{}/master/bc-authorize", demo.url)).form(&form)).await.0, 200);
    let browser = Browser::open().await;
    browser.goto(&format!("{}/master/approvals", demo.url)).await;
    browser.press("Continue to").await;
    browser.press("Alice").await;
    browser.press("Review").await;
    browser.sees("Approve").await;
    assert_eq!(browser.announced().await, "", "nothing has changed since the page was opened");
    for _ in 0..250 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if !browser.announced().await.is_empty() {
            break;
        }
    }
    assert_eq!(browser.announced().await, "20 seconds left");
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
