//! The claims of a JWT whose signature is good. What is read of them is what they say.
#![no_main]

use std::{sync::LazyLock, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use libfuzzer_sys::fuzz_target;
use realmgate::{
    clock::Timestamp,
    jose::Jws,
    oauth::json::strict_object,
    secret::{Secret, hmac_sha256},
};

const KEY: &str = "0123456789abcdef0123456789abcdef";
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

static SECRET: LazyLock<Secret> = LazyLock::new(|| Secret::new(KEY));

fuzz_target!(|payload: &[u8]| {
    let message = [r#"{"alg":"HS256"}"#.as_bytes(), payload].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
    let signature = URL_SAFE_NO_PAD.encode(hmac_sha256(KEY.as_bytes(), message.as_bytes()));
    let token = format!("{message}.{signature}");
    // longer ones are refused
    let Ok(jws) = Jws::parse(&token) else { return assert!(token.len() > 16 * 1024) };
    let Ok(claims) = jws.verify_hmac(&SECRET) else { return assert!(strict_object(payload).is_none()) };
    if let Ok(expires) = claims.are_of_now(NOW, Duration::from_secs(300)) {
        let seconds = claims.get("exp").and_then(|exp| exp.as_f64()).expect("a number");
        assert!((1_799_999_970.0..=1_800_000_330.0).contains(&seconds) && expires.seconds() == seconds as u64);
    }
    if claims.audience().is_ok_and(|audience| audience.contains("us")) {
        let value = claims.get("aud").map(ToString::to_string).unwrap_or_default();
        assert!(value.contains("\"us\""), "{value}");
    }
    for name in ["iss", "sub", "jti"] {
        if let Ok(Some(text)) = claims.text(name) {
            assert_eq!(claims.get(name).and_then(|value| value.as_str()), Some(text));
        }
    }
});
