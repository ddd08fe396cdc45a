//! JSON, read strictly. It is what serde_json reads, unless an object repeats a name.
#![no_main]

use libfuzzer_sys::fuzz_target;
use realmgate::oauth::json::strict;
use serde_json::Value;

fuzz_target!(|text: &[u8]| match (strict(text), serde_json::from_slice::<Value>(text).ok()) {
    (Some(strict), lax) => assert_eq!(Some(strict), lax),
    // without its repeated names it is as good as any
    (None, Some(lax)) => {
        let written = lax.to_string();
        assert!(strict(written.as_bytes()).is_some() && written.len() < text.len(), "{written} is refused");
    }
    (None, None) => {}
});
