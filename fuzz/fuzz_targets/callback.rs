//! The body of a device service's callback. Only an object whose `status` is one of three texts is understood.
#![no_main]

use libfuzzer_sys::fuzz_target;
use realmgate::keycloak::callback::parse;
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    if parse(body).is_ok() {
        let body: Value = serde_json::from_slice(body).expect("JSON");
        let status = body["status"].as_str().expect("a text");
        assert!(["SUCCEED", "UNAUTHORIZED", "CANCELLED"].contains(&status), "{status}");
    }
});
