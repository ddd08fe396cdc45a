//! Faults of the configuration: all at once, each with file, line, key, cause and remedy; exit code 2.

use std::fs;

use crate::program::{Folder, REALM, exits};

/// Places where each fault of [`faulty`] stands.
const FAULTS: &[&str] = &[
    "config.toml:1: listen: ",
    "config.toml:2: publik_url: ",
    "config.toml:3: log_format: ",
    "config.toml:5: tls.certificate: ",
    "config.toml:4: tls.private_key: ",
    "realms/one.toml:2: skope: ",
    "realms/one.toml:6: channels[0].kind: ",
    "realms/one.toml:10: clients[0].client_sekret: ",
    "realms/one.toml:8: clients[0].client_secret: ",
    "realms/two.toml:2: ciba.interval: ",
    "realms/two.toml:3: ciba.unknown_user: ",
];

fn faulty() -> Folder {
    let folder = Folder::new("");
    fs::remove_file(folder.path().join("realms/master.toml")).unwrap();
    folder.write(
        "config.toml",
        "listen = \"everywhere\"\npublik_url = \"http://localhost:8080\"\nlog_format = \"xml\"\n[tls]\ncertificate = \"none.pem\"\n",
    );
    folder.write(
        "realms/one.toml",
        concat!(
            "enabled = true\n",
            "skope = \"openid\"\n",
            "upstream = { issuer = \"http://127.0.0.1:9\", client_id = \"realmgate\" }\n",
            "lookups = [{ kind = \"static\", users = [] }]\n",
            "[[channels]]\n",
            "kind = \"pigeon\"\n",
            "\n",
            "[[clients]]\n",
            "client_id = \"till\"\n",
            "client_sekret = \"a canary of a secret\"\n",
        ),
    );
    folder.write("realms/two.toml", "[ciba]\ninterval = \"soon\"\nunknown_user = \"decoy\"\n");
    folder
}

#[test]
fn all_of_them_at_once() {
    let folder = faulty();
    for command in ["serve", "check"] {
        let printed = exits(&folder.run(&[command]), 2);
        for fault in FAULTS {
            assert!(printed.contains(fault), "{command}: {fault}\n{printed}");
        }
        let faults = printed.lines().filter(|line| line.contains(".toml")).count();
        assert_eq!(faults, printed.matches("\n  remedy: ").count(), "each has a remedy: {printed}");
        assert!(!printed.contains("canary"), "{printed}");
        assert!(!printed.contains("listening"), "{printed}");
    }
    assert_eq!(crate::program::names(folder.path()), ["config.toml", "realms"], "nothing is made");
}

#[test]
fn what_only_using_it_shows() {
    let made = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let tls = "[tls]\ncertificate = \"server.pem\"\nprivate_key = \"server.key\"\n";
    let ca = "[outbound]\nca_certificates = [\"ca.pem\"]\n";
    // what is in config.toml, where the fault is told, whether check can know it
    let table = [
        (tls, "config.toml: tls: the private key is not the certificate's", true),
        (ca, "ca.pem", true),
        ("state = \"/proc/none\"\n", "config.toml: state: /proc/none", false),
        ("state = \"config.toml\"\n", "state: ", true),
    ];
    for (more, expected, checked) in table {
        let folder = Folder::new(more);
        folder.write("server.pem", &made().cert.pem());
        folder.write("server.key", &made().signing_key.serialize_pem());
        folder.write("ca.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
        for command in ["serve", "check"] {
            if command == "serve" || checked {
                let printed = exits(&folder.run(&[command]), 2);
                assert!(printed.contains(expected) && printed.contains("remedy: "), "{command}: {printed}");
            }
        }
    }
}

#[test]
fn no_file_no_folder() {
    let folder = Folder::new("");
    fs::remove_dir_all(folder.path().join("realms")).unwrap();
    assert!(exits(&folder.run(&["serve"]), 2).contains("config.toml: realms: "));
    fs::remove_file(folder.path().join("config.toml")).unwrap();
    assert!(exits(&folder.run(&["serve"]), 2).contains("config.toml: it cannot be read"));
    assert!(exits(&folder.run(&["serve", "--config", "other.toml"]), 2).contains("other.toml: it cannot be read"));
    assert!(exits(&folder.run(&["serve", "--no-such-flag"]), 2).contains("--no-such-flag"));
}

#[test]
fn a_published_secret_on_a_public_address() {
    let folder = Folder::new("public_url = \"https://id.example.com\"\n");
    folder.write("realms/master.toml", &REALM.replace("till-secret-of-these-tests", "demo-secret"));
    let printed = exits(&folder.run(&["serve"]), 2);
    assert!(printed.contains("clients") && printed.contains("`till`"), "{printed}");
}
