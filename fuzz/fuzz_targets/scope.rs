//! A scope. What was read is read again from what it is written as, and its tokens are as RFC 6749 3.3 has them.
#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use realmgate::oauth::Scope;

fuzz_target!(|text: &str| {
    let Ok(scope) = Scope::parse(text) else { return };
    assert_eq!(Scope::parse(&scope.to_string()).as_ref(), Ok(&scope));
    let tokens: HashSet<&str> = scope.iter().collect();
    assert_eq!(tokens.len(), scope.iter().count(), "a token comes twice");
    assert!(text.split(' ').all(|token| token.is_empty() || tokens.contains(token)), "a token is lost");
});
