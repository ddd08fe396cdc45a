//! What `serve` and `demo` share: a gateway from its configuration, its listeners, its background work, its stop.

use std::{
    future::Future,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use crate::{
    clock::Clock,
    config::{Config, Fault, Tls},
    event::{Audit, Events},
    gateway::{Gateway, Parts, Tables},
    http::Http,
    jose::RemoteKeys,
    keys::folder::StateFolder,
    outbox::{Limits, Outbox},
    random::Random,
    secret::Sealer,
    server,
    web::{self, Routes},
};

/// How long what is in flight may take once the gateway stops.
const DRAIN: Duration = Duration::from_secs(20);

/// Why the gateway does not start, in a sentence for the operator.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NotStarted(pub(super) String);

impl NotStarted {
    pub(super) fn because(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// A gateway without realms yet. Call it within a tokio runtime.
pub(super) fn gateway(http: Http, state: StateFolder, audit: Audit) -> Result<Arc<Gateway>, NotStarted> {
    let (clock, random) = (Clock::system(), Random::system());
    let events = Events::new(audit, clock.clone());
    let sealing_key = state.sealing_key().map_err(NotStarted::because)?;
    let sealer = Sealer::new(&sealing_key, random.clone()).map_err(NotStarted::because)?;
    Ok(Arc::new(Gateway::new(Parts {
        outbox: Outbox::start(http.clone(), events.clone(), clock.clone(), Limits::default()),
        tables: Tables::in_memory(&clock),
        sealer: Arc::new(sealer),
        remote_keys: RemoteKeys::new(http.clone(), clock.clone()),
        http,
        events,
        clock,
        random,
        state,
        sealing_key,
    })))
}

/// A bound listener, or a sentence that names the address and the remedy.
pub(super) async fn bind(address: std::net::SocketAddr, option: &str) -> Result<TcpListener, NotStarted> {
    TcpListener::bind(address).await.map_err(|error| {
        NotStarted(format!("cannot listen on {address}: {error}; choose another address with {option}"))
    })
}

/// What only using it shows to be wrong in the configuration `file`.
fn fault(file: &Path, key: &str, cause: impl std::fmt::Display, remedy: &str) -> Fault {
    let (file, key) = (file.display().to_string(), Some(key.to_owned()));
    Fault { file, line: None, key, cause: cause.to_string(), remedy: remedy.to_owned() }
}

/// The certificate as it is on disk now.
pub(super) fn tls_config(tls: &Tls, file: &Path) -> Result<Arc<server::ServerConfig>, Fault> {
    let remedy = "name the PEM files of a certificate with its chain, and of its private key";
    let read = |path: &Path| {
        std::fs::read(path).map_err(|error| fault(file, "tls", format!("{}: {error}", path.display()), remedy))
    };
    let (certificate, key) = (read(&tls.certificate)?, read(&tls.private_key)?);
    let config = server::tls::server_config(&certificate, &key, tls.client_certificates);
    config.map(Arc::new).map_err(|cause| fault(file, "tls", cause, remedy))
}

/// The outbound client.
pub(super) fn http(config: &Config, file: &Path) -> Result<Http, Fault> {
    let remedy = "correct the file that is named, or remove it";
    Http::new(&config.outbound).map_err(|cause| fault(file, "outbound", cause, remedy))
}

/// What the listener speaks TLS with, if it does.
pub(super) fn tls(config: &Config, file: &Path) -> Result<Option<Arc<server::ServerConfig>>, Fault> {
    config.tls.as_ref().map(|tls| tls_config(tls, file)).transpose()
}

/// The state folder, made where it is missing.
pub(super) fn state(config: &Config, file: &Path) -> Result<StateFolder, Fault> {
    let remedy = "name a folder that is there or can be made";
    StateFolder::open(&config.state, Random::system()).map_err(|cause| fault(file, "state", cause, remedy))
}

/// The running gateway's listeners.
pub(super) struct Listeners {
    pub(super) public: TcpListener,
    pub(super) tls: Option<Arc<ArcSwap<server::ServerConfig>>>,
    pub(super) management: Option<TcpListener>,
}

/// Serves until `stop`; then drains.
pub(super) async fn serve(
    config: &Config,
    gateway: Arc<Gateway>,
    routes: Routes,
    listeners: Listeners,
    stop: impl Future<Output = ()> + Send + 'static,
) {
    let ready = Arc::new(AtomicBool::new(true));
    let background = tokio::spawn(background(Arc::clone(&gateway)));
    let defaults = server::Settings::default();
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let connections = connections(defaults.connections, &limits);
    if connections < defaults.connections {
        tracing::warn!(connections, "The system's limit of open files allows fewer connections than usual; raise it");
    }
    let settings = server::Settings {
        tls: listeners.tls,
        trusted_proxies: config.trusted_proxies.clone(),
        connections,
        ..defaults
    };
    let management = listeners.management.map(|listener| {
        let routes = web::management::routes(Arc::clone(&gateway), Arc::clone(&ready));
        tokio::spawn(server::serve(listener, web::service(routes), server::Settings::default(), std::future::pending()))
    });
    let stopping = {
        let (ready, gateway) = (Arc::clone(&ready), Arc::clone(&gateway));
        async move {
            stop.await;
            ready.store(false, Ordering::SeqCst);
            gateway.stop();
            tracing::info!("Stopping: no new connections; what is in flight is finished");
        }
    };
    let stopped = server::serve(listeners.public, web::service(routes), settings, stopping).await;
    let left = gateway.parts().outbox.drain(DRAIN).await;
    if left > 0 {
        tracing::warn!(left, "Deliveries were not sent before the stop");
    }
    if let Some(management) = management {
        management.abort();
    }
    background.abort();
    let events = gateway.parts().events.clone();
    let _ = tokio::task::spawn_blocking(move || events.written()).await;
    tracing::info!(how = ?stopped, "Stopped");
}

/// Connections at a time, `most` of them. A quarter of the descriptors that the process may open is left for outgoing calls
/// and for files: whoever opens connections and says nothing must not stop those. `limits` is as in `/proc/self/limits`;
/// where the system tells nothing there, `most` stands.
fn connections(most: usize, limits: &str) -> usize {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft: Option<usize> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    soft.map_or(most, |soft| most.min(soft - soft / 4))
}

/// Once a second: what is past its time is forgotten.
async fn background(gateway: Arc<Gateway>) {
    let mut every_second = tokio::time::interval(Duration::from_secs(1));
    loop {
        every_second.tick().await;
        gateway.parts().tables.tidy();
    }
}

/// Makes the outgoing client and asks every upstream for its metadata, so that the first person does not wait. Nothing waits
/// for it, and it begins a moment later, so that the first answers do not share their processor with it.
pub(super) fn warm_up(gateway: &Gateway) {
    let (http, realms) = (gateway.parts().http.clone(), gateway.realms());
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let _ = tokio::task::spawn_blocking(move || http.ready()).await;
        for upstream in realms.iter().filter_map(|live| live.upstream.clone()) {
            tokio::spawn(async move { upstream.warm_up().await });
        }
    });
}

/// Returns at SIGTERM or SIGINT; a second one ends the process at once.
pub(super) fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static, NotStarted> {
    let mut terminate = signal(SignalKind::terminate()).map_err(NotStarted::because)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(NotStarted::because)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::warn!("Stopped at once");
            std::process::exit(1);
        });
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_left_for_others_than_connections() {
        let table = [
            ("Max open files            1024                 524288               files", 768),
            ("Max processes  1  1  processes\nMax open files  1000000  1000000  files", 10_240),
            ("Max open files            unlimited            unlimited            files", 10_240),
            ("", 10_240),
        ];
        for (limits, expected) in table {
            assert_eq!(connections(10_240, limits), expected, "{limits}");
        }
    }
}
