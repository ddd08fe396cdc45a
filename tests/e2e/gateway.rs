//! The built `realmgate`, run as an operator runs it: files in a folder, output on standard error, ended by SIGTERM.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use tempfile::TempDir;

use crate::{browser::Browser, end_of, free_port};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_realmgate");

/// `config.toml` and realm files in a folder that goes away with this.
pub(crate) struct Files {
    folder: TempDir,
    /// The gateway's public URL.
    url: String,
}

impl Files {
    pub(crate) fn write(realms: &[(&str, &str)]) -> Self {
        Self::write_with("", realms)
    }

    /// With more of `config.toml`. A gateway with a `[tls]` section is at an https address.
    pub(crate) fn write_with(config: &str, realms: &[(&str, &str)]) -> Self {
        let port = free_port();
        let scheme = if config.contains("[tls]") { "https" } else { "http" };
        // another host name than Keycloak's: the two are different sites for the browser's cookies, as in real life
        let files = Self { folder: TempDir::new().unwrap(), url: format!("{scheme}://localhost:{port}") };
        files.add("config.toml", &format!("listen = \"127.0.0.1:{port}\"\npublic_url = \"{}\"\n{config}", files.url));
        for (name, text) in realms {
            files.add(&format!("realms/{name}.toml"), text);
        }
        files
    }

    pub(crate) fn add(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    /// Runs `realmgate <arguments> --config <these files>` to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        Command::new(PROGRAM).args(arguments).arg("--config").arg(self.config()).output().unwrap()
    }
}

/// A running gateway.
pub(crate) struct Gateway {
    process: Child,
    output: Arc<Mutex<String>>,
    /// Its public URL.
    pub(crate) url: String,
    files: Option<Files>,
}

impl Gateway {
    /// `realmgate serve` with one realm.
    pub(crate) fn serve(realm: &str, text: &str) -> Self {
        Self::serve_files(Files::write(&[(realm, text)]))
    }

    /// `realmgate serve` with these files.
    pub(crate) fn serve_files(files: Files) -> Self {
        let mut command = Command::new(PROGRAM);
        command.arg("serve").arg("--config").arg(files.config());
        Self::start(command, files.url.clone(), Some(files))
    }

    /// `realmgate demo` on a free port.
    pub(crate) fn demo(arguments: &[&str]) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new(PROGRAM);
        command.args(["demo", "--listen", &address]).args(arguments);
        Self::start(command, format!("http://{address}"), None)
    }

    fn start(mut command: Command, url: String, files: Option<Files>) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let output = Arc::new(Mutex::new(String::new()));
        collect(process.stdout.take().unwrap(), &output);
        collect(process.stderr.take().unwrap(), &output);
        let mut gateway = Self { process, output, url, files };
        for _ in 0..600 {
            if gateway.output().contains("listening") {
                return gateway;
            }
            if let Some(status) = gateway.process.try_wait().unwrap() {
                panic!("realmgate ended with {status}:\n{}", gateway.output());
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("realmgate says nothing of listening:\n{}", gateway.output());
    }

    pub(crate) fn issuer(&self, realm: &str) -> String {
        format!("{}/{realm}", self.url)
    }

    /// Where one of its files is.
    pub(crate) fn path(&self, name: &str) -> String {
        let files = self.files.as_ref().expect("the demo has no files");
        files.folder.path().join(name).into_os_string().into_string().unwrap()
    }

    /// What it has printed until now.
    pub(crate) fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// Ends it by SIGTERM, as an operator does; it must end in order. Hands back all that it printed.
    pub(crate) fn stop(mut self) -> String {
        Command::new("kill").arg(self.process.id().to_string()).status().unwrap();
        let status = end_of(&mut self.process).expect("realmgate ends within 15 s of SIGTERM");
        assert!(status.success(), "realmgate ended with {status}:\n{}", self.output());
        self.output()
    }

    /// Opens the link to a request in a new browser and signs in at Keycloak as this person.
    pub(crate) async fn visit(&self, link: &str, person: &str) -> Browser {
        assert!(link.starts_with(&self.url), "{link}");
        let browser = Browser::open().await;
        browser.goto(link).await;
        browser.press("Continue to").await;
        browser.sign_in_at_keycloak(person).await;
        browser
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if thread::panicking() {
            eprintln!("--- realmgate printed:\n{}---", self.output());
        }
    }
}

fn collect(stream: impl Read + Send + 'static, into: &Arc<Mutex<String>>) {
    let into = Arc::clone(into);
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut output = into.lock().unwrap();
            output.push_str(&line);
            output.push('\n');
        }
    });
}
