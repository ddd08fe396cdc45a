//! A JWK Set, and tokens on which its keys are tried: those of the corpus have signed them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use realmgate::jose::{ForeignKeys, Jws};

const TOKENS: &str = include_str!("../tokens.txt");

fuzz_target!(|json: &[u8]| {
    let Ok(keys) = ForeignKeys::parse(json) else { return };
    assert!(keys.thumbprints().count() <= 100);
    for token in TOKENS.lines() {
        let jws = Jws::parse(token).expect("a JWS");
        if let Ok(claims) = keys.verify_jws(&jws) {
            assert!(keys.has_key_for(&jws) && claims.text("sub").is_ok_and(|sub| sub == Some("alice")));
        }
    }
});
