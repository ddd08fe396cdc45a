//! The request of the profile page that many clients were written from, as that page prints it: its content type without
//! `application/`, and the token call at `bc-authorize`.

use serde_json::Value;

use crate::{
    client::{Answer, answer, http},
    gateway::Gateway,
};

const REQUEST: &str =
    "client_id=demo&client_secret=demo-secret&scope=openid profile&login_hint=user&user_code=password";

#[tokio::test]
async fn the_printed_request_gets_the_printed_reply_and_then_tokens() {
    let demo = Gateway::demo(&["--answer", "approve"]);

    let (status, reply) = post(&demo, REQUEST).await;
    assert_eq!(status, 200, "{reply}");
    let reply = reply.as_object().unwrap();
    assert_eq!(reply.keys().collect::<Vec<_>>(), ["auth_req_id", "expires_in", "interval"]);
    assert_eq!((&reply["expires_in"], &reply["interval"]), (&120.into(), &5.into()));

    let id = reply["auth_req_id"].as_str().unwrap();
    let redeem = format!(
        "grant_type=urn:openid:params:grant-type:ciba&auth_req_id={id}&client_id=demo&client_secret=demo-secret"
    );
    let (status, tokens) = tokens(&demo, &redeem).await;
    assert_eq!(status, 200, "{tokens}");
    assert!(tokens["access_token"].is_string() && tokens["id_token"].is_string(), "{tokens}");
    demo.stop();
}

#[tokio::test]
async fn a_wrong_user_code_is_refused() {
    let demo = Gateway::demo(&[]);
    let (status, refused) = post(&demo, &REQUEST.replace("user_code=password", "user_code=wrong")).await;
    assert_eq!((status, &refused["error"]), (400, &"invalid_user_code".into()), "{refused}");
    let (status, refused) = post(&demo, &REQUEST.replace("&user_code=password", "")).await;
    assert_eq!((status, &refused["error"]), (400, &"missing_user_code".into()), "{refused}");
    demo.stop();
}

/// Polls every 5 seconds, as the reply says, at most 6 times.
async fn tokens(demo: &Gateway, form: &str) -> Answer {
    let mut last = (0, Value::Null);
    for _ in 0..6 {
        tokio::time::sleep(std::time::Duration::from_secs(5)).await;
        last = post(demo, form).await;
        if last.1["error"] != "authorization_pending" {
            break;
        }
    }
    last
}

async fn post(demo: &Gateway, form: &str) -> Answer {
    let request = http().post(format!("{}/master/bc-authorize", demo.url));
    answer(request.header("Content-Type", "x-www-form-urlencoded").body(form.to_owned())).await
}
