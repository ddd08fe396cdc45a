//! What a realm *is* once it is known to be valid: one issuer with its clients, CIBA policy, users' lookup and upstream.
//!
//! `config/` makes these values from files; nothing here reads a file or asks anybody. Durations are `Duration`, addresses
//! are parsed, secrets are `Secret`. [`policy`] judges who may do what, at all three points (I4).

pub mod address;
pub mod client;
pub mod policy;
pub mod profile;
mod served;
pub mod user;

use std::{collections::HashMap, sync::Arc, time::Duration};

use url::Url;

pub use address::{Addresses, Endpoint, Style};
pub use client::Client;
pub use profile::Profile;
pub use served::Served;
pub use user::{SignIn, User};

use crate::{
    certificate::TrustRoots,
    jose::PublicKeys,
    keys::{Algorithm, KeySource},
    secret::{Secret, WebhookKey},
};

/// One realm, valid and complete.
#[derive(Debug)]
pub struct Realm {
    /// The name in addresses: 1 to 64 characters, none of which needs percent-encoding.
    pub name: Arc<str>,
    /// Stated in tokens and discovery, byte for byte.
    pub issuer: String,
    /// Where the realm's addresses begin, made from the configured public URL (I9).
    pub addresses: Addresses,
    pub profile: Profile,
    /// Whether a client assertion's `aud` must be the issuer alone, as a string.
    pub strict_audience: bool,
    /// Where people sign in. Absent where neither a channel nor a lookup needs it.
    pub upstream: Option<Upstream>,
    /// How a hint becomes a user; tried in order.
    pub lookups: Vec<Lookup>,
    /// How the person is asked; all of them are.
    pub channels: Vec<Channel>,
    pub ciba: CibaPolicy,
    pub limits: Limits,
    pub tokens: TokenPolicy,
    /// Empty: the needed ones are generated and kept with the state.
    pub keys: Vec<KeySource>,
    pub clients: HashMap<String, Arc<Client>>,
    /// Who vouches for the certificates of `tls_client_auth` clients (`[mtls]`); there where such a client is.
    pub client_roots: Option<TrustRoots>,
    /// Whether clients' certificates can reach the gateway: its listener asks for them, or a listed proxy may pass them on.
    pub client_certificates: bool,
    /// Operator's sentences for scopes, shown to the person: scope -> what the client can do with it.
    pub scope_texts: HashMap<String, String>,
    /// Types of `authorization_details` (RFC 9396) that the realm knows, by name.
    pub authorization_details_types: HashMap<String, Arc<DetailsType>>,
    /// Whose `login_hint_token`s are believed.
    pub login_hint_token_issuers: Vec<HintTokenIssuer>,
}

impl Realm {
    /// Whether a person can sign in and decide on the gateway's own page. Where a device service is the only channel, or
    /// there is no upstream, there is no page. A realm with a webhook serves the page too.
    pub fn has_page(&self) -> bool {
        self.upstream.is_some() && self.channels.iter().any(|channel| !matches!(channel, Channel::Keycloak { .. }))
    }

    /// The algorithms that tokens of this realm are signed with: the default's first, then those of clients.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        let mut algorithms = vec![self.tokens.signing_alg];
        for client in self.clients.values() {
            if let Some(algorithm) = client.id_token_signed_response_alg
                && !algorithms.contains(&algorithm)
            {
                algorithms.push(algorithm);
            }
        }
        algorithms
    }
}

/// A type of `authorization_details` (RFC 9396 2), as the realm file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DetailsType {
    pub name: String,
    /// What the person is told, with `{member}` or `{member.inner}` where a value of the request stands.
    pub sentence: Option<String>,
    /// The members that may stand there besides [`DetailsType::COMMON`], with their kinds; any member where this is empty.
    pub members: Vec<(String, MemberKind)>,
    /// The members that must be there.
    pub required: Vec<String>,
}

impl DetailsType {
    /// Members that every type may have (RFC 9396 2.2).
    pub const COMMON: [(&'static str, MemberKind); 5] = [
        ("locations", MemberKind::Texts),
        ("actions", MemberKind::Texts),
        ("datatypes", MemberKind::Texts),
        ("identifier", MemberKind::Text),
        ("privileges", MemberKind::Texts),
    ];

    /// What the value of this member must be, where that is said.
    pub fn member(&self, name: &str) -> Option<MemberKind> {
        let own = self.members.iter().map(|(member, kind)| (member.as_str(), *kind));
        Self::COMMON.into_iter().chain(own).find(|(member, _)| *member == name).map(|(_, kind)| kind)
    }
}

/// What the value of a member of `authorization_details` must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberKind {
    Text,
    Number,
    Flag,
    /// A list of texts.
    Texts,
    Object,
    List,
}

/// Somebody whose `login_hint_token`s are believed: JWTs that name a user.
#[derive(Clone, Debug)]
pub struct HintTokenIssuer {
    pub issuer: String,
    pub keys: PublicKeys,
}

/// The OpenID provider where people sign in.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// As the provider states it, byte for byte.
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Option<Secret>,
    /// Space-separated; contains `openid`.
    pub scope: String,
}

/// One way from a hint to a user.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a realm has a handful")]
pub enum Lookup {
    /// The realm file's own list. A hint is a `preferred_username` or an `email`.
    Static { users: Vec<StaticUser> },
    /// The admin API of the upstream Keycloak realm. `url` is the realm's admin address: `https://host/admin/realms/acme`.
    Keycloak { url: Url, token_endpoint: Url, client_id: String, client_secret: Secret },
    /// No lookup: whoever signs in must match the hint.
    SignIn { matching: HintMatch },
}

#[derive(Clone, Debug)]
pub struct StaticUser {
    pub sub: String,
    pub enabled: bool,
    pub claims: user::Claims,
    /// An Argon2id PHC string.
    pub user_code: Option<Arc<str>>,
}

/// The claim of the sign-in that a hint must equal, for a lookup of kind `sign-in`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HintMatch {
    Sub,
    PreferredUsername,
    /// Only for addresses of these domains, verified, with exactly one `@`; compared without case.
    Email {
        domains: Vec<String>,
    },
}

/// One way in which the person is asked.
#[derive(Clone, Debug)]
pub enum Channel {
    /// Sign in at the upstream, decide on the gateway's page.
    Page,
    /// The operator's service is told whom to alert, and the link to send. Decides nothing.
    Webhook { url: Url, key: WebhookKey },
    /// Keycloak's HTTP authentication channel: a device service decides and calls back.
    Keycloak { url: Url },
}

#[derive(Clone, Debug)]
pub struct CibaPolicy {
    pub expires_in: Duration,
    /// Zero: no throttle.
    pub interval: Duration,
    pub min_requested_expiry: Duration,
    pub max_requested_expiry: Duration,
    /// For how long a poll may be held; zero: not at all.
    pub long_poll: Duration,
}

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Undecided requests in the realm.
    pub pending: usize,
    pub pending_per_client: usize,
    pub pending_per_user: usize,
}

#[derive(Clone, Debug)]
pub struct TokenPolicy {
    pub access_token_lifespan: Duration,
    pub refresh_token_lifespan: Duration,
    pub signing_alg: Algorithm,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A realm with the defaults of a realm file, at `https://gateway.example`, without people and clients.
    pub(crate) fn realm(name: &str) -> Realm {
        Realm {
            name: name.into(),
            issuer: format!("https://gateway.example/{name}"),
            addresses: Addresses::new("https://gateway.example", name),
            profile: Profile::Standard,
            strict_audience: false,
            upstream: None,
            lookups: Vec::new(),
            channels: vec![Channel::Page],
            ciba: CibaPolicy {
                expires_in: Duration::from_secs(120),
                interval: Duration::from_secs(5),
                min_requested_expiry: Duration::from_secs(10),
                max_requested_expiry: Duration::from_secs(600),
                long_poll: Duration::ZERO,
            },
            limits: Limits { pending: 100, pending_per_client: 100, pending_per_user: 100 },
            tokens: TokenPolicy {
                access_token_lifespan: Duration::from_secs(300),
                refresh_token_lifespan: Duration::from_secs(1800),
                signing_alg: Algorithm::ES256,
            },
            keys: Vec::new(),
            clients: HashMap::new(),
            client_roots: None,
            client_certificates: false,
            scope_texts: HashMap::new(),
            authorization_details_types: HashMap::new(),
            login_hint_token_issuers: Vec::new(),
        }
    }
}
