//! `realmgate serve`: start, stop, state, environment.

use std::{fs, os::unix::fs::PermissionsExt, time::Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::program::{Folder, REALM, Running, brief, exits, names};

#[tokio::test]
async fn it_serves_while_the_upstream_is_down_and_stops_in_order() {
    for signal in ["TERM", "INT"] {
        let folder = Folder::new("");
        let mut running = folder.serve();
        running.line("The upstream did not answer as it should");
        let asked = running.ask().await;
        assert_eq!(brief(&asked), "200");
        assert_eq!(brief(&running.poll(&asked).await), "400 authorization_pending");
        let page = running.get("/master/approvals?sign-in=start").await;
        assert_eq!(page.status, 503);
        running.signal(signal);
        assert_eq!(running.end(), Some(0), "{signal}");
    }
}

#[tokio::test]
async fn the_first_line_says_where_it_listens() {
    let folder = Folder::new("log_format = \"text\"\n");
    let running = folder.serve();
    let log = running.log();
    let first = log.lines().next().unwrap();
    assert!(first.contains("listening") && first.contains(&running.address), "{log}");
    assert_eq!(
        running.json("/master/.well-known/openid-configuration").await["issuer"],
        "http://localhost:8080/master"
    );
}

#[tokio::test]
async fn a_silent_connection_does_not_delay_the_stop() {
    let folder = Folder::new("");
    let mut running = folder.serve();
    let mut idle = TcpStream::connect(&running.address).await.unwrap();
    idle.write_all(b"GET /master/jwks HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    let _silent = TcpStream::connect(&running.address).await.unwrap();
    let start = Instant::now();
    running.signal("TERM");
    assert_eq!(running.end(), Some(0));
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}

/// FAPI 1.0 Part 1 6.2.1.
#[tokio::test]
async fn userinfo_says_when_it_answered() {
    let folder = Folder::new("");
    let running = folder.serve();
    let mut connection = TcpStream::connect(&running.address).await.unwrap();
    connection.write_all(b"GET /master/userinfo HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    let head = answer.to_ascii_lowercase();
    for header in ["date", "x-fapi-interaction-id"] {
        assert_eq!(head.matches(&format!("\r\n{header}: ")).count(), 1, "{header}: {answer}");
    }
}

#[tokio::test]
async fn a_busy_port_is_named() {
    let running_folder = Folder::new("");
    let running = running_folder.serve();
    let folder = Folder::new("");
    let printed = exits(&folder.run(&["serve", "--listen", &running.address]), 1);
    assert!(printed.contains(&running.address) && printed.contains("`listen`"), "{printed}");
}

#[tokio::test]
async fn a_second_start_publishes_the_same_keys() {
    let folder = Folder::new("");
    let keys = async || {
        let mut running = folder.serve();
        let keys = running.json("/master/jwks").await;
        running.signal("TERM");
        assert_eq!(running.end(), Some(0));
        keys
    };
    let first = keys().await;
    assert_eq!(first["keys"].as_array().unwrap().len(), 1);
    assert_eq!(keys().await, first);

    let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("state"), mode("state/keys")), (0o700, 0o700));
    assert_eq!(names(&folder.path().join("state")), ["keys", "sealing.key"]);
    assert_eq!(names(&folder.path().join("state/keys")), ["master-es256.pem"]);
    assert_eq!((mode("state/sealing.key"), mode("state/keys/master-es256.pem")), (0o600, 0o600));
}

#[tokio::test]
async fn the_environment_overrides_the_file_and_flags_override_both() {
    let folder = Folder::new("public_url = \"http://file.example.com\"\nlog_format = \"json\"\n");
    folder.write(
        "realms/master.toml",
        &crate::program::REALM
            .replace("client_secret = \"till-secret-of-these-tests\"", "client_secret = { env = \"TILL_SECRET\" }"),
    );
    let mut program = folder.program(&["serve", "--listen", "127.0.0.1:0", "--public-url", "http://flag.example.com"]);
    program
        .env("REALMGATE_LISTEN", "127.0.0.1:1")
        .env("REALMGATE_LOG_FORMAT", "text")
        .env("REALMGATE_STATE", "elsewhere");
    program.env("REALMGATE_PUBLIC_URL", "http://environment.example.com").env("REALMGATE_PATH_PREFIX", "/auth");
    program.env("TILL_SECRET", "till-secret-of-these-tests").env("REALMGATE_COLOUR", "turquoise");
    let mut running = Running::start(program);
    assert!(!running.log().starts_with('{'), "text: {}", running.log());
    let warning = running.line("REALMGATE_COLOUR");
    assert!(warning.contains("WARN") && !warning.contains("turquoise"), "{warning}");
    let document = running.json("/auth/master/.well-known/openid-configuration").await;
    assert_eq!(document["issuer"], "http://flag.example.com/auth/master");
    assert_eq!(brief(&running.ask().await), "200", "the client's secret came from the environment");
    assert_eq!(names(folder.path()), ["config.toml", "elsewhere", "realms"]);

    let output = folder.run(&["serve"]);
    let printed = exits(&output, 2);
    assert!(printed.contains("master.toml") && printed.contains("TILL_SECRET"), "{printed}");
}

#[tokio::test]
async fn audit_records_go_to_standard_output_and_nothing_else_does() {
    let folder = Folder::new("");
    let mut running = folder.serve();
    let asked = running.ask().await;
    running.poll(&asked).await;
    running.till("/master/bc-authorize", &[("scope", "openid")]).await;
    running.signal("TERM");
    assert_eq!(running.end(), Some(0));
    let audit = running.audit();
    let types: Vec<String> = audit
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(types, ["request", "request_refused"], "{audit}");
}

#[tokio::test]
async fn why_a_device_service_could_not_ask_is_logged_with_the_answer() {
    let folder = Folder::new("");
    folder.write(
        "realms/master.toml",
        &format!("{REALM}[[channels]]\nkind = \"keycloak\"\nurl = \"http://127.0.0.1:9/\"\n"),
    );
    let mut running = folder.serve();
    assert_eq!(brief(&running.ask().await), "503 temporarily_unavailable");
    let line = running.line("A request was answered with a fault");
    assert!(line.contains("\"cause\":\"device service: no answer: Connection refused (os error 111)\""), "{line}");
}
