//! A headless Chromium with a profile of its own, driven by chromedriver.
//!
//! Steps speak as a person does: open a page, press what is called so, read. A step that fails panics with the page's
//! title, URL and text.

use std::{
    fs,
    io::Write,
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use fantoccini::{
    ClientBuilder, Locator,
    elements::Element,
    error::CmdError,
    wd::{Capabilities, WebDriverCompatibleCommand},
};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{end_of, free_port};

/// How long a page may take to show what is expected.
const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) struct Browser {
    session: fantoccini::Client,
    _driver: Driver,
    _profile: TempDir,
}

impl Browser {
    pub(crate) async fn open() -> Self {
        let driver = Driver::start();
        let profile = TempDir::new().unwrap();
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,900",
            &format!("--user-data-dir={}", profile.path().display()),
        ];
        let mut capabilities = Capabilities::new();
        capabilities.insert("goog:chromeOptions".to_owned(), json!({ "args": arguments }));
        // a gateway with TLS has a certificate that was made for the test
        capabilities.insert("acceptInsecureCerts".to_owned(), json!(true));
        let session = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{}", driver.port))
            .await
            .expect("chromedriver opens a browser");
        Self { session, _driver: driver, _profile: profile }
    }

    pub(crate) async fn goto(&self, url: &str) {
        let went = self.session.goto(url).await;
        self.step(&format!("open {url}"), went).await;
    }

    /// Everything that a person can read on the page.
    pub(crate) async fn text(&self) -> String {
        let text = self.visible_text().await;
        self.step("read the page", text).await
    }

    async fn visible_text(&self) -> Result<String, CmdError> {
        let text = self.session.execute("return document.body ? document.body.innerText : ''", Vec::new()).await?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// What screen readers are told besides.
    pub(crate) async fn announced(&self) -> String {
        let script = "return document.querySelector('[role=status]').textContent";
        let text = self.session.execute(script, Vec::new()).await;
        self.step("read the status", text).await.as_str().unwrap_or_default().to_owned()
    }

    pub(crate) async fn title(&self) -> String {
        let title = self.session.title().await;
        self.step("read the title", title).await
    }

    /// Waits until the page says this.
    pub(crate) async fn sees(&self, text: &str) {
        let found = async {
            while !self.text().await.contains(text) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, found).await.is_err() {
            self.fail(&format!("see {text:?}"), "it does not appear").await;
        }
    }

    /// Waits for the one button or link whose accessible name begins like this.
    async fn named(&self, name: &str) -> Element {
        let found = async {
            loop {
                let mut found = self.all_named(name).await;
                match found.len() {
                    0 => tokio::time::sleep(Duration::from_millis(100)).await,
                    1 => return found.remove(0),
                    many => {
                        self.fail(&format!("find {name:?}"), &format!("{many} buttons or links are called so")).await
                    }
                }
            }
        };
        match tokio::time::timeout(PATIENCE, found).await {
            Ok(element) => element,
            Err(_) => self.fail(&format!("find {name:?}"), "no button or link is called so").await,
        }
    }

    async fn all_named(&self, name: &str) -> Vec<Element> {
        let all = self.session.find_all(Locator::Css("button, input[type=submit], a[href], summary")).await;
        let mut found = Vec::new();
        for element in self.step("find buttons and links", all).await {
            // a page that goes away meanwhile makes its elements stale: they count as not found
            let label = self.session.issue_cmd(Extra::Label(element.element_id().into())).await;
            if label.is_ok_and(|label| label.as_str().is_some_and(|label| label.starts_with(name))) {
                found.push(element);
            }
        }
        found
    }

    /// Whether a button or link begins like this, now.
    pub(crate) async fn has(&self, name: &str) -> bool {
        !self.all_named(name).await.is_empty()
    }

    /// Presses the one button or link whose accessible name begins like this.
    pub(crate) async fn press(&self, name: &str) {
        let pressed = self.named(name).await.click().await;
        self.step(&format!("press {name:?}"), pressed).await;
    }

    pub(crate) async fn fill(&self, css: &str, value: &str) {
        let field = self.session.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await;
        let field = self.step(&format!("find the field {css}"), field).await;
        let cleared = field.clear().await;
        self.step(&format!("clear {css}"), cleared).await;
        let filled = field.send_keys(value).await;
        self.step(&format!("fill in {css}"), filled).await;
    }

    /// Whether a field holds what it was filled with: a page that moves the focus while somebody types takes letters away.
    async fn holds(&self, css: &str, value: &str) -> bool {
        let field = self.session.find(Locator::Css(css)).await;
        let held = self.step(&format!("find the field {css}"), field).await.prop("value").await;
        self.step(&format!("read {css}"), held).await.as_deref() == Some(value)
    }

    /// Goes on in the tab with this number, in the order in which they were opened.
    pub(crate) async fn switch_to_tab(&self, number: usize) {
        let tabs = self.step("list the tabs", self.session.windows().await).await;
        let tab = match tabs.into_iter().nth(number) {
            Some(tab) => self.session.switch_to_window(tab).await,
            None => self.fail(&format!("go to tab {number}"), "there is no such tab").await,
        };
        self.step("change the tab", tab).await;
    }

    /// Signs in on Keycloak's own page; people's passwords are `<name>-password`. One at a time: Keycloak's brute force
    /// protection refuses a second attempt for a person while the first is under way.
    pub(crate) async fn sign_in_at_keycloak(&self, name: &str) {
        static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
        let _alone = ONE_AT_A_TIME.lock().await;
        let password = format!("{name}-password");
        for _ in 0..5 {
            self.fill("#username", name).await;
            self.fill("#password", &password).await;
            if self.holds("#username", name).await && self.holds("#password", &password).await {
                break;
            }
        }
        let button = self.session.find(Locator::Css("#kc-login")).await;
        let pressed = self.step("find Keycloak's sign-in button", button).await.click().await;
        self.step("press Keycloak's sign-in button", pressed).await;
        for _ in 0..100 {
            let at = self.session.current_url().await;
            let at = self.step("read the address", at).await;
            if !at.path().contains("/login-actions/") && !at.path().ends_with("/openid-connect/auth") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Photographs the page: wide and 320 px narrow, in light and in dark. A page that is wider than a narrow screen is
    /// a fault (WCAG 1.4.10).
    pub(crate) async fn photograph(&self, name: &str) {
        for (width, size) in [(1280, "wide"), (320, "narrow")] {
            let metrics = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width == 320 });
            self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
            for scheme in ["light", "dark"] {
                let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
                self.devtools("Emulation.setEmulatedMedia", media).await;
                self.screenshot(&format!("{name}-{size}-{scheme}")).await;
            }
            let across = self.session.execute("return document.documentElement.scrollWidth", Vec::new()).await;
            let across = self.step("measure the page", across).await;
            if across.as_u64() > Some(width) {
                self.fail(&format!("fit {name} into {width} px"), &format!("it is {across} px wide")).await;
            }
        }
        self.devtools("Emulation.clearDeviceMetricsOverride", json!({})).await;
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": [] })).await;
    }

    /// The whole page as `target/screenshots/<name>.png`.
    pub(crate) async fn screenshot(&self, name: &str) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("screenshots");
        let image = self.devtools("Page.captureScreenshot", json!({ "captureBeyondViewport": true })).await;
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{name}.png")), STANDARD.decode(image["data"].as_str().unwrap()).unwrap())
            .unwrap();
    }

    async fn devtools(&self, command: &'static str, parameters: Value) -> Value {
        let answer = self.session.issue_cmd(Extra::DevTools(command, parameters)).await;
        self.step(command, answer).await
    }

    async fn step<T>(&self, what: &str, outcome: Result<T, CmdError>) -> T {
        match outcome {
            Ok(value) => value,
            Err(fault) => self.fail(what, &fault.to_string()).await,
        }
    }

    /// Ends the test and says where the browser was.
    pub(crate) async fn fail(&self, what: &str, why: &str) -> ! {
        let title = self.session.title().await.unwrap_or_default();
        let url = self.session.current_url().await.map(String::from).unwrap_or_default();
        let text = self.visible_text().await.unwrap_or_default();
        panic!("browser cannot {what}: {why}\n--- title: {title}\n--- url: {url}\n--- text:\n{text}\n---");
    }
}

/// Commands that fantoccini has no method for.
#[derive(Debug)]
enum Extra {
    /// An element's accessible name (WebDriver, "Get Computed Label").
    Label(String),
    /// A command of the DevTools protocol.
    DevTools(&'static str, Value),
}

impl WebDriverCompatibleCommand for Extra {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        let session = session.unwrap_or_default();
        match self {
            Self::Label(element) => base.join(&format!("session/{session}/element/{element}/computedlabel")),
            Self::DevTools(..) => base.join(&format!("session/{session}/goog/cdp/execute")),
        }
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        match self {
            Self::Label(_) => (http::Method::GET, None),
            Self::DevTools(command, parameters) => {
                (http::Method::POST, Some(json!({ "cmd": command, "params": parameters }).to_string()))
            }
        }
    }
}

/// A chromedriver of this test's own; its browser ends with it.
struct Driver {
    process: Child,
    port: u16,
}

impl Driver {
    fn start() -> Self {
        let port = free_port();
        let start = |program: &str| {
            let mut command = Command::new(program);
            command.arg(format!("--port={port}")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn()
        };
        let process = start("chromedriver")
            .or_else(|_| start("chromium.chromedriver"))
            .unwrap_or_else(|fault| panic!("no chromedriver ({fault}): `tests/setup` installs it or says how"));
        let driver = Self { process, port };
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return driver;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("chromedriver does not answer");
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // asked like this, it ends its browser too; a signal would leave that behind
        let asked = TcpStream::connect(("127.0.0.1", self.port)).and_then(|mut stream| {
            stream.write_all(b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").map(|()| stream)
        });
        if asked.is_err() || end_of(&mut self.process).is_none() {
            let _ = self.process.kill();
        }
    }
}
