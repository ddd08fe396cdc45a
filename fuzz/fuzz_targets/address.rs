//! A path: templates and percent-decoding, by all routes. None but the realm's own addresses are served.
#![no_main]

use http::{Request, Uri};
use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode_str;
use realmgate_fuzz::ask;

fuzz_target!(|path: &str| {
    let Ok(uri) = path.parse::<Uri>() else { return };
    if uri.query().is_some() {
        return; // another parser's
    }
    for method in ["GET", "POST"] {
        let request = Request::builder().method(method).uri(uri.clone()).body(&[][..]).expect("a request");
        let known = ask(request).status != 404;
        let decoded = percent_decode_str(uri.path()).decode_utf8_lossy().into_owned();
        assert!(!known || decoded.split('/').any(|segment| segment == "master"), "{decoded} is served");
    }
});
