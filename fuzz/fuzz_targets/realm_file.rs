//! A realm file. Faults are told of lines that the file has.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use realmgate::config::realm_from_toml;
use realmgate_fuzz::PUBLIC;

fuzz_target!(|text: &str| {
    if let Err(faults) = realm_from_toml("acme", Path::new("realms/acme.toml"), text, PUBLIC) {
        let lines = text.split('\n').count();
        assert!(!faults.is_empty());
        for fault in faults {
            assert!(fault.line.is_none_or(|line| (1..=lines).contains(&line)), "{fault}");
        }
    }
});
