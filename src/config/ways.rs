//! The ways to a person, as a realm file writes them: `[upstream]`, where they sign in; `[[lookups]]`, how a hint becomes a
//! user; `[[channels]]`, how they are asked. Each kind has keys of its own.

use std::collections::HashSet;

use url::Url;

use super::{fault::Problem, table::Table, text};
use crate::{
    realm::{Channel, HintMatch, Lookup, StaticUser, Upstream, user::Claims},
    secret::{self, WebhookKey},
};

pub(super) fn upstream(table: Table<'_>) -> Option<Upstream> {
    table.require(&["issuer", "client_id"]);
    let issuer = table.parsed("issuer", text::upstream_issuer);
    let client_id = table.string("client_id").map(str::to_owned);
    let client_secret = table.secret("client_secret");
    let scope = table.parsed("scope", text::openid_scope).map(|scope| scope.to_string());
    table.finish();
    let scope = scope.unwrap_or_else(|| "openid profile email".into());
    Some(Upstream { issuer: issuer?, client_id: client_id?, client_secret, scope })
}

pub(super) fn lookup(table: Table<'_>, upstream: Option<&Upstream>) -> Option<Lookup> {
    type Read = for<'t> fn(Table<'t>, Option<&Upstream>) -> Option<Lookup>;
    let known: [(&str, Read); 3] = [
        ("static", |table, _| static_lookup(table)),
        ("keycloak", keycloak_lookup),
        ("sign-in", |table, _| sign_in_lookup(table)),
    ];
    let later = ["scim", "entra", "google", "okta", "auth0", "http", "export"];
    table.require(&["kind"]);
    let read = table.choice("kind", &known, &later)?;
    read(table, upstream)
}

fn static_lookup(table: Table<'_>) -> Option<Lookup> {
    table.require(&["users"]);
    let mut subs = HashSet::new();
    let users = table.tables("users").into_iter().filter_map(|user| static_user(user, &mut subs)).collect();
    table.finish();
    Some(Lookup::Static { users })
}

fn static_user<'t>(table: Table<'t>, subs: &mut HashSet<&'t str>) -> Option<StaticUser> {
    table.require(&["sub"]);
    let sub = table.string("sub");
    if sub.is_some_and(|sub| sub.len() > 255 || !sub.is_ascii()) {
        table.fault("sub", Problem::new("it must be at most 255 characters of ASCII", "shorten it"));
    }
    if sub.is_some_and(|sub| !subs.insert(sub)) {
        table.fault("sub", Problem::new("another user of this lookup has it", "give every user a `sub` of its own"));
    }
    let text = |key| table.string(key).map(Into::into);
    let claims = Claims {
        name: text("name"),
        given_name: text("given_name"),
        family_name: text("family_name"),
        preferred_username: text("preferred_username"),
        locale: text("locale"),
        email: text("email"),
        email_verified: table.flag("email_verified"),
        phone_number: text("phone_number"),
        phone_number_verified: table.flag("phone_number_verified"),
    };
    let enabled = table.flag("enabled").unwrap_or(true);
    let user_code = table.parsed("user_code", |text| {
        let problem = || Problem::new("it is no Argon2id hash", "write what `realmgate hash` prints ($argon2id$...)");
        secret::is_user_code_hash(text).then(|| text.into()).ok_or_else(problem)
    });
    table.finish();
    Some(StaticUser { sub: sub?.to_owned(), enabled, claims, user_code })
}

fn keycloak_lookup(table: Table<'_>, upstream: Option<&Upstream>) -> Option<Lookup> {
    table.require(&["client_id", "client_secret"]);
    let client_id = table.string("client_id").map(str::to_owned);
    let client_secret = table.secret("client_secret");
    let addresses = keycloak_addresses(&table, upstream);
    table.finish();
    let (url, token_endpoint) = addresses?;
    Some(Lookup::Keycloak { url, token_endpoint, client_id: client_id?, client_secret: client_secret? })
}

/// The admin address and the token endpoint of the same Keycloak realm: from `url`, or from the upstream's issuer.
fn keycloak_addresses(table: &Table<'_>, upstream: Option<&Upstream>) -> Option<(Url, Url)> {
    let remedy = "write `url`, such as https://host.example.com/admin/realms/acme";
    let both = |url: Url, cause: &str| match token_endpoint_of(&url) {
        Some(token_endpoint) => Ok((url, token_endpoint)),
        None => Err(Problem::new(cause, remedy)),
    };
    if table.has("url") {
        return table.parsed("url", |text| both(text::http_url(text)?, "it is no Keycloak realm's admin address"));
    }
    let cause = "it is missing, and cannot be made from the upstream's issuer, which is no Keycloak realm's";
    let found = admin_url_of(&upstream?.issuer).ok_or_else(|| Problem::new(cause, remedy));
    found.and_then(|url| both(url, cause)).map_err(|problem| table.fault("url", problem)).ok()
}

/// `https://host/realms/acme` -> `https://host/admin/realms/acme`
fn admin_url_of(issuer: &str) -> Option<Url> {
    let (before, realm) = issuer.rsplit_once("/realms/")?;
    (!realm.is_empty() && !realm.contains('/')).then(|| Url::parse(&format!("{before}/admin/realms/{realm}")).ok())?
}

/// `https://host/admin/realms/acme` -> `https://host/realms/acme/protocol/openid-connect/token`
fn token_endpoint_of(admin_url: &Url) -> Option<Url> {
    let (before, realm) = admin_url.as_str().rsplit_once("/admin/realms/")?;
    let plain = !realm.is_empty() && !realm.contains(['/', '?']);
    plain.then(|| Url::parse(&format!("{before}/realms/{realm}/protocol/openid-connect/token")).ok())?
}

fn sign_in_lookup(table: Table<'_>) -> Option<Lookup> {
    #[derive(Clone, Copy)]
    enum Claim {
        Sub,
        PreferredUsername,
        Email,
    }
    let words = [("sub", Claim::Sub), ("preferred_username", Claim::PreferredUsername), ("email", Claim::Email)];
    let claim = if table.has("match") { table.choice("match", &words, &[]) } else { Some(Claim::Sub) };
    if matches!(claim, Some(Claim::Email)) {
        table.require(&["email_domains"]);
    }
    let domains = table.strings("email_domains");
    if let Some(domains) = &domains {
        if matches!(claim, Some(Claim::Sub | Claim::PreferredUsername)) {
            table.fault("email_domains", Problem::new("it needs `match = \"email\"`", "remove it, or match by e-mail"));
        }
        let domain = |domain: &&str| !domain.is_empty() && !domain.contains(['@', ' ', '*']);
        if domains.is_empty() || !domains.iter().all(domain) {
            let remedy = "write domains without @, such as [\"example.com\"]";
            table.fault("email_domains", Problem::new("it must be a list of domains", remedy));
        }
    }
    table.finish();
    let matching = match claim? {
        Claim::Sub => HintMatch::Sub,
        Claim::PreferredUsername => HintMatch::PreferredUsername,
        Claim::Email => HintMatch::Email { domains: domains?.into_iter().map(str::to_lowercase).collect() },
    };
    Some(Lookup::SignIn { matching })
}

pub(super) fn channel(table: Table<'_>) -> Option<Channel> {
    type Read = for<'t> fn(Table<'t>) -> Option<Channel>;
    let known: [(&str, Read); 3] = [
        ("page", |table| {
            table.finish();
            Some(Channel::Page)
        }),
        ("webhook", |table| {
            table.require(&["url", "secret"]);
            let url = table.parsed("url", text::http_url);
            let key = webhook_key(&table);
            table.finish();
            Some(Channel::Webhook { url: url?, key: key? })
        }),
        ("keycloak", |table| {
            table.require(&["url"]);
            let url = table.parsed("url", text::http_url);
            table.finish();
            Some(Channel::Keycloak { url: url? })
        }),
    ];
    table.require(&["kind"]);
    let read = table.choice("kind", &known, &["email", "push"])?;
    read(table)
}

fn webhook_key(table: &Table<'_>) -> Option<WebhookKey> {
    let key = WebhookKey::parse(&table.secret("secret")?);
    if key.is_none() {
        let cause = "what follows `whsec_` is not base64 of at least 16 bytes, as Standard Webhooks has it";
        table.fault("secret", Problem::new(cause, "make one with: echo whsec_$(openssl rand -base64 32)"));
    }
    key
}
