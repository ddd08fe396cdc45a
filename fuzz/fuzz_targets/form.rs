//! A form (`application/x-www-form-urlencoded`). What was read is read again from what it is written as.
#![no_main]

use libfuzzer_sys::fuzz_target;
use realmgate::oauth::Params;
use url::form_urlencoded::Serializer;

fuzz_target!(|body: &[u8]| {
    let Ok(params) = Params::parse(body) else { return };
    let pairs: Vec<_> = params.iter().collect();
    let written = Serializer::new(String::new()).extend_pairs(&pairs).finish();
    let again = Params::parse(written.as_bytes()).expect("what was read can be written");
    assert_eq!(pairs, again.iter().collect::<Vec<_>>());
});
