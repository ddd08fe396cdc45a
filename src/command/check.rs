//! `realmgate check`: reads the whole configuration, prints every fault, or what the realms are. Asks nobody.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::start;
use crate::{
    config::{self, Config, Fault, Found, Realms},
    realm::{Channel, Lookup, Profile, Realm},
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "config.toml")]
    pub config: PathBuf,
    #[command(flatten)]
    pub overrides: config::Overrides,
}

/// Exit code 0: sound; 2: faults.
pub fn run(args: Args) -> ExitCode {
    let (report, code) = report(&args);
    match io::stdout().lock().write_all(report.as_bytes()) {
        Ok(()) => ExitCode::from(code),
        Err(_) => ExitCode::FAILURE,
    }
}

fn report(args: &Args) -> (String, u8) {
    let config = match config::load(&args.config, &args.overrides) {
        Ok(config) => config,
        Err(faults) => return (faulty(&faults.0), 2),
    };
    let realms = config::load_realms(&config);
    let faults: Vec<Fault> = realms.faults().cloned().chain(unusable(&config, &args.config)).collect();
    if faults.is_empty() { (sound(&config, &realms), 0) } else { (faulty(&faults), 2) }
}

/// Certificates and keys that look like PEM and are none, or do not belong together, are only found out by using them.
fn unusable(config: &Config, file: &Path) -> impl Iterator<Item = Fault> {
    [start::tls(config, file).err(), start::http(config, file).err()].into_iter().flatten()
}

fn faulty(faults: &[Fault]) -> String {
    let mut text: String = faults.iter().map(|fault| format!("{fault}\n")).collect();
    text.push_str(&counted(faults.len(), "fault"));
    text.push('\n');
    text
}

fn sound(config: &Config, realms: &Realms) -> String {
    let mut lines = Vec::new();
    let mut warnings = config.warnings.clone();
    for (name, found) in &realms.by_name {
        match found {
            Found::Sound(realm) => {
                lines.extend(about(realm));
                warnings.extend(config::warnings(realm));
            }
            Found::Disabled => lines.push(format!("{name}: turned off (enabled = false), answered with 404")),
            Found::Faulty(_) => {}
        }
    }
    if realms.by_name.is_empty() {
        warnings.push(format!("there is no realm in {}", config.realms.display()));
    }
    lines.extend(warnings.into_iter().map(|warning| format!("warning: {warning}")));
    lines.push(format!("The configuration is sound: {}.", counted(realms.by_name.len(), "realm")));
    lines.into_iter().map(|line| line + "\n").collect()
}

/// One line for the realm, and one for what an issuer elsewhere asks of the operator.
fn about(realm: &Realm) -> Vec<String> {
    let lookups: Vec<&str> = realm.lookups.iter().map(lookup).collect();
    let channels: Vec<&str> = realm.channels.iter().map(channel).collect();
    let profile = match realm.profile {
        Profile::Standard => "",
        Profile::FapiCiba => ", profile fapi-ciba",
    };
    let mut line = format!(
        "{}: issuer {}{profile}, {}, lookups {}, channels {}",
        realm.name,
        realm.issuer,
        counted(realm.clients.len(), "client"),
        lookups.join(" "),
        channels.join(" ")
    );
    if let Some(upstream) = realm.upstream.as_ref().filter(|_| realm.has_page()) {
        let callback = realm.addresses.sign_in_callback();
        line.push_str(&format!(", redirect URI {callback} to register at {}", upstream.issuer));
    }
    let mut lines = vec![line];
    if realm.issuer != realm.addresses.short && realm.issuer != realm.addresses.keycloak {
        let well_known = ".well-known/openid-configuration";
        lines.push(format!(
            "{}: route {}/{well_known} to {}/{well_known}",
            realm.name, realm.issuer, realm.addresses.short
        ));
    }
    lines
}

const fn lookup(lookup: &Lookup) -> &'static str {
    match lookup {
        Lookup::Static { .. } => "static",
        Lookup::Keycloak { .. } => "keycloak",
        Lookup::SignIn { .. } => "sign-in",
    }
}

const fn channel(channel: &Channel) -> &'static str {
    match channel {
        Channel::Page => "page",
        Channel::Webhook { .. } => "webhook",
        Channel::Keycloak { .. } => "keycloak",
    }
}

fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn check(config: &Path) -> (String, u8) {
        report(&Args { config: config.to_owned(), overrides: config::Overrides::default() })
    }

    #[test]
    fn the_shipped_configuration_is_sound() {
        let (report, code) = check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml"));
        assert_eq!(code, 0, "{report}");
        insta::assert_snapshot!(report);
    }

    #[test]
    fn what_a_realm_elsewhere_needs_is_said() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("realms")).unwrap();
        let config = folder.path().join("config.toml");
        fs::write(&config, "").unwrap();
        let shipped = include_str!("../../realms/master.toml");
        let write = |name: &str, line: &str| {
            fs::write(folder.path().join("realms").join(name), format!("{line}\n{shipped}")).unwrap();
        };
        write("acme.toml", "issuer = \"https://id.example.com/acme\"");
        write("beta.toml", "issuer = \"http://localhost:8080/realms/beta\"");
        write("gamma.toml", "enabled = false");
        let (report, code) = check(&config);
        assert_eq!(code, 0, "{report}");
        insta::assert_snapshot!(report);
        write("delta.toml", "x = 1\ny = 2");
        let (report, code) = check(&config);
        assert_eq!(code, 2, "{report}");
        assert!(report.contains("delta.toml:2: y: unknown key") && report.ends_with("2 faults\n"), "{report}");
    }
}
