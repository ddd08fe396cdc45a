//! The flags, as they are written. What they mean together is judged in `plan`.

use std::{net::SocketAddr, path::PathBuf};

use clap::ValueEnum;

use super::issuer::Issuer;
use crate::{keys::Algorithm, oauth::Scope, secret::Secret};

#[derive(Debug, clap::Args)]
pub(super) struct RequestArgs {
    #[command(flatten)]
    pub(super) client: ClientArgs,
    #[command(flatten)]
    pub(super) credentials: CredentialArgs,
    #[command(flatten)]
    pub(super) question: QuestionArgs,
    #[command(flatten)]
    pub(super) delivery: DeliveryArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Whom to ask, and as whom")]
pub(super) struct ClientArgs {
    /// Issuer to ask at [default: the demo's, http://127.0.0.1:8080/master]
    #[arg(long, value_name = "URL", value_parser = Issuer::parse)]
    pub(super) issuer: Option<Issuer>,
    /// Client to ask as [default with the demo: demo]
    #[arg(long, value_name = "ID")]
    pub(super) client_id: Option<String>,
    /// Certificates to trust besides the usual ones
    #[arg(long, value_name = "PEM")]
    pub(super) ca_certificate: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "How the client proves who it is")]
pub(super) struct CredentialArgs {
    /// How the client authenticates [default: client_secret_basic]
    #[arg(long, value_enum, value_name = "METHOD")]
    pub(super) auth_method: Option<AuthMethod>,
    /// File that holds the client's secret
    #[arg(long, value_name = "FILE")]
    pub(super) client_secret_file: Option<PathBuf>,
    /// The client's private key, as PEM: signs its assertions and requests, and is its certificate's key
    #[arg(long, value_name = "FILE")]
    pub(super) private_key: Option<PathBuf>,
    /// What --private-key signs with: PS256, RS256, ES256 or EdDSA [default: what the key is for; PS256 for RSA]
    #[arg(long, value_name = "ALG", value_parser = algorithm)]
    pub(super) signing_alg: Option<Algorithm>,
    /// The `kid` of the key in the client's registration [default: none is sent]
    #[arg(long, value_name = "KID")]
    pub(super) key_id: Option<String>,
    /// Sign the authentication request with --private-key
    #[arg(long)]
    pub(super) signed: bool,
    /// Bind the tokens to a new key that ends with this run (RFC 9449), and use them at the userinfo endpoint
    #[arg(long)]
    pub(super) dpop: bool,
    /// The client's certificate with its chain, as PEM, which the TLS connection shows
    #[arg(long, value_name = "FILE")]
    pub(super) certificate: Option<PathBuf>,
    /// The certificate's private key, as PEM, where it is not --private-key
    #[arg(long, value_name = "FILE")]
    pub(super) certificate_key: Option<PathBuf>,
}

/// As the client's registration names them (`token_endpoint_auth_method`: RFC 7591 2, RFC 8705 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum AuthMethod {
    ClientSecretBasic,
    ClientSecretPost,
    ClientSecretJwt,
    PrivateKeyJwt,
    TlsClientAuth,
    SelfSignedTlsClientAuth,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What to ask")]
pub(super) struct QuestionArgs {
    /// Person to ask [default with the demo: alice]
    #[arg(long, value_name = "HINT")]
    pub(super) login_hint: Option<String>,
    /// A token that says whom to ask, or @ and the file that holds it
    #[arg(long, value_name = "TOKEN|@FILE", conflicts_with = "login_hint")]
    pub(super) login_hint_token: Option<String>,
    /// An ID token of the person to ask, or @ and the file that holds it
    #[arg(long, value_name = "TOKEN|@FILE", conflicts_with_all = ["login_hint", "login_hint_token"])]
    pub(super) id_token_hint: Option<String>,
    /// What to ask for
    #[arg(long, default_value = "openid profile", value_parser = scope)]
    pub(super) scope: String,
    /// What to ask for in detail (RFC 9396): a JSON array, or @ and the file that holds it
    #[arg(long, value_name = "JSON|@FILE")]
    pub(super) authorization_details: Option<String>,
    /// Text that the person sees with the request; "" for none [default: a new code such as KX-42]
    #[arg(long, value_name = "TEXT")]
    pub(super) binding_message: Option<String>,
    /// How the person should sign in, best first
    #[arg(long, value_name = "VALUES")]
    pub(super) acr_values: Option<String>,
    /// After how many seconds the request should expire
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) requested_expiry: Option<u32>,
    /// The person's user code
    #[arg(long, value_name = "CODE", value_parser = secret, conflicts_with = "user_code_file")]
    pub(super) user_code: Option<Secret>,
    /// File that holds the person's user code
    #[arg(long, value_name = "FILE")]
    pub(super) user_code_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "How the outcome comes")]
pub(super) struct DeliveryArgs {
    /// As the client is registered: poll, ping or push
    #[arg(long, value_enum, default_value_t = Mode::Poll, hide_possible_values = true)]
    pub(super) mode: Mode,
    /// Where the server's notifications are taken, at any path [default: 127.0.0.1:8089]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) notification_listen: Option<SocketAddr>,
    /// Certificate with its chain, as PEM, for notifications by https
    #[arg(long, value_name = "FILE")]
    pub(super) notification_certificate: Option<PathBuf>,
    /// That certificate's private key, as PEM
    #[arg(long, value_name = "FILE")]
    pub(super) notification_key: Option<PathBuf>,
}

/// `backchannel_token_delivery_mode` (CIBA Core 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Mode {
    Poll,
    Ping,
    Push,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What is shown")]
pub(super) struct OutputArgs {
    /// Ask the userinfo endpoint with the access token, and show what it says
    #[arg(long)]
    pub(super) userinfo: bool,
    /// Print one JSON object a line for each change of state, the tokens last
    #[arg(long)]
    pub(super) json: bool,
    /// Show the tokens themselves
    #[arg(long)]
    pub(super) show_tokens: bool,
}

fn scope(text: &str) -> Result<String, String> {
    match Scope::parse(text) {
        Ok(scope) if !scope.is_empty() => Ok(scope.to_string()),
        Ok(_) => Err("the scope is empty".into()),
        Err(error) => Err(error.to_string()),
    }
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    text.parse().map_err(|()| format!("it is one of {}", Algorithm::ALL.map(Algorithm::as_str).join(", ")))
}

fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}
