//! The measurements, one after the other: control and gateway in turns, so that what else the machine does meets both.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    thread::sleep,
    time::Duration,
};

use clap::ValueEnum;

use super::{
    Result, assertion,
    flow::{Device, Flow, Target},
    held,
    http1::post_form,
    load::{self, Repeat, Round},
    ping,
    process::{self, Program, Server},
    report::{Report, median},
    world::{self, World},
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The gateway; where it is not built, the control is measured alone
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/target/release/realmgate"))]
    gateway: PathBuf,
    /// Measure only these
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// How often each of the two is loaded
    #[arg(long, default_value_t = 5)]
    pub(super) rounds: usize,
    /// For how long, each time
    #[arg(long, default_value_t = 4.0)]
    pub(super) seconds: f64,
    /// Connections, or flows at a time
    #[arg(long, default_value_t = 32)]
    pub(super) connections: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    Start,
    Idle,
    Pending,
    Poll,
    /// Polls with `private_key_jwt`, and one verification
    Assertion,
    Authorize,
    Es256,
    Rs256,
    Introspection,
    Userinfo,
    /// 10,000 polls that wait for decisions
    Held,
    /// Pings while endpoints are dead
    Ping,
}

const PENDING: usize = 100_000;
const STARTS: usize = 15;

pub(super) struct Bench<'a> {
    pub(super) args: &'a Args,
    /// The gateway's program, where it is built.
    pub(super) gateway: Option<&'a Path>,
    small: World,
    pub(super) large: World,
    pub(super) report: Report,
}

/// Those of the large world.
const REALMS: [&str; 6] = ["page", "es256", "rs256", "assertion", "held", "ping"];

pub(crate) fn run(args: &Args) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    let mut bench = Bench {
        args,
        gateway: args.gateway.exists().then_some(args.gateway.as_path()),
        small: World::new(folder.join("small"), &["page"], 3)?,
        large: World::new(folder.join("large"), &REALMS, world::USERS)?,
        report: Report::new(&folder)?,
    };
    assertion::add_clients(&bench.large)?;
    ping::add_clients(&bench.large)?;
    if bench.gateway.is_none() {
        bench.report.note(&format!("{} is not built: the control alone", args.gateway.display()))?;
    }
    let wants = |part| args.only.is_empty() || args.only.contains(&part);
    // before the loader moves to its core: what it starts from then on would inherit that
    if wants(Part::Start) {
        bench.start()?;
    }
    process::move_to_loaders_core()?;
    if wants(Part::Idle) {
        bench.idle()?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        if wants(Part::Pending) {
            bench.pending().await?;
        }
        if wants(Part::Poll) {
            bench.poll().await?;
        }
        if wants(Part::Assertion) {
            bench.assertion().await?;
        }
        if wants(Part::Authorize) {
            bench.authorize().await?;
        }
        let device = Arc::new(Device::start().await?);
        for (part, name, at_least) in [(Part::Es256, "ES256", 0.60), (Part::Rs256, "RS256", 0.90)] {
            if wants(part) {
                bench.flow(&device, name, at_least).await?;
            }
        }
        if wants(Part::Introspection) {
            bench.introspection(&device).await?;
        }
        if wants(Part::Userinfo) {
            bench.userinfo(&device).await?;
        }
        if wants(Part::Held) {
            match process::open_files()? {
                few if few < held::OPEN_FILES => bench.report.too_few_files(few)?,
                _ => bench.held(&device).await?,
            }
        }
        if wants(Part::Ping) {
            bench.ping(&device).await?;
        }
        Ok(())
    })
}

impl Bench<'_> {
    /// Both, in a large world.
    pub(super) fn servers(&self) -> Result<(Server, Option<Server>)> {
        let gateway = self.gateway.map(|path| self.large.gateway(path).start()).transpose()?;
        Ok((self.large.control()?.start()?, gateway))
    }

    /// From exec to the first answer, in milliseconds.
    fn start(&mut self) -> Result<()> {
        let (bare, control) = (self.small.bare_control()?, self.small.control()?);
        let gateway = self.gateway.map(|path| self.small.gateway(path));
        if let Some(gateway) = &gateway {
            gateway.start()?; // makes its keys
        }
        let mut times = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..STARTS {
            for (program, times) in [Some(&bare), Some(&control), gateway.as_ref()].into_iter().zip(&mut times) {
                if let Some(program) = program {
                    times.push(program.start_timed()?.1.as_secs_f64() * 1e3);
                }
            }
        }
        let [bare, control, gateway] = times.map(|mut times| median(&mut times));
        self.report.start(bare, control, gateway)
    }

    /// Memory ten seconds after the start.
    fn idle(&mut self) -> Result<()> {
        let memory = |program: Program| -> Result<u64> {
            let server = program.start()?;
            sleep(Duration::from_secs(10));
            server.memory()
        };
        let control = memory(self.small.control()?)?;
        let gateway = self.gateway.map(|path| memory(self.small.gateway(path))).transpose()?;
        self.report.idle(control, gateway)
    }

    /// Memory for each pending request, when there are many.
    async fn pending(&mut self) -> Result<()> {
        let (control, gateway) = self.servers()?;
        let control = self.each_pending(&control, "/insert").await?;
        let gateway = match &gateway {
            Some(server) => Some(self.each_pending(server, "/page/bc-authorize").await?),
            None => None,
        };
        self.report.pending(control, gateway)
    }

    async fn each_pending(&self, server: &Server, path: &str) -> Result<f64> {
        let requests =
            |count| (0..count).map(|n| post_form(path, &world::authorize_form(&world::user(n % world::USERS))));
        load::send_each(server, self.args.connections, requests(1_000)).await?;
        let before = server.memory()?;
        load::send_each(server, self.args.connections, requests(PENDING)).await?;
        Ok(server.memory()?.saturating_sub(before) as f64 / PENDING as f64)
    }

    async fn poll(&mut self) -> Result<()> {
        let (control, gateway) = self.servers()?;
        let pending = match &gateway {
            Some(server) => {
                let form = |n| post_form("/page/bc-authorize", &world::authorize_form(&world::user(n)));
                self.accepted(server, (0..world::USERS).map(form)).await?
            }
            None => vec!["A".repeat(43)],
        };
        let polls = |path| pending.iter().map(|id| post_form(path, &world::token_form(id))).collect::<Vec<_>>();
        let (of_control, of_gateway) = (polls("/form"), polls("/page/token"));
        let mut rounds = Rounds::default();
        for _ in 0..self.args.rounds {
            rounds.control.push(self.repeat(&control, &of_control, (200, "authorization_pending")).await?);
            if let Some(server) = &gateway {
                rounds.gateway.push(self.repeat(server, &of_gateway, (400, "authorization_pending")).await?);
            }
        }
        self.report.load("pending poll", &rounds, 0.50)
    }

    async fn authorize(&mut self) -> Result<()> {
        let (control, gateway) = self.servers()?;
        let requests = |path| {
            (0..world::USERS).map(|n| post_form(path, &world::authorize_form(&world::user(n)))).collect::<Vec<_>>()
        };
        let (of_control, of_gateway) = (requests("/insert"), requests("/page/bc-authorize"));
        let mut rounds = Rounds::default();
        for _ in 0..self.args.rounds {
            rounds.control.push(self.repeat(&control, &of_control, (200, "auth_req_id")).await?);
            if let Some(server) = &gateway {
                rounds.gateway.push(self.repeat(server, &of_gateway, (200, "auth_req_id")).await?);
            }
        }
        self.report.load("bc-authorize", &rounds, 0.35)
    }

    /// Sends authentication requests: their `auth_req_id`s.
    pub(super) async fn accepted(
        &self,
        server: &Server,
        requests: impl IntoIterator<Item = Vec<u8>>,
    ) -> Result<Vec<String>> {
        let accepted = load::send_each(server, self.args.connections, requests).await?;
        accepted.iter().map(|body| world::auth_req_id(body.as_bytes())).collect()
    }

    pub(super) async fn repeat(
        &self,
        server: &Server,
        requests: &[Vec<u8>],
        expected: (u16, &'static str),
    ) -> Result<Round> {
        let workers = Repeat::workers(server, self.args.connections, requests.to_vec(), expected).await?;
        load::measure(workers, server, self.args.seconds).await
    }

    async fn flow(&mut self, device: &Arc<Device>, algorithm: &str, at_least: f64) -> Result<()> {
        let (control, gateway) = self.servers()?;
        let of_control = Target {
            authorize: "/flow-authorize".into(),
            callback: "/flow-callback".into(),
            token: format!("/flow-token/{algorithm}"),
        };
        let of_gateway = Target::of_realm(&algorithm.to_lowercase());
        let mut rounds = Rounds::default();
        for _ in 0..self.args.rounds {
            rounds.control.push(self.flows(&control, device, &of_control).await?);
            if let Some(server) = &gateway {
                rounds.gateway.push(self.flows(server, device, &of_gateway).await?);
            }
        }
        self.report.load(&format!("whole flow, {algorithm}"), &rounds, at_least)
    }

    async fn flows(&self, server: &Server, device: &Arc<Device>, target: &Target) -> Result<Round> {
        let workers = Flow::workers(server, self.args.connections, device, target).await?;
        load::measure(workers, server, self.args.seconds).await
    }
}

/// What the rounds of one measurement gave.
#[derive(Default)]
pub(crate) struct Rounds {
    pub(crate) control: Vec<Round>,
    pub(crate) gateway: Vec<Round>,
}
