//! How a run ends, and what is shown of it.

use super::*;

/// What a proxy or a web server sends that knows nothing of the protocol.
fn page() -> Reply {
    Reply { status: 200, headers: Vec::new(), body: "<html>".into() }
}

#[tokio::test]
async fn exit_0_when_the_person_approves() {
    let world = world().await;
    let ended = world.run(false).await;
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(world.slept(), 10, "two polls, five seconds before each");
    let out = ended.out.replace(&world.issuer, "ISSUER");
    let lines: Vec<&str> = out.lines().filter(|line| !line.contains("at_hash")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    Claims
      aud      till
      exp      2027-01-15T08:05:00Z
      iat      2027-01-15T08:00:00Z
      iss      ISSUER
      name     Alice
      sub      248289761001
    Tokens
      access_token  (hidden, see --show-tokens)
      expires_in    300
      id_token      (hidden, see --show-tokens)
      scope         openid profile
      token_type    Bearer
    ");
    assert!(ended.err.contains("The person must see this with the request: KX-42\n"), "{}", ended.err);
    assert!(ended.err.contains(&format!("Approve or deny it at {}/approvals\n", world.issuer)), "{}", ended.err);
    assert!(ended.err.contains("Approved after 10 s\n"), "{}", ended.err);
}

#[tokio::test]
async fn exit_3_when_the_person_denies() {
    let world = world().await;
    world.bend(|script| script.polls = [error("authorization_pending"), error("access_denied")].into());
    let ended = world.run(true).await;
    assert_eq!(ended.code, 3);
    assert_eq!(ended.last(), json!({"state": "denied", "error": "access_denied"}));
}

#[tokio::test]
async fn exit_4_when_the_server_says_that_it_expired() {
    let world = world().await;
    let expired = reply(400, &json!({"error": "expired_token", "error_description": "Too late"}));
    world.bend(|script| script.polls = [expired].into());
    let ended = world.run(true).await;
    assert_eq!(ended.code, 4);
    let expected = json!({"state": "expired", "error": "expired_token", "error_description": "Too late"});
    assert_eq!(ended.last(), expected);
}

#[tokio::test]
async fn exit_4_when_the_time_is_over_whatever_the_server_says() {
    for last in ["authorization_pending", "slow_down", "invalid_grant"] {
        let world = world().await;
        world.bend(|script| {
            script.ask = reply(200, &json!({"auth_req_id": "id-1", "expires_in": 12, "interval": 5}));
            script.polls = [error("authorization_pending"), error("authorization_pending"), error(last)].into();
        });
        let ended = world.run(true).await;
        assert_eq!((ended.code, world.slept()), (4, 12), "{last}: {}", ended.out);
        assert_eq!(world.sent("/shop/token").len(), 3);
    }
}

#[tokio::test]
async fn exit_5_when_the_request_is_refused() {
    for (status, code) in
        [(400, "unknown_user_id"), (401, "invalid_client"), (403, "access_denied"), (429, "temporarily_unavailable")]
    {
        let world = world().await;
        let refusal = json!({"error": code, "error_description": "As it is"});
        world.bend(|script| script.ask = reply(status, &refusal));
        let ended = world.run(true).await;
        assert_eq!(ended.code, 5, "{code}");
        assert_eq!(ended.lines(), [json!({"state": "refused", "error": code, "error_description": "As it is"})]);
        assert_eq!(world.sent("/shop/ask").len(), 1, "it is never sent twice");
    }
}

#[tokio::test]
async fn exit_5_with_when_to_try_again_where_that_helps() {
    let why = "Too many requests are waiting for this person's decision";
    let refusal = json!({"error": "temporarily_unavailable", "error_description": why});
    for (status, retry_after, when) in [(429, Some(10), "in 10 s"), (503, Some(5), "in 5 s"), (503, None, "later")] {
        let world = world().await;
        let after = retry_after.map(|seconds: u64| ("retry-after", seconds.to_string()));
        world.bend(|script| script.ask = Reply { headers: after.into_iter().collect(), ..reply(status, &refusal) });
        let ended = world.run(false).await;
        assert_eq!(ended.code, 5, "{}", ended.err);
        assert!(ended.err.ends_with(&format!("Not now: {why}; try again {when}\n")), "{}", ended.err);
        let json = world.run(true).await.last();
        assert_eq!((&json["state"], json["retry_after"].as_u64()), (&json!("refused"), retry_after));
    }
}

#[tokio::test]
async fn exit_5_when_the_token_endpoint_refuses() {
    let world = world().await;
    world.bend(|script| script.polls = [error("invalid_grant")].into());
    assert_eq!(world.run(true).await.code, 5);
}

#[tokio::test]
async fn exit_6_table_of_what_is_no_server_for_this() {
    type Bend = Box<dyn FnOnce(&World)>;
    let metadata = |bend: fn(&mut Value)| Box::new(move |world: &World| world.bend_metadata(bend)) as Bend;
    let script = |bend: fn(&mut Script)| Box::new(move |world: &World| world.bend(bend)) as Bend;
    let table: Vec<(&str, Bend, &str)> = vec![
        ("no such realm", script(|script| script.metadata = reply(404, &json!({}))), "unexpected status 404"),
        ("a page", script(|script| script.metadata = page()), "not what the protocol says"),
        ("other issuer", metadata(|m| m["issuer"] = "http://127.0.0.1/other".into()), "it speaks for"),
        (
            "issuer with a slash",
            metadata(|m| m["issuer"] = format!("{}/", m["issuer"].as_str().unwrap()).into()),
            "it speaks for",
        ),
        (
            "no CIBA",
            metadata(|m| drop(m.as_object_mut().unwrap().remove("backchannel_authentication_endpoint"))),
            "CIBA is not offered",
        ),
        ("odd endpoint", metadata(|m| m["token_endpoint"] = "file:///etc/passwd".into()), "token_endpoint"),
        ("a page for an answer", script(|script| script.ask = page()), "not what the protocol says"),
        ("a proxy", script(|script| script.ask = reply(502, &json!("Bad Gateway"))), "unexpected status 502"),
        ("a page for tokens", script(|script| script.polls = [page()].into()), "not what the protocol says"),
        ("no keys", script(|script| script.keys = [page()].into()), "not what the protocol says"),
    ];
    for (case, bend, expected) in table {
        let world = world().await;
        bend(&world);
        let ended = world.run(true).await;
        let last = ended.last();
        assert_eq!((ended.code, &last["state"], &last["error"]), (6, &json!("failed"), &json!("network")), "{case}");
        assert!(last["error_description"].as_str().unwrap().contains(expected), "{case}: {last}");
    }
}

#[tokio::test]
async fn exit_6_when_nobody_listens() {
    let world = world().await;
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut plan = world.plan();
    plan.client.issuer = Issuer::parse(&format!("http://{free}/master")).unwrap();
    let ended = world.run_plan(&plan, false).await;
    assert_eq!(ended.code, 6);
    assert!(ended.err.contains("Is the demo running?"), "{}", ended.err);
}

#[tokio::test]
async fn exit_0_whatever_algorithm_the_server_signs_with() {
    for algorithm in Algorithm::ALL {
        let world = world().await;
        let (key, _) = SigningKey::generate(algorithm).unwrap();
        world.bend(|script| {
            script.polls = [reply(200, &tokens(&world.issuer, &key, |_, _| ()))].into();
            script.keys = [reply(200, &json!({ "keys": [key.jwk()] }))].into();
        });
        let ended = world.run(false).await;
        assert_eq!(ended.code, 0, "{algorithm}: {}", ended.err);
        assert!(ended.err.contains(&format!("The ID token is genuine ({algorithm}, key ")), "{}", ended.err);
    }
}

#[tokio::test]
async fn exit_7_when_another_key_signed() {
    let world = world().await;
    let (other, _) = SigningKey::generate(Algorithm::ES256).unwrap();
    world.bend(|script| script.keys = [reply(200, &json!({ "keys": [other.jwk()] }))].into());
    let ended = world.run(true).await;
    assert_eq!(ended.code, 7);
    assert_eq!((&ended.last()["state"], &ended.last()["error"]), (&json!("failed"), &json!("not_verified")));
    assert!(!ended.out.contains("access_token"), "tokens that do not verify are not handed on");
}

#[tokio::test]
async fn exit_130_when_interrupted() {
    let world = world().await;
    let waiting = tokio::sync::Notify::new();
    let sleep = async |_| {
        waiting.notify_one();
        std::future::pending().await
    };
    let ended = world.run_with(&world.plan(), false, &sleep, waiting.notified()).await;
    assert_eq!(ended.code, 130);
    assert!(
        ended.err.ends_with("Stopped waiting. The request stays open for another 120 s and can still be approved\n"),
        "{}",
        ended.err
    );

    let ended = world.run_with(&world.plan(), true, &sleep, waiting.notified()).await;
    assert_eq!(ended.last(), json!({"state": "interrupted", "expires_in": 120}));
}

#[tokio::test]
async fn slow_down_adds_five_seconds_for_good() {
    let world = world().await;
    world.bend(|script| {
        script.polls.push_front(error("slow_down"));
        script.polls.push_front(error("slow_down"));
    });
    let ended = world.run(true).await;
    assert_eq!((ended.code, world.slept()), (0, 5 + 10 + 15 + 15));
}

#[tokio::test]
async fn without_an_interval_it_is_five_seconds() {
    let world = world().await;
    world.bend(|script| script.ask = reply(200, &json!({"auth_req_id": "id-1", "expires_in": 120})));
    assert_eq!((world.run(true).await.code, world.slept()), (0, 10));
}

#[tokio::test]
async fn an_overloaded_server_is_left_alone_for_as_long_as_it_says() {
    let world = world().await;
    let overloaded = reply(503, &json!({"error": "temporarily_unavailable"})).with("retry-after", "17");
    world.bend(|script| script.polls.push_front(overloaded));
    let ended = world.run(false).await;
    assert_eq!((ended.code, world.slept()), (0, 5 + 17 + 5));
    assert!(ended.err.contains("unexpected status 503; trying again in 17 s"), "{}", ended.err);
}

#[tokio::test]
async fn a_server_that_stays_away_is_a_network_fault_at_expiry() {
    let world = world().await;
    world.bend(|script| script.polls = [reply(500, &json!({"error": "server_error"}))].into());
    let ended = world.run(true).await;
    assert_eq!((ended.code, world.slept()), (6, 120));
    assert_eq!(world.sent("/shop/token").len(), 6, "after 5, 10, 20, 40 and 80 s, and at the end");
}

#[tokio::test]
async fn keys_that_do_not_come_at_once_are_asked_for_again() {
    let world = world().await;
    world.bend(|script| script.keys.push_front(reply(503, &json!({}))));
    assert_eq!(world.run(true).await.code, 0);
}

#[tokio::test]
async fn json_lines() {
    let world = world().await;
    world.bend(|script| script.polls.push_front(error("slow_down")));
    world.bend(|script| script.polls.push_front(error("authorization_pending")));
    let ended = world.run(true).await;
    assert_eq!(ended.err, "");
    assert!(ended.out.lines().all(|line| line.starts_with(r#"{"state":""#)), "{}", ended.out);
    insta::assert_json_snapshot!(ended.lines(), {
        "[].claims.iss" => "ISSUER",
        "[].claims.at_hash" => "HASH",
        "[].tokens.access_token" => "JWT",
        "[].tokens.id_token" => "JWT",
    }, @r#"
    [
      {
        "auth_req_id": "id-1",
        "binding_message": "KX-42",
        "expires_in": 120,
        "interval": 5,
        "state": "requested"
      },
      {
        "state": "pending"
      },
      {
        "interval": 10,
        "state": "slow_down"
      },
      {
        "claims": {
          "at_hash": "HASH",
          "aud": "till",
          "exp": 1800000300,
          "iat": 1800000000,
          "iss": "ISSUER",
          "name": "Alice",
          "sub": "248289761001"
        },
        "state": "approved",
        "tokens": {
          "access_token": "JWT",
          "expires_in": 300,
          "id_token": "JWT",
          "scope": "openid profile",
          "token_type": "Bearer"
        }
      }
    ]
    "#);
}

#[tokio::test]
async fn escape_sequences_of_the_server_do_not_reach_the_terminal() {
    let world = world().await;
    let evil = json!({"error": "invalid_scope\u{1b}[2J", "error_description": "\u{9b}31mred\u{202e}"});
    world.bend(|script| script.ask = reply(400, &evil));
    let ended = world.run(false).await;
    assert!(ended.err.ends_with("Refused: invalid_scope[2J (31mred)\n"), "{:?}", ended.err);
    let ended = world.run(true).await;
    assert!(!ended.out.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{:?}", ended.out);
}
