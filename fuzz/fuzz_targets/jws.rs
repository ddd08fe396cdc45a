//! A compact JWS: a token as it is sent, then the same bytes as the header of one. The one good signature is that of the corpus, by the key in its own header.
#![no_main]

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use libfuzzer_sys::fuzz_target;
use realmgate::{
    jose::{Jws, foreign::is_jws},
    secret::Secret,
};

static SECRET: LazyLock<Secret> = LazyLock::new(|| Secret::new("0123456789abcdef0123456789abcdef"));

fuzz_target!(|bytes: &[u8]| {
    if let Ok(token) = std::str::from_utf8(bytes) {
        judge(token);
    }
    judge(&format!("{}.e30.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(bytes)));
});

fn judge(token: &str) {
    let Ok(jws) = Jws::parse(token) else { return };
    assert!(is_jws(token) && jws.kid().is_none_or(|kid| kid.len() <= 256));
    assert!(jws.has_typ() || !jws.is_typ("dpop+jwt"));
    assert!(jws.verify_hmac(&SECRET).is_err());
    if let Ok((claims, thumbprint)) = jws.verify_embedded() {
        assert!(claims.get("jti").is_some() && thumbprint.len() == 43, "signed by whom?");
    }
}
