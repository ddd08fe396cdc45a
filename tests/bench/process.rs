//! The servers under load as processes: started on a core, watched through `/proc`, ended when dropped.

use std::{
    fs::File,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use super::Result;

/// The core of the server and the core of the loader.
pub(crate) const SERVER: &str = "0";
pub(crate) const LOADER: &str = "1";

/// `/proc` counts processor time in hundredths of a second on every Linux.
const TICKS: f64 = 100.0;

pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// How to start a server, and what to ask to know that it can be used.
pub(crate) struct Program {
    pub(crate) path: std::path::PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) environment: Vec<(&'static str, String)>,
    pub(crate) address: SocketAddr,
    pub(crate) ready: &'static str,
    pub(crate) log: std::path::PathBuf,
}

impl Program {
    /// Starts it on the server's core and waits until it can be used.
    pub(crate) fn start(&self) -> Result<Server> {
        let mut command = Command::new("taskset");
        command.args(["-c", SERVER]).arg(&self.path);
        self.started(command).map(|(server, _)| server)
    }

    /// Starts it on any core: the time from exec to the first answer.
    pub(crate) fn start_timed(&self) -> Result<(Server, Duration)> {
        self.started(Command::new(&self.path))
    }

    fn started(&self, mut command: Command) -> Result<(Server, Duration)> {
        if TcpStream::connect(self.address).is_ok() {
            return Err(format!("{} is taken", self.address).into());
        }
        command.args(&self.args).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&self.log)?);
        let start = Instant::now();
        let mut server = Server { child: command.spawn()?, address: self.address };
        while start.elapsed() < Duration::from_secs(60) {
            if answers(self.address, self.ready).unwrap_or(false) {
                return Ok((server, start.elapsed()));
            }
            if let Some(status) = server.child.try_wait()? {
                return Err(format!("{} ended: {status}; see {}", self.path.display(), self.log.display()).into());
            }
            sleep(Duration::from_micros(50));
        }
        Err(format!("{} does not answer; see {}", self.path.display(), self.log.display()).into())
    }
}

fn answers(address: SocketAddr, path: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    Ok(reply.starts_with(b"HTTP/1.1 200"))
}

impl Server {
    /// Processor time so far, in seconds.
    pub(crate) fn cpu(&self) -> Result<f64> {
        cpu(&self.child.id().to_string())
    }

    /// Resident memory, in bytes.
    pub(crate) fn memory(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kilobytes * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// User and system time of a process, in seconds.
fn cpu(pid: &str) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, after_name) = stat.rsplit_once(')').ok_or("no stat")?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |at: usize| -> Result<f64> { Ok(fields.get(at).ok_or("a short stat")?.parse::<f64>()?) };
    Ok((ticks(11)? + ticks(12)?) / TICKS)
}

/// Moves this process, with all its threads, to the loader's core.
pub(crate) fn move_to_loaders_core() -> Result<()> {
    let moved = Command::new("taskset")
        .args(["-acp", LOADER, &std::process::id().to_string()])
        .stdout(Stdio::null())
        .status()?;
    if moved.success() { Ok(()) } else { Err("taskset refused".into()) }
}

/// How many this process, and what it starts, may open.
pub(crate) fn open_files() -> Result<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).ok_or("no limit of open files")?;
    let soft = line.split_whitespace().next().unwrap_or_default();
    Ok(soft.parse().unwrap_or(usize::MAX)) // unlimited
}

/// An empty folder.
pub(crate) fn fresh(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    Ok(std::fs::create_dir_all(folder)?)
}
