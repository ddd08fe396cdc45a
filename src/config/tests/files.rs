//! Several files at once: all faults of all of them.

use std::{fs, path::PathBuf};

use super::*;
use crate::config::{self, ClientCertificates, Config, Faults, Found, LogFormat, Overrides, folder};

/// A folder with `config.toml` and a sound realm `acme`.
struct World(tempfile::TempDir);

impl World {
    fn new(config: &str) -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        fs::create_dir(world.path("realms")).unwrap();
        world.write("config.toml", config);
        world.write("realms/acme.toml", SOUND);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn load(&self, overrides: &Overrides, variables: &[(&str, &str)]) -> Result<Config, Faults> {
        config::read(&self.path("config.toml"), overrides, &Environment::of(variables))
    }

    /// The faults, with the folder's name taken out.
    fn faults(&self, overrides: &Overrides, variables: &[(&str, &str)]) -> String {
        let faults = self.load(overrides, variables).expect_err("faulty").to_string();
        faults.replace(&format!("{}/", self.0.path().display()), "")
    }

    fn realms(&self, config: &Config) -> config::Realms {
        folder::read(config, &Environment::of(&[]))
    }
}

#[test]
fn defaults_of_an_empty_file() {
    let world = World::new("");
    let config = world.load(&Overrides::default(), &[]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.public_base(), "http://localhost:8080");
    assert_eq!(config.realms, world.path("realms"));
    assert_eq!(config.state, world.path("state"));
    assert_eq!((config.log.as_str(), config.log_format), ("info", LogFormat::Auto));
    assert!(config.tls.is_none() && config.management.is_none() && config.outbound.proxy.is_none());
    assert!(
        config.trusted_proxies.is_empty() && config.outbound.private_networks.is_empty() && config.warnings.is_empty()
    );
}

#[test]
fn each_layer_overrides_the_one_before() {
    let world =
        World::new("listen = \"127.0.0.1:1\"\nlog = \"warn\"\nstate = \"kept\"\ntrusted_proxies = [\"10.0.0.1\"]");
    let none = Overrides::default();
    let config = world.load(&none, &[]).unwrap();
    assert_eq!((config.listen.port(), config.log.as_str()), (1, "warn"));

    let variables = [
        ("REALMGATE_LISTEN", "127.0.0.1:2"),
        ("REALMGATE_LOG", "error"),
        ("REALMGATE_STATE", "elsewhere"),
        ("REALMGATE_TRUSTED_PROXIES", "['10.0.0.0/8', \"::1\"]"),
        ("REALMGATE_MANAGEMENT__LISTEN", "127.0.0.1:9000"),
        ("REALMGATE_OUTBOUND__PROXY", "http://proxy.example.com:3128"),
    ];
    let config = world.load(&none, &variables).unwrap();
    assert_eq!((config.listen.port(), config.log.as_str()), (2, "error"));
    assert_eq!(
        config.state,
        PathBuf::from("elsewhere"),
        "a path of the environment is relative to the working directory"
    );
    let proxies: Vec<String> = config.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(proxies, ["10.0.0.0/8", "::1/128"], "a list replaces the list below it");
    assert_eq!(config.management.map(|address| address.port()), Some(9000));
    assert_eq!(config.outbound.proxy.as_ref().and_then(url::Url::host_str), Some("proxy.example.com"));

    let overrides = Overrides { listen: Some("127.0.0.1:3".into()), ..none };
    let config = world.load(&overrides, &variables).unwrap();
    assert_eq!((config.listen.port(), config.log.as_str()), (3, "error"));
}

#[test]
fn client_certificates_are_asked_for_where_the_file_says_so() {
    let tls = "[tls]\ncertificate = \"pem\"\nprivate_key = \"pem\"\n";
    let table = [
        ("", ClientCertificates::None),
        ("client_certificates = \"none\"", ClientCertificates::None),
        ("client_certificates = \"optional\"", ClientCertificates::Optional),
    ];
    for (text, expected) in table {
        let world = World::new(&format!("{tls}{text}"));
        world.write("pem", "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n");
        let loaded = |variables: &[_]| world.load(&Overrides::default(), variables).unwrap().tls.unwrap();
        assert_eq!(loaded(&[]).client_certificates, expected, "{text}");
        let overridden = loaded(&[("REALMGATE_TLS__CLIENT_CERTIFICATES", "optional")]);
        assert_eq!(overridden.client_certificates, ClientCertificates::Optional, "{text}");
    }
}

#[test]
fn a_file_may_have_a_byte_order_mark_and_windows_lines_and_tables_of_toml_1_1() {
    let world = World::new("\u{feff}listen = \"127.0.0.1:1\"\r\noutbound = {\r\n  private_networks = [],\r\n}\r\n");
    assert_eq!(world.load(&Overrides::default(), &[]).unwrap().listen.port(), 1);
}

#[test]
fn another_variable_is_a_warning() {
    let world = World::new("");
    let variables = [
        ("REALMGATE_", "x"),
        ("REALMGATE_CLIENT_SECRET", "of `realmgate ciba`"),
        ("REALMGATE_LISTEN_ADDRESS", "127.0.0.1:1"),
        ("REALMGATE_TLS_CERTIFICATE", "one underscore too few"),
        ("REALMGATE_listen", "127.0.0.1:1"),
        ("LISTEN", "127.0.0.1:1"),
    ];
    let config = world.load(&Overrides::default(), &variables).unwrap();
    assert_eq!(config.listen.port(), 8080);
    assert_eq!(config.warnings.len(), 4, "{:#?}", config.warnings);
    assert!(config.warnings[1].contains("REALMGATE_LISTEN_ADDRESS"));
}

#[test]
fn table_of_addresses() {
    let table = [
        ("public_url = \"https://ID.example.com:443/\"\npath_prefix = \"/auth\"", Some("https://id.example.com/auth")),
        ("public_url = \"https://id.example.com:8443\"", Some("https://id.example.com:8443")),
        ("public_url = \"http://[::1]:8080\"", Some("http://[::1]:8080")),
        ("path_prefix = \"/a/b\"", Some("http://localhost:8080/a/b")),
        ("public_url = \"https://id.example.com/auth\"", None),
        ("public_url = \"https://id.example.com?x\"", None),
        ("public_url = \"https://id.example.com#x\"", None),
        ("public_url = \"https://me@id.example.com\"", None),
        ("public_url = \"id.example.com\"", None),
        ("public_url = \"ftp://id.example.com\"", None),
        ("path_prefix = \"auth\"", None),
        ("path_prefix = \"/auth/\"", None),
        ("path_prefix = \"/\"", None),
        ("path_prefix = \"/../x\"", None),
        ("path_prefix = \"/a//b\"", None),
        ("path_prefix = \"/realms\"", None),
    ];
    for (text, expected) in table {
        let config = World::new(text).load(&Overrides::default(), &[]);
        assert_eq!(config.ok().map(|config| config.public_base()).as_deref(), expected, "{text}");
    }
}

#[test]
fn table_of_faults() {
    let table = [
        ("listen = \"localhost:8080\"", "config.toml:1: listen: this is no address"),
        ("\nlisten = 8080", "config.toml:2: listen: it must be a string\n  remedy: write \"127.0.0.1:8080\""),
        ("[management]\nlisten = 9000", "a string\n  remedy: write \"127.0.0.1:9000\""),
        ("public_url = 8080", "config.toml:1: public_url: it must be a string\n  remedy: write it in quotes"),
        ("listne = \"127.0.0.1:1\"", "config.toml:1: listne: unknown key\n  remedy: write `listen`"),
        ("[tsl]", "config.toml:1: tsl: unknown key\n  remedy: write `tls`"),
        (
            "[outbound]\nprivate_network = []",
            "config.toml:2: outbound.private_network: unknown key\n  remedy: write `private_networks`",
        ),
        ("tls = true", "config.toml:1: tls: it must be a table"),
        ("realms = \"nowhere\"", "config.toml:1: realms: nowhere is no folder"),
        ("state = \"config.toml\"", "config.toml:1: state: config.toml is not a folder"),
        ("state = \"config.toml/below\"", "config.toml:1: state: config.toml is not a folder"),
        ("log = \"a=b=c\"", "config.toml:1: log: this is no log filter"),
        ("log_format = \"xml\"", "config.toml:1: log_format: `xml` is none of"),
        ("trusted_proxies = \"10.0.0.1\"", "config.toml:1: trusted_proxies: it must be a list"),
        ("trusted_proxies = [\"proxy\"]", "config.toml:1: trusted_proxies: one of them is no IP address"),
        ("trusted_proxies = [\"10.0.0.1\", \"0.0.0.0/0\"]", "config.toml:1: trusted_proxies: it lists every address"),
        ("trusted_proxies = [\"::/0\"]", "config.toml:1: trusted_proxies: it lists every address"),
        ("[tls]", "config.toml:1: tls.certificate: it is missing"),
        (
            "[tls]\nclient_certificates = \"required\"",
            "config.toml:2: tls.client_certificates: `required` is none of the known words\n  remedy: write one of `none`, `optional`",
        ),
        ("[tls]\nclient_certificates = true", "config.toml:2: tls.client_certificates: it must be a string"),
        ("[tls]\ncertificate = \"server.pem\"", "config.toml:2: tls.certificate: server.pem cannot be read"),
        ("[tls]\ncertificate = \"config.toml\"", "config.toml:2: tls.certificate: config.toml holds no"),
        ("[management]", "config.toml:1: management.listen: it is missing"),
        (
            "[management]\nlisten = \"127.0.0.1:8080\"",
            "config.toml:2: management.listen: it is the address of `listen`",
        ),
        (
            "[outbound]\nca_certificates = [\"ca.pem\"]",
            "config.toml:2: outbound.ca_certificates: ca.pem cannot be read",
        ),
        ("[outbound]\nproxy = \"socks5://proxy\"", "config.toml:2: outbound.proxy: it must begin with http"),
        ("listen = ", "config.toml:1: this is not TOML"),
        ("public_url = \"x\"\npublic_url = \"y\"", "config.toml:2: this is not TOML"),
    ];
    for (text, expected) in table {
        let faults = World::new(text).faults(&Overrides::default(), &[]);
        assert!(faults.contains(expected), "{text}: {faults}");
    }
}

#[test]
fn a_fault_names_the_layer_that_it_came_from() {
    let world = World::new("listen = \"127.0.0.1:1\"");
    let flags = Overrides { public_url: Some("x".into()), ..Overrides::default() };
    let faults = world.faults(&flags, &[("REALMGATE_LISTEN", "8080"), ("REALMGATE_TRUSTED_PROXIES", "10.0.0.1")]);
    assert!(faults.contains("environment: REALMGATE_LISTEN: this is no address"), "{faults}");
    assert!(faults.contains("environment: REALMGATE_TRUSTED_PROXIES: it must be a list"), "{faults}");
    assert!(faults.contains("command line: --public-url: this is no URL"), "{faults}");
}

#[test]
fn a_missing_file_is_a_fault() {
    let world = World::new("");
    fs::remove_file(world.path("config.toml")).unwrap();
    let faults = world.faults(&Overrides::default(), &[]);
    assert!(faults.starts_with("config.toml: it cannot be read: No such file"), "{faults}");
}

#[test]
fn all_faults_of_all_files_come_at_once() {
    let world = World::new("listen = 1\nlog_format = \"xml\"");
    world.write("realms/acme.toml", &bent("client_id = \"till\"", "client_id = 1"));
    world.write("realms/beta.toml", "[[clients]]");
    world.write("realms/health.toml", SOUND);
    world.write("realms/export.json", "{}");
    insta::assert_snapshot!(world.faults(&Overrides::default(), &[("REALMGATE_PUBLIC_URL", "here")]));
}

#[test]
fn realms_of_a_folder_are_told_apart() {
    let world = World::new("");
    world.write("realms/beta.toml", "x = 1");
    world.write("realms/gamma.toml", &bent("enabled = true", "enabled = false"));
    world.write("realms/delta.toml", &bent("enabled = true", "issuer = \"http://localhost:8080/acme\""));
    world.write("realms/README.md", "not a realm");
    fs::create_dir_all(world.path("realms/keys.toml")).unwrap();
    let config = world.load(&Overrides::default(), &[]).unwrap();
    let realms = world.realms(&config);
    let kinds: Vec<(&str, &str)> = realms
        .by_name
        .iter()
        .map(|(name, found)| match found {
            Found::Sound(_) => (name.as_str(), "sound"),
            Found::Disabled => (name.as_str(), "disabled"),
            Found::Faulty(_) => (name.as_str(), "faulty"),
        })
        .collect();
    assert_eq!(kinds, [("acme", "sound"), ("beta", "faulty"), ("delta", "faulty"), ("gamma", "disabled")]);
    let Found::Faulty(faults) = &realms.by_name["delta"] else { panic!() };
    assert!(faults[0].to_string().contains("delta.toml: issuer: the realm `acme` has the same issuer"), "{faults:#?}");
}

#[test]
fn published_secrets_are_for_loopback_alone() {
    let world = World::new("");
    world.write("realms/acme.toml", include_str!("../../../realms/master.toml"));
    let sound = |flags: Overrides| {
        let realms = world.realms(&world.load(&flags, &[]).unwrap());
        (realms.faults().count(), realms.sound().count())
    };
    let none = Overrides::default();
    assert_eq!(sound(none.clone()), (0, 1));
    assert_eq!(sound(Overrides { listen: Some("0.0.0.0:8080".into()), ..none.clone() }), (2, 0));
    let public = Overrides { public_url: Some("https://id.example.com".into()), ..none };
    assert_eq!(sound(public.clone()), (2, 0));
    let realms = world.realms(&world.load(&public, &[]).unwrap());
    let line = include_str!("../../../realms/master.toml").lines().position(|line| line.contains("\"demo-secret\""));
    let fault = realms.faults().next().unwrap();
    assert_eq!((fault.line, fault.key.as_deref()), (line.map(|line| line + 1), Some("clients[0].client_secret")));
    assert!(fault.cause.starts_with("the secret of `demo` is the published one"), "{fault}");
}

#[test]
fn d17_a_registered_address_that_is_not_called_is_a_fault() {
    let endpoint = |url: &str| {
        let keys = "backchannel_token_delivery_mode = \"ping\"\nbackchannel_client_notification_endpoint";
        bent("client_id = \"till\"\n", &format!("client_id = \"till\"\n{keys} = \"{url}\"\n"))
    };
    let jwks = |url: &str| bent("client_id = \"till\"\n", &format!("client_id = \"till\"\njwks_uri = \"{url}\"\n"));
    let hints = |url: &str| {
        format!("{SOUND}[[login_hint_token_issuers]]\nissuer = \"https://h.example.com\"\njwks_uri = \"{url}\"\n")
    };
    let loopback = "[outbound]\nprivate_networks = [\"127.0.0.1\", \"10.1.0.0/16\", \"169.254.0.0/16\"]";
    let key = |key: &str| Some(format!("clients[0].{key}"));
    let table = [
        ("", endpoint("http://127.0.0.1:9000/ping"), key("backchannel_client_notification_endpoint")),
        (loopback, endpoint("http://127.0.0.1:9000/ping"), None),
        (loopback, endpoint("http://127.0.0.2:9000/ping"), key("backchannel_client_notification_endpoint")),
        (loopback, endpoint("http://[::1]:9000/ping"), key("backchannel_client_notification_endpoint")),
        ("", endpoint("https://10.1.2.3/ping"), key("backchannel_client_notification_endpoint")),
        (loopback, endpoint("https://10.1.2.3/ping"), None),
        (loopback, endpoint("https://169.254.169.254/ping"), key("backchannel_client_notification_endpoint")),
        ("", endpoint("https://till.example.com/ping"), None),
        ("", jwks("http://127.0.0.1:9000/jwks"), key("jwks_uri")),
        (loopback, jwks("http://127.0.0.1:9000/jwks"), None),
        ("", hints("http://127.0.0.1:9000/jwks"), Some("login_hint_token_issuers[0].jwks_uri".into())),
    ];
    for (config, realm, expected) in table {
        let world = World::new(config);
        world.write("realms/acme.toml", &realm);
        let realms = world.realms(&world.load(&Overrides::default(), &[]).unwrap());
        let faults: Vec<_> = realms.faults().collect();
        assert_eq!(faults.first().and_then(|fault| fault.key.clone()), expected, "{config} {realm}");
        assert!(faults.iter().all(|fault| fault.line.is_some() && fault.cause.contains("`private_networks`")));
        assert!(faults.len() < 2);
    }
}

#[test]
fn the_shipped_files_are_sound() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let environment = Environment::none();
    let config = config::read(&root.join("config.toml"), &Overrides::default(), &environment).unwrap();
    let realms = folder::read(&config, &environment);
    assert_eq!(realms.faults().collect::<Vec<_>>(), Vec::<&Fault>::new());
    let master = realms.sound().find(|realm| &*realm.name == "master").unwrap();
    assert!(master.clients["demo"].backchannel_user_code_parameter);
    assert_eq!(master.clients.len(), 2);
}
