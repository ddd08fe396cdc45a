//! `[[clients]]`, in the words of RFC 7591, RFC 8705 and OpenID CIBA Core 4.

use std::{collections::HashMap, time::Duration};

use super::{fault::Problem, policy, table::Table, text};
use crate::{
    keys::Algorithm,
    oauth::{CIBA_GRANT_TYPE, Scope},
    realm::{
        Client,
        client::{Authentication, GrantTypes},
    },
    secret::Secret,
};

/// Reads one client. `lines` are where the `client_id`s of those before it stand.
pub(super) fn client(
    table: Table<'_>,
    algorithms: Option<&[Algorithm]>,
    lines: &mut HashMap<String, usize>,
) -> Option<Client> {
    table.require(&["client_id", "client_secret"]);
    let client_id = table.parsed("client_id", client_id);
    if let (Some(id), Some(line)) = (&client_id, table.line_of("client_id"))
        && let Some(first) = lines.insert(id.clone(), line)
    {
        let cause = format!("the client in line {first} has it, too");
        table.fault("client_id", Problem::new(cause, "give every client an id of its own"));
    }
    let client_name = table.parsed("client_name", |text| text::sentence(text, 100));
    let enabled = table.flag("enabled").unwrap_or(true);
    let authentication = authentication(&table);
    let grant_types = grant_types(&table);
    let scope = scope(&table, grant_types);
    let backchannel_user_code_parameter = table.flag("backchannel_user_code_parameter").unwrap_or(false);
    let id_token_signed_response_alg = table.parsed("id_token_signed_response_alg", |text| {
        let algorithm = text::algorithm(text)?;
        policy::has_key(algorithms, algorithm).map(|()| algorithm)
    });
    let default_max_age = table.number("default_max_age", 1..=366 * 24 * 60 * 60, "seconds").map(Duration::from_secs);
    table.choice("backchannel_token_delivery_mode", &[("poll", ())], &["ping", "push"]);
    later(&table);
    table.finish();

    Some(Client {
        client_id: client_id?.into(),
        client_name,
        enabled,
        authentication: authentication?,
        grant_types: grant_types?,
        scope: scope?,
        backchannel_user_code_parameter,
        id_token_signed_response_alg,
        default_max_age,
    })
}

/// Known metadata that nothing serves yet.
fn later(table: &Table<'_>) {
    let secrets = "remove it; the client proves who it is with its secret";
    for key in [
        "token_endpoint_auth_signing_alg",
        "jwks",
        "jwks_file",
        "jwks_uri",
        "tls_client_auth_subject_dn",
        "tls_client_auth_san_dns",
        "tls_client_auth_san_uri",
        "tls_client_auth_san_ip",
        "tls_client_auth_san_email",
    ] {
        table.not_yet(key, secrets);
    }
    table.not_yet_true("tls_client_certificate_bound_access_tokens");
    table.not_yet_true("dpop_bound_access_tokens");
    table.not_yet("backchannel_client_notification_endpoint", "remove it; the client polls");
    table.not_yet("backchannel_authentication_request_signing_alg", "remove it; requests are not signed");
    table.not_yet("authorization_details_types", "remove it; clients ask by `scope`");
}

/// RFC 6749 A.1: printable ASCII.
fn client_id(text: &str) -> Result<String, Problem> {
    if text.len() > 255 || !text.bytes().all(|b| matches!(b, 0x20..=0x7e)) {
        let remedy = "shorten it, or leave out what is not ASCII";
        return Err(Problem::new("it must be at most 255 characters of printable ASCII", remedy));
    }
    Ok(text.to_owned())
}

fn authentication(table: &Table<'_>) -> Option<Authentication> {
    type Make = fn(Secret) -> Authentication;
    let known: [(&str, Make); 2] = [
        ("client_secret_basic", Authentication::ClientSecretBasic),
        ("client_secret_post", Authentication::ClientSecretPost),
    ];
    let later = ["client_secret_jwt", "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"];
    let key = "token_endpoint_auth_method";
    let make = if table.has(key) { table.choice(key, &known, &later) } else { Some(known[0].1) };
    let secret = table.secret("client_secret");
    Some(make?(secret?))
}

fn grant_types(table: &Table<'_>) -> Option<GrantTypes> {
    let key = "grant_types";
    if !table.has(key) {
        return Some(GrantTypes { ciba: true, refresh_token: false });
    }
    let listed = table.strings(key)?;
    if listed.is_empty() || listed.iter().any(|grant| ![CIBA_GRANT_TYPE, "refresh_token"].contains(grant)) {
        let remedy = format!("write [\"{CIBA_GRANT_TYPE}\"], with \"refresh_token\" if the client is to get one");
        table.fault(key, Problem::new("it must list grant types that are served here", remedy));
        return None;
    }
    Some(GrantTypes { ciba: listed.contains(&CIBA_GRANT_TYPE), refresh_token: listed.contains(&"refresh_token") })
}

/// What the client may ask for. A CIBA request asks for `openid` always (OpenID CIBA Core 7.1).
fn scope(table: &Table<'_>, grant_types: Option<GrantTypes>) -> Option<Scope> {
    if !table.has("scope") {
        return Scope::parse("openid").ok();
    }
    let ciba = grant_types.is_none_or(|grants| grants.ciba);
    table.parsed("scope", if ciba { text::openid_scope } else { text::scope })
}
