//! The folder of realm files: every `*.toml` directly in it is one realm, named like the file.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use url::Url;

use super::{
    Config,
    environment::Environment,
    fault::{Fault, Problem},
    realm,
    table::{Source, Table},
};
use crate::realm::Realm;

/// What one realm file turned out to be.
#[derive(Debug)]
pub enum Found {
    Sound(Arc<Realm>),
    /// `enabled = false`: answered as if it did not exist.
    Disabled,
    /// On reload, the running version of such a realm goes on (I14).
    Faulty(Vec<Fault>),
}

/// All realms of the folder, by name.
#[derive(Debug, Default)]
pub struct Realms {
    pub by_name: BTreeMap<String, Found>,
    /// Faults that concern no realm of a name: the folder itself, files that are no realm files.
    pub folder: Vec<Fault>,
}

impl Realms {
    /// The realms to serve.
    pub fn sound(&self) -> impl Iterator<Item = &Arc<Realm>> {
        self.by_name.values().filter_map(|found| match found {
            Found::Sound(realm) => Some(realm),
            _ => None,
        })
    }

    /// Every fault of every file.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        let realms = self.by_name.values().filter_map(|found| match found {
            Found::Faulty(faults) => Some(faults),
            _ => None,
        });
        self.folder.iter().chain(realms.flatten())
    }
}

/// Reads every realm file. Blocking: it reads files and parses keys.
pub fn load_realms(config: &Config) -> Realms {
    read(config, &Environment::of_process())
}

pub(super) fn read(config: &Config, environment: &Environment) -> Realms {
    let mut realms = Realms::default();
    let files = match files(&config.realms) {
        Ok(files) => files,
        Err(error) => {
            let cause = format!("the folder of realms cannot be read: {error}");
            let remedy = "make it, or name another folder with `realms` in config.toml";
            realms.folder.push(fault(&config.realms, Problem::new(cause, remedy)));
            return realms;
        }
    };
    for path in files {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("toml") => match path.file_stem().and_then(|stem| stem.to_str()) {
                Some(name) => {
                    let found = one(name, &path, config, environment);
                    realms.by_name.insert(name.to_owned(), found);
                }
                None => {
                    let problem = Problem::new("the file's name is not UTF-8", "give the file another name");
                    realms.folder.push(fault(&path, problem));
                }
            },
            Some("json") => {
                let remedy = "describe the realm in a .toml file, and move this file out of the folder";
                realms.folder.push(fault(&path, Problem::new("not supported yet: Keycloak exports", remedy)));
            }
            _ => {}
        }
    }
    refuse_equal_issuers(&mut realms, config);
    realms
}

/// The files directly in the folder, sorted; symbolic links are followed, as a mounted ConfigMap has them.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    let mut files: Vec<PathBuf> = entries.collect::<io::Result<_>>()?;
    files.retain(|path| !path.is_dir());
    files.sort();
    Ok(files)
}

fn one(name: &str, path: &Path, config: &Config, environment: &Environment) -> Found {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let problem = Problem::new(format!("it cannot be read: {error}"), "check the file's mode and encoding");
            return Found::Faulty(vec![fault(path, problem)]);
        }
    };
    match realm::read(name, path, &text, &config.public_base(), environment) {
        Ok(None) => Found::Disabled,
        Ok(Some(realm)) => {
            let realm = Realm { client_certificates: config.sees_certificates(), ..realm };
            let mut faults = not_called(path, &text, config, environment);
            if !config.is_loopback() {
                faults.extend(published_secrets(path, &text, environment));
            }
            if faults.is_empty() { Found::Sound(Arc::new(realm)) } else { Found::Faulty(faults) }
        }
        Err(faults) => Found::Faulty(faults),
    }
}

/// Secrets that anybody can read in this project's files.
const PUBLISHED: [&str; 2] = ["demo-secret", "till-secret-0123456789"];

/// What is shipped to be tried on one machine must not be served to others. The file is sound.
fn published_secrets(path: &Path, text: &str, environment: &Environment) -> Vec<Fault> {
    let source = Source::new(path, text, environment);
    if let Some(document) = source.parse() {
        for client in Table::root(&source, &document).tables("clients") {
            let secret = client.secret("client_secret");
            if secret.is_some_and(|secret| PUBLISHED.iter().any(|published| secret.matches(published))) {
                let id = client.string("client_id").unwrap_or_default();
                let cause =
                    format!("the secret of `{id}` is the published one, and `listen` or `public_url` is not loopback");
                let remedy = "give the client a secret of its own, or remove the client";
                client.fault("client_secret", Problem::new(cause, remedy));
            }
        }
    }
    source.into_faults()
}

/// Addresses that clients and issuers of hint tokens registered, and that will never be called (`http/guard`).
fn not_called(path: &Path, text: &str, config: &Config, environment: &Environment) -> Vec<Fault> {
    let source = Source::new(path, text, environment);
    if let Some(document) = source.parse() {
        let root = Table::root(&source, &document);
        for table in root.tables("clients").into_iter().chain(root.tables("login_hint_token_issuers")) {
            for key in ["backchannel_client_notification_endpoint", "jwks_uri"] {
                let url = table.string(key).and_then(|text| Url::parse(text).ok());
                if url.is_some_and(|url| !config.outbound.may_lead_to(&url)) {
                    let cause = "`private_networks` does not list this address, so it is not called";
                    let remedy = "list its network in [outbound] private_networks of config.toml, such as \
                                  [\"127.0.0.1\"]; link-local addresses and those of cloud metadata are never called";
                    table.fault(key, Problem::new(cause, remedy));
                }
            }
        }
    }
    source.into_faults()
}

/// Whoever trusts an issuer must not get tokens of another realm from it.
fn refuse_equal_issuers(realms: &mut Realms, config: &Config) {
    let mut first: BTreeMap<String, String> = BTreeMap::new();
    for (name, found) in &mut realms.by_name {
        let Found::Sound(realm) = found else { continue };
        if let Some(other) = first.get(&realm.issuer) {
            let cause = format!("the realm `{other}` has the same issuer");
            let problem = Problem::new(cause, "give every realm an issuer of its own");
            let path = config.realms.join(format!("{name}.toml"));
            *found = Found::Faulty(vec![Fault { key: Some("issuer".into()), ..fault(&path, problem) }]);
        } else {
            first.insert(realm.issuer.clone(), name.clone());
        }
    }
}

fn fault(path: &Path, problem: Problem) -> Fault {
    let Problem { cause, remedy } = problem;
    Fault { file: path.display().to_string(), line: None, key: None, cause, remedy }
}
