//! The provider's metadata and keys (OpenID Connect Discovery 1.0 4, RFC 7517), fetched when first needed and kept.
//!
//! - They are fetched again after 10 minutes. One fetch at a time; whoever else needs them waits for it.
//! - After a fetch that failed there is none for 5 seconds: short, so that a provider that comes back is used at once; long
//!   enough for no storm. Until then the last fault is the answer.
//! - A fetch that fails, or holds no key, never drops the last good copy: that one serves for up to 24 hours.
//! - A token with an unknown key has the keys alone fetched again, at most once in 30 seconds (T-H7).
//!
//! Only a document that states the configured issuer byte for byte is believed.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use openidconnect::{
    AdditionalProviderMetadata, ProviderMetadata,
    core::{
        CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
        CoreJsonWebKeySet, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode,
        CoreResponseType, CoreSubjectIdentifierType,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::{Fault, caller::Caller};
use crate::{clock::Timestamp, jose::ForeignKeys};

const FRESH: Duration = Duration::from_secs(10 * 60);
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);
const PAUSE_BETWEEN_KEY_FETCHES: Duration = Duration::from_secs(30);
const MAX_STALE: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) type Metadata = ProviderMetadata<
    More,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// Metadata that the library does not know.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct More {
    /// RFC 9207 3
    pub authorization_response_iss_parameter_supported: bool,
    /// Initiating User Registration via OpenID Connect 1.0, 3
    pub prompt_values_supported: Option<Vec<String>>,
}

impl AdditionalProviderMetadata for More {}

/// What the provider says about itself.
pub(super) struct Provider {
    pub metadata: Metadata,
    pub keys: Keys,
    fetched: Timestamp,
}

/// The provider's keys, as those who verify with them want them.
pub(super) struct Keys {
    /// For a sign-in.
    pub for_sign_in: CoreJsonWebKeySet,
    /// For whatever else it signed.
    pub for_hints: ForeignKeys,
}

pub(super) struct Discovery {
    issuer: String,
    caller: Caller,
    known: ArcSwapOption<Provider>,
    attempts: Mutex<Attempts>,
}

#[derive(Default)]
struct Attempts {
    failed: Option<(Timestamp, Fault)>,
    keys: Option<Timestamp>,
}

impl Discovery {
    pub(super) fn new(issuer: String, caller: Caller) -> Self {
        Self { issuer, caller, known: ArcSwapOption::empty(), attempts: Mutex::default() }
    }

    /// Metadata and keys, from the provider or as kept.
    pub(super) async fn current(&self) -> Result<Arc<Provider>, Fault> {
        if let Some(provider) = self.kept_for(FRESH) {
            return Ok(provider);
        }
        let mut attempts = self.attempts.lock().await;
        if let Some(provider) = self.kept_for(FRESH) {
            return Ok(provider); // somebody else has fetched it meanwhile
        }
        let now = self.caller.clock.now();
        let fault = match &attempts.failed {
            Some((at, fault)) if now.since(*at) < PAUSE_AFTER_FAILURE => fault.clone(),
            _ => match self.fetch(now).await {
                Ok(provider) => {
                    attempts.failed = None;
                    return Ok(self.keep(provider));
                }
                Err(fault) => {
                    attempts.failed = Some((self.caller.clock.now(), fault.clone()));
                    fault
                }
            },
        };
        self.kept_for(MAX_STALE).ok_or(fault)
    }

    /// Newer keys than those of `used`, in which a token's key was not found: nothing where the provider has just been asked.
    pub(super) async fn newer_keys(&self, used: &Arc<Provider>) -> Result<Option<Arc<Provider>>, Fault> {
        let mut attempts = self.attempts.lock().await;
        if let Some(known) = self.known.load_full()
            && !Arc::ptr_eq(&known, used)
        {
            return Ok(Some(known));
        }
        let now = self.caller.clock.now();
        if attempts.keys.is_some_and(|at| now.since(at) < PAUSE_BETWEEN_KEY_FETCHES) {
            return Ok(None);
        }
        attempts.keys = Some(now);
        let keys = self.fetch_keys(&used.metadata).await?;
        let provider = Provider { metadata: used.metadata.clone(), keys, fetched: used.fetched };
        Ok(Some(self.keep(provider)))
    }

    fn kept_for(&self, age: Duration) -> Option<Arc<Provider>> {
        let now = self.caller.clock.now();
        self.known.load_full().filter(|provider| now.since(provider.fetched) < age)
    }

    fn keep(&self, provider: Provider) -> Arc<Provider> {
        let provider = Arc::new(provider);
        self.known.store(Some(Arc::clone(&provider)));
        provider
    }

    async fn fetch(&self, now: Timestamp) -> Result<Provider, Fault> {
        let metadata = self.fetch_metadata().await;
        self.caller.tell("discovery", &metadata);
        let metadata = metadata?;
        let keys = self.fetch_keys(&metadata).await?;
        Ok(Provider { metadata, keys, fetched: now })
    }

    async fn fetch_metadata(&self) -> Result<Metadata, Fault> {
        let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let url = Url::parse(&url).map_err(|_| Fault::new("the issuer is not a URL"))?;
        let metadata: Metadata = self.caller.document(url).await.map_err(|fault| fault.of("discovery document"))?;
        if metadata.issuer().as_str() != self.issuer {
            return Err(Fault::new("discovery document: it states another issuer than the configured one"));
        }
        self.check_endpoints(&metadata)?;
        Ok(metadata)
    }

    /// Where the issuer is https, so is every endpoint; else http will do, too.
    fn check_endpoints(&self, metadata: &Metadata) -> Result<(), Fault> {
        let token = metadata.token_endpoint().ok_or(Fault::new("discovery document: no token_endpoint"))?;
        let endpoints =
            [Some(metadata.authorization_endpoint().url()), Some(token.url()), Some(metadata.jwks_uri().url())];
        let userinfo = metadata.userinfo_endpoint().map(|endpoint| endpoint.url());
        let http = self.issuer.starts_with("http://");
        for endpoint in endpoints.into_iter().chain([userinfo]).flatten() {
            if !(endpoint.scheme() == "https" || endpoint.scheme() == "http" && http) {
                return Err(Fault::new("discovery document: an endpoint is not https"));
            }
        }
        Ok(())
    }

    async fn fetch_keys(&self, metadata: &Metadata) -> Result<Keys, Fault> {
        let document = self.caller.document(metadata.jwks_uri().url().clone()).await;
        let keys = document.and_then(|document: Value| Keys::of(&document)).map_err(|fault| fault.of("key set"));
        self.caller.tell("keys", &keys);
        keys
    }
}

impl Keys {
    fn of(document: &Value) -> Result<Self, Fault> {
        let not_understood = |error: serde_json::Error| Fault::new(error.to_string());
        let for_sign_in = CoreJsonWebKeySet::deserialize(document).map_err(not_understood)?;
        if for_sign_in.keys().is_empty() {
            return Err(Fault::new("it holds no key that is understood"));
        }
        let for_hints = ForeignKeys::parse(document.to_string().as_bytes()).map_err(not_understood)?;
        Ok(Self { for_sign_in, for_hints })
    }
}
