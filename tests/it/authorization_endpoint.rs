//! docs/cases.md, authorization endpoint: a page that says why there is none; never a redirect (RFC 6749 4.1.2.1).

use crate::{addresses::is_a_page, world::World};

#[tokio::test]
async fn w1_whatever_is_sent_is_answered_with_a_page() {
    let world = World::new().await;
    let query = "response_type=code&client_id=till&redirect_uri=https%3A%2F%2Fevil.example%2F&state=s&scope=openid";
    for path in ["/master/authorize", "/realms/master/protocol/openid-connect/auth"] {
        for target in [path.to_owned(), format!("{path}?{query}"), format!("{path}?prompt=none&a=1&a=2&%zz")] {
            let form = [("content-type", "application/x-www-form-urlencoded")];
            for answer in [world.get(&target).await, world.send("POST", &target, &form, query).await] {
                assert_eq!((answer.status, answer.header("location")), (400, None), "{target}: {answer:?}");
                assert!(answer.text.contains("no client can register redirect URIs"), "{}", answer.text);
                assert!(answer.text.contains("CIBA") && !answer.text.contains("evil"), "{}", answer.text);
                is_a_page(&answer);
            }
        }
    }
}
