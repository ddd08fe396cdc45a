//! `realmgate demo`: the gateway, its demo provider, demo people and a first page in one process, on loopback, with nothing
//! to configure and nothing kept.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use tokio::net::TcpListener;
use url::Url;

use super::{
    logging,
    start::{self, NotStarted},
};
use crate::{
    ciba::decide::Decision,
    clock::Clock,
    config::{self, Config, LogFormat},
    demo::{self, PEOPLE, page::Page, provider::Provider, provider::Registration},
    event::Audit,
    gateway::Gateway,
    http::{Http, Outbound},
    keys::folder::StateFolder,
    random::Random,
    realm::{
        self, Realm, SignIn,
        user::{Claims, Identity},
    },
    secret::{Digest, Secret},
    web,
};

const CLIENT_ID: &str = "demo";
const CLIENT_SECRET: &str = "demo-secret";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the gateway listens; a loopback address
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080", value_parser = loopback)]
    listen: SocketAddr,
    /// Where the demo provider listens; a loopback address, port 0 for any free port
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0", value_parser = loopback)]
    provider_listen: SocketAddr,
    /// Decide in the person's place
    #[arg(long, value_enum, default_value_t = Answer::None)]
    answer: Answer,
}

/// Who decides: the demo at once, or a person on the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Answer {
    Approve,
    Deny,
    None,
}

/// The demo's realm: the shipped one, with the demo's provider as its upstream.
const REALM: &str = include_str!("../../realms/master.toml");

/// What the demo's gateway is made from.
struct Parts {
    listener: TcpListener,
    /// `public_url`, and where the listener answers.
    address: Url,
    realm: Realm,
    /// The demo provider's.
    issuer: String,
    /// `/` and `/demo/...`
    page: demo::Routes,
    answer: Answer,
}

pub fn run(args: Args) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.to_string()),
    };
    let outcome = runtime.block_on(start(args));
    runtime.shutdown_background();
    outcome.map_or_else(|fault| failed(&fault.to_string()), |()| ExitCode::SUCCESS)
}

fn failed(fault: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "realmgate demo: {fault}");
    ExitCode::FAILURE
}

async fn start(args: Args) -> Result<(), NotStarted> {
    let (listener, address) = bind(args.listen, "--listen").await.map_err(NotStarted)?;
    let (provider_listener, provider_address) =
        bind(args.provider_listen, "--provider-listen").await.map_err(NotStarted)?;
    let (clock, random) = (Clock::system(), Random::system());

    let realm = config::realm_from_toml("master", Path::new("realms/master.toml"), REALM, public_url(&address))
        .map_err(|faults| NotStarted(config::Faults(faults).to_string()))?
        .ok_or_else(|| NotStarted("the demo's realm is disabled".into()))?;
    let Some(upstream @ realm::Upstream { client_secret: Some(client_secret), .. }) = &realm.upstream else {
        return Err(NotStarted("the demo's realm has no upstream with a secret".into()));
    };
    // the shipped file's credentials, so that a gateway with that file, or one made from it, can use this provider, too
    let registration = Registration {
        client_id: upstream.client_id.clone(),
        client_name: "realmgate".to_owned(),
        client_secret: client_secret.clone(),
        redirect_path: "/sign-in/callback",
    };
    let provider = Provider::new(provider_address, PEOPLE, vec![registration], clock.clone(), random.clone())
        .map_err(NotStarted::because)?;
    let issuer = provider.issuer().to_owned();
    let realm = Realm { upstream: Some(realm::Upstream { issuer: issuer.clone(), ..upstream.clone() }), ..realm };
    tokio::spawn(demo::serve(provider_listener, provider.routes()));

    let http = Http::new(&Outbound::default()).map_err(NotStarted::because)?;
    let program = std::env::args().next().unwrap_or_else(|| "realmgate".to_owned());
    let page = Page::new(&address, CLIENT_ID, Secret::new(CLIENT_SECRET), &program, http, clock, random)
        .map_err(NotStarted::because)?;
    let text = start_up_text(&address, &issuer, &program);
    let parts = Parts { listener, address, realm, issuer, page: page.routes(), answer: args.answer };
    serve(parts, || {
        let _ = io::stderr().write_all(text.as_bytes());
    })
    .await
}

fn public_url(address: &Url) -> &str {
    address.as_str().trim_end_matches('/')
}

/// Serves until SIGINT or SIGTERM; calls `announce` when requests are answered.
async fn serve(parts: Parts, announce: impl FnOnce()) -> Result<(), NotStarted> {
    let Parts { listener, address, realm, issuer, page, answer } = parts;
    let public_url = public_url(&address).to_owned();
    let config = Config {
        listen: listener.local_addr().map_err(NotStarted::because)?,
        public_url,
        path_prefix: String::new(),
        realms: PathBuf::new(),
        state: PathBuf::new(),
        log: "warn".to_owned(),
        log_format: LogFormat::Auto,
        trusted_proxies: Vec::new(),
        tls: None,
        management: None,
        outbound: Outbound::default(),
        warnings: Vec::new(),
    };
    logging::start(&config);
    let http = Http::new(&config.outbound).map_err(NotStarted::because)?;
    let gateway = start::gateway(http, StateFolder::none(Random::system()), Audit::Off)?;
    let building = Arc::clone(&gateway);
    let not_built = tokio::task::spawn_blocking(move || building.serve(vec![Arc::new(realm)], &[]));
    if let Some(fault) = not_built.await.map_err(NotStarted::because)?.first() {
        return Err(NotStarted(fault.to_string()));
    }
    let routes = web::routes(Arc::clone(&gateway), web::Settings::default(), Some(page));
    let routes = demo::only_at(&address, routes);
    let stop = start::stop_signal()?;
    let answering = match answer {
        Answer::None => None,
        Answer::Approve => Some(Decision::Approve),
        Answer::Deny => Some(Decision::Deny),
    };
    let answering = answering.map(|decision| tokio::spawn(decide_for_people(Arc::clone(&gateway), issuer, decision)));
    announce();
    let listeners = start::Listeners { public: listener, tls: None, management: None };
    start::serve(&config, gateway, routes, listeners, stop).await;
    if let Some(answering) = answering {
        answering.abort();
    }
    Ok(())
}

/// `--answer`: every person signs in and decides at once, without a browser. The decision goes the way of every other.
async fn decide_for_people(gateway: Arc<Gateway>, issuer: String, decision: Decision) {
    let mut often = tokio::time::interval(Duration::from_millis(100));
    loop {
        often.tick().await;
        let now = gateway.parts().clock.now();
        let Some(live) = gateway.realm("master") else { continue };
        for person in PEOPLE.iter().filter(|person| !person.disabled) {
            let sign_in = SignIn {
                identity: Identity { iss: issuer.as_str().into(), sub: person.sub.into() },
                claims: Claims::default(),
                auth_time: now,
                acr: None,
                amr: vec!["demo".into()],
            };
            for grant in live.decisions.pending_of(&sign_in, now).await.unwrap_or_default() {
                let shown = Digest::of(b"nothing: the demo decides");
                let handle = &grant.request.handle;
                if let Err(fault) = live.decisions.by_person(handle, &sign_in, decision, shown, now).await {
                    tracing::warn!(%fault, "The demo could not decide");
                }
            }
        }
    }
}

/// An address that only this machine reaches.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| "an IP address and a port are needed, such as 127.0.0.1:8080".to_owned())?;
    if address.ip().is_loopback() {
        Ok(address)
    } else {
        Err("the demo lets anyone be anyone, so it listens on a loopback address alone, such as 127.0.0.1:8080"
            .to_owned())
    }
}

async fn bind(address: SocketAddr, flag: &str) -> Result<(TcpListener, Url), String> {
    let fault = |error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            let other = SocketAddr::new(address.ip(), if address.port() == 8090 { 8091 } else { 8090 });
            format!(
                "port {} of {} is in use by another program. Choose another with {flag} {other} (make demo \
                 ARGS=\"{flag} {other}\"), or any free one with port 0.",
                address.port(),
                address.ip(),
            )
        }
        _ => format!("cannot listen on {address}: {error} ({flag})"),
    };
    let listener = TcpListener::bind(address).await.map_err(fault)?;
    let bound = listener.local_addr().map_err(fault)?;
    let url = Url::parse(&format!("http://{bound}")).map_err(|error| error.to_string())?;
    Ok((listener, url))
}

/// Everything that a newcomer needs; `program` is how they called it. The line with `listening` is the first that says that the gateway can be used.
fn start_up_text(address: &Url, provider: &str, program: &str) -> String {
    let gateway = public_url(address);
    let people: Vec<String> = PEOPLE
        .iter()
        .map(|person| format!("{}{}", person.sub, if person.disabled { " (disabled)" } else { "" }))
        .collect();
    let mut text = String::new();
    let _ = write!(
        text,
        "realmgate {version}\n\
         DEMO: throw-away keys, made-up people, everything in memory. Never make it reachable for others.\n\
         \n\
         listening on {gateway}\n\
         \n  First page  {gateway}/   <- start here\
         \n  Inbox       {gateway}/master/approvals\
         \n  Issuer      {gateway}/master\
         \n  Provider    {provider}   (for a realm of your own, too: see realms/master.toml)\
         \n  People      {people}; no passwords\
         \n  Client      {CLIENT_ID}, secret {CLIENT_SECRET} (poll)\n\
         \nFrom a second terminal:\n\
         \n{command}\n\
         \n{curl}\n\
         \nCtrl-C stops it.\n",
        version = env!("CARGO_PKG_VERSION"),
        people = people.join(", "),
        command = demo::page::command(program, &format!("{gateway}/master")),
        curl = demo::page::curl(&format!("{gateway}/master/bc-authorize")),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_alone() {
        let table = [
            ("127.0.0.1:8080", true),
            ("127.3.2.1:0", true),
            ("[::1]:8080", true),
            ("0.0.0.0:8080", false),
            ("[::]:8080", false),
            ("192.0.2.1:8080", false),
            ("[::ffff:127.0.0.1]:8080", false),
            ("8080", false),
            ("localhost:8080", false),
        ];
        for (text, expected) in table {
            assert_eq!(loopback(text).is_ok(), expected, "{text}");
        }
    }

    #[test]
    fn what_it_says_at_the_start() {
        let address = Url::parse("http://127.0.0.1:8080").unwrap();
        let text = start_up_text(&address, "http://127.0.0.1:4711", "target/debug/realmgate");
        insta::assert_snapshot!(text, @r"
        realmgate 0.1.0
        DEMO: throw-away keys, made-up people, everything in memory. Never make it reachable for others.

        listening on http://127.0.0.1:8080

          First page  http://127.0.0.1:8080/   <- start here
          Inbox       http://127.0.0.1:8080/master/approvals
          Issuer      http://127.0.0.1:8080/master
          Provider    http://127.0.0.1:4711   (for a realm of your own, too: see realms/master.toml)
          People      alice, bob, carol (disabled), dave, user; no passwords
          Client      demo, secret demo-secret (poll)

        From a second terminal:

        target/debug/realmgate ciba request

        curl -d client_id=demo -d client_secret=demo-secret \
             -d 'scope=openid profile' -d login_hint=user -d user_code=password \
             http://127.0.0.1:8080/master/bc-authorize

        Ctrl-C stops it.
        ");
    }

    #[tokio::test]
    async fn a_busy_port_is_named_with_the_way_out() {
        let (_taken, url) = bind("127.0.0.1:0".parse().unwrap(), "--listen").await.unwrap();
        let address = url.socket_addrs(|| None).unwrap()[0];
        let fault = bind(address, "--listen").await.unwrap_err();
        assert!(
            fault.contains(&address.port().to_string()) && fault.contains("ARGS=\"--listen 127.0.0.1:8090\""),
            "{fault}"
        );
    }
}
