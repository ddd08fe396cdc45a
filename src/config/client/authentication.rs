//! How a client proves who it is: `token_endpoint_auth_method` and the keys that belong to it (RFC 7591 2, RFC 8705 2).

use super::{Problem, Realm, Table, public_keys, text};
use crate::{
    certificate::{MalformedName, RegisteredName},
    jose::JwsAlgorithm,
    realm::client::Authentication,
    secret::Secret,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    ClientSecretBasic,
    ClientSecretPost,
    ClientSecretJwt,
    PrivateKeyJwt,
    TlsClientAuth,
    SelfSignedTlsClientAuth,
}

const METHODS: [(&str, Method); 6] = [
    ("client_secret_basic", Method::ClientSecretBasic),
    ("client_secret_post", Method::ClientSecretPost),
    ("client_secret_jwt", Method::ClientSecretJwt),
    ("private_key_jwt", Method::PrivateKeyJwt),
    ("tls_client_auth", Method::TlsClientAuth),
    ("self_signed_tls_client_auth", Method::SelfSignedTlsClientAuth),
];

pub(super) fn read(table: &Table<'_>, realm: &Realm<'_>) -> Option<Authentication> {
    let key = "token_endpoint_auth_method";
    let method = if table.has(key) { method(table, key) } else { Some(Method::ClientSecretBasic) };
    let secret = client_secret(table, method);
    let name = certificate_name(table, method);
    let algorithm = signing_alg(table, method, secret.as_ref());
    if matches!(method, Some(Method::PrivateKeyJwt | Method::SelfSignedTlsClientAuth)) && !public_keys::is_there(table)
    {
        let remedy = "add `jwks`, `jwks_file` or `jwks_uri` with the client's public keys";
        table.fault(key, Problem::new("the client has no keys to be known by", remedy));
    }
    if method == Some(Method::TlsClientAuth) && !realm.vouches_for_certificates {
        let remedy = "add [mtls] to the realm, with `ca_certificates`";
        table.fault(key, Problem::new("nobody vouches for the client's certificate", remedy));
    }
    Some(match method? {
        Method::ClientSecretBasic => Authentication::ClientSecretBasic(secret?),
        Method::ClientSecretPost => Authentication::ClientSecretPost(secret?),
        Method::ClientSecretJwt => Authentication::ClientSecretJwt(secret?, algorithm),
        Method::PrivateKeyJwt => Authentication::PrivateKeyJwt(algorithm),
        Method::TlsClientAuth => Authentication::TlsClientAuth(name?),
        Method::SelfSignedTlsClientAuth => Authentication::SelfSignedTlsClientAuth,
    })
}

fn method(table: &Table<'_>, key: &'static str) -> Option<Method> {
    if table.is(key, &["none"]) {
        let cause = "a client without authentication cannot ask for anybody (public clients have no CIBA)";
        table.fault(key, Problem::new(cause, "choose a method, such as `private_key_jwt`"));
        return None;
    }
    table.choice(key, &METHODS, &[])
}

/// The secret of the methods that have one; a fault beside the others.
fn client_secret(table: &Table<'_>, method: Option<Method>) -> Option<Secret> {
    use Method::{ClientSecretBasic, ClientSecretJwt, ClientSecretPost};
    let key = "client_secret";
    let there = table.has(key);
    if !matches!(method?, ClientSecretBasic | ClientSecretPost | ClientSecretJwt) {
        if there {
            let cause = "the client's `token_endpoint_auth_method` uses no secret";
            table.fault(key, Problem::new(cause, "remove it, or choose another method"));
        }
        return None;
    }
    table.require(&[key]);
    table.secret(key)
}

/// One algorithm, of the kind that the method uses.
fn signing_alg(table: &Table<'_>, method: Option<Method>, secret: Option<&Secret>) -> Option<JwsAlgorithm> {
    let key = "token_endpoint_auth_signing_alg";
    let there = table.has(key);
    match method? {
        Method::PrivateKeyJwt => table.parsed(key, text::asymmetric),
        Method::ClientSecretJwt => {
            let algorithm = table.parsed(key, text::symmetric);
            let least = algorithm.unwrap_or(JwsAlgorithm::HS256).least_secret();
            if secret.is_some_and(|secret| secret.reveal().len() < least) {
                let cause = format!("for `client_secret_jwt` it needs at least {least} bytes (RFC 7518 3.2)");
                table.fault("client_secret", Problem::new(cause, "make one with: openssl rand -base64 48"));
            }
            algorithm
        }
        _ => {
            if there {
                let cause = "the client's `token_endpoint_auth_method` signs nothing";
                table.fault(key, Problem::new(cause, "remove it, or choose `private_key_jwt`"));
            }
            None
        }
    }
}

/// Exactly one of the names of RFC 8705 2.1.2.
fn certificate_name(table: &Table<'_>, method: Option<Method>) -> Option<RegisteredName> {
    type Parse = fn(&str) -> Result<RegisteredName, MalformedName>;
    let known: [(&'static str, Parse, &str); 5] = [
        ("tls_client_auth_subject_dn", RegisteredName::subject_dn, "CN=till,O=Shop"),
        ("tls_client_auth_san_dns", RegisteredName::san_dns, "till.example.com"),
        ("tls_client_auth_san_uri", RegisteredName::san_uri, "urn:example:till"),
        ("tls_client_auth_san_ip", RegisteredName::san_ip, "192.0.2.1"),
        ("tls_client_auth_san_email", RegisteredName::san_email, "till@example.com"),
    ];
    let there: Vec<_> = known.into_iter().filter(|(key, ..)| table.has(key)).collect();
    if method? != Method::TlsClientAuth {
        for (key, ..) in there {
            table.fault(key, Problem::new("it needs `tls_client_auth`", "remove it, or choose that method"));
        }
        return None;
    }
    let [(key, parse, example)] = there[..] else {
        let cause = "`tls_client_auth` needs exactly one name of the certificate (RFC 8705 2.1.2)";
        let remedy = "write one of `tls_client_auth_subject_dn`, `tls_client_auth_san_dns`, `tls_client_auth_san_uri`, \
                      `tls_client_auth_san_ip`, `tls_client_auth_san_email`";
        let at = there.first().map_or("token_endpoint_auth_method", |(key, ..)| key);
        table.fault(at, Problem::new(cause, remedy));
        return None;
    };
    table.parsed(key, |text| {
        parse(text).map_err(|fault| Problem::new(fault.to_string(), format!("write such as {example}")))
    })
}
