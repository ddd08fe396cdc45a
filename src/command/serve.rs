//! `realmgate serve`: the gateway.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use arc_swap::ArcSwap;
use tokio::signal::unix::{SignalKind, signal};

use super::{check, logging, start, start::NotStarted};
use crate::{
    config::{self, Config, Found, Overrides, Realms},
    event::{Audit, Event},
    gateway::Gateway,
    keys::folder::StateFolder,
    random::Random,
    realm::Realm,
    server, web,
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "config.toml")]
    config: PathBuf,
    #[command(flatten)]
    overrides: Overrides,
}

/// 0 after an orderly stop, 2 for a fault in the configuration, 1 else.
pub fn run(args: Args) -> ExitCode {
    let config = match config::load(&args.config, &args.overrides) {
        Ok(config) => config,
        Err(faults) => return refuse(&faults),
    };
    let realms = config::load_realms(&config);
    let faults: Vec<_> = realms.faults().cloned().chain(check::faults_in_use(&config, &args.config)).collect();
    if !faults.is_empty() {
        return refuse(&config::Faults(faults));
    }
    logging::start(&config);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&NotStarted(format!("no runtime: {error}"))),
    };
    match runtime.block_on(serve(args, config, realms)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => fail(&fault),
    }
}

#[expect(clippy::print_stderr, reason = "the command line's own output")]
fn refuse(faults: &config::Faults) -> ExitCode {
    eprintln!("{faults}");
    ExitCode::from(2)
}

#[expect(clippy::print_stderr, reason = "the command line's own output")]
pub(super) fn fail(fault: &NotStarted) -> ExitCode {
    eprintln!("realmgate: {fault}");
    ExitCode::FAILURE
}

async fn serve(args: Args, config: Config, realms: Realms) -> Result<(), NotStarted> {
    let tls = config.tls.as_ref().map(start::tls_config).transpose()?.map(|tls| Arc::new(ArcSwap::new(tls)));
    let public = start::bind(config.listen, "`listen`").await?;
    let management = match config.management {
        Some(address) => Some(start::bind(address, "`management.listen`").await?),
        None => None,
    };
    let state = StateFolder::open(&config.state, Random::system()).map_err(NotStarted::because)?;
    let gateway = start::gateway(&config, state, Audit::to_standard_output())?;
    let not_built = serve_realms(&gateway, realms).await;
    if let Some(fault) = not_built.into_iter().next() {
        return Err(NotStarted(fault));
    }
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let settings = web::Settings { path_prefix: config.path_prefix.clone(), only_host: None };
    let routes = web::routes(Arc::clone(&gateway), settings, None);
    let stop = start::stop_signal()?;
    let reloading = tokio::spawn(reload_at_hangup(args, config.clone(), Arc::clone(&gateway), tls.clone()));
    tracing::info!(
        address = %public.local_addr().map_or_else(|_| config.listen.to_string(), |address| address.to_string()),
        public_url = config.public_url,
        realms = gateway.realms().len(),
        "listening"
    );
    start::warm_up(&gateway);
    let listeners = start::Listeners { public, tls, management };
    start::serve(&config, gateway, routes, listeners, stop).await;
    reloading.abort();
    Ok(())
}

/// Serves what the folder holds now; returns why realms are not served as their files say. Keys may have to be generated, so
/// it runs off the async threads.
async fn serve_realms(gateway: &Arc<Gateway>, realms: Realms) -> Vec<String> {
    let gateway = Arc::clone(gateway);
    let (mut sound, mut faulty) = (Vec::new(), Vec::new());
    for (name, found) in realms.by_name {
        match found {
            Found::Sound(realm) => sound.push(realm),
            Found::Faulty(_) => faulty.push(name),
            Found::Disabled => {}
        }
    }
    let mut faults = Vec::new();
    // a running version that stays keeps its issuer, which no other realm may have meanwhile
    loop {
        let stay: Vec<_> = faulty.iter().filter_map(|name| gateway.realm(name)).collect();
        let is_taken = |realm: &Arc<Realm>| stay.iter().any(|live| live.realm.issuer == realm.issuer);
        let Some(at) = sound.iter().position(is_taken) else { break };
        let realm = sound.swap_remove(at);
        faults.push(format!("realm {}: the running version of a faulty realm has its issuer", realm.name));
        faulty.push(realm.name.to_string());
    }
    let not_built = tokio::task::spawn_blocking(move || gateway.serve(sound, &faulty)).await.unwrap_or_default();
    faults.extend(not_built.iter().map(ToString::to_string));
    faults
}

/// SIGHUP: realms, clients, keys, secrets and TLS files are read again. A faulty realm keeps its running version; a faulty
/// `config.toml`, or a folder of realms that cannot be read, keeps everything. Listeners, and what addresses begin with,
/// need a restart.
async fn reload_at_hangup(
    args: Args,
    running: Config,
    gateway: Arc<Gateway>,
    tls: Option<Arc<ArcSwap<server::ServerConfig>>>,
) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    while hangup.recv().await.is_some() {
        let faults = reload(&args, &running, &gateway, tls.as_deref()).await;
        for fault in &faults {
            tracing::error!("{fault}");
        }
        gateway.parts().events.tell(Event::Reloaded { faults: faults.len() });
    }
}

async fn reload(
    args: &Args,
    running: &Config,
    gateway: &Arc<Gateway>,
    tls: Option<&ArcSwap<server::ServerConfig>>,
) -> Vec<String> {
    let (path, overrides) = (args.config.clone(), args.overrides.clone());
    let Config { listen, public_url, path_prefix, .. } = running.clone();
    let read = tokio::task::spawn_blocking(move || {
        let config = config::load(&path, &overrides)?;
        if (config.listen, &config.public_url, &config.path_prefix) != (listen, &public_url, &path_prefix) {
            tracing::warn!("Changes of listen, public_url and path_prefix need a restart; they stay as they are");
        }
        let config = Config { listen, public_url, path_prefix, ..config };
        let realms = config::load_realms(&config);
        Ok::<_, config::Faults>((config, realms))
    });
    let (config, realms) = match read.await {
        Ok(Ok(read)) => read,
        Ok(Err(faults)) => return faults.0.iter().map(ToString::to_string).collect(),
        Err(error) => return vec![error.to_string()],
    };
    let mut faults: Vec<String> = realms.faults().map(ToString::to_string).collect();
    if let (Some(running), Some(files)) = (tls, &config.tls) {
        match start::tls_config(files) {
            Ok(tls) => running.store(tls),
            Err(fault) => faults.push(fault.to_string()),
        }
    }
    // where not one realm could be found and something is at fault, nobody meant to take all of them away
    if !realms.by_name.is_empty() || realms.folder.is_empty() {
        faults.extend(serve_realms(gateway, realms).await);
        start::warm_up(gateway);
    }
    faults
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    struct World {
        folder: tempfile::TempDir,
        args: Args,
        running: Config,
        gateway: Arc<Gateway>,
    }

    /// A gateway that runs with these realm files: name, and what their text begins with.
    async fn world(realms: &[(&str, &str)]) -> World {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("realms")).unwrap();
        let config = folder.path().join("config.toml");
        fs::write(&config, "").unwrap();
        let args = Args { config, overrides: Overrides::default() };
        for (name, begins) in realms {
            write(folder.path(), name, begins);
        }
        let running = config::load(&args.config, &args.overrides).unwrap();
        let gateway = start::gateway(&running, StateFolder::none(Random::system()), Audit::Off).unwrap();
        let world = World { folder, args, running, gateway };
        assert_eq!(world.reload().await, 0);
        world
    }

    fn write(folder: &Path, name: &str, begins: &str) {
        let shipped = include_str!("../../realms/master.toml");
        fs::write(folder.join("realms").join(format!("{name}.toml")), format!("{begins}\n{shipped}")).unwrap();
    }

    impl World {
        /// The number of faults.
        async fn reload(&self) -> usize {
            reload(&self.args, &self.running, &self.gateway, None).await.len()
        }

        /// The issuer of each realm that is served.
        fn issuers(&self) -> Vec<String> {
            let mut issuers: Vec<_> =
                self.gateway.realms().iter().map(|live| format!("{} {}", live.realm.name, live.realm.issuer)).collect();
            issuers.sort();
            issuers
        }
    }

    const A: &str = "a http://localhost:8080/a";

    #[tokio::test(flavor = "multi_thread")]
    async fn a_folder_without_a_readable_realm_takes_none_away() {
        let world = world(&[("a", "")]).await;
        let realms = world.folder.path().join("realms");
        fs::remove_file(realms.join("a.toml")).unwrap();
        fs::write(realms.join("a.json"), "{}").unwrap();
        assert_eq!(world.reload().await, 1);
        assert_eq!(world.issuers(), [A]);
        fs::remove_file(realms.join("a.json")).unwrap();
        assert_eq!(world.reload().await, 0);
        assert_eq!(world.issuers(), Vec::<String>::new(), "an empty folder is meant");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_addresses_begin_with_stays_until_a_restart() {
        let world = world(&[("a", "")]).await;
        fs::write(&world.args.config, "public_url = \"https://id.example.com\"\npath_prefix = \"/auth\"").unwrap();
        assert_eq!(world.reload().await, 0);
        assert_eq!(world.issuers(), [A]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn no_realm_takes_the_issuer_of_a_running_version_that_stays() {
        let world = world(&[("a", ""), ("b", "")]).await;
        write(world.folder.path(), "a", "unknown = 1");
        write(world.folder.path(), "b", "issuer = \"http://localhost:8080/a\"");
        write(world.folder.path(), "c", "issuer = \"http://localhost:8080/b\"");
        assert_eq!(world.reload().await, 3);
        assert_eq!(world.issuers(), [A, "b http://localhost:8080/b"]);
    }
}
