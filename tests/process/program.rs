//! The program with its files: [`Folder`] writes them, [`Running`] is a gateway that serves.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use realmgate::http::{Answer, Http, Limit, Outbound};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_realmgate");
pub(crate) const CIBA: &str = "urn:openid:params:grant-type:ciba";

/// Nobody listens at the upstream's address.
pub(crate) const REALM: &str = r#"
[upstream]
issuer = "http://127.0.0.1:9/"
client_id = "realmgate"
client_secret = "upstream-secret"

[[lookups]]
kind = "static"
[[lookups.users]]
sub = "alice-sub"
preferred_username = "alice"
email = "alice@example.com"
[[lookups.users]]
sub = "twin-1"
email = "twin@example.com"
[[lookups.users]]
sub = "twin-2"
email = "twin@example.com"

[tokens]
signing_alg = "ES256"

[[clients]]
client_id = "till"
client_secret = "till-secret-of-these-tests"
scope = "openid profile email"
grant_types = ["urn:openid:params:grant-type:ciba", "refresh_token"]
"#;

/// A folder with `config.toml` and realm files, which goes away with this.
pub(crate) struct Folder(TempDir);

impl Folder {
    /// A sound configuration on any free port with the realm `master`; `more` is added to `config.toml`.
    pub(crate) fn new(more: &str) -> Self {
        let folder = Self(TempDir::new().unwrap());
        folder.write("config.toml", &format!("listen = \"127.0.0.1:0\"\n{more}"));
        folder.write("realms/master.toml", REALM);
        folder
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// The program in this folder, with no variable of ours in its environment.
    pub(crate) fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("REALMGATE_") {
                command.env_remove(name);
            }
        }
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.program(arguments).output().unwrap()
    }

    pub(crate) fn serve(&self) -> Running {
        Running::start(self.program(&["serve"]))
    }
}

/// A gateway that serves. Dropped, it is killed.
pub(crate) struct Running {
    process: Child,
    stdout: Arc<Mutex<String>>,
    stderr: Arc<Mutex<String>>,
    /// Host and port where it listens.
    pub(crate) address: String,
}

impl Running {
    /// Starts it, and waits until it says `listening`.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = collected(process.stdout.take().unwrap());
        let stderr = collected(process.stderr.take().unwrap());
        let mut running = Self { process, stdout, stderr, address: String::new() };
        let line = running.line("listening");
        // as JSON, as text, and as the demo says it
        let after =
            ["\"address\":\"", "address=", "http://"].iter().find_map(|start| line.split_once(start)).unwrap().1;
        running.address = after.split(['"', ' ', '/']).next().unwrap().to_owned();
        running
    }

    /// What it has printed to standard error until now.
    pub(crate) fn log(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// What it has printed to standard output until now: the audit records.
    pub(crate) fn audit(&self) -> String {
        self.stdout.lock().unwrap().clone()
    }

    /// The first line of the log that holds `text`; it is waited for.
    pub(crate) fn line(&mut self, text: &str) -> String {
        self.lines(text, 1).pop().unwrap()
    }

    /// As many lines of the log that hold `text`; they are waited for.
    pub(crate) fn lines(&mut self, text: &str, count: usize) -> Vec<String> {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(20) {
            let log = self.log();
            let lines: Vec<_> = log.lines().filter(|line| line.contains(text)).map(str::to_owned).collect();
            if lines.len() >= count {
                return lines;
            }
            if let Some(status) = self.process.try_wait().unwrap() {
                panic!("it ended with {status}");
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("it does not say {text:?}, {count} times");
    }

    /// Sends a signal, such as `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &id]).status().unwrap().success());
    }

    /// Reloads, and waits until it has.
    pub(crate) fn reload(&mut self) {
        let before = self.log().matches("The configuration was read again").count();
        self.signal("HUP");
        self.lines("The configuration was read again", before + 1);
    }

    /// Its exit code, within 15 s.
    pub(crate) fn end(&mut self) -> Option<i32> {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(15) {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status.code();
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("it does not end");
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(http().get(self.url(path))).await
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json().unwrap()
    }

    /// A form of the client `till`.
    pub(crate) async fn till(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.form("till", "till-secret-of-these-tests", path, form).await
    }

    pub(crate) async fn form(&self, id: &str, secret: &str, path: &str, form: &[(&str, &str)]) -> Answer {
        send(http().post(self.url(path)).basic_auth(id, Some(secret)).form(form)).await
    }

    /// `till` asks alice.
    pub(crate) async fn ask(&self) -> Answer {
        self.till("/master/bc-authorize", &[("scope", "openid"), ("login_hint", "alice")]).await
    }

    pub(crate) async fn poll(&self, asked: &Answer) -> Answer {
        let asked: Value = asked.json().unwrap();
        let id = asked["auth_req_id"].as_str().unwrap();
        self.till("/master/token", &[("grant_type", CIBA), ("auth_req_id", id)]).await
    }

    fn url(&self, path: &str) -> url::Url {
        format!("http://{}{path}", self.address).parse().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if thread::panicking() {
            eprintln!("--- it printed:\n{}{}---", self.log(), self.audit());
        }
    }
}

pub(crate) fn http() -> Http {
    Http::new(&Outbound::default()).unwrap()
}

pub(crate) async fn send(request: reqwest::RequestBuilder) -> Answer {
    http().send(request, Limit::API).await.unwrap()
}

/// Status and error code, such as `400 invalid_grant`.
pub(crate) fn brief(answer: &Answer) -> String {
    let status = answer.status.as_u16();
    match answer.json::<Value>().ok().and_then(|json| Some(json["error"].as_str()?.to_owned())) {
        Some(error) => format!("{status} {error}"),
        None => status.to_string(),
    }
}

#[track_caller]
pub(crate) fn exits(output: &Output, code: i32) -> String {
    let printed = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat();
    assert_eq!(output.status.code(), Some(code), "{printed}");
    printed
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| OsStr::to_string_lossy(&entry.unwrap().file_name()).into_owned())
        .collect();
    names.sort();
    names
}

fn collected(stream: impl Read + Send + 'static) -> Arc<Mutex<String>> {
    let text = Arc::new(Mutex::new(String::new()));
    let into = Arc::clone(&text);
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut text = into.lock().unwrap();
            text.push_str(&line);
            text.push('\n');
        }
    });
    text
}
