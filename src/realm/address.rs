//! Where a realm is found: each address in both styles, made from the configured public URL and nothing else (I9).

/// The two styles in which every realm is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Style {
    /// `/{realm}/token`
    Short,
    /// `/realms/{realm}/protocol/openid-connect/token`
    Keycloak,
}

/// The addresses of a realm that clients are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    Discovery,
    BackchannelAuthentication,
    Callback,
    Authorization,
    Token,
    Introspection,
    Revocation,
    Userinfo,
    Logout,
    Jwks,
}

impl Endpoint {
    /// The part of the address that follows the realm's name.
    pub const fn path(self, style: Style) -> &'static str {
        match (self, style) {
            (Self::Discovery, _) => "/.well-known/openid-configuration",
            (Self::BackchannelAuthentication, Style::Short) => "/bc-authorize",
            (Self::BackchannelAuthentication, Style::Keycloak) => "/protocol/openid-connect/ext/ciba/auth",
            (Self::Callback, Style::Short) => "/bc-authorize/callback",
            (Self::Callback, Style::Keycloak) => "/protocol/openid-connect/ext/ciba/auth/callback",
            (Self::Authorization, Style::Short) => "/authorize",
            (Self::Authorization, Style::Keycloak) => "/protocol/openid-connect/auth",
            (Self::Token, Style::Short) => "/token",
            (Self::Token, Style::Keycloak) => "/protocol/openid-connect/token",
            (Self::Introspection, Style::Short) => "/introspect",
            (Self::Introspection, Style::Keycloak) => "/protocol/openid-connect/token/introspect",
            (Self::Revocation, Style::Short) => "/revoke",
            (Self::Revocation, Style::Keycloak) => "/protocol/openid-connect/revoke",
            (Self::Userinfo, Style::Short) => "/userinfo",
            (Self::Userinfo, Style::Keycloak) => "/protocol/openid-connect/userinfo",
            (Self::Logout, Style::Short) => "/logout",
            (Self::Logout, Style::Keycloak) => "/protocol/openid-connect/logout",
            (Self::Jwks, Style::Short) => "/jwks",
            (Self::Jwks, Style::Keycloak) => "/protocol/openid-connect/certs",
        }
    }
}

/// Where a realm's addresses begin; without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// `<public_url><path_prefix>/<realm>`
    pub short: String,
    /// `<public_url><path_prefix>/realms/<realm>`
    pub keycloak: String,
}

impl Addresses {
    /// `public` is the public URL with the path prefix, without a slash at the end.
    pub fn new(public: &str, realm: &str) -> Self {
        Self { short: format!("{public}/{realm}"), keycloak: format!("{public}/realms/{realm}") }
    }

    pub fn of(&self, endpoint: Endpoint, style: Style) -> String {
        let base = match style {
            Style::Short => &self.short,
            Style::Keycloak => &self.keycloak,
        };
        format!("{base}{}", endpoint.path(style))
    }

    /// The link that a person is sent: it leads to the sign-in page, and from there to the request (I1).
    pub fn approval(&self, handle: &str) -> String {
        format!("{}/approvals/{handle}", self.short)
    }

    /// The redirect URI that is registered at the upstream.
    pub fn sign_in_callback(&self) -> String {
        format!("{}/sign-in/callback", self.short)
    }
}
