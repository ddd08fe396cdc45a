//! `realmgate ciba request`: an OpenID CIBA client (CIBA Core 1.0, poll mode) for people and scripts. It asks, waits,
//! verifies the tokens and says by its exit code how it ended. It works with any provider of CIBA; without flags it talks
//! to the running demo.
//!
//! `request` and `wait` speak the protocol, `verify` judges the tokens, `show` is all that is seen.

mod request;
mod show;
#[cfg(test)]
mod tests;
mod verify;
mod wait;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::Subcommand;

use self::{
    request::{AuthMethod, Client, Failure, Issuer, Question},
    show::Show,
};
use crate::{
    clock::Clock,
    http::{Http, Outbound},
    oauth::Scope,
    random::Random,
    secret::Secret,
};

const DEMO_ISSUER: &str = "http://127.0.0.1:8080/master";
const DEMO_CLIENT: &str = "demo";
const DEMO_SECRET: &str = "demo-secret";
const DEMO_USER: &str = "alice";
const SECRET_VARIABLE: &str = "REALMGATE_CLIENT_SECRET";

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

#[derive(Debug, clap::Args)]
struct RequestArgs {
    /// Issuer to ask at [default: the demo's, http://127.0.0.1:8080/master]
    #[arg(long, value_name = "URL", value_parser = Issuer::parse)]
    issuer: Option<Issuer>,
    /// Client to ask as [default with the demo: demo]
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Person to ask [default with the demo: alice]
    #[arg(long, value_name = "HINT")]
    login_hint: Option<String>,
    /// File that holds the client's secret
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,
    /// How the client authenticates [default: client_secret_basic]
    #[arg(long, value_enum, value_name = "METHOD")]
    auth_method: Option<AuthMethod>,
    /// What to ask for
    #[arg(long, default_value = "openid profile", value_parser = scope)]
    scope: String,
    /// Text that the person sees with the request; "" for none [default: a new code such as KX-42]
    #[arg(long, value_name = "TEXT")]
    binding_message: Option<String>,
    /// After how many seconds the request should expire
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    requested_expiry: Option<u32>,
    /// The person's user code
    #[arg(long, value_name = "CODE", value_parser = secret, conflicts_with = "user_code_file")]
    user_code: Option<Secret>,
    /// File that holds the person's user code
    #[arg(long, value_name = "FILE")]
    user_code_file: Option<PathBuf>,
    /// Certificates to trust besides the usual ones
    #[arg(long, value_name = "PEM")]
    ca_certificate: Option<PathBuf>,
    /// Print one JSON object a line for each change of state, the tokens last
    #[arg(long)]
    json: bool,
    /// Show the tokens themselves
    #[arg(long)]
    show_tokens: bool,
}

pub fn run(args: Args) -> ExitCode {
    let Command::Request(args) = args.command;
    let mut show = Show::new(args.json, args.show_tokens);
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

/// What is to be done, once the arguments are known to make sense.
type Plan = (Client, Question);

/// # Errors
/// A sentence for the person who typed the arguments.
fn plan(args: RequestArgs, secret_variable: Option<Secret>) -> Result<Plan, String> {
    let issuer = args.issuer.map_or_else(|| Issuer::parse(DEMO_ISSUER), Ok)?;
    let with_demo = |value: Option<String>, demo: &str, flag| match value {
        None if issuer.is_demo() => Ok(demo.to_owned()),
        None => Err(format!("{flag} is missing (only the demo has one by default)")),
        Some(value) if value.is_empty() => Err(format!("{flag} is empty")),
        Some(value) => Ok(value),
    };
    let client_id = with_demo(args.client_id, DEMO_CLIENT, "--client-id")?;
    let login_hint = with_demo(args.login_hint, DEMO_USER, "--login-hint")?;

    let named = args.client_secret_file.as_deref().map(secret_file).transpose()?.or(secret_variable);
    let is_demos_client = issuer.is_demo() && client_id == DEMO_CLIENT;
    let secret = match named {
        Some(secret) => secret,
        None if is_demos_client => Secret::new(DEMO_SECRET),
        None => {
            return Err(format!("no client secret: name a file by --client-secret-file, or set {SECRET_VARIABLE}"));
        }
    };
    let usual = if is_demos_client { AuthMethod::Post } else { AuthMethod::Basic };
    let ca_certificates = match args.ca_certificate {
        Some(path) => vec![(path.clone(), std::fs::read(&path).map_err(|error| unreadable(&path, &error))?)],
        None => Vec::new(),
    };
    let http = Http::new(&Outbound { ca_certificates, ..Outbound::default() }).map_err(|fault| fault.to_string())?;
    let binding_message = match args.binding_message {
        Some(text) => Some(text).filter(|text| !text.is_empty()),
        None => Some(code(&Random::system()).map_err(|fault| fault.to_string())?),
    };
    let user_code = args.user_code_file.as_deref().map(secret_file).transpose()?.or(args.user_code);
    let auth_method = args.auth_method.unwrap_or(usual);
    Ok((
        Client { http, clock: Clock::system(), issuer, client_id, secret, auth_method },
        Question { login_hint, scope: args.scope, binding_message, requested_expiry: args.requested_expiry, user_code },
    ))
}

/// Runs the plan unless `interrupt` comes first, and returns the exit code. `sleep` waits; tests do not.
async fn carry_out(
    (client, question): &Plan,
    show: &mut Show<'_>,
    sleep: &impl AsyncFn(Duration),
    interrupt: impl Future<Output = ()>,
) -> u8 {
    let ended = tokio::select! {
        ended = tokens(client, question, show, sleep) => ended,
        () = interrupt => {
            show.interrupted(client.clock.now());
            return INTERRUPTED;
        }
    };
    let Err(failure) = ended else { return 0 };
    show.failed(&failure);
    if client.issuer.is_demo() && matches!(failure, Failure::NoAnswer(_)) {
        show.say("Is the demo running? `realmgate demo` starts it");
    }
    match failure {
        Failure::Output(_) => 1,
        Failure::Denied(_) => 3,
        Failure::Expired(_) => 4,
        Failure::Refused(_) => 5,
        Failure::NoAnswer(_) | Failure::Network(_) => 6,
        Failure::NotVerified(_) => 7,
    }
}

async fn tokens(
    client: &Client,
    question: &Question,
    show: &mut Show<'_>,
    sleep: &impl AsyncFn(Duration),
) -> Result<(), Failure> {
    show.start(client, question);
    let endpoints = client.discover().await?;
    let accepted = client.ask(&endpoints, question).await?;
    let asked = client.clock.now();
    let deadline = asked.plus(Duration::from_secs(accepted.expires_in));
    show.requested(&accepted, client, question, (asked, deadline));

    let tokens = wait::wait(client, &endpoints, &accepted, deadline, show, sleep).await?;
    let decided = client.clock.now();
    let mut keys = client.keys(&endpoints).await;
    for pause in [1, 2] {
        if keys.is_err() {
            sleep(Duration::from_secs(pause)).await; // the tokens cannot be fetched again, the keys can
            keys = client.keys(&endpoints).await;
        }
    }
    let expected = verify::Expected {
        issuer: &client.issuer.text,
        client_id: &client.client_id,
        auth_req_id: &accepted.auth_req_id,
        openid: Scope::parse(&question.scope).is_ok_and(|scope| scope.contains("openid")),
        now: client.clock.now(),
    };
    let id_token =
        verify::verify(&tokens, &keys?, &expected).map_err(|mismatch| Failure::NotVerified(mismatch.to_string()))?;
    show.approved(&tokens, id_token.as_ref(), decided).map_err(|error| Failure::Output(error.to_string()))
}

/// A code that two people can compare: letters and digits that are neither read nor heard as one another.
fn code(random: &Random) -> Result<String, crate::random::NoRandomness> {
    const LETTERS: &[u8; 16] = b"ACDFHJKMPRTUWXYZ";
    let bytes: [u8; 4] = random.bytes()?;
    let letter = |byte: u8| char::from(LETTERS[usize::from(byte % 16)]);
    let digit = |byte: u8| char::from(b'2' + byte % 8);
    Ok(format!("{}{}-{}{}", letter(bytes[0]), letter(bytes[1]), digit(bytes[2]), digit(bytes[3])))
}

/// The text of a file without the line break at its end.
fn secret_file(path: &Path) -> Result<Secret, String> {
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    if text.is_empty() { Err(format!("{}: the file is empty", path.display())) } else { Ok(Secret::new(text)) }
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

fn scope(text: &str) -> Result<String, String> {
    match Scope::parse(text) {
        Ok(scope) if !scope.is_empty() => Ok(scope.to_string()),
        Ok(_) => Err("the scope is empty".into()),
        Err(error) => Err(error.to_string()),
    }
}

fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}
