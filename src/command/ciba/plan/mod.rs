//! What is to be done, made of the flags: whether they make sense together, and what stands in for those that were not given.
//! Nothing is sent here.

mod credentials;
mod delivery;
mod files;
mod question;

use super::{
    arguments::{AuthMethod, ClientArgs, CredentialArgs, RequestArgs},
    ask::Question,
    client::Client,
    delivery::Delivery,
    dpop::Dpop,
    issuer::Issuer,
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
pub(super) const SECRET_VARIABLE: &str = "REALMGATE_CLIENT_SECRET";

/// What is to be done, once the arguments are known to make sense.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) client: Client,
    pub(super) question: Question,
    pub(super) delivery: Delivery,
    /// Whether the userinfo endpoint must be asked; with DPoP it is where there is one.
    pub(super) userinfo: bool,
}

/// # Errors
/// A sentence for the person who typed the arguments.
pub(super) fn plan(args: RequestArgs, secret_variable: Option<Secret>) -> Result<Plan, String> {
    let client = client(args.client, &args.credentials, secret_variable)?;
    let question = question::question(args.question, &client.issuer)?;
    let openid = Scope::parse(&question.scope).is_ok_and(|scope| scope.contains("openid"));
    if args.output.userinfo && !openid {
        return Err("--userinfo needs the scope openid: add it to --scope".into());
    }
    let delivery = delivery::delivery(&args.delivery, client.dpop.is_some())?;
    Ok(Plan { client, question, delivery, userinfo: args.output.userinfo })
}

fn client(args: ClientArgs, credentials: &CredentialArgs, secret_variable: Option<Secret>) -> Result<Client, String> {
    let issuer = args.issuer.map_or_else(|| Issuer::parse(DEMO_ISSUER), Ok)?;
    let client_id = with_demo(&issuer, args.client_id, DEMO_CLIENT, "--client-id")?;
    let (usual, demos) = if issuer.is_demo() && client_id == DEMO_CLIENT {
        (AuthMethod::ClientSecretPost, Some(Secret::new(DEMO_SECRET)))
    } else {
        (AuthMethod::ClientSecretBasic, None)
    };
    let known = credentials::known(credentials, usual, secret_variable, demos)?;
    let ca_certificates = match args.ca_certificate {
        Some(path) => vec![(path.clone(), files::read(&path)?)],
        None => Vec::new(),
    };
    let outbound = Outbound { ca_certificates, ..Outbound::default() };
    let mut http = Http::new(&outbound).map_err(|fault| fault.to_string())?;
    if let Some(certificate) = &known.certificate {
        http = Http::with_identity(&outbound, certificate.identity.reveal().as_bytes())
            .map_err(|fault| format!("--certificate: {fault}"))?;
    }
    Ok(Client {
        http,
        clock: Clock::system(),
        random: Random::system(),
        issuer,
        client_id,
        credentials: known.credentials,
        dpop: credentials.dpop.then(Dpop::new).transpose().map_err(|fault| format!("--dpop: {fault}"))?,
        request_signer: known.request_signer,
        certificate: known.certificate.map(|certificate| certificate.digest),
    })
}

/// What was given, or what the demo has in its place.
fn with_demo(issuer: &Issuer, value: Option<String>, demo: &str, flag: &str) -> Result<String, String> {
    match value {
        None if issuer.is_demo() => Ok(demo.to_owned()),
        None => Err(format!("{flag} is missing (only the demo has one by default)")),
        Some(value) if value.is_empty() => Err(format!("{flag} is empty")),
        Some(value) => Ok(value),
    }
}
