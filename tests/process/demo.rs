//! `realmgate demo`: on loopback alone, and nothing is kept.

use realmgate::http::Answer;

use crate::program::{Folder, Running, brief, exits, http, names, send};

#[test]
fn it_listens_on_loopback_alone() {
    let folder = Folder::new("");
    for flag in ["--listen", "--provider-listen"] {
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8080", "localhost:8080", "8080"] {
            let printed = exits(&folder.run(&["demo", flag, address]), 2);
            assert!(printed.contains("127.0.0.1:8080"), "{flag} {address}: {printed}");
        }
    }
}

#[tokio::test]
async fn it_leaves_nothing_behind() {
    let folder = Folder::new("");
    std::fs::remove_file(folder.path().join("config.toml")).unwrap();
    std::fs::remove_dir_all(folder.path().join("realms")).unwrap();
    let mut program = folder.program(&["demo", "--listen", "127.0.0.1:0", "--answer", "approve"]);
    for variable in ["HOME", "TMPDIR", "XDG_STATE_HOME", "XDG_CACHE_HOME"] {
        program.env(variable, folder.path());
    }
    let mut running = Running::start(program);
    assert_eq!(running.get("/").await.status, 200);
    let form = [
        ("scope", "openid profile"),
        ("login_hint", "user"),
        ("user_code", "password"),
        ("client_id", "demo"),
        ("client_secret", "demo-secret"),
    ];
    let asked = http().post(format!("http://{}/master/bc-authorize", running.address).parse().unwrap()).form(&form);
    assert_eq!(brief(&send(asked).await), "200", "the profile page's request");
    running.signal("INT");
    assert_eq!(running.end(), Some(0));
    assert_eq!(names(folder.path()), [""; 0]);
    assert_eq!(running.audit(), "", "nothing on standard output");
}

#[tokio::test]
async fn it_answers_at_its_own_address_alone() {
    let folder = Folder::new("");
    let running = Running::start(folder.program(&["demo", "--listen", "127.0.0.1:0"]));
    let port = running.address.rsplit(':').next().unwrap();
    for (host, status) in [
        (running.address.as_str(), 200),
        ("rebound.example", 421),
        (&format!("localhost:{port}"), 421),
        ("127.0.0.1", 421),
    ] {
        for path in ["/", "/master/jwks"] {
            let request =
                || http().get(format!("http://{}{path}", running.address).parse().unwrap()).header("host", host);
            assert_eq!(send(request()).await.status, status, "{host} {path}");
            if status == 421 {
                let address = format!("http://{}/", running.address);
                let said = send(request()).await.json::<serde_json::Value>().unwrap();
                assert_eq!(said["error_description"], format!("The demo answers at {address} alone"));
                let page = send(request().header("accept", "text/html,*/*")).await;
                let html = String::from_utf8_lossy(&page.body).into_owned();
                assert!(page.status == 421 && html.contains(&format!("<a href=\"{address}\">")), "{html}");
                let odd = send(request().header("accept", &b"\xff"[..])).await;
                assert_eq!(odd.status, 421, "whatever else is sent");
            }
        }
    }
    let issuer = format!("http://localhost:{port}/master");
    let printed = exits(&folder.run(&["ciba", "request", "--issuer", &issuer]), 6);
    assert!(printed.contains(&format!("The demo answers at http://{}/ alone", running.address)), "{printed}");
    assert!(!printed.contains("Is the demo running?"), "{printed}");
}

/// The provider of a demo serves people of a realm that was made from the shipped file, as that file says.
#[tokio::test]
async fn its_provider_serves_a_realm_of_ones_own() {
    let mut demo = Running::start(Folder::new("").program(&["demo", "--listen", "127.0.0.1:0"]));
    let line = demo.line("Provider");
    let provider = line.split_whitespace().nth(1).unwrap();
    let folder = Folder::new("");
    let shipped = include_str!("../../realms/master.toml");
    folder.write("realms/acme.toml", &shipped.replace("http://127.0.0.1:8081\" ", &format!("{provider}\" ")));
    let running = folder.serve();

    let header = |answer: &Answer, name: &str| answer.headers[name].to_str().unwrap().to_owned();
    let there = running.get("/acme/approvals?sign-in=start").await;
    let page = send(http().get(header(&there, "location").parse().unwrap())).await;
    let text = String::from_utf8_lossy(&page.body);
    let request = text.split_once("name=\"request\" value=\"").unwrap().1.split('"').next().unwrap();
    let choice = http()
        .post(format!("{provider}/choose").parse().unwrap())
        .header("cookie", header(&page, "set-cookie"))
        .form(&[("request", request), ("person", "alice")]);
    let back: url::Url = header(&send(choice).await, "location").parse().unwrap();
    assert_eq!(back[..url::Position::AfterPath], *"http://localhost:8080/acme/sign-in/callback");

    let back = format!("http://{}{}", running.address, &back[url::Position::BeforePath..]);
    let cookie = header(&there, "set-cookie");
    let signed_in = send(http().get(back.parse().unwrap()).header("cookie", cookie)).await;
    assert_eq!((signed_in.status.as_u16(), header(&signed_in, "location").as_str()), (303, "/acme/approvals"));
}
