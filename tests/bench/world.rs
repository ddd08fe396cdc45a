//! What both servers are given: addresses, users, realm files, keys and the forms that are sent.

use std::{
    fmt::Write as _,
    fs::OpenOptions,
    io::Write as _,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    path::{Path, PathBuf},
};

use realmgate::keys::{Algorithm, SigningKey};
use serde::Deserialize;
use serde_json::json;

use super::{Result, process::Program};

/// As `tests/bench/config.toml` and the realm files say.
pub(crate) const GATEWAY: SocketAddr = local(28180);
pub(crate) const CONTROL: SocketAddr = local(28181);
pub(crate) const DEVICE: SocketAddr = local(28182);
/// Of the notification endpoints; each has an address of its own.
pub(crate) const NOTIFIED: u16 = 28184;

/// Enough that no user ever has many requests at once.
pub(crate) const USERS: usize = 2_000;

const fn local(port: u16) -> SocketAddr {
    SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
}

pub(crate) fn user(n: usize) -> String {
    format!("user-{n}")
}

pub(crate) fn authorize_form(user: &str) -> String {
    format!("client_id=bench&client_secret=bench-secret-0123456789&scope=openid+profile&login_hint={user}")
}

pub(crate) fn token_form(auth_req_id: &str) -> String {
    format!(
        "grant_type=urn%3Aopenid%3Aparams%3Agrant-type%3Aciba&auth_req_id={auth_req_id}\
         &client_id=bench&client_secret=bench-secret-0123456789"
    )
}

/// Of an accepted authentication request, or a ping.
pub(crate) fn auth_req_id(body: &[u8]) -> Result<String> {
    #[derive(Deserialize)]
    struct Accepted {
        auth_req_id: String,
    }
    Ok(serde_json::from_slice::<Accepted>(body)?.auth_req_id)
}

/// The folders that the servers run in; made new each time.
pub(crate) struct World {
    sources: PathBuf,
    folder: PathBuf,
    /// That of clients that sign.
    pub(crate) key: SigningKey,
}

impl World {
    /// Below `folder`; `users` in each realm of `realms`.
    pub(crate) fn new(folder: PathBuf, realms: &[&str], users: usize) -> Result<Self> {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench");
        super::process::fresh(&folder)?;
        std::fs::create_dir(folder.join("realms"))?;
        for realm in realms {
            let file = format!("{realm}.toml");
            let mut text = std::fs::read_to_string(sources.join("realms").join(&file))?;
            // the file ends with the first user
            for n in 1..users {
                let user = user(n);
                write!(text, "\n[[lookups.users]]\nsub = \"{user}\"\npreferred_username = \"{user}\"\n")?;
            }
            std::fs::write(folder.join("realms").join(file), text)?;
        }
        let key = |algorithm: Algorithm| -> Result<_> {
            let (key, pem) = SigningKey::generate(algorithm)?;
            std::fs::write(folder.join(format!("{algorithm}.pem")), pem.reveal())?;
            Ok(key)
        };
        key(Algorithm::RS256)?;
        let key = key(Algorithm::ES256)?;
        std::fs::create_dir(folder.join("realms/keys"))?;
        std::fs::write(folder.join("realms/keys/clients.json"), json!({ "keys": [key.jwk()] }).to_string())?;
        Ok(Self { sources, folder, key })
    }

    /// Adds clients to a realm.
    pub(crate) fn add_clients(&self, realm: &str, clients: &str) -> Result<()> {
        let mut file = OpenOptions::new().append(true).open(self.folder.join(format!("realms/{realm}.toml")))?;
        Ok(file.write_all(clients.as_bytes())?)
    }

    pub(crate) fn gateway(&self, path: &Path) -> Program {
        let folder = |name: &str| self.folder.join(name).display().to_string();
        Program {
            path: path.to_owned(),
            args: vec!["serve".into(), "--config".into(), self.sources.join("config.toml").display().to_string()],
            environment: vec![("REALMGATE_REALMS", folder("realms")), ("REALMGATE_STATE", folder("state"))],
            address: GATEWAY,
            ready: "/page/.well-known/openid-configuration",
            log: self.folder.join("gateway.log"),
        }
    }

    /// With all that a whole flow needs.
    pub(crate) fn control(&self) -> Result<Program> {
        let mut program = self.bare_control()?;
        let device = format!("http://{DEVICE}/channel");
        program.args.extend(["--keys".into(), self.folder.display().to_string(), "--device".into(), device]);
        Ok(program)
    }

    /// Without keys and without an outgoing client.
    pub(crate) fn bare_control(&self) -> Result<Program> {
        Ok(Program {
            path: std::env::current_exe()?,
            args: vec!["control".into(), "--listen".into(), CONTROL.to_string()],
            environment: Vec::new(),
            address: CONTROL,
            ready: "/ready",
            log: self.folder.join("control.log"),
        })
    }
}
