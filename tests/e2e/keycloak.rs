//! One real Keycloak for all tests of this binary, with realm `acme`.
//!
//! `tests/keycloak` starts it when the first test asks for it and ends it when this process ends, however it ends. It is
//! unpacked in the user's cache folder, which is locked, so that tests of two clones wait for each other.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::PathBuf,
    process::Command,
    sync::LazyLock,
};

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::free_port;

/// Alice's id in `tests/recorded/keycloak/acme-full.json`.
pub(crate) const ALICE: &str = "1d513016-0118-4227-806f-b3329f88ad02";

static INSTANCE: LazyLock<Result<Instance, String>> = LazyLock::new(Instance::start);
/// Tests share Keycloak; who stops it has it alone.
static TURN: RwLock<()> = RwLock::const_new(());

struct Instance {
    work: PathBuf,
    port: u16,
    _lock: File,
}

impl Instance {
    fn start() -> Result<Self, String> {
        let work = cache_folder().ok_or("neither XDG_CACHE_HOME nor HOME is set")?;
        fs::create_dir_all(&work).map_err(|fault| format!("{}: {fault}", work.display()))?;
        let lock = File::create(work.join("tests.lock")).map_err(|fault| fault.to_string())?;
        if lock.try_lock().is_err() {
            let _ = writeln!(io::stderr(), "keycloak: waiting for the tests that use {}", work.display());
            lock.lock().map_err(|fault| fault.to_string())?;
        }
        let instance = Self { work, port: free_port(), _lock: lock };
        let realm = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded/keycloak/acme-full.json");
        instance.run("start", &[&instance.port.to_string(), realm])?;
        Ok(instance)
    }

    fn run(&self, command: &str, arguments: &[&str]) -> Result<(), String> {
        let status = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keycloak"))
            .arg(command)
            .arg(&self.work)
            .args(arguments)
            .env("KEYCLOAK_OWNER", std::process::id().to_string())
            .status()
            .map_err(|fault| format!("tests/keycloak: {fault}"))?;
        status.success().then_some(()).ok_or(format!("tests/keycloak {command} failed: what it printed stands above"))
    }
}

fn cache_folder() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
    Some(cache.or_else(home)?.join("realmgate"))
}

/// The running Keycloak; nobody stops it while this lives.
pub(crate) struct Keycloak {
    instance: &'static Instance,
    _turn: RwLockReadGuard<'static, ()>,
}

impl Keycloak {
    pub(crate) async fn shared() -> Self {
        let _turn = TURN.read().await;
        Self { instance: instance(), _turn }
    }

    pub(crate) fn issuer(&self) -> String {
        issuer(self.instance)
    }
}

/// The running Keycloak, for a test that stops it.
pub(crate) struct Mine {
    instance: &'static Instance,
    up: bool,
    _turn: RwLockWriteGuard<'static, ()>,
}

impl Mine {
    pub(crate) async fn take() -> Self {
        let _turn = TURN.write().await;
        Self { instance: instance(), up: true, _turn }
    }

    pub(crate) fn issuer(&self) -> String {
        issuer(self.instance)
    }

    pub(crate) fn stop(&mut self) {
        self.up = false;
        self.instance.run("stop", &[]).unwrap();
    }

    pub(crate) fn start(&mut self) {
        self.instance.run("start", &[&self.instance.port.to_string()]).unwrap();
        self.up = true;
    }
}

impl Drop for Mine {
    fn drop(&mut self) {
        if !self.up {
            self.start(); // for the other tests, also where this one failed
        }
    }
}

fn instance() -> &'static Instance {
    INSTANCE.as_ref().unwrap_or_else(|fault| panic!("no Keycloak: {fault}"))
}

fn issuer(instance: &Instance) -> String {
    format!("http://127.0.0.1:{}/realms/acme", instance.port)
}
