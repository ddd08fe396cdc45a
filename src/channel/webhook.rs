//! The operator's webhook: it is told whom to alert and the link to send, and decides nothing. Signed as the Standard
//! Webhooks specification 1.0 says, sent through the outbox.
//!
//! It learns neither the binding message nor the scope: what the person is asked stands on the page, after the sign-in.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use url::Url;

use super::{Ask, NotAsked};
use crate::{
    clock::Timestamp,
    http::Trust,
    outbox::{About, Delivery, Outbox, Verdict},
    realm::{Addresses, Realm},
    secret::{WebhookKey, hmac_sha256},
};

pub(super) const NAME: &str = "webhook";

/// Three attempts at most: the person should hear of the request while it lives.
const PAUSES: &[Duration] = &[Duration::from_secs(1), Duration::from_secs(5)];

pub(super) struct Webhook {
    realm: Arc<str>,
    addresses: Addresses,
    url: Url,
    key: WebhookKey,
    outbox: Outbox,
}

#[derive(Serialize)]
struct Body<'a> {
    event: &'static str,
    realm: &'a str,
    user: Person<'a>,
    link: String,
    expires_at: String,
}

#[derive(Serialize)]
struct Person<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preferred_username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number: Option<&'a str>,
}

impl Webhook {
    pub(super) fn new(realm: &Realm, url: Url, key: WebhookKey, outbox: Outbox) -> Self {
        Self { realm: Arc::clone(&realm.name), addresses: realm.addresses.clone(), url, key, outbox }
    }

    /// Done when the outbox has taken it.
    pub(super) fn ask(&self, request: &Ask<'_>) -> Result<(), NotAsked> {
        let claims = &request.user.claims;
        let body = Body {
            event: "approval.requested",
            realm: &self.realm,
            user: Person {
                sub: request.user.sub.as_deref(),
                preferred_username: claims.preferred_username.as_deref(),
                email: claims.email.as_deref(),
                phone_number: claims.phone_number.as_deref(),
            },
            link: self.addresses.approval(request.handle),
            expires_at: request.expires.rfc3339(),
        };
        let body = serde_json::to_vec(&body).map_err(|error| NotAsked::NotSent(error.to_string()))?;
        let body = bytes::Bytes::from(body);
        let (id, key, signed) = (request.webhook_id.to_owned(), self.key.clone(), body.clone());
        let delivery = Delivery {
            url: self.url.clone(),
            to: Trust::Configured,
            headers: Box::new(move |now| headers(&key, &id, now, &signed)),
            body,
            realm: Arc::clone(&self.realm),
            about: About::Person { channel: NAME },
            not_before: request.now,
            not_after: request.expires,
            pauses: PAUSES,
            judge: |status| if status.is_success() { Verdict::Delivered } else { Verdict::TryAgain },
            unwanted: None,
        };
        self.outbox.put(delivery).map(drop).map_err(|error| NotAsked::NotSent(format!("webhook: {error}")))
    }
}

/// The headers of an attempt at `now`.
fn headers(key: &WebhookKey, id: &str, now: Timestamp, body: &[u8]) -> Vec<(&'static str, String)> {
    let timestamp = now.seconds().to_string();
    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    let signature = format!("v1,{}", STANDARD.encode(hmac_sha256(key.bytes(), &signed)));
    vec![
        ("content-type", "application/json".to_owned()),
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", signature),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn signature_of_the_published_example() {
        let at = Timestamp::from_seconds(1_614_265_330);
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", br#"{"test": 2432232314}"#);
        let signature = |secret: &str| {
            let key = WebhookKey::parse(&Secret::new(secret)).unwrap();
            headers(&key, id, at, body)[3].1.clone()
        };
        for secret in ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_plJ3nmyCDGBKInavdOK15jsl"] {
            let official = standardwebhooks::Webhook::new(secret).unwrap();
            assert_eq!(signature(secret), official.sign(id, 1_614_265_330, body).unwrap());
        }
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), expected);
    }
}
