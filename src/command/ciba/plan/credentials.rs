//! The client's credentials: which flags go together, and what they name.

use std::{path::Path, sync::Arc};

use super::{SECRET_VARIABLE, files};
use crate::{
    command::ciba::{
        arguments::{AuthMethod, CredentialArgs},
        authentication::Credentials,
        signer::Signer,
    },
    keys::{KeyFault, SigningKey},
    secret::Secret,
};

/// What the client is known by.
pub(super) struct Known {
    pub(super) credentials: Credentials,
    /// Signs the authentication request.
    pub(super) request_signer: Option<Arc<Signer>>,
    pub(super) certificate: Option<Certificate>,
}

/// What TLS connections show.
pub(super) struct Certificate {
    /// The certificate, its chain and its key, as PEM.
    pub(super) identity: Secret,
    /// As `x5t#S256`.
    pub(super) digest: String,
}

/// `usual` is the method where none is named; `demos` is the secret where neither a file nor the variable holds one.
pub(super) fn known(
    args: &CredentialArgs,
    usual: AuthMethod,
    secret_variable: Option<Secret>,
    demos: Option<Secret>,
) -> Result<Known, String> {
    let method = args.auth_method.unwrap_or(usual);
    if let Some(contradiction) = contradiction(args, method) {
        return Err(contradiction);
    }
    let secret =
        || match args.client_secret_file.as_deref().map(files::secret).transpose()?.or(secret_variable).or(demos) {
            Some(secret) => Ok(secret),
            None => Err(format!("no client secret: name a file by --client-secret-file, or set {SECRET_VARIABLE}")),
        };
    let signer = match &args.private_key {
        Some(path) if signs(args, method) => Some(Arc::new(signer(args, path)?)),
        _ => None,
    };
    let request_signer = signer.clone().filter(|_| args.signed);
    let credentials = match (method, signer) {
        (AuthMethod::ClientSecretBasic, _) => Credentials::Basic(secret()?),
        (AuthMethod::ClientSecretPost, _) => Credentials::Post(secret()?),
        (AuthMethod::ClientSecretJwt, _) => Credentials::SecretJwt(secret()?),
        (AuthMethod::PrivateKeyJwt, Some(signer)) => Credentials::PrivateKeyJwt(signer),
        (AuthMethod::PrivateKeyJwt, None) => return Err(needs_key("--auth-method private_key_jwt")),
        (AuthMethod::TlsClientAuth | AuthMethod::SelfSignedTlsClientAuth, _) => Credentials::Certificate,
    };
    Ok(Known { credentials, request_signer, certificate: certificate(args)? })
}

/// Flags that make no sense together, in a sentence with the remedy.
fn contradiction(args: &CredentialArgs, method: AuthMethod) -> Option<String> {
    let name =
        clap::ValueEnum::to_possible_value(&method).map_or_else(String::new, |value| value.get_name().to_owned());
    let method_flag = format!("--auth-method {name}");
    let has_secret =
        matches!(method, AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost | AuthMethod::ClientSecretJwt);
    let is_tls = matches!(method, AuthMethod::TlsClientAuth | AuthMethod::SelfSignedTlsClientAuth);
    let signs = signs(args, method);
    let certifies = args.certificate.is_some() && args.certificate_key.is_none();
    let unused = |flag: &str| {
        format!("{flag} has no use here: nothing is signed; add --signed, or --auth-method private_key_jwt")
    };

    let table = [
        (
            args.client_secret_file.is_some() && !has_secret,
            format!("--client-secret-file has no use with {method_flag}: leave one of the two out"),
        ),
        (is_tls && args.certificate.is_none(), format!("{method_flag} needs --certificate: the client's certificate")),
        (
            args.certificate.is_some() && args.private_key.is_none() && args.certificate_key.is_none(),
            "--certificate needs its private key: name it by --private-key".to_owned(),
        ),
        (
            args.certificate_key.is_some() && args.certificate.is_none(),
            "--certificate-key is the key of --certificate, which is missing".to_owned(),
        ),
        (method == AuthMethod::PrivateKeyJwt && args.private_key.is_none(), needs_key(&method_flag)),
        (args.signed && args.private_key.is_none(), needs_key("--signed")),
        (
            args.private_key.is_some() && !signs && !certifies,
            format!(
                "--private-key has no use with {method_flag}: add --signed or --certificate, or choose private_key_jwt"
            ),
        ),
        (args.signing_alg.is_some() && !signs, unused("--signing-alg")),
        (args.key_id.is_some() && !signs, unused("--key-id")),
    ];
    table.into_iter().find(|(applies, _)| *applies).map(|(_, sentence)| sentence)
}

/// Whether anything is signed with the private key.
fn signs(args: &CredentialArgs, method: AuthMethod) -> bool {
    args.signed || method == AuthMethod::PrivateKeyJwt
}

fn needs_key(flag: &str) -> String {
    format!("{flag} needs --private-key: the key whose public half the client is registered with")
}

fn signer(args: &CredentialArgs, path: &Path) -> Result<Signer, String> {
    let key = SigningKey::from_any_pem(args.signing_alg, &files::key(path)?).map_err(|fault| {
        match (fault, args.signing_alg) {
            (KeyFault::WrongKind(_), Some(alg)) => format!(
                "--signing-alg {alg}: {} holds another kind of key; without the flag the key's kind decides",
                path.display()
            ),
            (KeyFault::WrongKind(_), None) => {
                format!(
                    "{}: nothing can be signed with a key of this kind; it takes RSA, EC P-256 or Ed25519",
                    path.display()
                )
            }
            (fault, _) => format!("{}: {fault}", path.display()),
        }
    })?;
    Ok(Signer { key, key_id: args.key_id.clone() })
}

fn certificate(args: &CredentialArgs) -> Result<Option<Certificate>, String> {
    let Some(path) = &args.certificate else { return Ok(None) };
    let Some(key) = args.certificate_key.as_ref().or(args.private_key.as_ref()) else { return Ok(None) };
    let (pem, digest) = files::certificate(path)?;
    let identity = Secret::new(format!("{}\n{}", String::from_utf8_lossy(&pem), files::key(key)?.reveal()));
    Ok(Some(Certificate { identity, digest }))
}
