//! The claims of a signed request object. What is not for this realm, not of now or not the client's is refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use realmgate::oauth::json::strict_object;
use realmgate_fuzz::{send, signed};

fuzz_target!(|claims: &[u8]| {
    let object = signed(claims);
    let form = [("client_id", "bank"), ("client_secret", "bank-secret-0123456789"), ("request", &object)];
    match send("/bc-authorize", &form).outcome().as_str() {
        "invalid_request" | "invalid_scope" | "invalid_binding_message" | "invalid_authorization_details" => {}
        // those come behind the object
        "unknown_user_id" | "temporarily_unavailable" | "ok" => {
            let claims = strict_object(claims).expect("a JSON object");
            assert_eq!(claims["iss"], "bank");
            assert!(claims["jti"].as_str().is_some_and(|jti| !jti.is_empty()));
        }
        other => panic!("{other}"),
    }
});
