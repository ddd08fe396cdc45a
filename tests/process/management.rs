//! `[management]`: health and metrics on a listener of their own.

use std::time::Duration;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    program::{Folder, REALM, Running, brief, http, send},
    receiver::Receiver,
};

const MANAGEMENT: &str = "[management]\nlisten = \"127.0.0.1:0\"\n";

/// Where health and metrics are served.
fn management(running: &Running) -> String {
    let log = running.log();
    let (_, after) = log.split_once("\"management\":\"").unwrap();
    format!("http://{}", after.split('"').next().unwrap())
}

async fn get(url: &str) -> (u16, String) {
    let answer = send(http().get(url.parse().unwrap())).await;
    (answer.status.as_u16(), String::from_utf8(answer.body.to_vec()).unwrap())
}

#[tokio::test]
async fn health() {
    let folder = Folder::new(MANAGEMENT);
    let running = folder.serve();
    let base = management(&running);
    for path in ["/health/live", "/health/ready"] {
        let (status, body) = get(&format!("{base}{path}")).await;
        assert_eq!((status, serde_json::from_str::<serde_json::Value>(&body).unwrap()), (200, json!({"status": "UP"})));
        assert_eq!(running.get(path).await.status, 404, "not where the public is");
    }
    for path in ["/", "/health", "/health/x", "/master/jwks"] {
        let (status, body) = get(&format!("{base}{path}")).await;
        assert_eq!(status, 404, "{path}");
        assert!(body.contains("not_found"), "{body}");
    }
    let answer = send(http().post(format!("{base}/metrics").parse().unwrap())).await;
    assert_eq!(
        (brief(&answer), &answer.headers["allow"]),
        ("405 method_not_allowed".into(), &"GET, HEAD".parse().unwrap())
    );
}

#[tokio::test]
async fn metrics_count_what_happens() {
    let mut device = Receiver::answering(201).await;
    let folder = Folder::new(MANAGEMENT);
    let channels =
        format!("[[channels]]\nkind = \"page\"\n[[channels]]\nkind = \"keycloak\"\nurl = \"{}\"\n", device.url);
    folder.write("realms/master.toml", &format!("{REALM}{channels}"));
    let mut running = folder.serve();
    running.line("The upstream did not answer as it should");

    let (asked, pending) = (running.ask().await, running.ask().await);
    let bearer = device.next().await.bearer();
    assert_eq!(brief(&running.poll(&asked).await), "400 authorization_pending");
    let callback = format!("http://{}/master/bc-authorize/callback", running.address).parse().unwrap();
    let callback = http().post(callback).bearer_auth(&bearer).body(r#"{"status":"SUCCEED"}"#);
    assert_eq!(send(callback).await.status, 200);
    assert_eq!(brief(&running.poll(&asked).await), "200");
    assert_eq!(brief(&running.poll(&pending).await), "400 authorization_pending");
    running.till("/master/bc-authorize", &[("scope", "openid"), ("login_hint", "nobody")]).await;
    running.reload();

    let (status, text) = get(&format!("{}/metrics", management(&running))).await;
    assert_eq!(status, 200);
    for line in [
        r#"ciba_requests_total{realm="master",result="accepted"} 2"#,
        r#"ciba_requests_total{realm="master",result="unknown_user_id"} 1"#,
        r#"ciba_polls_total{realm="master",result="authorization_pending"} 2"#,
        r#"ciba_polls_total{realm="master",result="tokens"} 1"#,
        r#"ciba_decisions_total{realm="master",decision="approved",via="device_service"} 1"#,
        r#"ciba_pending_requests{realm="master"} 1"#,
        r#"channel_requests_total{realm="master",operation="keycloak",result="ok"} 2"#,
        r#"upstream_requests_total{realm="master",operation="discovery",result="fault"}"#,
        r#"config_reloads_total{result="ok"} 1"#,
        r#"http_server_requests_total{status="200"} 4"#,
        "http_server_request_seconds_bucket{le=",
        "# EOF",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    for private in ["alice", "till", "nobody", &bearer] {
        assert!(!text.contains(private), "{private}: {text}");
    }
}

#[tokio::test]
async fn while_it_stops_it_lives_and_is_not_ready() {
    let folder = Folder::new(MANAGEMENT);
    let mut running = folder.serve();
    let base = management(&running);
    let mut slow = TcpStream::connect(&running.address).await.unwrap();
    let head = "POST /master/token HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 3\r\n\r\na";
    slow.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    running.signal("TERM");
    running.line("Stopping");
    assert_eq!(get(&format!("{base}/health/ready")).await, (503, r#"{"status":"DOWN"}"#.into()));
    assert_eq!(get(&format!("{base}/health/live")).await.0, 200);
    assert!(TcpStream::connect(&running.address).await.is_err(), "nobody new");
    slow.write_all(b"=b").await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 400") && answer.contains("grant_type"),
        "what was in flight is answered: {answer}"
    );
    assert_eq!(running.end(), Some(0));
}
