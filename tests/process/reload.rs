//! SIGHUP: realms, clients and certificates are read again; what is faulty keeps its running version.

use std::fs;

use serde_json::Value;

use crate::program::{Folder, REALM, brief};

#[tokio::test]
async fn clients_and_realms_come_and_go() {
    let folder = Folder::new("");
    let mut running = folder.serve();
    let asked = running.ask().await;
    let form = [("scope", "openid"), ("login_hint", "alice")];
    let desk = async |running: &crate::program::Running, path: &str| {
        brief(&running.form("desk", "desk-secret-of-these-tests", path, &form).await)
    };
    assert_eq!(desk(&running, "/master/bc-authorize").await, "401 invalid_client");
    assert_eq!(desk(&running, "/second/bc-authorize").await, "404 not_found");

    let new_client = "[[clients]]\nclient_id = \"desk\"\nclient_secret = \"desk-secret-of-these-tests\"\n";
    folder.write("realms/master.toml", &format!("{REALM}{new_client}"));
    folder.write("realms/second.toml", &format!("{REALM}{new_client}"));
    running.reload();
    assert_eq!(desk(&running, "/master/bc-authorize").await, "200", "a new client");
    assert_eq!(desk(&running, "/second/bc-authorize").await, "200", "a new realm");
    assert_eq!(brief(&running.poll(&asked).await), "400 authorization_pending", "requests survive");

    folder.write("realms/master.toml", REALM);
    fs::remove_file(folder.path().join("realms/second.toml")).unwrap();
    running.reload();
    assert_eq!(desk(&running, "/master/bc-authorize").await, "401 invalid_client", "a removed client");
    assert_eq!(desk(&running, "/second/bc-authorize").await, "404 not_found", "a removed realm");
    assert_eq!(brief(&running.ask().await), "200");
    running.signal("TERM");
    assert_eq!(running.end(), Some(0));
}

#[tokio::test]
async fn a_disabled_realm_is_not_there() {
    let folder = Folder::new("");
    let mut running = folder.serve();
    assert_eq!(brief(&running.ask().await), "200");
    folder.write("realms/master.toml", &format!("enabled = false\n{REALM}"));
    running.reload();
    assert_eq!(brief(&running.ask().await), "404 not_found");
    let answer = running.get("/realms/master/.well-known/openid-configuration").await;
    assert_eq!((answer.status.as_u16(), &*answer.body), (404, br#"{"error":"Realm does not exist"}"#.as_slice()));
}

#[tokio::test]
async fn d12_a_faulty_realm_keeps_its_running_version_and_others_are_read() {
    let folder = Folder::new("");
    folder.write("realms/other.toml", REALM);
    let mut running = folder.serve();
    let keys: Value = running.json("/master/jwks").await;
    folder.write("realms/master.toml", &format!("{}\nenabled = \"perhaps\"\n", REALM.replace("scope = ", "skope = ")));
    folder.write("realms/other.toml", &REALM.replace("client_id = \"till\"", "client_id = \"desk\""));
    running.reload();
    assert_eq!(brief(&running.ask().await), "200", "as before");
    assert_eq!(running.json("/master/jwks").await, keys);
    let form = [("scope", "openid"), ("login_hint", "alice")];
    assert_eq!(brief(&running.till("/other/bc-authorize", &form).await), "401 invalid_client", "read again");

    let line = REALM.lines().position(|line| line.starts_with("scope = ")).unwrap() + 1;
    for part in [format!("master.toml:{line}"), "clients[0].skope".into(), "remedy: write `scope`".into()] {
        assert!(running.line(&part).contains("ERROR"), "{part}");
    }
    assert!(running.line("read again and has faults").contains("WARN"));
    assert!(!running.log().contains("till-secret"), "{}", running.log());

    folder.write("realms/master.toml", &REALM.replace("till-secret", "new-secret"));
    running.reload();
    assert_eq!(brief(&running.ask().await), "401 invalid_client", "mended, it is read");
}

#[tokio::test]
async fn a_faulty_config_toml_keeps_everything() {
    let folder = Folder::new("");
    let mut running = folder.serve();
    folder.write("config.toml", "listen = \"127.0.0.1:0\"\nlisten_to = 1\n");
    folder.write("realms/master.toml", &REALM.replace("\"till\"", "\"desk\""));
    running.reload();
    assert!(running.line("config.toml:2: listen_to").contains("ERROR"));
    assert_eq!(brief(&running.ask().await), "200");
}

#[tokio::test]
async fn what_needs_a_restart_is_named_and_changes_nothing() {
    let folder = Folder::new("");
    let mut running = folder.serve();
    let document = running.json("/master/.well-known/openid-configuration").await;
    folder.write(
        "config.toml",
        "listen = \"127.0.0.1:0\"\npublic_url = \"http://127.0.0.1:1\"\npath_prefix = \"/auth\"\n",
    );
    running.reload();
    for key in ["`public_url`", "`path_prefix`"] {
        assert!(running.line(&format!("{key} was changed: that needs a restart")).contains("WARN"));
    }
    assert_eq!(running.log().matches("needs a restart").count(), 2);
    assert_eq!(running.json("/master/.well-known/openid-configuration").await, document);
}

#[tokio::test]
async fn a_folder_of_realms_that_is_gone_takes_no_realm_away() {
    let folder = Folder::new("");
    let mut running = folder.serve();
    fs::rename(folder.path().join("realms"), folder.path().join("moved")).unwrap();
    running.reload();
    assert_eq!(brief(&running.ask().await), "200");
}

#[tokio::test]
async fn a_signal_right_after_the_start_reloads_and_ends_nothing() {
    for _ in 0..5 {
        let folder = Folder::new("");
        let mut running = folder.serve();
        running.signal("HUP");
        running.line("The configuration was read again");
        assert_eq!(brief(&running.ask().await), "200");
    }
}
