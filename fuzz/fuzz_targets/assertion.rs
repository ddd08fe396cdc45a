//! The claims of a client assertion. Only one about the client by the client for this realm counts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use realmgate::oauth::json::strict_object;
use realmgate_fuzz::{send, signed};

fuzz_target!(|claims: &[u8]| {
    let form = [
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &signed(claims)),
        ("grant_type", "urn:openid:params:grant-type:ciba"),
        ("auth_req_id", "unknown"),
    ];
    match send("/token", &form).outcome().as_str() {
        "invalid_client" | "invalid_request" => {}
        "invalid_grant" => {
            let claims = strict_object(claims).expect("a JSON object");
            assert_eq!((&claims["iss"], &claims["sub"]), (&"signer".into(), &"signer".into()));
            assert!(claims["aud"].to_string().contains("http://127.0.0.1:8080/master"));
            assert!(claims["jti"].as_str().is_some_and(|jti| !jti.is_empty()));
        }
        other => panic!("{other}"),
    }
});
