//! The flags, as they are written. What they mean together is judged in `plan`.

use std::path::PathBuf;

use super::{client::AuthMethod, issuer::Issuer};
use crate::{oauth::Scope, secret::Secret};

#[derive(Debug, clap::Args)]
pub(super) struct RequestArgs {
    #[command(flatten)]
    pub(super) client: ClientArgs,
    #[command(flatten)]
    pub(super) question: QuestionArgs,
    /// Print one JSON object a line for each change of state, the tokens last
    #[arg(long)]
    pub(super) json: bool,
    /// Show the tokens themselves
    #[arg(long)]
    pub(super) show_tokens: bool,
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
    /// How the client authenticates [default: client_secret_basic]
    #[arg(long, value_enum, value_name = "METHOD")]
    pub(super) auth_method: Option<AuthMethod>,
    /// File that holds the client's secret
    #[arg(long, value_name = "FILE")]
    pub(super) client_secret_file: Option<PathBuf>,
    /// Certificates to trust besides the usual ones
    #[arg(long, value_name = "PEM")]
    pub(super) ca_certificate: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What to ask")]
pub(super) struct QuestionArgs {
    /// Person to ask [default with the demo: alice]
    #[arg(long, value_name = "HINT")]
    pub(super) login_hint: Option<String>,
    /// What to ask for
    #[arg(long, default_value = "openid profile", value_parser = scope)]
    pub(super) scope: String,
    /// Text that the person sees with the request; "" for none [default: a new code such as KX-42]
    #[arg(long, value_name = "TEXT")]
    pub(super) binding_message: Option<String>,
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
