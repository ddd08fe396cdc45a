//! `log = "trace"`, all packages included: still no secret, token, hint, message, e-mail or phone number on either stream.

use serde_json::Value;

use crate::{
    program::{CIBA, Folder, REALM, brief, http, send},
    receiver::Receiver,
};

#[tokio::test]
async fn at_trace_no_canary_is_printed() {
    let (mut hook, mut device) = (Receiver::answering(500).await, Receiver::answering(201).await);
    let folder = Folder::new("log = \"trace\"\n");
    let channels = format!(
        "[[channels]]\nkind = \"webhook\"\nurl = \"{}\"\nsecret = \"whsec_Y2FuYXJ5LW9mLXRoZS13ZWJob29r\"\n\
         [[channels]]\nkind = \"keycloak\"\nurl = \"{}\"\n",
        hook.url, device.url
    );
    let text = REALM.replacen("email = ", "phone_number = \"+4915550100\"\nemail = ", 1);
    folder.write("realms/master.toml", &format!("{text}{channels}"));
    let mut running = folder.serve();
    let mut canaries: Vec<String> = [
        "till-secret-of-these-tests",
        "upstream-secret",
        "canary-of-the-webhook",
        "Y2FuYXJ5LW9mLXRoZS13ZWJob29r",
        "alice@example.com",
        "alice%40example.com",
        "+4915550100",
        "canary message",
        "canary+message",
        "canary-hint",
        "canary-secret",
    ]
    .map(str::to_owned)
    .into();

    let form = [("scope", "openid email"), ("login_hint", "alice@example.com"), ("binding_message", "canary message")];
    let asked = running.till("/master/bc-authorize", &form).await;
    let id = asked.json::<Value>().unwrap()["auth_req_id"].as_str().unwrap().to_owned();
    let link = hook.next().await.json()["link"].as_str().unwrap().to_owned();
    let handle = link.rsplit('/').next().unwrap();
    let bearer = device.next().await.bearer();
    running.get(&format!("/master/approvals/{handle}")).await;
    let callback = format!("http://{}/master/bc-authorize/callback", running.address).parse().unwrap();
    let callback = http().post(callback).bearer_auth(&bearer).body(r#"{"status":"SUCCEED"}"#);
    assert_eq!(send(callback).await.status, 200);
    let answer = running.till("/master/token", &[("grant_type", CIBA), ("auth_req_id", &id)]).await;
    assert_eq!(brief(&answer), "200");
    let tokens: Value = answer.json().unwrap();
    let token = |name: &str| tokens[name].as_str().unwrap().to_owned();
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", &token("refresh_token"))];
    assert_eq!(brief(&running.till("/master/token", &refresh).await), "200");
    let userinfo = format!("http://{}/master/userinfo", running.address).parse().unwrap();
    assert_eq!(send(http().get(userinfo).bearer_auth(token("access_token"))).await.status, 200);
    running.form("till", "canary-secret", "/master/token", &refresh).await;
    running.till("/master/bc-authorize", &[("scope", "openid"), ("login_hint", "canary-hint")]).await;
    canaries.extend([id, handle.to_owned(), bearer, token("access_token"), token("id_token"), token("refresh_token")]);
    running.signal("TERM");
    assert_eq!(running.end(), Some(0));

    let printed = running.log() + &running.audit();
    assert!(printed.contains("\"TRACE\"") && printed.contains("redemption"), "{printed}");
    for canary in canaries {
        if let Some(line) = printed.lines().find(|line| line.contains(&canary)) {
            panic!("{canary} is printed: {line}");
        }
    }
}
