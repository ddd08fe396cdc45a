//! `realmgate serve`: the gateway.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use arc_swap::ArcSwap;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};

use super::{logging, start, start::NotStarted};
use crate::{
    config::{self, Config, Fault, Found, Overrides, Realms},
    event::{Audit, Event},
    gateway::Gateway,
    http::Http,
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
    let (http, tls) = (start::http(&config, &args.config), start::tls(&config, &args.config));
    let (http, tls) = match (http, tls) {
        (Ok(http), Ok(tls)) if realms.faults().next().is_none() => (http, tls),
        (http, tls) => {
            let unusable = [http.err(), tls.err()].into_iter().flatten();
            return refuse(&config::Faults(realms.faults().cloned().chain(unusable).collect()));
        }
    };
    logging::start(&config);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&NotStarted(format!("no runtime: {error}"))),
    };
    match runtime.block_on(serve(args, config, realms, http, tls)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed::Configuration(fault)) => refuse(&config::Faults(vec![fault])),
        Err(Failed::Else(fault)) => fail(&fault),
    }
}

/// Why the gateway does not start although all files could be read.
enum Failed {
    Configuration(Fault),
    Else(NotStarted),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Configuration(fault)
    }
}

impl From<NotStarted> for Failed {
    fn from(fault: NotStarted) -> Self {
        Self::Else(fault)
    }
}

#[expect(clippy::print_stderr, reason = "the command line's own output")]
fn refuse(faults: &config::Faults) -> ExitCode {
    eprintln!("{faults}");
    ExitCode::from(2)
}

#[expect(clippy::print_stderr, reason = "the command line's own output")]
fn fail(fault: &NotStarted) -> ExitCode {
    eprintln!("realmgate: {fault}");
    ExitCode::FAILURE
}

async fn serve(
    args: Args,
    config: Config,
    realms: Realms,
    http: Http,
    tls: Option<Arc<server::ServerConfig>>,
) -> Result<(), Failed> {
    let tls = tls.map(|tls| Arc::new(ArcSwap::new(tls)));
    let state = start::state(&config, &args.config)?;
    let public = start::bind(config.listen, "`listen`").await?;
    let management = match config.management {
        Some(address) => Some(start::bind(address, "`management.listen`").await?),
        None => None,
    };
    let gateway = start::gateway(http, state, Audit::to_standard_output())?;
    let not_built = serve_realms(&gateway, realms).await;
    if let Some(fault) = not_built.into_iter().next() {
        return Err(NotStarted(fault).into());
    }
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let settings = web::Settings { path_prefix: config.path_prefix.clone() };
    let routes = web::routes(Arc::clone(&gateway), settings, None);
    let stop = start::stop_signal()?;
    // from here on no SIGHUP ends the process
    let hangup = signal(SignalKind::hangup()).map_err(NotStarted::because)?;
    let running = Running { config: config.clone(), gateway: Arc::clone(&gateway), tls: tls.clone() };
    let reloading = tokio::spawn(reload_at_hangup(hangup, args, running));
    let address = |listener: &TcpListener| listener.local_addr().ok().map(tracing::field::display);
    tracing::info!(
        address = address(&public),
        management = management.as_ref().and_then(address),
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

/// What a reload changes, and the configuration that the start read.
struct Running {
    config: Config,
    gateway: Arc<Gateway>,
    tls: Option<Arc<ArcSwap<server::ServerConfig>>>,
}

/// SIGHUP: realms, clients, keys, secrets and TLS files are read again. A faulty realm keeps its running version; a faulty
/// `config.toml` keeps everything. What else is changed there needs a restart.
async fn reload_at_hangup(mut hangup: Signal, args: Args, running: Running) {
    while hangup.recv().await.is_some() {
        let faults = running.reload(&args).await;
        for fault in &faults {
            tracing::error!("{fault}");
        }
        running.gateway.parts().events.tell(Event::Reloaded { faults: faults.len() });
    }
}

impl Running {
    async fn reload(&self, args: &Args) -> Vec<String> {
        let (path, overrides, started) = (args.config.clone(), args.overrides.clone(), self.config.clone());
        let read = tokio::task::spawn_blocking(move || {
            let config = config::load(&path, &overrides)?;
            for key in needs_restart(&started, &config) {
                tracing::warn!("{key} was changed: that needs a restart");
            }
            // the routes and the outgoing client are those of the start, so published and called addresses are, too
            let Config { public_url, path_prefix, outbound, .. } = started;
            let config = Config { public_url, path_prefix, outbound, ..config };
            let realms = config::load_realms(&config);
            Ok::<_, config::Faults>((config, realms))
        });
        let (config, realms) = match read.await {
            Ok(Ok(read)) => read,
            Ok(Err(faults)) => return faults.0.iter().map(ToString::to_string).collect(),
            Err(error) => return vec![error.to_string()],
        };
        let mut faults: Vec<String> = realms.faults().map(ToString::to_string).collect();
        if realms.by_name.is_empty() && !faults.is_empty() {
            return faults; // the folder cannot be read: that is no reason to serve nobody
        }
        if let (Some(running), Some(files)) = (&self.tls, &config.tls) {
            match start::tls_config(files, &args.config) {
                Ok(tls) => running.store(tls),
                Err(fault) => faults.push(fault.to_string()),
            }
        }
        faults.extend(serve_realms(&self.gateway, realms).await.iter().map(ToString::to_string));
        start::warm_up(&self.gateway);
        faults
    }
}

/// Keys of `config.toml` whose new values a reload does not take up.
fn needs_restart(started: &Config, now: &Config) -> impl Iterator<Item = &'static str> {
    let changed = [
        ("`listen`", started.listen != now.listen),
        ("`public_url`", started.public_url != now.public_url),
        ("`path_prefix`", started.path_prefix != now.path_prefix),
        ("`state`", started.state != now.state),
        ("`log`", started.log != now.log),
        ("`log_format`", started.log_format != now.log_format),
        ("`trusted_proxies`", started.trusted_proxies != now.trusted_proxies),
        ("[tls]", started.tls.is_some() != now.tls.is_some()),
        ("[management]", started.management != now.management),
        ("[outbound]", started.outbound != now.outbound),
    ];
    changed.into_iter().filter_map(|(key, changed)| changed.then_some(key))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::{http::Outbound, keys::folder::StateFolder, random::Random};

    struct World {
        folder: tempfile::TempDir,
        args: Args,
        running: Running,
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
        let http = Http::new(&Outbound::default()).unwrap();
        let running = Running {
            config: config::load(&args.config, &args.overrides).unwrap(),
            gateway: start::gateway(http, StateFolder::none(Random::system()), Audit::Off).unwrap(),
            tls: None,
        };
        let world = World { folder, args, running };
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
            self.running.reload(&self.args).await.len()
        }

        /// The issuer of each realm that is served.
        fn issuers(&self) -> Vec<String> {
            let mut issuers: Vec<_> = self
                .running
                .gateway
                .realms()
                .iter()
                .map(|live| format!("{} {}", live.realm.name, live.realm.issuer))
                .collect();
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
