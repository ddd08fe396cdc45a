//! How a person is reached: one file per authentication channel (Keycloak's word).
//!
//! All of a realm's channels are asked at once, and the first decision wins; only if none of them could be asked has the
//! request failed. The channel `page` has no file: there is nothing to send, the person finds the request in the inbox. No
//! channel moves a grant, and none learns the `auth_req_id` (I1).

pub mod keycloak;
mod webhook;

use std::sync::Arc;

use crate::{
    clock::Timestamp,
    event::{Event, Events},
    http::Http,
    jose,
    keycloak::channel::{FAILED_TO_SEND, UNEXPECTED_RESPONSE},
    keys::KeySet,
    oauth::{AuthorizationDetails, Scope},
    outbox::Outbox,
    realm::{self, Client, Realm, User},
};

/// What the channels need to know of an authentication request.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    pub client: &'a Client,
    pub user: &'a User,
    pub scope: &'a Scope,
    pub authorization_details: &'a AuthorizationDetails,
    pub binding_message: Option<&'a str>,
    pub acr_values: Option<&'a str>,
    /// The approval handle: it is in the link.
    pub handle: &'a str,
    /// The device service's right to call back, from [`Channels::bearer`]; no other channel is given it.
    pub bearer: Option<&'a str>,
    /// The same for all attempts to tell of this request. No secret, no dot.
    pub webhook_id: &'a str,
    pub now: Timestamp,
    pub expires: Timestamp,
    /// As [`crate::keycloak::channel::additional_parameters`] let them through.
    pub additional: &'a [(String, String)],
}

/// None of the realm's channels could be asked. The client is answered 503.
#[derive(Debug, thiserror::Error)]
#[error("{cause}")]
pub struct AllFailed {
    /// What Keycloak says then.
    pub text: &'static str,
    /// For the log.
    pub cause: String,
}

/// Why a channel could not be asked.
#[derive(Debug, thiserror::Error)]
enum NotAsked {
    #[error("{0}")]
    NotSent(String),
    #[error("the device service answered {0} instead of 201")]
    Unexpected(u16),
}

/// A realm's channels.
pub struct Channels {
    realm: Arc<str>,
    channels: Vec<Channel>,
    /// Where a device service is asked.
    bearers: Option<keycloak::Bearers>,
    events: Events,
}

enum Channel {
    Page,
    Webhook(webhook::Webhook),
    Keycloak(keycloak::Keycloak),
}

impl Channels {
    pub fn new(realm: &Realm, keys: Arc<KeySet>, http: Http, outbox: Outbox, events: Events) -> Self {
        let channels = realm.channels.iter().map(|channel| match channel {
            realm::Channel::Page => Channel::Page,
            realm::Channel::Webhook { url, key } => {
                Channel::Webhook(webhook::Webhook::new(realm, url.clone(), key.clone(), outbox.clone()))
            }
            realm::Channel::Keycloak { url } => Channel::Keycloak(keycloak::Keycloak::new(url.clone(), http.clone())),
        });
        let channels: Vec<_> = channels.collect();
        let asks_device = channels.iter().any(|channel| matches!(channel, Channel::Keycloak(_)));
        let bearers = asks_device.then(|| keycloak::Bearers::new(realm, keys));
        Self { realm: Arc::clone(&realm.name), channels, bearers, events }
    }

    /// The token with which a device service calls back (I1); `None` where the realm asks none, or the user has no `sub`
    /// before the sign-in. `jti` is a new identifier.
    pub fn bearer(
        &self,
        client: &Client,
        user: &User,
        jti: &str,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<Option<String>, jose::NotSigned> {
        let (Some(bearers), Some(sub)) = (&self.bearers, user.sub.as_deref()) else { return Ok(None) };
        bearers.sign(client, sub, jti, now, expires).map(Some)
    }

    /// Whether the realm asks a device service now.
    pub const fn has_device_service(&self) -> bool {
        self.bearers.is_some()
    }

    /// Asks by all of the realm's channels. A device service has 5 s to answer; a webhook is not waited for.
    pub async fn ask(&self, request: &Ask<'_>) -> Result<(), AllFailed> {
        let asked = self.channels.iter().map(|channel| self.ask_by(channel, request));
        let mut faults = Vec::new();
        let mut any = false;
        for asked in futures_util::future::join_all(asked).await {
            match asked {
                Ok(()) => any = true,
                Err(fault) => faults.push(fault),
            }
        }
        if any {
            return Ok(());
        }
        let unexpected = faults.iter().any(|fault| matches!(fault, NotAsked::Unexpected(_)));
        Err(AllFailed {
            text: if unexpected { UNEXPECTED_RESPONSE } else { FAILED_TO_SEND },
            cause: faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        })
    }

    async fn ask_by(&self, channel: &Channel, request: &Ask<'_>) -> Result<(), NotAsked> {
        let (name, asked) = match channel {
            Channel::Page => return Ok(()),
            // How the delivery ends is told by the outbox.
            Channel::Webhook(webhook) => match webhook.ask(request) {
                Ok(()) => return Ok(()),
                Err(fault) => (webhook::NAME, Err(fault)),
            },
            Channel::Keycloak(device) => (keycloak::NAME, device.ask(request).await),
        };
        let fault = asked.as_ref().err().map(ToString::to_string);
        self.events.tell(Event::Channel { realm: &self.realm, channel: name, fault: fault.as_deref() });
        asked
    }
}

#[cfg(test)]
mod tests;
