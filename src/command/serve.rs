//! `realmgate serve`: the gateway.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use arc_swap::ArcSwap;
use tokio::signal::unix::{SignalKind, signal};

use super::{logging, start, start::NotStarted};
use crate::{
    config::{self, Config, Found, Overrides, Realms},
    event::{Audit, Event},
    gateway::Gateway,
    keys::folder::StateFolder,
    random::Random,
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
    let faults: Vec<_> = realms.faults().cloned().collect();
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
    if let Some(fault) = not_built.first() {
        return Err(NotStarted(fault.to_string()));
    }
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let settings = web::Settings { path_prefix: config.path_prefix.clone(), only_host: None };
    let routes = web::routes(Arc::clone(&gateway), settings, None);
    let stop = start::stop_signal()?;
    let reloading = tokio::spawn(reload_at_hangup(args, Arc::clone(&gateway), tls.clone()));
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

/// Serves what the folder holds now. Keys may have to be generated, so it runs off the async threads.
pub(super) async fn serve_realms(gateway: &Arc<Gateway>, realms: Realms) -> Vec<crate::gateway::NotBuilt> {
    let gateway = Arc::clone(gateway);
    let (mut sound, mut faulty) = (Vec::new(), Vec::new());
    for (name, found) in realms.by_name {
        match found {
            Found::Sound(realm) => sound.push(realm),
            Found::Faulty(_) => faulty.push(name),
            Found::Disabled => {}
        }
    }
    tokio::task::spawn_blocking(move || gateway.serve(sound, &faulty)).await.unwrap_or_default()
}

/// SIGHUP: realms, clients, keys, secrets and TLS files are read again. A faulty realm keeps its running version; a faulty
/// `config.toml` keeps everything. Listeners need a restart.
async fn reload_at_hangup(args: Args, gateway: Arc<Gateway>, tls: Option<Arc<ArcSwap<server::ServerConfig>>>) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    while hangup.recv().await.is_some() {
        let faults = reload(&args, &gateway, tls.as_deref()).await;
        for fault in &faults {
            tracing::error!("{fault}");
        }
        gateway.parts().events.tell(Event::Reloaded { faults: faults.len() });
    }
}

async fn reload(args: &Args, gateway: &Arc<Gateway>, tls: Option<&ArcSwap<server::ServerConfig>>) -> Vec<String> {
    let (path, overrides) = (args.config.clone(), args.overrides.clone());
    let read = tokio::task::spawn_blocking(move || {
        let config = config::load(&path, &overrides)?;
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
    faults.extend(serve_realms(gateway, realms).await.iter().map(ToString::to_string));
    start::warm_up(gateway);
    faults
}
