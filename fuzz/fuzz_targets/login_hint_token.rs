//! The claims of a `login_hint_token`. What names somebody is of an issuer that the realm knows, for this realm.
#![no_main]

use libfuzzer_sys::fuzz_target;
use realmgate::oauth::json::strict_object;
use realmgate_fuzz::{send, signed};

fuzz_target!(|claims: &[u8]| {
    let token = signed(claims);
    let form = [
        ("client_id", "post"),
        ("client_secret", "post-secret-0123456789"),
        ("scope", "openid"),
        ("login_hint_token", &token),
    ];
    match send("/bc-authorize", &form).outcome().as_str() {
        "invalid_request" => {}
        "unknown_user_id" | "expired_login_hint_token" | "temporarily_unavailable" | "ok" => {
            let claims = strict_object(claims).expect("a JSON object");
            assert_eq!(claims["iss"], "https://hints.example.com");
            assert!(claims["aud"].to_string().contains("\"http://127.0.0.1:8080/master\""));
        }
        other => panic!("{other}"),
    }
});
