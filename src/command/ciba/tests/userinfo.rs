//! `--userinfo`.

use super::*;

impl World {
    async fn run_for_userinfo(&self, json: bool) -> Ended {
        let plan = Plan { userinfo: true, ..self.plan() };
        self.run_plan(&plan, json).await
    }
}

#[tokio::test]
async fn what_it_says_is_shown() {
    let world = world().await;
    let ended = world.run_for_userinfo(true).await;
    assert_eq!((ended.code, world.slept()), (0, 10));
    let last = ended.last();
    assert_eq!(last["userinfo"], json!({"sub": "248289761001", "email": "alice@example.com"}));
    let [seen] = &world.sent("/shop/userinfo")[..] else { panic!("asked once") };
    let token = last["tokens"]["access_token"].as_str().unwrap();
    assert_eq!(seen.header("authorization"), Some(format!("Bearer {token}").as_str()));
    assert_eq!(seen.header("dpop"), None);

    let ended = world.run_for_userinfo(false).await;
    assert!(
        ended.out.contains("Userinfo\n  email  alice@example.com\n  sub    248289761001\nTokens\n"),
        "{}",
        ended.out
    );
    let plain = world.run(true).await.last();
    assert_eq!(plain.get("userinfo"), None, "nobody asked for it");
}

#[tokio::test]
async fn exit_6_before_anybody_is_asked_where_there_is_none() {
    let world = world().await;
    world.bend_metadata(|metadata| drop(metadata.as_object_mut().unwrap().remove("userinfo_endpoint")));
    let ended = world.run_for_userinfo(true).await;
    assert_eq!((ended.code, world.sent("/shop/ask").len()), (6, 0));
    assert!(ended.out.contains("has no userinfo_endpoint"), "{}", ended.out);
}

#[tokio::test]
async fn table_of_answers() {
    let refused = reply(401, &json!({})).with("www-authenticate", "Bearer error=\"invalid_token\"");
    let good = json!({"sub": "248289761001"});
    let table: [(&str, Vec<Reply>, u8, &str); 7] = [
        ("refused", vec![refused], 7, "the userinfo endpoint refuses the access token: Bearer error=\"invalid_token\""),
        ("forbidden", vec![reply(403, &json!({}))], 7, "the userinfo endpoint refuses the access token"),
        ("somebody else", vec![reply(200, &json!({"sub": "other"}))], 7, "is about somebody else"),
        ("nobody", vec![reply(200, &json!({}))], 7, "is about somebody else"),
        ("signed", vec![Reply { body: "a.b.c".into(), ..reply(200, &good) }], 6, "not what the protocol says"),
        ("away", vec![reply(503, &json!({}))], 6, "unexpected status 503"),
        ("away for a moment", vec![reply(503, &json!({})), reply(200, &good)], 0, ""),
    ];
    for (case, replies, code, expected) in table {
        let world = world().await;
        world.bend(|script| script.userinfo = replies.into());
        let ended = world.run_for_userinfo(true).await;
        assert_eq!(ended.code, code, "{case}: {}", ended.out);
        let told = ended.last()["error_description"].as_str().unwrap_or_default().to_owned();
        assert!(told.contains(expected), "{case}: {told}");
    }
}
