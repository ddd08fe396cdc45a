//! Tables of faults: what is written, which key is named, what is said.

use proptest::prelude::*;

use super::*;
use crate::keys::{Algorithm, SigningKey};

/// One deviation: what is replaced, by what; the line and key of the one fault, and a part of its cause or remedy.
type Row = (&'static str, &'static str, usize, &'static str, &'static str);

const UPSTREAM: &str = "issuer = \"https://login.example.com/realms/acme\"";
const USER: &str = "preferred_username = \"alice\"";
const STATIC: &str = "kind = \"static\"";
const ID: &str = "client_id = \"till\"";
const SECRET: &str = "client_secret = \"a secret of the till\"";
const TOP: &str = "enabled = true";

const ROWS: &[Row] = &[
    // the file
    (TOP, "enabled = ", 1, "", "this is not TOML"),
    (TOP, "enabled = true\nenabled = true", 2, "", "this is not TOML"),
    (TOP, "enabled = \"yes\"", 1, "enabled", "must be true or false, not a string"),
    (TOP, "enabeld = true", 1, "enabeld", "write `enabled`"),
    (
        TOP,
        "zzz = 1",
        1,
        "zzz",
        "remove it; known here are `authorization_details_types`, `channels`, `ciba`, `clients`",
    ),
    (TOP, "\"a\\nb\" = 1", 1, "\"a\\nb\"", "unknown key"),
    (TOP, "tokens = 1", 1, "tokens", "must be a table, not a whole number"),
    (TOP, "issuer = \"id.example.com\"", 1, "issuer", "no URL"),
    (TOP, "issuer = \"ftp://id.example.com\"", 1, "issuer", "must begin with https://"),
    (TOP, "issuer = \"https://id.example.com/\"", 1, "issuer", "without a slash"),
    (TOP, "issuer = \"https://id.example.com?x\"", 1, "issuer", "no query"),
    (TOP, "issuer = \"https://id.example.com#x\"", 1, "issuer", "no fragment"),
    (TOP, "issuer = \"https://me:pw@id.example.com\"", 1, "issuer", "no user name"),
    (TOP, "issuer = \"HTTPS://id.example.com\"", 1, "issuer", "exactly as it is stated"),
    (TOP, "issuer = \"\"", 1, "issuer", "it is empty"),
    (TOP, "profile = \"keycloak\"", 1, "profile", "not supported yet: `keycloak`"),
    (TOP, "profile = \"fast\"", 1, "profile", "write one of `standard`, `fapi-ciba`"),
    (TOP, "[mtls]", 1, "mtls.ca_certificates", "it is missing"),
    (TOP, "[mtls]\nca_certificates = []", 2, "mtls.ca_certificates", "it is empty"),
    (TOP, "[mtls]\nca_certificates = \"ca.pem\"", 2, "mtls.ca_certificates", "a list of strings"),
    (TOP, "[mtls]\nca_certificates = [\"ca.pem\"]", 2, "mtls.ca_certificates", "realms/ca.pem cannot be read"),
    (TOP, "[keycloak_channel]", 1, "keycloak_channel", "not supported yet"),
    (TOP, "[[upstreams]]", 1, "upstreams", "not supported yet"),
    // [upstream]
    ("[upstream]", "[upstraem]", 2, "upstraem", "write `upstream`"),
    (UPSTREAM, "", 2, "upstream.issuer", "it is missing"),
    (UPSTREAM, "issuer = 5", 3, "upstream.issuer", "must be a string"),
    ("client_id = \"realmgate\"", "scope = \"email\"\nclient_id = \"r\"", 4, "upstream.scope", "`openid` is missing"),
    ("client_id = \"realmgate\"", "client = \"realmgate\"\nclient_id = \"x\"", 4, "upstream.client", "unknown key"),
    ("client_secret = \"a secret at the upstream\"", "client_secret = \"\"", 5, "upstream.client_secret", "is empty"),
    // [[lookups]]
    (STATIC, "", 6, "lookups[0].kind", "it is missing"),
    (STATIC, "kind = \"scim\"", 7, "lookups[0].kind", "not supported yet: `scim`"),
    (STATIC, "kind = \"export\"", 7, "lookups[0].kind", "not supported yet: `export`"),
    (STATIC, "kind = \"ldap\"", 7, "lookups[0].kind", "write one of `static`, `keycloak`, `sign-in`"),
    (STATIC, "kind = \"ldap\"", 7, "lookups[0].kind", "`ldap` is none of the known words"),
    ("[[lookups]]\nkind = \"static\"\n[[lookups.users]]", "[[lookup]]", 6, "lookup", "write `lookups`"),
    (STATIC, "kind = \"static\"\nurl = \"https://x\"", 8, "lookups[0].url", "unknown key"),
    (
        STATIC,
        "kind = \"sign-in\"\n[[lookups]]\nkind = \"static\"\n[[lookups]]\nkind = \"static\"",
        8,
        "lookups[1].users",
        "missing",
    ),
    ("sub = \"248289761001\"", "", 8, "lookups[0].users[0].sub", "it is missing"),
    ("sub = \"248289761001\"", "sub = \"é\"", 9, "lookups[0].users[0].sub", "255 characters of ASCII"),
    (USER, "emial = \"alice@example.com\"", 10, "lookups[0].users[0].emial", "write `email`"),
    (USER, "email_verified = \"yes\"", 10, "lookups[0].users[0].email_verified", "true or false"),
    (USER, "user_code = \"1234\"", 10, "lookups[0].users[0].user_code", "no Argon2id hash"),
    (USER, "[[lookups.users]]\nsub = \"248289761001\"", 11, "lookups[0].users[1].sub", "another user of this lookup"),
    (USER, "[[lookups]]\nkind = \"keycloak\"\nclient_id = \"x\"", 10, "lookups[1].client_secret", "it is missing"),
    (
        USER,
        "[[lookups]]\nkind = \"keycloak\"\nclient_id = \"x\"\nclient_secret = \"x\"\nurl = \"https://sso.example.com\"",
        14,
        "lookups[1].url",
        "no Keycloak realm's admin address",
    ),
    (USER, "[[lookups]]\nkind = \"sign-in\"\nmatch = \"name\"", 12, "lookups[1].match", "one of `sub`"),
    (USER, "[[lookups]]\nkind = \"sign-in\"\nmatch = \"email\"", 10, "lookups[1].email_domains", "it is missing"),
    (
        USER,
        "[[lookups]]\nkind = \"sign-in\"\nmatch = \"email\"\nemail_domains = [\"@example.com\"]",
        13,
        "lookups[1].email_domains",
        "list of domains",
    ),
    (
        USER,
        "[[lookups]]\nkind = \"sign-in\"\nemail_domains = [\"example.com\"]",
        12,
        "lookups[1].email_domains",
        "it needs `match = \"email\"`",
    ),
    // [[channels]]
    (TOP, "[[channels]]", 1, "channels[0].kind", "it is missing"),
    (TOP, "[[channels]]\nkind = \"pigeon\"", 2, "channels[0].kind", "write one of `page`, `webhook`, `keycloak`"),
    (TOP, "[[channels]]\nkind = \"email\"", 2, "channels[0].kind", "not supported yet: `email`"),
    (TOP, "[[channels]]\nkind = \"page\"\nurl = \"https://x\"", 3, "channels[0].url", "unknown key"),
    (TOP, "[[channels]]\nkind = \"keycloak\"", 1, "channels[0].url", "it is missing"),
    (
        TOP,
        "[[channels]]\nkind = \"webhook\"\nsecret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"",
        1,
        "channels[0].url",
        "it is missing",
    ),
    (
        TOP,
        "[[channels]]\nkind = \"webhook\"\nurl = \"https://x\"\nsecret = \"whsec_c2hvcnQ=\"",
        4,
        "channels[0].secret",
        "make one with: echo whsec_$(openssl rand -base64 32)",
    ),
    (
        TOP,
        "[[channels]]\nkind = \"webhook\"\nurl = \"https://x\"\nsecret = \"whsec_not base64 at all!\"",
        4,
        "channels[0].secret",
        "base64",
    ),
    // [ciba], [limits], [tokens], [scopes]
    (TOP, "[ciba]\nexpires_in = 0", 2, "ciba.expires_in", "from 1 to 86400 seconds"),
    (TOP, "[ciba]\nexpires_in = 1.5", 2, "ciba.expires_in", "must be a whole number, not a number with a fraction"),
    (TOP, "[ciba]\ninterval = 61", 2, "ciba.interval", "from 0 to 60 seconds"),
    (TOP, "[ciba]\ninterval = -1", 2, "ciba.interval", "from 0 to 60 seconds"),
    (TOP, "[ciba]\nmin_requested_expiry = 601", 2, "ciba.min_requested_expiry", "above `max_requested_expiry`"),
    (TOP, "[ciba]\nunknown_user = \"decoy\"", 2, "ciba.unknown_user", "not supported yet: `decoy`"),
    (TOP, "[ciba]\nuser_code = \"upstream-password\"", 2, "ciba.user_code", "not supported yet"),
    (TOP, "[ciba]\nlong_poll = 31", 2, "ciba.long_poll", "from 0 to 30 seconds"),
    (TOP, "[ciba]\nexpiry = 30", 2, "ciba.expiry", "unknown key"),
    (TOP, "[limits]\npending = 0", 2, "limits.pending", "from 1 to 10000000 requests"),
    (TOP, "[tokens]\nsigning_alg = \"HS256\"", 2, "tokens.signing_alg", "`RS256`, `PS256`, `ES256`, `EdDSA`"),
    (TOP, "[tokens]\naccess_token_lifespan = \"300\"", 2, "tokens.access_token_lifespan", "whole number, not a string"),
    (TOP, "[scopes]\n\"a b\" = \"x\"", 2, "scopes.\"a b\"", "no scope"),
    (TOP, "[scopes]\npay = \"x\\ny\"", 2, "scopes.pay", "one line of at most 200 characters"),
    (TOP, "[scopes]\npay = true", 2, "scopes.pay", "must be a sentence"),
    // [[keys]]
    (TOP, "[[keys]]\nprivate_key = \"x\"", 1, "keys[0].alg", "it is missing"),
    (TOP, "[[keys]]\nalg = \"RS256\"\nprivate_key = \"x\"", 3, "keys[0].private_key", "not a PEM file"),
    (
        TOP,
        "[[keys]]\nalg = \"RS256\"\nprivate_key = { file = \"keys/acme.pem\" }",
        3,
        "keys[0].private_key",
        "realms/keys/acme.pem cannot be read",
    ),
    // [[clients]]
    (ID, "", 11, "clients[0].client_id", "it is missing"),
    (ID, "client_id = \"tïll\"", 12, "clients[0].client_id", "printable ASCII"),
    (SECRET, "", 11, "clients[0].client_secret", "it is missing"),
    (SECRET, "client_secert = \"x\"\nclient_secret = \"y\"", 13, "clients[0].client_secert", "write `client_secret`"),
    (SECRET, "client_secret = \"y\"\nskope = \"openid\"", 14, "clients[0].skope", "write `scope`"),
    (SECRET, "client_secret = \"y\"\ngrant_type = []", 14, "clients[0].grant_type", "write `grant_types`"),
    (
        SECRET,
        "client_secret = \"y\"\nscope = [\"openid\", \"profile\"]",
        14,
        "clients[0].scope",
        "write one string with spaces between",
    ),
    (SECRET, "client_secret = 12345", 13, "clients[0].client_secret", "{ env = \"NAME\" }"),
    (SECRET, "client_secret = { env = \"NOWHERE\" }", 13, "clients[0].client_secret", "NOWHERE is not set"),
    (SECRET, "client_secret = { env = \"EMPTY\" }", 13, "clients[0].client_secret", "EMPTY is empty"),
    (SECRET, "client_secret = { file = \"/nowhere\" }", 13, "clients[0].client_secret", "/nowhere cannot be read"),
    (SECRET, "client_secret = { }", 13, "clients[0].client_secret", "either a variable or a file"),
    (SECRET, "client_secret = { var = \"X\", env = \"SET\" }", 13, "clients[0].client_secret.var", "unknown key"),
    (
        ID,
        "client_id = \"x\"\nclient_secret = \"y\"\n[[clients]]\nclient_id = \"x\"",
        15,
        "clients[1].client_id",
        "the client in line 12 has it, too",
    ),
    (ID, "client_id = \"x\"\nclient_name = \"a\\u0007\"", 13, "clients[0].client_name", "one line"),
    (ID, "client_id = \"x\"\nscope = \"profile\"", 13, "clients[0].scope", "`openid` is missing"),
    (ID, "client_id = \"x\"\nscope = \"openid \\\"\"", 13, "clients[0].scope", "no scope"),
    (ID, "client_id = \"x\"\ngrant_types = [\"password\"]", 13, "clients[0].grant_types", "served here"),
    (ID, "client_id = \"x\"\ngrant_types = \"refresh_token\"", 13, "clients[0].grant_types", "a list of strings"),
    (ID, "client_id = \"x\"\ndefault_max_age = 0", 13, "clients[0].default_max_age", "from 1 to"),
    // D20, A10
    (
        ID,
        "client_id = \"x\"\ntoken_endpoint_auth_method = \"none\"",
        13,
        "clients[0].token_endpoint_auth_method",
        "public clients have no CIBA",
    ),
    (
        ID,
        "client_id = \"x\"\ntoken_endpoint_auth_method = \"password\"",
        13,
        "clients[0].token_endpoint_auth_method",
        "write one of `client_secret_basic`, `client_secret_post`",
    ),
    (
        ID,
        "client_id = \"x\"\nid_token_signed_response_alg = \"none\"",
        13,
        "clients[0].id_token_signed_response_alg",
        "no algorithm",
    ),
    (
        ID,
        "client_id = \"x\"\nbackchannel_token_delivery_mode = \"push\"",
        11,
        "clients[0].backchannel_client_notification_endpoint",
        "it is missing",
    ),
];

#[test]
fn table_of_faults() {
    for (from, to, line, key, cause) in ROWS {
        let text = bent(from, to);
        let faults = faults(&text);
        let case = format!("{to:?}: {faults:#?}");
        assert_eq!(faults.len(), 1, "{case}");
        let fault = &faults[0];
        assert_eq!(fault.file, "realms/acme.toml", "{case}");
        assert_eq!(fault.line, Some(*line), "{case}");
        assert_eq!(fault.key.as_deref().unwrap_or_default(), *key, "{case}");
        assert!(fault.to_string().contains(cause), "{case}");
        assert!(!fault.remedy.is_empty(), "{case}");
        assert!(fault.to_string().lines().count() <= 3, "{case}");
    }
}

/// Metadata of clients that prove who they are with keys, sign requests, are notified (RFC 7591, RFC 8705, CIBA Core 4):
/// lines after `client_id`, the key of the fault and a piece of it; nothing where it is sound.
#[test]
fn table_of_client_metadata() {
    let key =
        r#"jwks = { keys = [{ kty = "OKP", crv = "Ed25519", x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }] }"#;
    let method = |method: &str| format!("token_endpoint_auth_method = \"{method}\"\n");
    let no_secret = |text: &str| bent(SECRET, text);
    let rows = [
        (format!("{}{key}", method("private_key_jwt")), None),
        (format!("{}{key}\ntoken_endpoint_auth_signing_alg = \"EdDSA\"", method("private_key_jwt")), None),
        (
            format!("{}{key}\ntoken_endpoint_auth_signing_alg = \"HS256\"", method("private_key_jwt")),
            Some(("token_endpoint_auth_signing_alg", "no algorithm")),
        ),
        (
            format!("{}{key}\ntoken_endpoint_auth_signing_alg = \"none\"", method("private_key_jwt")),
            Some(("token_endpoint_auth_signing_alg", "no algorithm")),
        ),
        (format!("{}jwks = {{ keys = [] }}", method("private_key_jwt")), Some(("jwks", "no public key"))),
        (
            format!(
                "{}{}",
                method("private_key_jwt"),
                key.replace(" }] }", r#" }, { kty = "EC", crv = "P-256", x = "AA", y = "AA" }] }"#)
            ),
            Some(("jwks", "keys[1] of it is damaged")),
        ),
        (
            format!("{}{key}\ntoken_endpoint_auth_signing_alg = \"ES256\"", method("private_key_jwt")),
            Some(("token_endpoint_auth_signing_alg", "none of the client's keys can sign with ES256")),
        ),
        (format!("{}jwks = {{ }}", method("private_key_jwt")), Some(("jwks", "no JWK Set"))),
        (
            format!("{}jwks = {{ keys = [{{ kty = \"oct\", k = \"c2VjcmV0\" }}] }}", method("private_key_jwt")),
            Some(("jwks", "no public key")),
        ),
        (
            format!("{}{}", method("private_key_jwt"), key.replace(" }] }", ", d = \"AAAA\" }] }")),
            Some(("jwks", "private key")),
        ),
        (format!("{}jwks_file = \"nowhere.json\"", method("private_key_jwt")), Some(("jwks_file", "cannot be read"))),
        (format!("{}jwks_uri = \"https://till.example.com/jwks\"", method("private_key_jwt")), None),
        (
            format!("{}jwks_uri = \"http://till.example.com/jwks\"", method("private_key_jwt")),
            Some(("jwks_uri", "must be https")),
        ),
        (
            format!("{}{key}\njwks_uri = \"https://till.example.com/jwks\"", method("private_key_jwt")),
            Some(("jwks_uri", "named in two ways")),
        ),
        (
            format!("{}{key}\nclient_secret = \"another secret\"", method("private_key_jwt")),
            Some(("client_secret", "uses no secret")),
        ),
        (
            format!("{}client_secret = \"short\"", method("client_secret_jwt")),
            Some(("client_secret", "at least 32 bytes")),
        ),
        (format!("{}client_secret = \"{}\"", method("client_secret_jwt"), "s".repeat(32)), None),
        (method("client_secret_jwt"), Some(("client_secret", "it is missing"))),
        (
            format!("{}{key}\ntls_client_auth_san_dns = \"till\"", method("self_signed_tls_client_auth")),
            Some(("tls_client_auth_san_dns", "it needs `tls_client_auth`")),
        ),
        (format!("{}{key}", method("self_signed_tls_client_auth")), None),
    ];
    let delivery = "client_secret = \"a secret of its own\"\n";
    let endpoint = "backchannel_client_notification_endpoint";
    let mode = |mode: &str| format!("{delivery}backchannel_token_delivery_mode = \"{mode}\"\n");
    let notified = [
        (format!("{}{endpoint} = \"https://till.example.com/ping\"", mode("ping")), None),
        (format!("{}{endpoint} = \"https://till.example.com/push\"", mode("push")), None),
        (mode("ping"), Some((endpoint, "it is missing"))), // D15
        // D18
        (mode("PING"), Some(("backchannel_token_delivery_mode", "`poll`, `ping`, `push`"))),
        (mode("sms"), Some(("backchannel_token_delivery_mode", "`poll`, `ping`, `push`"))),
        (format!("{delivery}{endpoint} = \"https://till.example.com/ping\""), Some((endpoint, "the client polls"))),
        // D16
        (format!("{}{endpoint} = \"http://till.example.com/\"", mode("ping")), Some((endpoint, "must be https"))),
        (format!("{}{endpoint} = \"http://127.0.0.1:9/\"", mode("ping")), None),
        (format!("{}{endpoint} = \"https://till.example.com/#x\"", mode("ping")), Some((endpoint, "no fragment"))),
        (format!("{}{endpoint} = \"https://a@till.example.com/\"", mode("ping")), Some((endpoint, "no user name"))),
        (format!("{}{endpoint} = \"/ping\"", mode("ping")), Some((endpoint, "no URL"))),
        (
            format!("{}{endpoint} = \"https://till.example.com/\"\ndpop_bound_access_tokens = true", mode("push")),
            Some(("dpop_bound_access_tokens", "pushed cannot be bound")),
        ),
        (
            format!(
                "{}{endpoint} = \"https://till.example.com/\"\ntls_client_certificate_bound_access_tokens = true",
                mode("push")
            ),
            Some(("tls_client_certificate_bound_access_tokens", "pushed cannot be bound")),
        ),
        (format!("{}{endpoint} = \"https://till.example.com/\"\ndpop_bound_access_tokens = true", mode("ping")), None),
        // D19
        (
            format!("{delivery}backchannel_authentication_request_signing_alg = \"none\"\n{key}"),
            Some(("backchannel_authentication_request_signing_alg", "no algorithm")),
        ),
        (
            format!("{delivery}backchannel_authentication_request_signing_alg = \"HS256\"\n{key}"),
            Some(("backchannel_authentication_request_signing_alg", "no algorithm")),
        ),
        (
            format!("{delivery}backchannel_authentication_request_signing_alg = \"ES256\""),
            Some(("backchannel_authentication_request_signing_alg", "no keys")),
        ),
        (format!("{delivery}backchannel_authentication_request_signing_alg = \"EdDSA\"\n{key}"), None),
        (
            format!("{delivery}dpop_bound_access_tokens = true\ntls_client_certificate_bound_access_tokens = true"),
            Some(("dpop_bound_access_tokens", "keep one")),
        ),
        (format!("{delivery}dpop_bound_access_tokens = true"), None),
        (
            format!("{delivery}authorization_details_types = [\"payment\"]"),
            Some(("authorization_details_types", "no type of the realm")),
        ),
        (format!("{delivery}hints = [\"id_token_hint\"]"), None),
        (format!("{delivery}hints = [\"email\"]"), Some(("hints", "kinds of hint"))),
        (format!("{delivery}hints = []"), Some(("hints", "kinds of hint"))),
    ];
    for (written, expected) in rows.into_iter().chain(notified) {
        let text = no_secret(&written);
        match expected {
            None => {
                sound(&text);
            }
            Some((key, cause)) => {
                let faults = faults(&text);
                assert_eq!(faults.len(), 1, "{written}: {faults:#?}");
                assert_eq!(faults[0].key.as_deref(), Some(format!("clients[0].{key}").as_str()), "{written}");
                assert!(faults[0].to_string().contains(cause), "{written}: {faults:#?}");
            }
        }
    }
}

/// A realm that contradicts its profile does not start.
#[test]
fn table_of_contradictions_of_fapi_ciba() {
    const FAPI: &str = "profile = \"fapi-ciba\"";
    let key = r#"jwks = { keys = [{ kty = "EC", crv = "P-256", x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" }] }"#;
    let good = [
        "token_endpoint_auth_method = \"private_key_jwt\"",
        key,
        "backchannel_authentication_request_signing_alg = \"ES256\"",
        "dpop_bound_access_tokens = true",
    ];
    let realm = |client: &[&str]| bent(TOP, FAPI).replacen(SECRET, &client.join("\n"), 1);
    let sound_realm = sound(&realm(&good));
    assert_eq!(sound_realm.tokens.signing_alg, Algorithm::PS256);
    let without = |left_out: usize| {
        let rest = good.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, line)| *line);
        realm(&rest.collect::<Vec<_>>())
    };
    let with = |line: &str| realm(&good.iter().copied().chain([line]).collect::<Vec<_>>());
    let push = "backchannel_client_notification_endpoint = \"https://till.example.com/\"\n\
                backchannel_token_delivery_mode = \"push\"";
    let table = [
        (realm(&[SECRET, good[1], good[2], good[3]]), "clients[0].token_endpoint_auth_method"),
        (without(2), "clients[0].backchannel_authentication_request_signing_alg"),
        (
            without(2)
                .replace(good[3], &format!("{}\nbackchannel_authentication_request_signing_alg = \"RS256\"", good[3])),
            "clients[0].backchannel_authentication_request_signing_alg",
        ),
        (without(3), "clients[0].dpop_bound_access_tokens"),
        (with("token_endpoint_auth_signing_alg = \"RS256\""), "clients[0].token_endpoint_auth_signing_alg"),
        (with("id_token_signed_response_alg = \"RS256\""), "clients[0].id_token_signed_response_alg"),
        (
            with(push).replace("dpop_bound_access_tokens = true", "tls_client_certificate_bound_access_tokens = true"),
            "clients[0].backchannel_token_delivery_mode",
        ),
        (format!("{}[tokens]\nsigning_alg = \"RS256\"", with("")), "tokens.signing_alg"),
        (realm(&good).replacen(FAPI, &format!("{FAPI}\nissuer = \"http://id.example.com\""), 1), "profile"),
    ];
    for (text, key) in table {
        let faults = faults(&text);
        let contradicts =
            |fault: &Fault| fault.key.as_deref() == Some(key) && fault.cause.contains("profile `fapi-ciba`");
        assert!(faults.iter().any(contradicts), "{key}: {faults:#?}");
    }
}

/// `[[authorization_details_types]]` and `[[login_hint_token_issuers]]`.
#[test]
fn table_of_types_and_issuers() {
    let kind = "[[authorization_details_types]]\ntype = \"payment\"\n";
    let issuer = "[[login_hint_token_issuers]]\nissuer = \"https://hints.example.com\"\n";
    let rows = [
        (kind.to_owned(), None),
        (format!("{kind}sentence = \"Pay {{amount.value}} to {{creditor}}\""), None),
        (format!("{kind}sentence = \"Pay {{amount\""), Some("no path of members")),
        (format!("{kind}sentence = \"Pay {{}}\""), Some("no path of members")),
        (format!("{kind}sentence = \"Pay }} x\""), Some("no path of members")),
        (format!("{kind}members = {{ amount = \"object\", creditor = \"string\" }}\nrequired = [\"amount\"]"), None),
        (format!("{kind}members = {{ amount = \"money\" }}"), Some("members and their kinds")),
        (format!("{kind}members = {{ amount = \"object\" }}\nrequired = [\"x\"]"), Some("not among `members`")),
        (format!("{kind}members = {{ amount = \"object\" }}\nrequired = [\"identifier\"]"), None),
        (
            format!("{kind}members = {{ amount = \"object\" }}\nsentence = \"Pay {{amuont.value}}\""),
            Some("`amuont` stands in it"),
        ),
        (format!("{kind}members = {{ identifier = \"number\" }}"), Some("RFC 9396 2.2")),
        (format!("{kind}members = {{ identifier = \"string\" }}"), None),
        (format!("{kind}{kind}"), Some("described before")),
        ("[[authorization_details_types]]\nsentence = \"x\"".to_owned(), Some("it is missing")),
        (format!("{issuer}jwks_uri = \"https://hints.example.com/jwks\""), None),
        (issuer.to_owned(), Some("it is missing")),
    ];
    for (written, expected) in rows {
        let text = format!("{SOUND}{written}");
        match expected {
            None => {
                sound(&text);
            }
            Some(cause) => {
                let faults = faults(&text);
                assert_eq!(faults.len(), 1, "{written}: {faults:#?}");
                assert!(faults[0].to_string().contains(cause), "{written}: {faults:#?}");
            }
        }
    }
}

/// What concerns several sections: none of these has one place in the file.
#[test]
fn table_of_cross_checks() {
    let upstream = &SOUND[SOUND.find("[upstream]").unwrap()..SOUND.find("[[lookups]]").unwrap()];
    let lookups = &SOUND[SOUND.find("[[lookups]]").unwrap()..SOUND.find("[[clients]]").unwrap()];
    let device = "[[channels]]\nkind = \"keycloak\"\nurl = \"https://device.example.com\"\n";
    let sign_in = "[[lookups]]\nkind = \"sign-in\"\n";
    let keycloak = "[[lookups]]\nkind = \"keycloak\"\nclient_id = \"x\"\nclient_secret = \"y\"\n";
    let hook =
        "[[channels]]\nkind = \"webhook\"\nurl = \"https://x\"\nsecret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\n";
    let other = "[upstream]\nissuer = \"https://login.example.com\"\nclient_id = \"x\"\n";
    let no_upstream = SOUND.replace(upstream, "");
    let table = [
        ("page without upstream", no_upstream.clone(), Some(("upstream", "page"))),
        ("device service without upstream", format!("{no_upstream}{device}"), None),
        ("webhook without upstream", format!("{no_upstream}{hook}"), Some(("upstream", "webhook"))),
        ("sign-in without upstream", format!("{no_upstream}{device}{sign_in}"), Some(("upstream", "sign-in"))),
        ("keycloak without upstream", format!("{no_upstream}{device}{keycloak}"), Some(("upstream", "keycloak"))),
        ("no lookups", SOUND.replace(lookups, ""), Some(("lookups", "no hint"))),
        ("device service, sign-in alone", SOUND.replace(lookups, sign_in) + device, Some(("channels", "nobody"))),
        ("device service, sign-in and static", format!("{SOUND}{sign_in}{device}"), None),
        ("page, sign-in alone", SOUND.replace(lookups, sign_in), None),
        ("keycloak, url from the issuer", format!("{SOUND}{keycloak}"), None),
        (
            "keycloak, other issuer",
            format!("{}{keycloak}", SOUND.replace(upstream, other)),
            Some(("lookups[1].url", "issuer")),
        ),
    ];
    for (case, text, expected) in table {
        match expected {
            None => {
                sound(&text);
            }
            Some((key, cause)) => {
                let faults = faults(&text);
                assert_eq!(faults[0].key.as_deref(), Some(key), "{case}: {faults:#?}");
                assert!(faults[0].cause.contains(cause), "{case}: {faults:#?}");
                assert_eq!(
                    faults.iter().filter(|fault| fault.key.as_deref() == Some(key)).count(),
                    faults.len(),
                    "{case}"
                );
            }
        }
    }
}

#[test]
fn every_algorithm_needs_a_key_where_keys_are_listed() {
    let (key, pem) = SigningKey::generate(Algorithm::ES256).unwrap();
    let keys = format!("[[keys]]\nalg = \"ES256\"\nprivate_key = '''{}'''\n", pem.reveal());
    let faults_of = |text: &str| {
        let faults = faults(text);
        faults.into_iter().filter_map(|fault| fault.key).collect::<Vec<_>>()
    };
    assert_eq!(faults_of(&format!("{SOUND}{keys}")), ["keys"], "the default is RS256");
    let es256 = format!("{SOUND}{keys}[tokens]\nsigning_alg = \"ES256\"\n");
    assert_eq!(sound(&es256).keys[0].kid(), key.kid());
    let ps256 = format!("{SOUND}{keys}[tokens]\nsigning_alg = \"PS256\"\n");
    assert_eq!(faults_of(&ps256), ["tokens.signing_alg"]);
    let client = es256.replace(ID, &format!("{ID}\nid_token_signed_response_alg = \"EdDSA\""));
    assert_eq!(faults_of(&client), ["clients[0].id_token_signed_response_alg"]);
    assert_eq!(faults_of(&format!("{es256}{keys}")), ["keys[1].private_key"], "the same key twice");
    assert_eq!(
        faults_of(&es256.replace("alg = \"ES256\"\nprivate", "alg = \"EdDSA\"\nprivate")),
        ["keys[0].private_key"]
    );
}

#[test]
fn table_of_names() {
    let long = "a".repeat(65);
    for name in ["realms", "resources", "demo", "health", "metrics", "auth", ".acme", "", "a b", "ä", "a/b", &long] {
        let read = realm::read(name, Path::new("x.toml"), SOUND, PUBLIC, &Environment::none());
        assert!(read.is_err(), "{name}");
    }
    for name in ["acme", "Realms", "a.b", "a_b-c", "1", &long[1..]] {
        let read = realm::read(name, Path::new("x.toml"), SOUND, PUBLIC, &Environment::none());
        assert!(read.is_ok(), "{name}: {read:?}");
    }
}

#[test]
fn all_faults_of_a_file_come_at_once_and_no_secret_with_them() {
    let text = r#"
        enabeld = true
        [upstream]
        client_secret = ["hush-hush"]
        [[lookups]]
        kind = "static"
        users = [{ sub = "1", email = 1 }, { sub = "1", user_code = "hush-hush" }]
        [[clients]]
        client_id = "till"
        client_secret = { env = "hush-hush", file = "hush-hush" }
        [[clients]]
        client_secret = { env = "TILL_SECRET" }
        [ciba]
        interval = 100
    "#;
    let faults = faults(text);
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(told.join("\n"));
    assert!(!told.join("\n").contains("hush-hush"));
    // also where the file is no TOML at all
    let broken = super::faults("[[clients]]\nclient_secret = hush-hush\n");
    assert!(broken.iter().all(|fault| !fault.to_string().contains("hush")), "{broken:#?}");
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
        let _ = realm::read("acme", Path::new("acme.toml"), &text, PUBLIC, &Environment::none());
    }

    /// Realm files with a piece cut out, or with a value of another kind.
    #[test]
    fn no_mutilated_realm_makes_the_reader_panic(at in 0..400_usize, length in 0..40_usize, with in "[\\[\\]{}=\"'\\\\\n#.,0-9a-z_-]{0,8}") {
        let shipped = include_str!("../../../realms/master.toml");
        let text: String = shipped.lines().filter(|line| !line.starts_with("# ")).map(|line| format!("{line}\n").replacen('#', "", 1)).collect();
        for text in [SOUND, &text] {
            let chars: Vec<char> = text.chars().collect();
            let at = at * chars.len() / 400;
            let rest = chars.iter().skip(at + length);
            let text: String = chars[..at].iter().copied().chain(with.chars()).chain(rest.copied()).collect();
            let _ = realm::read("acme", Path::new("acme.toml"), &text, PUBLIC, &Environment::none());
        }
    }
}
