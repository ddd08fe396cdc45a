//! How a run can end without tokens, and the exit code of each end.

use serde::Deserialize;

use super::USAGE;
use crate::http::Answer;

/// An error answer (RFC 6749 5.2, CIBA Core 13), as the server wrote it.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Refusal {
    pub(super) error: String,
    pub(super) error_description: Option<String>,
    /// From the header `Retry-After`, in seconds.
    #[serde(skip)]
    pub(super) retry_after: Option<u64>,
}

impl Refusal {
    /// One that no server wrote.
    pub(super) fn of(error: &str) -> Self {
        Self { error: error.to_owned(), ..Self::default() }
    }

    /// The request may do later as it is (RFC 6749 4.1.2.1).
    pub(super) fn is_temporary(&self) -> bool {
        self.error == "temporarily_unavailable"
    }
}

/// Why there are no tokens to show.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    Denied(Refusal),
    Expired(Refusal),
    Refused(Refusal),
    /// No notification can be taken.
    Listen(String),
    /// Nobody answered.
    NoAnswer(String),
    /// No server that speaks the protocol, or not now.
    Network(String),
    /// There are tokens, and they are not what they should be.
    NotVerified(String),
    /// The result could not be written.
    Output(String),
}

impl Failure {
    pub(super) const fn exit_code(&self) -> u8 {
        match self {
            Self::Output(_) => 1,
            Self::Listen(_) => USAGE,
            Self::Denied(_) => 3,
            Self::Expired(_) => 4,
            Self::Refused(_) => 5,
            Self::NoAnswer(_) | Self::Network(_) => 6,
            Self::NotVerified(_) => 7,
        }
    }
}

/// `Retry-After` in seconds (RFC 9110 10.2.3; its other form, a date, is not read).
pub(super) fn retry_after(answer: &Answer) -> Option<u64> {
    answer.headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.parse().ok()
}
