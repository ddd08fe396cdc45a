//! A gateway with one client, which a program with a stock library plays, in front of the demo's provider, where a person
//! signs in with a browser.

use crate::{
    browser::Browser,
    free_port,
    gateway::{Files, Gateway},
    realm::HOOK_SECRET,
    receiver::Receiver,
};

/// The client's id.
pub(crate) const BANK: &str = "bank";
/// The gateway's realm.
const REALM: &str = "acme";

pub(crate) struct World {
    gateway: Gateway,
    provider: Gateway,
    hook: Receiver,
}

impl World {
    /// `client` is what stands in the client's table besides its names, and what follows it in the realm file. `config` is
    /// more of `config.toml`. Relative paths in both are those of `files`, in the realm file seen from `realms/`.
    pub(crate) async fn open(config: &str, client: &str, files: &[(&str, &str)]) -> Self {
        Self::open_as("", config, client, files).await
    }

    /// The same; `top` is what the realm file begins with.
    pub(crate) async fn open_as(top: &str, config: &str, client: &str, files: &[(&str, &str)]) -> Self {
        let hook = Receiver::start().await;
        let provider_address = format!("127.0.0.1:{}", free_port());
        let provider = Gateway::demo(&["--provider-listen", &provider_address]);
        let realm = realm(&format!("http://{provider_address}"), &hook.url("/hook"), client);
        let realm = format!("{top}{realm}");
        let written = Files::write_with(config, &[(REALM, &realm)]);
        for (name, text) in files {
            written.add(name, text);
        }
        Self { gateway: Gateway::serve_files(written), provider, hook }
    }

    pub(crate) fn issuer(&self) -> String {
        self.gateway.issuer(REALM)
    }

    /// The path of one of its files.
    pub(crate) fn path(&self, name: &str) -> String {
        self.gateway.path(name)
    }

    /// Alice opens the link of the next request, signs in, reads, and presses `Approve` or `Deny`.
    pub(crate) async fn decide(&mut self, button: &str) {
        let browser = self.read().await;
        browser.press(button).await;
        browser.sees(if button == "Approve" { "You approved" } else { "You denied" }).await;
    }

    /// Alice opens the link of the next request, signs in and reads.
    pub(crate) async fn read(&mut self) -> Browser {
        let link = self.hook.link(HOOK_SECRET).await;
        let browser = Browser::open().await;
        browser.goto(&link).await;
        browser.press("Continue to").await;
        browser.press("Alice").await;
        browser.sees("KX-42").await;
        browser
    }

    pub(crate) fn close(self) {
        self.gateway.stop();
        self.provider.stop();
    }
}

fn realm(provider: &str, hook: &str, client: &str) -> String {
    format!(
        r#"
[upstream]
issuer = "{provider}"
client_id = "realmgate"
client_secret = "realmgate-at-the-demo-provider"

[[lookups]]
kind = "static"

[[lookups.users]]
sub = "alice"
preferred_username = "alice"
name = "Alice Liddell"
email = "alice@example.com"

[[channels]]
kind = "page"

[[channels]]
kind = "webhook"
url = "{hook}"
secret = "{HOOK_SECRET}"

[ciba]
interval = 1

[[clients]]
client_id = "{BANK}"
client_name = "The bank"
grant_types = ["urn:openid:params:grant-type:ciba", "refresh_token"]
scope = "openid profile email"
{client}
"#
    )
}
