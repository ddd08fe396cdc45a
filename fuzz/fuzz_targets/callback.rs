//! The body of a device service's callback. Only an object whose `status` is one of three texts is understood.
#![no_main]

use libfuzzer_sys::fuzz_target;
use realmgate::keycloak::callback::parse;
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    if parse(body).is_err() {
        return;
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(body) => {
            let status = body["status"].as_str().expect("a text");
            assert!(["SUCCEED", "UNAUTHORIZED", "CANCELLED"].contains(&status), "{status}");
        }
        // of a member that is skipped: JSON, if nothing that a `Value` can hold
        Err(fault) => assert!(fault.to_string().starts_with("number out of range"), "{fault}"),
    }
});
