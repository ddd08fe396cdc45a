//! `realmgate ciba request`: an OpenID CIBA client (CIBA Core 1.0) for people and scripts. It asks, waits, verifies the tokens
//! and says by its exit code how it ended. It works with any provider of CIBA; without flags it talks to the running demo.
//!
//! In the order of a run: `arguments` and `plan` (what was typed, what it means), `issuer` (discovery and keys), `ask` (the
//! request, by `request_object` where it is signed), `delivery` (`wait` polls, `notification` takes what the server sends),
//! `verify` and `binding` (the tokens), `userinfo`. `client` sends all of it; `authentication`, `signer` and `dpop` prove who
//! that is. `show` is all that is seen, `failure` how it can end without tokens.

mod arguments;
mod ask;
mod authentication;
mod binding;
mod client;
mod delivery;
mod dpop;
mod failure;
mod issuer;
mod notification;
mod plan;
mod request_object;
mod show;
mod signer;
#[cfg(test)]
mod tests;
mod userinfo;
mod verify;
mod wait;

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use clap::Subcommand;
use serde_json::Value;

use self::{
    arguments::RequestArgs,
    binding::Binding,
    delivery::{Delivery, Waiting},
    failure::Failure,
    plan::{Plan, SECRET_VARIABLE, plan},
    show::{Outcome, Show},
};
use crate::{oauth::Scope, secret::Secret};

const USAGE: u8 = 2;
const INTERRUPTED: u8 = 130;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ask a person for approval, wait for the decision and show the verified tokens
    #[command(after_help = EXIT_CODES)]
    Request(Box<RequestArgs>),
}

const EXIT_CODES: &str = "\
The client's secret comes from --client-secret-file or the environment variable REALMGATE_CLIENT_SECRET.

Exit codes: 0 approved, 2 usage, 3 denied, 4 expired, 5 refused (client, user, parameters), 6 network,
7 the tokens do not verify, 130 interrupted";

pub fn run(args: Args) -> ExitCode {
    let Command::Request(args) = args.command;
    let mut show = Show::new(args.output.json, args.output.show_tokens);
    #[expect(clippy::disallowed_methods, reason = "a secret has no flag: everybody sees the arguments of a process")]
    let secret = std::env::var(SECRET_VARIABLE).ok().map(Secret::new);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (plan, runtime) = match (plan(*args, secret), runtime) {
        (Ok(plan), Ok(runtime)) => (plan, runtime),
        (Err(fault), _) => return usage(&fault),
        (_, Err(fault)) => return usage(&fault.to_string()),
    };
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    ExitCode::from(runtime.block_on(carry_out(&plan, &mut show, &tokio::time::sleep, interrupt)))
}

fn usage(fault: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "error: {fault}\n\nFor more information, try 'realmgate ciba request --help'.");
    ExitCode::from(USAGE)
}

/// Runs the plan unless `interrupt` comes first, and returns the exit code. `sleep` waits; tests do not.
async fn carry_out(
    plan: &Plan,
    show: &mut Show<'_>,
    sleep: &impl AsyncFn(Duration),
    interrupt: impl Future<Output = ()>,
) -> u8 {
    let ended = tokio::select! {
        ended = tokens(plan, show, sleep) => ended,
        () = interrupt => {
            show.interrupted(plan.client.clock.now());
            return INTERRUPTED;
        }
    };
    let Err(failure) = ended else { return 0 };
    show.failed(&failure);
    if plan.client.issuer.is_demo() && matches!(failure, Failure::NoAnswer(_)) {
        show.say("Is the demo running? `realmgate demo` starts it");
    }
    failure.exit_code()
}

async fn tokens(plan: &Plan, show: &mut Show<'_>, sleep: &impl AsyncFn(Duration)) -> Result<(), Failure> {
    let Plan { client, question, delivery, userinfo } = plan;
    show.start(client, question);
    let endpoints = client.discover().await?;
    if *userinfo && endpoints.userinfo.is_none() {
        return Err(Failure::Network(format!("{} has no userinfo_endpoint", client.issuer.text)));
    }
    if !endpoints.offers(delivery.mode()) {
        return Err(Failure::Network(format!("{} does not offer mode {}", client.issuer.text, delivery.mode())));
    }
    let mut inbox = delivery.open(client).await?;
    if let Some(inbox) = &inbox {
        show.listening(&inbox.address);
    }
    let accepted = client.ask(&endpoints, question, inbox.as_ref().map(|inbox| &inbox.token)).await?;
    let asked = client.clock.now();
    let deadline = asked.plus(Duration::from_secs(accepted.expires_in));
    show.requested(&accepted, client, question, (asked, deadline));

    let waiting = Waiting { client, endpoints: &endpoints, accepted: &accepted, deadline };
    let delivered = delivery.tokens(&waiting, inbox.as_mut(), show, sleep).await;
    if let Some(inbox) = inbox {
        inbox.close().await;
    }
    let tokens = delivered?;
    let decided = client.clock.now();
    let keys = patiently(sleep, async || client.keys(&endpoints).await).await?;
    let expected = verify::Expected {
        issuer: &client.issuer.text,
        client_id: &client.client_id,
        auth_req_id: &accepted.auth_req_id,
        openid: Scope::parse(&question.scope).is_ok_and(|scope| scope.contains("openid")),
        pushed: matches!(delivery, Delivery::Push(_)),
        binding: Binding {
            key: client.dpop.as_ref().map(|dpop| dpop.thumbprint.as_str()),
            certificate: client.certificate.as_deref(),
        },
        now: client.clock.now(),
    };
    let id_token =
        verify::verify(&tokens, &keys, &expected).map_err(|mismatch| Failure::NotVerified(mismatch.to_string()))?;
    let userinfo = match (&endpoints.userinfo, &id_token, tokens.get("access_token").and_then(Value::as_str)) {
        (Some(url), Some(id_token), Some(token)) if *userinfo || client.dpop.is_some() => {
            let sub = id_token.claims.get("sub").and_then(Value::as_str);
            Some(patiently(sleep, async || client.userinfo(url, token, sub).await).await?)
        }
        _ => None,
    };
    let outcome = Outcome { tokens, id_token, userinfo };
    show.approved(&outcome, decided).map_err(|error| Failure::Output(error.to_string()))
}

/// What can be fetched again is tried three times: the tokens cannot be.
async fn patiently<T>(
    sleep: &impl AsyncFn(Duration),
    fetch: impl AsyncFn() -> Result<T, Failure>,
) -> Result<T, Failure> {
    for pause in [1, 2] {
        match fetch().await {
            Err(Failure::Network(_)) => sleep(Duration::from_secs(pause)).await,
            ended => return ended,
        }
    }
    fetch().await
}
