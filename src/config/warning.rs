//! What is allowed and yet seldom meant: said at start and by `realmgate check`, never a failure.

use url::Url;

use super::text;
use crate::realm::{
    Channel, Lookup, Realm,
    client::{Authentication, SenderConstraint},
};

/// One line for each warning. No secret is in any.
pub fn warnings(realm: &Realm) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut warn = |text: String| warnings.push(format!("realm {}: {text}", realm.name));
    if is_plain_and_remote(&realm.issuer) {
        warn("its issuer is plain http on an address that is not loopback; use https".into());
    }
    if let Some(upstream) = &realm.upstream
        && is_plain_and_remote(&upstream.issuer)
    {
        warn("its upstream is plain http on an address that is not loopback; use https".into());
    }
    let (least, most) = (realm.ciba.min_requested_expiry, realm.ciba.max_requested_expiry);
    if !(least..=most).contains(&realm.ciba.expires_in) {
        warn("`ciba.expires_in` is outside the bounds in which clients may ask for an expiry".into());
    }
    let mut clients: Vec<_> = realm.clients.values().collect();
    clients.sort_by(|a, b| a.client_id.cmp(&b.client_id));
    if clients.is_empty() {
        warn("it has no clients, so nobody can ask".into());
    }
    for client in clients {
        if let Authentication::ClientSecretBasic(secret) | Authentication::ClientSecretPost(secret) =
            &client.authentication
            && secret.reveal().chars().count() < 12
        {
            warn(format!("the secret of the client `{}` has fewer than 12 characters", client.client_id));
        }
        let by_certificate =
            matches!(client.authentication, Authentication::TlsClientAuth(_) | Authentication::SelfSignedTlsClientAuth);
        let is_bound = client.sender_constraint == Some(SenderConstraint::Certificate);
        if (by_certificate || is_bound) && !realm.client_certificates {
            let remedy =
                "write `client_certificates = \"optional\"` in [tls], or list the proxy that sends `Client-Cert`";
            warn(format!("nobody sees the certificate of the client `{}`; {remedy}", client.client_id));
        }
    }
    for channel in &realm.channels {
        if let Channel::Webhook { key, .. } = channel
            && key.bytes().len() < 24
        {
            warn("the secret of its webhook has fewer than the 24 bytes that Standard Webhooks asks for".into());
        }
    }
    for lookup in &realm.lookups {
        if let Lookup::Static { users } = lookup {
            for user in users.iter().filter(|u| u.claims.preferred_username.is_none() && u.claims.email.is_none()) {
                let sub = &user.sub;
                warn(format!("no hint finds the user `{sub}`: there is neither `preferred_username` nor `email`"));
            }
        }
    }
    warnings
}

pub(super) fn is_plain_and_remote(address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| url.scheme() == "http" && !text::is_loopback(&url))
}
