//! What sound files mean.

use std::time::Duration;

use super::*;
use crate::{
    config::warnings,
    keys::Algorithm,
    realm::{Channel, HintMatch, Lookup, client::Authentication},
};

#[test]
fn defaults_of_a_short_file() {
    let realm = sound(SOUND);
    assert_eq!(realm.issuer, "https://id.example.com/auth/acme");
    assert_eq!(realm.addresses.keycloak, "https://id.example.com/auth/realms/acme");
    assert!(matches!(realm.channels[..], [Channel::Page]));
    assert_eq!(realm.upstream.as_ref().unwrap().scope, "openid profile email");
    assert_eq!(realm.ciba.expires_in, Duration::from_secs(120));
    assert_eq!(realm.ciba.interval, Duration::from_secs(5));
    assert_eq!(realm.ciba.min_requested_expiry, Duration::from_secs(10));
    assert_eq!(realm.ciba.max_requested_expiry, Duration::from_secs(600));
    assert_eq!(realm.limits.pending, 100_000);
    assert_eq!(realm.limits.pending_per_client, 10_000);
    assert_eq!(realm.limits.pending_per_user, 10);
    assert_eq!(realm.tokens.access_token_lifespan, Duration::from_secs(300));
    assert_eq!(realm.tokens.refresh_token_lifespan, Duration::from_secs(1800));
    assert_eq!(realm.tokens.signing_alg, Algorithm::RS256);
    assert!(realm.keys.is_empty());
    let client = &realm.clients["till"];
    assert!(client.enabled && client.grant_types.ciba && !client.grant_types.refresh_token);
    assert!(
        matches!(&client.authentication, Authentication::ClientSecretBasic(secret) if secret.matches("a secret of the till"))
    );
    assert_eq!(client.scope.to_string(), "openid");
    assert!(!client.backchannel_user_code_parameter);
    assert_eq!(client.max_age(), Duration::from_secs(900));
    assert!(warnings(&realm).is_empty());
}

/// Every key that is supported, once.
#[test]
fn everything_that_a_file_can_say() {
    let text = r#"
        enabled = true
        issuer = "https://id.example.com/tenants/acme"
        profile = "standard"
        strict_audience = false
        [upstream]
        issuer = "https://login.example.com/"
        client_id = "realmgate"
        scope = "openid email"
        [[lookups]]
        kind = "static"
        [[lookups.users]]
        sub = "1"
        name = "Alice Liddell"
        given_name = "Alice"
        family_name = "Liddell"
        preferred_username = "alice"
        locale = "en"
        email = "alice@example.com"
        email_verified = true
        phone_number = "+1 555 0100"
        phone_number_verified = false
        enabled = false
        user_code = "$argon2id$v=19$m=19456,t=2,p=1$2FtyLlH336+kE9Q0SOls1w$VxaEKW2WCAnlcnfmx40KcQ94+JQmOWYI9cAvbDZCbYs"
        [[lookups]]
        kind = "keycloak"
        url = "https://internal.example.com/auth/admin/realms/acme"
        client_id = "lookup"
        client_secret = { env = "TILL_SECRET" }
        [[lookups]]
        kind = "sign-in"
        match = "email"
        email_domains = ["Example.COM"]
        [[lookups]]
        kind = "sign-in"
        match = "preferred_username"
        [[channels]]
        kind = "webhook"
        url = "http://127.0.0.1:9999/hook"
        secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        [[channels]]
        kind = "keycloak"
        url = "https://device.example.com/channel"
        [ciba]
        expires_in = 60
        interval = 0
        min_requested_expiry = 5
        max_requested_expiry = 300
        unknown_user = "error"
        user_code = "static"
        long_poll = 0
        [limits]
        pending = 5
        pending_per_client = 4
        pending_per_user = 3
        [tokens]
        access_token_lifespan = 30
        refresh_token_lifespan = 60
        signing_alg = "ES256"
        [scopes]
        "https://api.example.com/pay" = "Pay from your account"
        [[clients]]
        client_id = "till"
        client_name = "Corner shop till"
        client_secret = { env = "TILL_SECRET" }
        enabled = false
        token_endpoint_auth_method = "client_secret_post"
        grant_types = ["urn:openid:params:grant-type:ciba", "refresh_token"]
        scope = "openid profile"
        backchannel_token_delivery_mode = "poll"
        backchannel_user_code_parameter = true
        id_token_signed_response_alg = "EdDSA"
        default_max_age = 60
        dpop_bound_access_tokens = false
        tls_client_certificate_bound_access_tokens = false
    "#;
    let realm = sound(text);
    assert_eq!(realm.issuer, "https://id.example.com/tenants/acme");
    assert_eq!(realm.upstream.as_ref().unwrap().issuer, "https://login.example.com/");
    assert!(realm.upstream.as_ref().unwrap().client_secret.is_none());
    let [Lookup::Static { users }, Lookup::Keycloak { url, token_endpoint, client_secret, .. }, email, username] =
        &realm.lookups[..]
    else {
        panic!("{:?}", realm.lookups)
    };
    assert_eq!(users[0].claims.phone_number.as_deref(), Some("+1 555 0100"));
    assert!(!users[0].enabled && users[0].user_code.is_some());
    assert_eq!(url.as_str(), "https://internal.example.com/auth/admin/realms/acme");
    assert_eq!(token_endpoint.as_str(), "https://internal.example.com/auth/realms/acme/protocol/openid-connect/token");
    assert!(client_secret.matches("from the environment"));
    let domains = vec!["example.com".to_owned()];
    assert!(matches!(email, Lookup::SignIn { matching } if *matching == HintMatch::Email { domains }));
    assert!(matches!(username, Lookup::SignIn { matching: HintMatch::PreferredUsername }));
    assert!(matches!(realm.channels[..], [Channel::Webhook { .. }, Channel::Keycloak { .. }]));
    assert!(realm.has_page());
    assert_eq!(realm.ciba.interval, Duration::ZERO);
    assert_eq!(realm.limits.pending_per_user, 3);
    assert_eq!(realm.algorithms(), [Algorithm::ES256, Algorithm::EdDSA]);
    assert_eq!(realm.scope_texts["https://api.example.com/pay"], "Pay from your account");
    let client = &realm.clients["till"];
    assert_eq!(client.display_name(), "Corner shop till");
    assert!(!client.enabled && client.grant_types.refresh_token && client.backchannel_user_code_parameter);
    assert!(matches!(client.authentication, Authentication::ClientSecretPost(_)));
}

#[test]
fn the_keycloak_lookup_is_made_from_the_issuer() {
    let lookup = "[[lookups]]\nkind = \"keycloak\"\nclient_id = \"x\"\nclient_secret = \"y\"\n";
    let realm = sound(&format!("{SOUND}{lookup}"));
    let Lookup::Keycloak { url, token_endpoint, .. } = &realm.lookups[1] else { panic!("{:?}", realm.lookups) };
    assert_eq!(url.as_str(), "https://login.example.com/admin/realms/acme");
    assert_eq!(token_endpoint.as_str(), "https://login.example.com/realms/acme/protocol/openid-connect/token");
}

#[test]
fn a_realm_that_is_turned_off_is_checked_and_not_built() {
    let off = |text: &str| realm::read("acme", Path::new("acme.toml"), text, PUBLIC, &Environment::none());
    assert!(matches!(off(&bent("enabled = true", "enabled = false")), Ok(None)));
    assert!(off(&bent("enabled = true", "enabled = false\nx = 1")).is_err());
}

#[test]
fn a_secret_of_a_file_loses_its_newline() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("till.secret"), "from a file\r\n").unwrap();
    let text = bent("\"a secret of the till\"", "{ file = \"till.secret\" }");
    let file = folder.path().join("acme.toml");
    let realm = realm::read("acme", &file, &text, PUBLIC, &Environment::none()).unwrap().unwrap();
    let authentication = &realm.clients["till"].authentication;
    assert!(matches!(authentication, Authentication::ClientSecretBasic(secret) if secret.matches("from a file")));
}

#[test]
fn table_of_warnings() {
    let table = [
        ("enabled = true", "issuer = \"http://id.example.com/acme\"", "its issuer is plain http"),
        ("https://login.example.com", "http://login.example.com", "its upstream is plain http"),
        ("a secret of the till", "short", "fewer than 12 characters"),
        ("preferred_username = \"alice\"", "", "no hint finds the user `248289761001`"),
        ("enabled = true", "[ciba]\nexpires_in = 5", "outside the bounds"),
        ("[[clients]]\nclient_id = \"till\"\nclient_secret = \"a secret of the till\"\n", "", "it has no clients"),
    ];
    for (from, to, expected) in table {
        let warnings = warnings(&sound(&bent(from, to)));
        assert_eq!(warnings.len(), 1, "{to}: {warnings:#?}");
        assert!(warnings[0].contains(expected), "{to}: {warnings:#?}");
    }
    let loopback = warnings(&sound(&bent("https://login.example.com", "http://127.0.0.1:8081")));
    assert!(loopback.is_empty(), "{loopback:#?}");
}
