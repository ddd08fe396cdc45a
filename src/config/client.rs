//! `[[clients]]`, in the words of RFC 7591, RFC 8705 and OpenID CIBA Core 4.

mod authentication;
mod delivery;
mod profile;

use std::{collections::HashMap, time::Duration};

use super::{fault::Problem, policy, public_keys, table::Table, text};
use crate::{
    jose::JwsAlgorithm,
    keys::Algorithm,
    oauth::{CIBA_GRANT_TYPE, Scope},
    realm::{
        Client, DetailsType, Profile,
        client::{Authentication, Delivery, GrantTypes, HintKinds, SenderConstraint},
    },
};

/// What of the realm a client is read against.
pub(super) struct Realm<'r> {
    pub(super) profile: Profile,
    /// The algorithms that `[[keys]]` holds keys for; nothing where all keys are generated.
    pub(super) algorithms: Option<&'r [Algorithm]>,
    pub(super) details_types: &'r HashMap<String, std::sync::Arc<DetailsType>>,
    /// Whether it has `[mtls]`.
    pub(super) vouches_for_certificates: bool,
}

/// Reads one client. `lines` are where the `client_id`s of those before it stand.
pub(super) fn client(table: Table<'_>, realm: &Realm<'_>, lines: &mut HashMap<String, usize>) -> Option<Client> {
    let client = read(&table, realm, lines);
    if let Some(client) = &client {
        profile::check(&table, client, realm.profile);
    }
    table.finish();
    client
}

fn read(table: &Table<'_>, realm: &Realm<'_>, lines: &mut HashMap<String, usize>) -> Option<Client> {
    table.require(&["client_id"]);
    let client_id = table.parsed("client_id", client_id);
    if let (Some(id), Some(line)) = (&client_id, table.line_of("client_id"))
        && let Some(first) = lines.insert(id.clone(), line)
    {
        let cause = format!("the client in line {first} has it, too");
        table.fault("client_id", Problem::new(cause, "give every client an id of its own"));
    }
    let client_name = table.parsed("client_name", |text| text::sentence(text, 100));
    let enabled = table.flag("enabled").unwrap_or(true);
    let keys = public_keys::read(table);
    let authentication = authentication::read(table, realm);
    let grant_types = grant_types(table);
    let scope = scope(table, grant_types);
    let authorization_details_types = details_types(table, realm);
    let delivery = delivery::read(table);
    let request_signing_alg = request_signing_alg(table);
    let backchannel_user_code_parameter = table.flag("backchannel_user_code_parameter").unwrap_or(false);
    if let Some(algorithm) = request_signing_alg {
        public_keys::must_serve(table, "backchannel_authentication_request_signing_alg", keys.as_ref(), algorithm);
    }
    if let Some(Authentication::PrivateKeyJwt(Some(algorithm))) = &authentication {
        public_keys::must_serve(table, "token_endpoint_auth_signing_alg", keys.as_ref(), *algorithm);
    }
    let hints = hints(table);
    let sender_constraint = sender_constraint(table, delivery.as_ref());
    let id_token_signed_response_alg = table.parsed("id_token_signed_response_alg", |text| {
        let algorithm = text::algorithm(text)?;
        policy::has_key(realm.algorithms, algorithm).map(|()| algorithm)
    });
    let default_max_age = table.number("default_max_age", 1..=366 * 24 * 60 * 60, "seconds").map(Duration::from_secs);
    Some(Client {
        client_id: client_id?.into(),
        client_name,
        enabled,
        authentication: authentication?,
        keys,
        grant_types: grant_types?,
        scope: scope?,
        authorization_details_types,
        delivery: delivery?,
        backchannel_authentication_request_signing_alg: request_signing_alg,
        backchannel_user_code_parameter,
        hints: hints?,
        sender_constraint,
        id_token_signed_response_alg,
        default_max_age,
    })
}

/// RFC 6749 A.1: printable ASCII.
fn client_id(text: &str) -> Result<String, Problem> {
    if text.len() > 255 || !text.bytes().all(|b| matches!(b, 0x20..=0x7e)) {
        let remedy = "shorten it, or leave out what is not ASCII";
        return Err(Problem::new("it must be at most 255 characters of printable ASCII", remedy));
    }
    Ok(text.to_owned())
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

/// The client's types of `authorization_details`: each must be one of the realm's.
fn details_types(table: &Table<'_>, realm: &Realm<'_>) -> Vec<String> {
    let key = "authorization_details_types";
    let listed = table.strings(key).unwrap_or_default();
    for name in listed.iter().filter(|name| !realm.details_types.contains_key(**name)) {
        let cause = format!("`{}` is no type of the realm", name.escape_debug());
        let remedy = "add [[authorization_details_types]] with this `type` to the realm";
        table.fault(key, Problem::new(cause, remedy));
    }
    listed.into_iter().map(str::to_owned).collect()
}

/// CIBA Core 4: an asymmetric one; with it, all requests are signed.
fn request_signing_alg(table: &Table<'_>) -> Option<JwsAlgorithm> {
    let key = "backchannel_authentication_request_signing_alg";
    let algorithm = table.parsed(key, text::asymmetric)?;
    if !public_keys::is_there(table) {
        let remedy = "add `jwks`, `jwks_file` or `jwks_uri` with the client's public keys";
        table.fault(key, Problem::new("the client has no keys to verify its requests with", remedy));
    }
    Some(algorithm)
}

fn hints(table: &Table<'_>) -> Option<HintKinds> {
    let key = "hints";
    if !table.has(key) {
        return Some(HintKinds::ALL);
    }
    let kinds = ["login_hint", "login_hint_token", "id_token_hint"];
    let listed = table.strings(key)?;
    if listed.is_empty() || listed.iter().any(|kind| !kinds.contains(kind)) {
        let remedy = "write some of \"login_hint\", \"login_hint_token\", \"id_token_hint\"";
        table.fault(key, Problem::new("it must list kinds of hint", remedy));
        return None;
    }
    let [login_hint, login_hint_token, id_token_hint] = kinds.map(|kind| listed.contains(&kind));
    Some(HintKinds { login_hint, login_hint_token, id_token_hint })
}

/// RFC 9449 5, RFC 8705 3: bound to what the client shows at the token endpoint, where a push client never comes.
fn sender_constraint(table: &Table<'_>, delivery: Option<&Delivery>) -> Option<SenderConstraint> {
    let keys = ["dpop_bound_access_tokens", "tls_client_certificate_bound_access_tokens"];
    let [dpop, certificate] = keys.map(|key| table.flag(key).unwrap_or(false));
    if matches!(delivery, Some(Delivery::Push(_))) {
        for (key, _) in keys.into_iter().zip([dpop, certificate]).filter(|(_, is_bound)| *is_bound) {
            let cause = "tokens that are pushed cannot be bound to their client";
            table.fault(key, Problem::new(cause, "remove it, or write backchannel_token_delivery_mode = \"ping\""));
        }
        return None;
    }
    match (dpop, certificate) {
        (true, true) => {
            let cause = "`tls_client_certificate_bound_access_tokens` is true, too, and a token is bound in one way";
            table.fault("dpop_bound_access_tokens", Problem::new(cause, "keep one of them"));
            None
        }
        (true, false) => Some(SenderConstraint::Dpop),
        (false, true) => Some(SenderConstraint::Certificate),
        (false, false) => None,
    }
}
