//! One protocol error: a code, a sentence for the client and a cause that stays here.
//!
//! The sentence is limited to the characters of CIBA Core 13 (ASCII without `"` and `\`) and never repeats what a client
//! sent. The cause is logged once, where the reply is made.

use std::borrow::Cow;

/// The `error` codes that the gateway answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// RFC 6749 5.2
    InvalidRequest,
    /// RFC 6749 5.2
    InvalidClient,
    /// RFC 6749 5.2
    InvalidGrant,
    /// RFC 6749 5.2
    UnauthorizedClient,
    /// RFC 6749 5.2
    UnsupportedGrantType,
    /// RFC 6749 5.2
    InvalidScope,
    /// CIBA Core 11 (400) and 13 (403)
    AccessDenied,
    /// CIBA Core 11
    AuthorizationPending,
    /// CIBA Core 11
    SlowDown,
    /// CIBA Core 11
    ExpiredToken,
    /// CIBA Core 13
    ExpiredLoginHintToken,
    /// CIBA Core 13
    UnknownUserId,
    /// CIBA Core 13
    MissingUserCode,
    /// CIBA Core 13
    InvalidUserCode,
    /// CIBA Core 13
    InvalidBindingMessage,
    /// RFC 9396 5
    InvalidAuthorizationDetails,
    /// RFC 8707 2
    InvalidTarget,
    /// RFC 6750 3.1
    InvalidToken,
    /// RFC 6750 3.1
    InsufficientScope,
    /// RFC 9449 5, 7.1
    InvalidDpopProof,
    /// RFC 6749 4.1.2.1
    ServerError,
    /// RFC 6749 4.1.2.1
    TemporarilyUnavailable,
    /// Keycloak's, for a device service whose callback it cannot read
    UnknownError,
    /// no such realm or address
    NotFound,
    /// the address takes another method
    MethodNotAllowed,
}

impl Code {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::AccessDenied => "access_denied",
            Self::AuthorizationPending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::ExpiredToken => "expired_token",
            Self::ExpiredLoginHintToken => "expired_login_hint_token",
            Self::UnknownUserId => "unknown_user_id",
            Self::MissingUserCode => "missing_user_code",
            Self::InvalidUserCode => "invalid_user_code",
            Self::InvalidBindingMessage => "invalid_binding_message",
            Self::InvalidAuthorizationDetails => "invalid_authorization_details",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnknownError => "unknown_error",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
        }
    }

    const fn status(self) -> u16 {
        match self {
            Self::InvalidClient | Self::InvalidToken => 401,
            Self::InsufficientScope => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::ServerError => 500,
            Self::TemporarilyUnavailable => 503,
            _ => 400,
        }
    }
}

/// What `WWW-Authenticate` asks for (RFC 9110 11.6.1: every 401 carries one).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// RFC 7617; for client authentication.
    Basic,
    /// RFC 6750, without an error code: the request carried no token at all.
    Bearer,
    /// RFC 6750, with the error's code.
    BearerError,
    /// RFC 6750 and RFC 9449 7.1, without an error code: the request carried no access token at all.
    AccessToken,
    /// RFC 9449 7.1, with the error's code.
    DpopError,
}

/// A refusal or a fault, as a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    code: Code,
    status: u16,
    description: Cow<'static, str>,
    cause: Option<String>,
    retry_after: Option<u64>,
    challenge: Option<Challenge>,
}

impl Error {
    /// `description` must be a sentence of ours: never a text that came from outside.
    pub fn new(code: Code, description: impl Into<Cow<'static, str>>) -> Self {
        let challenge = match code {
            Code::InvalidClient => Some(Challenge::Basic),
            Code::InvalidToken | Code::InsufficientScope => Some(Challenge::BearerError),
            _ => None,
        };
        Self { code, status: code.status(), description: description.into(), cause: None, retry_after: None, challenge }
    }

    pub fn invalid_request(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::InvalidRequest, description)
    }

    /// Something that we depend on does not work now. The client may try again after `retry_after` seconds.
    pub fn unavailable(cause: impl Into<String>) -> Self {
        let mut error = Self::new(Code::TemporarilyUnavailable, "The service is not available at the moment");
        error.cause = Some(cause.into());
        error.retry_after = Some(5);
        error
    }

    /// A fault of ours.
    pub fn server_error(cause: impl Into<String>) -> Self {
        Self::new(Code::ServerError, "The request could not be processed").because(cause)
    }

    /// Adds what happened, for the log alone.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    #[must_use]
    pub const fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// After how many seconds the client may try again (`Retry-After`).
    #[must_use]
    pub const fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    #[must_use]
    pub const fn challenge_with(mut self, challenge: Challenge) -> Self {
        self.challenge = Some(challenge);
        self
    }

    pub const fn code(&self) -> Code {
        self.code
    }

    pub const fn status(&self) -> u16 {
        self.status
    }

    pub fn description(&self) -> &str {
        &self.description
    }

    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    pub const fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after
    }

    pub const fn challenge(&self) -> Option<Challenge> {
        self.challenge
    }
}
