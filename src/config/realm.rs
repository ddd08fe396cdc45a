//! One realm file, as written, into the [`Realm`] that it means. Pure but for the environment and the files that secrets
//! name. Sections have files of their own; what concerns several sections is checked here.

use std::{collections::HashMap, path::Path, sync::Arc};

use url::Url;

use super::{
    client, details,
    environment::Environment,
    fault::{Fault, Problem},
    mtls, policy, public_keys,
    table::{Source, Table},
    text, warning, ways,
};
use crate::{
    keys::Algorithm,
    realm::{Addresses, Channel, Client, HintTokenIssuer, Lookup, Profile, Realm, Upstream},
};

/// The realm that `text` describes; `None` where it is turned off (`enabled = false`). `file` is for messages and for the
/// folder that relative paths begin in. `public_base` is the public URL with the path prefix, without a slash at the end.
///
/// # Errors
/// Every fault of the file.
pub fn realm_from_toml(name: &str, file: &Path, text: &str, public_base: &str) -> Result<Option<Realm>, Vec<Fault>> {
    read(name, file, text, public_base, &Environment::of_process())
}

pub(super) fn read(
    name: &str,
    file: &Path,
    text: &str,
    public_base: &str,
    environment: &Environment,
) -> Result<Option<Realm>, Vec<Fault>> {
    let source = Source::new(file, text, environment);
    if let Err(problem) = check_name(name, public_base) {
        source.add(None, None, problem);
    }
    let realm = source.parse().and_then(|document| {
        let root = Table::root(&source, &document);
        let enabled = root.flag("enabled").unwrap_or(true);
        let realm = realm(name, root, public_base)?;
        Some(enabled.then_some(realm))
    });
    match realm {
        Some(realm) if source.is_sound() => Ok(realm),
        _ => Err(source.into_faults()),
    }
}

/// Names that are addresses of the gateway itself.
pub(super) const RESERVED: [&str; 5] = ["realms", "resources", "demo", "health", "metrics"];

fn check_name(name: &str, public_base: &str) -> Result<(), Problem> {
    let remedy = "give the file another name: 1 to 64 of A-Z a-z 0-9 . _ -, not beginning with a dot";
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if !plain || name.starts_with('.') || !(1..=64).contains(&name.len()) {
        return Err(Problem::new("a realm cannot have this name", remedy));
    }
    let public = Url::parse(public_base).ok();
    let prefix = public.as_ref().and_then(|url| url.path_segments()).and_then(|mut path| path.next());
    if RESERVED.contains(&name) || prefix == Some(name) {
        let cause = format!("a realm cannot be named `{name}`: addresses of the gateway itself begin so");
        return Err(Problem::new(cause, remedy));
    }
    Ok(())
}

fn realm(name: &str, root: Table<'_>, public_base: &str) -> Option<Realm> {
    let profiles = [("standard", Profile::Standard), ("fapi-ciba", Profile::FapiCiba)];
    let profile = root.choice("profile", &profiles, &["keycloak"]).unwrap_or(Profile::Standard);
    let issuer = root.parsed("issuer", text::issuer);
    let strict_audience = root.flag("strict_audience").unwrap_or(false);
    root.not_yet("upstreams", "write one [upstream]");
    root.not_yet("keycloak_channel", "remove it; `[[channels]]` of kind \"keycloak\" works");

    let upstream = root.table("upstream").and_then(ways::upstream);
    let lookups = lookups(&root, upstream.as_ref());
    let channels = channels(&root, &lookups);
    let ciba = policy::ciba(root.table("ciba"));
    let limits = policy::limits(root.table("limits"));
    let keys = policy::keys(&root);
    let algorithms: Option<Vec<Algorithm>> =
        keys.as_ref().filter(|keys| !keys.is_empty()).map(|keys| keys.iter().map(|key| key.algorithm()).collect());
    let tokens = policy::tokens(&root, profile, algorithms.as_deref());
    let authorization_details_types = details::types(&root);
    let client_roots = mtls::client_roots(&root);
    let against = client::Realm {
        profile,
        algorithms: algorithms.as_deref(),
        details_types: &authorization_details_types,
        // the misspelt key says enough
        vouches_for_certificates: root.has("mtls") || root.has_nearly("mtls"),
    };
    let clients = clients(&root, &against);
    let login_hint_token_issuers = hint_token_issuers(&root);
    let scope_texts = root.table("scopes").map(scope_texts).unwrap_or_default();
    let issuer = issuer.unwrap_or_else(|| format!("{public_base}/{name}"));
    if profile.restrictions().https && warning::is_plain_and_remote(&issuer) {
        let cause = "the realm's issuer is plain http on an address that is not loopback (profile `fapi-ciba`)";
        root.fault("profile", Problem::new(cause, "write https:// in `public_url` or `issuer`"));
    }
    root.finish();

    Some(Realm {
        name: name.into(),
        issuer,
        addresses: Addresses::new(public_base, name),
        profile,
        strict_audience,
        upstream,
        lookups,
        channels,
        ciba,
        limits,
        tokens,
        keys: keys?,
        clients,
        client_roots,
        // which config.toml says; the reader of the folder knows it
        client_certificates: false,
        scope_texts,
        authorization_details_types,
        login_hint_token_issuers,
    })
}

fn lookups(root: &Table<'_>, upstream: Option<&Upstream>) -> Vec<Lookup> {
    let tables = root.tables("lookups");
    if tables.is_empty() && !root.has_nearly("lookups") {
        let remedy = "add [[lookups]] with a kind: \"static\", \"keycloak\" or \"sign-in\"";
        root.fault("lookups", Problem::new("there is none, so no hint would ever become a user", remedy));
    }
    if tables.iter().any(|table| table.is("kind", &["keycloak", "sign-in"])) {
        needs_upstream(root, "lookups of the kinds `keycloak` and `sign-in`");
    }
    tables.into_iter().filter_map(|table| ways::lookup(table, upstream)).collect()
}

fn channels(root: &Table<'_>, lookups: &[Lookup]) -> Vec<Channel> {
    let tables = root.tables("channels");
    let page_alone = tables.is_empty();
    if page_alone || tables.iter().any(|table| table.is("kind", &["page", "webhook"])) {
        needs_upstream(root, "the channels `page` (the default where none is listed) and `webhook`");
    }
    let channels: Vec<Channel> =
        if page_alone { vec![Channel::Page] } else { tables.into_iter().filter_map(ways::channel).collect() };
    let nobody_known = !lookups.is_empty() && lookups.iter().all(|lookup| matches!(lookup, Lookup::SignIn { .. }));
    if nobody_known && channels.iter().any(|channel| matches!(channel, Channel::Keycloak { .. })) {
        let cause = "a channel of kind `keycloak` beside lookups of kind `sign-in` alone: nobody would ever sign in";
        root.fault("channels", Problem::new(cause, "add a lookup that knows people, or use the channel `page`"));
    }
    channels
}

fn needs_upstream(root: &Table<'_>, what: &str) {
    // the misspelt key says enough
    if !root.has("upstream") && !root.has_nearly("upstream") {
        let cause = format!("it is missing, and {what} need it");
        root.fault("upstream", Problem::new(cause, "add [upstream] with issuer, client_id and client_secret"));
    }
}

fn clients(root: &Table<'_>, realm: &client::Realm<'_>) -> HashMap<String, Arc<Client>> {
    let mut lines = HashMap::new();
    let clients = root.tables("clients").into_iter().filter_map(|table| client::client(table, realm, &mut lines));
    clients.map(|client| (client.client_id.to_string(), Arc::new(client))).collect()
}

/// `[[login_hint_token_issuers]]`: whose tokens name users.
fn hint_token_issuers(root: &Table<'_>) -> Vec<HintTokenIssuer> {
    let issuer = |table: Table<'_>| {
        table.require(&["issuer"]);
        let issuer = table.string("issuer").map(str::to_owned);
        let keys = public_keys::read(&table);
        if !public_keys::is_there(&table) {
            table.fault(
                "jwks_uri",
                Problem::new("it is missing", "add `jwks_uri` or `jwks_file` with the issuer's keys"),
            );
        }
        table.finish();
        Some(HintTokenIssuer { issuer: issuer?, keys: keys? })
    };
    root.tables("login_hint_token_issuers").into_iter().filter_map(issuer).collect()
}

/// `[scopes]`: what a client can do with a scope, in a sentence for the person who is asked.
fn scope_texts(table: Table<'_>) -> HashMap<String, String> {
    let mut texts = HashMap::new();
    for (name, value) in table.entries() {
        let sentence = value.get_ref().as_str().map(|sentence| text::sentence(sentence, 200));
        match (text::scope(name).map(|scope| scope.iter().count()), sentence) {
            (Ok(1), Some(Ok(sentence))) if !sentence.trim().is_empty() => {
                texts.insert(name.to_owned(), sentence);
            }
            (Ok(1), Some(Err(problem))) => table.fault(name, problem),
            (Ok(1), _) => table.fault(name, Problem::new("it must be a sentence", "write it as a string")),
            _ => table.fault(name, Problem::new("the key is no scope", "write one scope as the key")),
        }
    }
    texts
}
