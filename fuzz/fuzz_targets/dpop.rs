//! The claims of a DPoP proof. Only one for the request at hand counts.
#![no_main]

use http::Request;
use libfuzzer_sys::fuzz_target;
use realmgate::oauth::json::strict_object;
use realmgate_fuzz::{ask, proof};

const FORM: &str = "client_id=post&client_secret=post-secret-0123456789\
    &grant_type=urn%3Aopenid%3Aparams%3Agrant-type%3Aciba&auth_req_id=unknown";

fuzz_target!(|claims: &[u8]| {
    let request = Request::post("/master/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("dpop", proof(claims));
    match ask(request.body(FORM.as_bytes()).expect("a request")).outcome().as_str() {
        "invalid_dpop_proof" => {}
        // which is judged behind the proof
        "invalid_grant" => {
            let claims = strict_object(claims).expect("a JSON object");
            assert_eq!(claims["htm"], "POST");
            let htu = claims["htu"].as_str().expect("a text");
            assert!(htu.contains("127.0.0.1:8080"), "{htu}");
            assert!((1_799_999_940.0..=1_800_000_030.0).contains(&claims["iat"].as_f64().expect("a number")));
            assert!(claims["jti"].as_str().is_some_and(|jti| !jti.is_empty()));
        }
        other => panic!("{other}"),
    }
});
