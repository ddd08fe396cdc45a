//! The `Authorization` header: as it is sent, then the same bytes as what Basic and Bearer carry. Nobody gets in who does not
//! know the secret.
#![no_main]

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderValue, Request};
use libfuzzer_sys::fuzz_target;
use realmgate_fuzz::ask;

fuzz_target!(|bytes: &[u8]| {
    let basic = [b"Basic ", STANDARD.encode(bytes).as_bytes()].concat();
    for header in [bytes, &basic, &[b"Bearer ", bytes].concat()] {
        let Ok(header) = HeaderValue::from_bytes(header) else { continue };
        let request = |uri: &str| {
            Request::post(uri)
                .header("authorization", header.clone())
                .header("content-type", "application/x-www-form-urlencoded")
                .body(&b"grant_type=refresh_token&refresh_token=x"[..])
                .expect("a request")
        };
        assert_eq!(ask(request("/master/userinfo")).status, 401);
        let status = ask(request("/master/token")).status;
        let knows = |bytes: &[u8]| bytes.windows(4).any(|part| part == b"till");
        let decoded = header.as_bytes().split(|byte| *byte == b' ').next_back().map(|last| STANDARD.decode(last));
        assert!(status == 401 || decoded.is_some_and(|decoded| decoded.is_ok_and(|it| knows(&it))), "{status}");
    }
});
