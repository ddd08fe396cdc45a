//! The realm file of these tests: the gateway in front of Keycloak's realm `acme`.

/// The gateway's realm.
pub(crate) const NAME: &str = "shop";
pub(crate) const TILL: (&str, &str) = ("till", "till-secret-0123456789abcdefghij");
/// What a person reads about that client.
pub(crate) const TILL_NAME: &str = "Corner shop till";
/// The webhook's, in the form of Standard Webhooks.
pub(crate) const HOOK_SECRET: &str = "whsec_bm90IGEgc2VjcmV0LCBidXQgbG9uZyBlbm91Z2g=";

/// `upstream` is Keycloak's issuer, `hook` where the webhook goes.
pub(crate) fn in_front_of(upstream: &str, hook: &str) -> String {
    let (client_id, client_secret) = TILL;
    format!(
        r#"
[upstream]
issuer = "{upstream}"
client_id = "acme-upstream"
client_secret = "upst-secret-0123456789abcdefghij"
scope = "openid profile email"

[[lookups]]
kind = "keycloak"
client_id = "acme-upstream"
client_secret = "upst-secret-0123456789abcdefghij"

[[channels]]
kind = "page"

[[channels]]
kind = "webhook"
url = "{hook}"
secret = "{HOOK_SECRET}"

[ciba]
interval = 1
min_requested_expiry = 1

[[clients]]
client_id = "{client_id}"
client_name = "{TILL_NAME}"
client_secret = "{client_secret}"
token_endpoint_auth_method = "client_secret_basic"
grant_types = ["urn:openid:params:grant-type:ciba"]
scope = "openid profile email"
backchannel_token_delivery_mode = "poll"
"#
    )
}
