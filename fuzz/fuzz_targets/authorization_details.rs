//! `authorization_details`. What is taken is an array of objects of the realm's types, with the members that these require.
#![no_main]

use libfuzzer_sys::fuzz_target;
use realmgate_fuzz::send;
use serde_json::Value;

fuzz_target!(|details: &str| {
    let form = [
        ("client_id", "post"),
        ("client_secret", "post-secret-0123456789"),
        ("scope", "openid"),
        ("login_hint", "nobody"),
        ("authorization_details", details),
    ];
    match send("/bc-authorize", &form).outcome().as_str() {
        // control characters are refused by the form
        "invalid_authorization_details" | "invalid_request" => {}
        "unknown_user_id" if details.is_empty() => {}
        "unknown_user_id" => {
            let items: Vec<Value> = serde_json::from_str(details).expect("an array");
            for item in items {
                let required: &[&str] = if item["type"] == "payment" { &["amount", "creditor"] } else { &[] };
                assert!(required.iter().all(|member| item.get(member).is_some()), "{item}");
                assert!(["payment", "account_information"].contains(&item["type"].as_str().expect("a type")), "{item}");
            }
        }
        other => panic!("{other}"),
    }
});
