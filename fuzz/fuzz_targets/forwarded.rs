//! The headers of a listed proxy: `Client-Cert` (RFC 9440) in the first line, `Client-Cert-Chain` in the second,
//! `X-Forwarded-For` in the third. What is read is what was encoded; nobody else is believed.
#![no_main]

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use realmgate::{peer::Peer, server::forwarded::peer};

const NAMES: [&str; 3] = ["client-cert", "client-cert-chain", "x-forwarded-for"];

fuzz_target!(|bytes: &[u8]| {
    let mut headers = HeaderMap::new();
    for (name, line) in NAMES.into_iter().zip(bytes.split(|byte| *byte == b'\n')) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(name, value);
        }
    }
    let listed = ["10.0.0.0/8".parse().expect("a network")];
    let from = |address: &str| Peer { address: Some(address.parse().expect("an address")), certificate: None };

    let stranger = peer(&from("192.0.2.1"), &headers, &listed);
    assert_eq!((stranger.address, stranger.certificate), (from("192.0.2.1").address, None));

    if let Some(presented) = peer(&from("10.0.0.1"), &headers, &listed).certificate {
        let sent = headers["client-cert"].as_bytes().trim_ascii();
        assert_eq!(sent, format!(":{}:", STANDARD.encode(presented.leaf())).as_bytes());
        assert!(presented.chain().len() < 8);
    }
});
