//! The samples in Python: all compile; those that are whole programs, with a name, run against the demo or a gateway.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        atomic::{AtomicU16, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use crate::{
    DEMO, SECRET, are_there, demo,
    files::completed,
    page::{Block, pages},
    program::{Folder, exits, http, send},
};

#[test]
fn they_compile() {
    if !are_there(&["python3"]) {
        return;
    }
    let folder = Folder::new("");
    for sample in samples() {
        let file = folder.write("sample.py", &sample.text);
        println!("{}", sample.place);
        exits(&Command::new("python3").args(["-m", "py_compile"]).arg(file).output().unwrap(), 0);
    }
}

#[test]
fn the_client_gets_its_tokens() {
    if !are_there(&["python3"]) {
        return;
    }
    let demo = demo();
    let text = sample("ask.py").replace(DEMO, &format!("http://{}", demo.address));
    let printed = exits(&Command::new("python3").args(["-c", &text]).output().unwrap(), 0);
    assert_eq!(printed, "approved: openid profile\n");
}

#[tokio::test]
async fn the_receivers_are_told_and_the_device_service_decides() {
    if !are_there(&["python3"]) {
        return;
    }
    let [port, hook_port, device_port] = [(); 3].map(|()| free_port());
    let mut hook = Running::start("hook.py", &[("9100", hook_port)]);
    let mut device = Running::start("device.py", &[("9101", device_port), ("8080", port)]);
    device.0.stdin.take().unwrap().write_all(b"y\n").unwrap();

    let folder = Folder::new("");
    let channels = format!(
        "[[channels]]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{hook_port}/hook\"\nsecret = \"{SECRET}\"\n\
         [[channels]]\nkind = \"keycloak\"\nurl = \"http://127.0.0.1:{device_port}/channel\"\n\
         [ciba]\ninterval = 1\n[tokens]\nsigning_alg = \"ES256\"\n"
    );
    folder.write("realms/acme.toml", &completed(&channels));
    folder.write("config.toml", &format!("listen = \"127.0.0.1:{port}\"\npublic_url = \"http://localhost:{port}\"\n"));
    let _gateway = folder.serve();
    let issuer = format!("http://localhost:{port}/acme");
    let mut request = folder.program(&["ciba", "request", "--issuer", &issuer, "--client-id", "till"]);
    request.args(["--login-hint", "a@example.com", "--scope", "openid", "--json"]);
    let output = request.env("REALMGATE_CLIENT_SECRET", "till-secret-0123456789").output().unwrap();
    assert!(exits(&output, 0).contains("\"state\":\"approved\""), "the device service approves");

    let told = hook.line();
    assert!(told.contains("a@example.com") && told.contains(&format!("{issuer}/approvals/")), "{told}");
    let forged = http().post(format!("http://127.0.0.1:{hook_port}/hook").parse().unwrap());
    assert_eq!(send(forged.header("webhook-signature", "v1,AAAA").body("{}")).await.status, 401, "a forged one");
}

#[tokio::test]
async fn the_client_is_notified() {
    if !are_there(&["python3"]) {
        return;
    }
    for mode in ["ping", "push"] {
        let [port, told_port, device_port] = [(); 3].map(|()| free_port());
        let mut device = Running::start("device.py", &[("9101", device_port), ("8080", port)]);
        device.0.stdin.take().unwrap().write_all(b"y\n").unwrap();
        let folder = Folder::new("");
        let page = pages().into_iter().find(|page| page.name == "docs/notifications.md").unwrap();
        let shown = page.blocks.iter().find(|block| block.file.as_deref() == Some("realms/acme.toml")).unwrap();
        let client = &shown.text[shown.text.find("[[clients]]").unwrap()..];
        assert!(client.contains("\"ping\"") && client.contains("9102"));
        let client = client.replace("\"ping\"", &format!("\"{mode}\"")).replace("9102", &told_port.to_string());
        let channel = format!("[[channels]]\nkind = \"keycloak\"\nurl = \"http://127.0.0.1:{device_port}/channel\"\n");
        folder.write("realms/acme.toml", &completed(&format!("{client}{channel}[tokens]\nsigning_alg = \"ES256\"\n")));
        let config = page.blocks.iter().find(|block| block.file.as_deref() == Some("config.toml")).unwrap();
        let listen = format!("listen = \"127.0.0.1:{port}\"\npublic_url = \"http://localhost:{port}\"\n");
        folder.write("config.toml", &format!("{listen}{}", config.text));
        let _gateway = folder.serve();
        let mut notified = Running::start("notified.py", &[("9102", told_port), ("8080", port)]);
        let mut lines = notified.lines(2);
        lines.sort_unstable(); // a quick decision overtakes the answer to the request
        assert_eq!(lines, ["approved openid profile", "asked"], "{mode}");
        let forged = http().post(format!("http://127.0.0.1:{told_port}/told").parse().unwrap());
        assert_eq!(send(forged.header("authorization", "Bearer x").body("{}")).await.status, 401, "a forged one");
    }
}

/// A sample that runs until the test ends.
struct Running(Child);

impl Running {
    /// Starts it with other ports than the page's, and waits until it listens at the first.
    fn start(name: &str, ports: &[(&str, u16)]) -> Self {
        let text = ports.iter().fold(sample(name), |text, (from, to)| text.replace(from, &to.to_string()));
        let mut command = Command::new("python3");
        command.args(["-u", "-c", &text]).env("ACME_HOOK_SECRET", SECRET);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let running = Self(command.spawn().unwrap());
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", ports[0].1)).is_ok() {
                return running;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("{name} does not listen");
    }

    /// The first line that it prints; it is waited for.
    fn line(&mut self) -> String {
        self.lines(1).remove(0)
    }

    /// The first lines that it prints; they are waited for.
    fn lines(&mut self, count: usize) -> Vec<String> {
        let (printed, (tell, told)) = (self.0.stdout.take().unwrap(), mpsc::channel());
        thread::spawn(move || {
            for line in BufReader::new(printed).lines().take(count) {
                let _ = tell.send(line.unwrap());
            }
        });
        (0..count).map(|_| told.recv_timeout(Duration::from_secs(10)).unwrap()).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn samples() -> Vec<Block> {
    let blocks = pages().into_iter().flat_map(|page| page.blocks);
    let samples: Vec<_> = blocks.filter(|block| block.language == "python").collect();
    assert!(samples.len() > 3);
    samples
}

/// The text of the sample with this name.
fn sample(name: &str) -> String {
    let named = samples().into_iter().find(|block| block.file.as_deref() == Some(name));
    named.unwrap_or_else(|| panic!("no page shows {name}")).text
}

/// A port that nobody listens on now, below those that the system gives to outgoing connections: one of those could be taken
/// before the program for which it is meant listens.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 500).unwrap() * 10;
    (0..2_000)
        .map(|_| first + NEXT.fetch_add(1, Ordering::Relaxed))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap()
}
