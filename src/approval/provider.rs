//! The upstream as the sign-in needs it: two calls, with what lies between them as JSON for the sealed cookie.

use std::sync::Arc;

use serde_json::Value;
use url::Url;

use crate::{
    realm::SignIn,
    upstream::{Returned, SignInFault, Upstream, Wish},
};

pub(super) enum Provider {
    Upstream(Arc<Upstream>),
    /// Answers as the test says.
    #[cfg(test)]
    Scripted(super::tests::Script),
}

impl Provider {
    pub(super) fn display_name(&self) -> &str {
        match self {
            Self::Upstream(upstream) => upstream.display_name(),
            #[cfg(test)]
            Self::Scripted(_) => "login.example.com",
        }
    }

    /// Where the browser goes, and what must be known when it comes back.
    ///
    /// # Errors
    /// Why the provider cannot be used now, for the log.
    pub(super) async fn begin(&self, redirect_uri: &str, wish: &Wish<'_>) -> Result<(Url, Value), String> {
        match self {
            Self::Upstream(upstream) => {
                let begun = upstream.begin(redirect_uri, wish).await.map_err(|fault| fault.to_string())?;
                let secrets = serde_json::to_value(&begun.secrets).map_err(|error| error.to_string())?;
                Ok((begun.url, secrets))
            }
            #[cfg(test)]
            Self::Scripted(script) => script.begin(redirect_uri, wish),
        }
    }

    /// Who signed in.
    pub(super) async fn finish(
        &self,
        redirect_uri: &str,
        returned: &Returned<'_>,
        secrets: Value,
    ) -> Result<SignIn, SignInFault> {
        match self {
            Self::Upstream(upstream) => {
                // sealed by an older version of this program
                let secrets = serde_json::from_value(secrets).map_err(|_| SignInFault::WrongState)?;
                upstream.finish(redirect_uri, returned, &secrets).await
            }
            #[cfg(test)]
            Self::Scripted(script) => script.finish(returned, &secrets),
        }
    }
}
