//! The `Authorization` header: as it is sent, then the same bytes as what Basic and Bearer carry. Nobody gets in who does not
//! know the secret.
#![no_main]

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderValue, Request};
use libfuzzer_sys::fuzz_target;
use realmgate::oauth::params::decode;
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
        assert!(status == 401 || is_right(header.as_bytes()), "{status}");
    }
});

/// Whether the last word of the header is id and secret of `till`, form-encoded (RFC 6749 2.3.1) or as they are.
fn is_right(header: &[u8]) -> bool {
    let last = header.split(|byte| byte.is_ascii_whitespace()).rfind(|word| !word.is_empty()).unwrap_or_default();
    let text = STANDARD.decode(last).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    let Some((id, secret)) = text.split_once(':') else { return false };
    let decoded = decode(id.as_bytes()).ok().zip(decode(secret.as_bytes()).ok());
    let readings = [Some((id.to_owned(), secret.to_owned())), decoded];
    readings.into_iter().flatten().any(|(id, secret)| id == "till" && secret == "till secret: a+b%20c")
}
