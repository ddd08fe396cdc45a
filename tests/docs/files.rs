//! The files in the pages pass `realmgate check`. A TOML block without a name is part of a realm file; what it needs besides
//! is added. A named realm file is checked with the `config.toml` that the page shows before it, if any. Certificates that a file
//! names are made by the commands that the page shows for them, where these can run.

use crate::{
    SECRET, are_there,
    page::{Block, pages},
    program::{Folder, exits},
    run,
};

#[test]
fn they_pass_the_check() {
    let mut checked = 0;
    for page in pages() {
        let mut config = None;
        for (at, block) in page.blocks.iter().enumerate().filter(|(_, block)| block.language == "toml") {
            let folder = Folder::new("");
            let (name, text) = match block.file.as_deref() {
                Some("config.toml") => {
                    config = Some(&block.text);
                    ("realms/acme.toml", completed(""))
                }
                Some(name) => (name, block.text.clone()),
                None => ("realms/acme.toml", completed(&block.text)),
            };
            folder.write(name, &text);
            if let Some(config) = config {
                folder.write("config.toml", config);
            }
            certificates(&folder, &page.blocks[..at]);
            let variables = text.split("env = \"").skip(1).filter_map(|rest| Some((rest.split_once('"')?.0, SECRET)));
            println!("{}", block.place);
            exits(&folder.program(&["check"]).envs(variables).output().unwrap(), 0);
            checked += 1;
        }
    }
    assert!(checked > 5, "only {checked} files were found");
}

/// A realm file from a part of one.
pub(crate) fn completed(part: &str) -> String {
    let rest = [
        ("[upstream]", "issuer = \"https://login.example.com\"\nclient_id = \"realmgate\""),
        (
            "[[lookups]]",
            "kind = \"static\"\n[[lookups.users]]\nsub = \"1\"\npreferred_username = \"alice\"\nemail = \"a@example.com\"",
        ),
        ("[[clients]]", "client_id = \"till\"\nclient_secret = \"till-secret-0123456789\""),
    ];
    let missing = rest.iter().filter(|(header, _)| !part.contains(header));
    missing.fold(part.to_owned(), |text, (header, keys)| format!("{text}\n{header}\n{keys}\n"))
}

/// What `[tls]` and `[mtls]` name: by the page's commands; what these have not made, or cannot, by others.
fn certificates(folder: &Folder, before: &[Block]) {
    if are_there(&["bash", "openssl"]) {
        let makes = |block: &&Block| block.language == "sh" && block.text.contains("openssl req");
        for command in before.iter().filter(makes) {
            exits(&run(folder, &command.text), 0);
        }
    }
    let is_missing = |name: &str| !folder.path().join(name).exists();
    if is_missing("tls/server.pem") {
        let server = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
        folder.write("tls/server.pem", &server.cert.pem());
        folder.write("tls/server.key", &server.signing_key.serialize_pem());
    }
    if is_missing("realms/mtls/ca.pem") {
        let mut authority = rcgen::CertificateParams::default();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = authority.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        folder.write("realms/mtls/ca.pem", &authority.pem());
    }
}
