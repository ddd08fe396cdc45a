//! The `Cookie` header: as it is sent, then the same bytes as the value of a session. Nobody is signed in by chance.
#![no_main]

use http::{HeaderValue, Request};
use libfuzzer_sys::fuzz_target;
use realmgate_fuzz::ask;

fuzz_target!(|bytes: &[u8]| {
    for cookies in [bytes, &[b"realmgate-session-master=", bytes].concat()] {
        let Ok(cookies) = HeaderValue::from_bytes(cookies) else { continue };
        for uri in ["/master/approvals", "/master/sign-in/callback?state=s&code=c"] {
            let request = Request::get(uri).header("cookie", cookies.clone()).body(&[][..]).expect("a request");
            let page = ask(request).body;
            assert!(!page.windows(8).any(|part| part == b"sign-out"), "somebody is signed in");
        }
    }
});
