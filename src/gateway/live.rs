//! One realm, ready to serve: its features, each built with just what it needs.

use std::sync::Arc;

use bytes::Bytes;

use super::{Gateway, Parts};
use crate::{
    approval::Approval,
    authorization::{Issuer, RefreshKey},
    channel::Channels,
    ciba::{Ciba, Hints, Redemption, RequestObjects, decide::Decisions, notify::Notifier},
    client_auth::ClientAuthentication,
    keys::{KeySet, folder::StateFault},
    metadata,
    realm::{Realm, Style},
    token::Tokens,
    upstream::{Upstream, lookup::Lookups},
};

pub struct LiveRealm {
    pub realm: Arc<Realm>,
    pub client_auth: ClientAuthentication,
    pub ciba: Ciba,
    pub decisions: Decisions,
    pub tokens: Tokens,
    pub approval: Approval,
    pub upstream: Option<Arc<Upstream>>,
    keys: Arc<KeySet>,
    discovery: [Bytes; 2],
}

/// A realm that cannot run although its file is sound: its keys cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("realm {realm}: {fault}")]
pub struct NotBuilt {
    pub realm: Arc<str>,
    pub fault: StateFault,
}

impl LiveRealm {
    /// Blocking: keys may have to be generated. Asks nobody: an upstream that is down delays nothing.
    pub(super) fn build(realm: Arc<Realm>, gateway: &Gateway) -> Result<Self, NotBuilt> {
        let parts = &gateway.parts;
        let not_built = |fault| NotBuilt { realm: Arc::clone(&realm.name), fault };
        let keys = if realm.keys.is_empty() {
            parts.state.realm_keys(&realm.name, &realm.algorithms()).map_err(not_built)?
        } else {
            realm.keys.clone()
        };
        let keys = Arc::new(KeySet::new(keys));
        let Parts { http, events, clock, random, outbox, tables, .. } = parts;
        let issuer = Arc::new(Issuer::new(
            Arc::clone(&realm),
            Arc::clone(&keys),
            RefreshKey::derive(&parts.sealing_key, &realm.name),
            Arc::clone(&tables.authorizations),
            random.clone(),
        ));
        let upstream = realm.upstream.clone().map(|settings| {
            Arc::new(Upstream::new(
                settings,
                Arc::clone(&realm.name),
                http.clone(),
                events.clone(),
                clock.clone(),
                random.clone(),
            ))
        });
        let client_auth = ClientAuthentication::new(
            Arc::clone(&realm),
            Arc::clone(&tables.used),
            Arc::clone(&tables.failed_attempts),
            parts.remote_keys.clone(),
        );
        let request_objects =
            RequestObjects::new(Arc::clone(&realm), Arc::clone(&tables.used), parts.remote_keys.clone());
        let lookups = Arc::new(Lookups::new(&realm, http.clone(), events.clone(), clock.clone()));
        let hints = Hints::new(
            Arc::clone(&realm),
            Arc::clone(&lookups),
            Arc::clone(&keys),
            upstream.clone(),
            parts.remote_keys.clone(),
        );
        let redemption = Redemption::new(
            Arc::clone(&realm),
            lookups,
            Arc::clone(&tables.grants),
            Arc::clone(&issuer),
            events.clone(),
            random.clone(),
        );
        let notifier = Notifier::new(
            Arc::clone(&redemption),
            gateway.served.clone(),
            outbox.clone(),
            Arc::clone(&parts.sealer),
            clock.clone(),
        );
        let decisions =
            Decisions::new(Arc::clone(&realm), Arc::clone(&tables.grants), notifier.clone(), events.clone());
        let ciba = Ciba::new(
            request_objects,
            hints,
            Channels::new(&realm, Arc::clone(&keys), http.clone(), outbox.clone(), events.clone()),
            decisions.clone(),
            notifier,
            redemption,
            Arc::clone(&tables.wrong_codes),
            Arc::clone(&gateway.held),
            clock.clone(),
        );
        let tokens = Tokens::new(Arc::clone(&realm), issuer, Arc::clone(&tables.used), events.clone());
        let approval = Approval::new(
            Arc::clone(&realm),
            decisions.clone(),
            // where a device service alone asks people, there is no page
            upstream.clone().filter(|_| realm.has_page()),
            Arc::clone(&tables.sessions),
            Arc::clone(&parts.sealer),
            events.clone(),
            random.clone(),
        );
        let discovery = [Style::Short, Style::Keycloak].map(|style| {
            Bytes::from(serde_json::to_vec(&metadata::discovery(&realm, &keys, style)).unwrap_or_default())
        });
        Ok(Self { realm, client_auth, ciba, decisions, tokens, approval, upstream, keys, discovery })
    }

    /// The discovery document, as JSON.
    pub fn discovery(&self, style: Style) -> Bytes {
        match style {
            Style::Short => self.discovery[0].clone(),
            Style::Keycloak => self.discovery[1].clone(),
        }
    }

    /// The JWK Set, as JSON.
    pub fn jwks(&self) -> Bytes {
        self.keys.published()
    }
}
