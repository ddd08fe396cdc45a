//! Polls of clients that sign (`private_key_jwt`, ES256) beside those of one with a secret. What one verification costs is
//! measured in the same rounds: the control's answer to a form with an assertion, less its answer to one without.
//!
//! Every assertion counts once, so those of a round are signed before it; they are of many clients, since the gateway
//! remembers 100,000 of one client at a time.

use std::fmt::Write;

use realmgate::{clock::Clock, jose};
use serde_json::json;

use super::{
    Result,
    http1::post_form,
    load::{self, Once, Round},
    run::Bench,
    world::{self, World},
};

const CLIENTS: usize = 32;
const REQUESTS_OF_CLIENT: usize = 64;
/// Of an assertion, in seconds.
const LIFE: u64 = 60;
/// A poll costs more than the control's answer to a form with an assertion, so this many times as many are enough.
const SPARE: f64 = 1.2;

/// The rounds of each.
#[derive(Default)]
pub(crate) struct Rounds {
    pub(crate) form: Vec<Round>,
    pub(crate) verify: Vec<Round>,
    pub(crate) poll: Vec<Round>,
    pub(crate) signed: Vec<Round>,
}

pub(crate) fn add_clients(world: &World) -> Result<()> {
    let mut clients = String::new();
    for n in 0..CLIENTS {
        write!(
            clients,
            "\n[[clients]]\nclient_id = \"{}\"\ntoken_endpoint_auth_method = \"private_key_jwt\"\n\
             jwks_file = \"keys/clients.json\"\nscope = \"openid profile\"\n",
            name(n)
        )?;
    }
    world.add_clients("assertion", &clients)
}

fn name(client: usize) -> String {
    format!("signing-{client}")
}

impl Bench<'_> {
    pub(super) async fn assertion(&mut self) -> Result<()> {
        let (control, gateway) = self.servers()?;
        let mut made = 0;
        let mut signed = |count: usize, form: &dyn Fn(usize, String) -> String, path: &str| -> Result<Vec<_>> {
            let first = made;
            made += count;
            (first..made)
                .map(|n| {
                    let form = form(n, client_assertion(&self.large, n)?);
                    Ok(post_form(path, &form))
                })
                .collect()
        };
        let (with_secret, of_clients) = match &gateway {
            Some(server) => {
                let path = "/assertion/bc-authorize";
                let form = |n| post_form(path, &world::authorize_form(&world::user(n)));
                let with_secret = self.accepted(server, (0..world::USERS).map(form)).await?;
                let form =
                    |n, assertion| format!("scope=openid&login_hint={}{assertion}", world::user(n % world::USERS));
                let requests = signed(CLIENTS * REQUESTS_OF_CLIENT, &form, path)?;
                // one connection: so the n-th answer is that to the n-th request
                let accepted = load::send_each(server, 1, requests).await?;
                let of_clients: Result<Vec<_>> =
                    accepted.iter().map(|body| world::auth_req_id(body.as_bytes())).collect();
                (with_secret, of_clients?)
            }
            None => (vec!["A".repeat(43)], vec!["A".repeat(43); CLIENTS * REQUESTS_OF_CLIENT]),
        };
        let polls = |path| with_secret.iter().map(|id| post_form(path, &world::token_form(id))).collect::<Vec<_>>();
        let (form, poll) = (polls("/form"), polls("/assertion/token"));
        let signed_poll = |n: usize, assertion| {
            let id = &of_clients[n % of_clients.len()];
            format!("grant_type=urn%3Aopenid%3Aparams%3Agrant-type%3Aciba&auth_req_id={id}{assertion}")
        };
        let verify = signed(world::USERS, &signed_poll, "/verify")?;
        let pending = |status| (status, "authorization_pending");
        let mut rounds = Rounds::default();
        for _ in 0..self.args.rounds {
            rounds.form.push(self.repeat(&control, &form, pending(200)).await?);
            let verified = self.repeat(&control, &verify, pending(200)).await?;
            rounds.verify.push(verified);
            let Some(server) = &gateway else { continue };
            rounds.poll.push(self.repeat(server, &poll, pending(400)).await?);
            let enough = verified.per_second * (self.args.seconds + load::WARM_UP.as_secs_f64()) * SPARE;
            let polls = signed(enough as usize, &signed_poll, "/assertion/token")?;
            let workers = Once::workers(server, self.args.connections, polls, pending(400)).await?;
            rounds.signed.push(load::measure(workers, server, self.args.seconds).await?);
        }
        self.report.assertion(&rounds)
    }
}

/// The parameters that prove a client, which `n` chooses; they count once.
fn client_assertion(world: &World, n: usize) -> Result<String> {
    let client = name(n % CLIENTS);
    let now = Clock::system().now().seconds();
    let assertion = jose::sign(
        &world.key,
        &json!({
            "iss": client, "sub": client, "aud": "http://127.0.0.1:28180/assertion", "jti": format!("{n:032x}"),
            "iat": now, "exp": now + LIFE,
        }),
    )?;
    let kind = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
    Ok(format!("&client_assertion_type={kind}&client_assertion={assertion}"))
}
