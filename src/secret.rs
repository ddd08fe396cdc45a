//! Secrets as types: a [`Secret`] cannot be printed, logged or serialised, and is compared in constant time (I11).
//! [`Digest`] is what the store keys are made of (I1); a [`Sealer`] encrypts what must leave the process and come back
//! unread and unchanged, such as the sign-in cookie (AES-256-GCM).

use std::{fmt, sync::Arc};

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier, password_hash::SaltString};
use aws_lc_rs::{aead, digest, hmac};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::random::{NoRandomness, Random};

/// A text that must not be seen. It has no `Display` and no `Serialize`; `Debug` prints a placeholder.
#[derive(Clone)]
pub struct Secret {
    text: Zeroizing<String>,
    digest: Digest,
}

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        let text = Zeroizing::new(text.into());
        Self { digest: Digest::of(text.as_bytes()), text }
    }

    /// The text itself, for the moment in which it is sent or used as a key.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// Whether `candidate` is this secret. The time taken depends on neither's content, nor on where they differ.
    pub fn matches(&self, candidate: &str) -> bool {
        self.digest == Digest::of(candidate.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// What a webhook's deliveries are signed with. `Debug` prints a placeholder.
#[derive(Clone)]
pub struct WebhookKey(Arc<Zeroizing<Vec<u8>>>);

impl WebhookKey {
    /// From the text that Standard Webhooks 1.0 gives such keys: `whsec_` and base64 (with its padding, which most
    /// receivers' libraries insist on) of at least 16 bytes. Any other text is the key as it is, byte for byte.
    pub fn parse(secret: &Secret) -> Option<Self> {
        let bytes = match secret.reveal().strip_prefix("whsec_") {
            Some(encoded) => STANDARD.decode(encoded).ok().filter(|bytes| bytes.len() >= 16)?,
            None => secret.reveal().as_bytes().to_vec(),
        };
        Some(Self(Arc::new(Zeroizing::new(bytes))))
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for WebhookKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// A SHA-256 digest. Equality takes constant time.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Digest([u8; 32]);

impl Digest {
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_parts(&[bytes])
    }

    /// The digest of several parts, one after the other, without a separator.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in parts {
            context.update(part);
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        Self(bytes)
    }

    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    pub fn base64url(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// A digest that somebody sent as [`Digest::base64url`] writes it.
    pub fn from_base64url(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for Digest {}

impl std::hash::Hash for Digest {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        // a digest is spread evenly already: eight bytes of it tell as much as all of them
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        state.write_u64(u64::from_ne_bytes(first));
    }
}

/// HMAC-SHA-256 of `message` (RFC 2104).
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    let mut bytes = [0; 32];
    bytes.copy_from_slice(tag.as_ref());
    bytes
}

/// Encrypts and authenticates small texts with one key (AES-256-GCM, random nonce). What is opened must have been sealed
/// for the same `purpose`, so that a value made for one use is worthless in another.
pub struct Sealer {
    key: aead::LessSafeKey,
    random: Random,
}

impl Sealer {
    /// # Errors
    /// Only if the library refuses the key, which it does not for 32 bytes.
    pub fn new(key: &[u8; 32], random: Random) -> Result<Self, NoRandomness> {
        let key = aead::UnboundKey::new(&aead::AES_256_GCM, key).map_err(|_| NoRandomness)?;
        Ok(Self { key: aead::LessSafeKey::new(key), random })
    }

    /// Base64url of nonce, cipher text and tag.
    pub fn seal(&self, purpose: &str, text: &[u8]) -> Result<String, NoRandomness> {
        let nonce: [u8; 12] = self.random.bytes()?;
        let mut buffer = text.to_vec();
        self.key
            .seal_in_place_append_tag(
                aead::Nonce::assume_unique_for_key(nonce),
                aead::Aad::from(purpose.as_bytes()),
                &mut buffer,
            )
            .map_err(|_| NoRandomness)?;
        let mut sealed = nonce.to_vec();
        sealed.append(&mut buffer);
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// The text, or nothing when it was not sealed by this key for this purpose, or was changed.
    pub fn open(&self, purpose: &str, sealed: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let (nonce, cipher_text) = bytes.split_at_checked(12)?;
        let nonce = aead::Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut buffer = cipher_text.to_vec();
        let text = self.key.open_in_place(nonce, aead::Aad::from(purpose.as_bytes()), &mut buffer).ok()?;
        Some(text.to_vec())
    }
}

/// A user code (OpenID CIBA Core 7.1) cannot be hashed.
#[derive(Debug, thiserror::Error)]
pub enum NotHashed {
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    #[error("the user code cannot be hashed: {0}")]
    Refused(argon2::password_hash::Error),
}

/// The Argon2id PHC string of a user code, with OWASP's parameters (19 MiB, 2 passes). Blocking: takes 20 to 100 ms of
/// processor time, so it is not for an async thread.
pub fn hash_user_code(code: &Secret, random: &Random) -> Result<String, NotHashed> {
    let salt = SaltString::encode_b64(&random.bytes::<16>()?).map_err(NotHashed::Refused)?;
    let hash = Argon2::default().hash_password(code.reveal().as_bytes(), &salt).map_err(NotHashed::Refused)?;
    Ok(hash.to_string())
}

/// Whether `code` is the user code of this hash; `false` where the hash is none. Blocking, as [`hash_user_code`] is.
pub fn verify_user_code(phc: &str, code: &str) -> bool {
    PasswordHash::new(phc).is_ok_and(|hash| Argon2::default().verify_password(code.as_bytes(), &hash).is_ok())
}

/// Whether the text is an Argon2id PHC string that [`verify_user_code`] can verify against, with at most 256 MiB and 16
/// passes: its parameters are what every verification costs.
pub fn is_user_code_hash(phc: &str) -> bool {
    PasswordHash::new(phc).is_ok_and(|hash| {
        let complete = hash.salt.is_some() && hash.hash.is_some();
        let bounded = argon2::Params::try_from(&hash)
            .is_ok_and(|params| params.m_cost() <= 256 * 1024 && params.t_cost() <= 16 && params.p_cost() <= 16);
        complete && hash.algorithm == argon2::ARGON2ID_IDENT && bounded
    })
}

/// A secret as a record keeps it (I11): sealed, so that no store and no log shows it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sealed(Box<str>);

impl Sealed {
    pub fn new(sealer: &Sealer, purpose: &str, secret: &Secret) -> Result<Self, NoRandomness> {
        Ok(Self(sealer.seal(purpose, secret.reveal().as_bytes())?.into()))
    }

    /// Nothing where it was sealed by another key or for another purpose.
    pub fn open(&self, sealer: &Sealer, purpose: &str) -> Option<Secret> {
        String::from_utf8(sealer.open(purpose, &self.0)?).ok().map(Secret::new)
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[sealed]")
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        assert_eq!(format!("{:?}", Secret::new("s3cret")), "[secret]");
    }

    #[test]
    fn a_sealed_text_opens_for_its_purpose_alone() {
        let sealer = Sealer::new(&[7; 32], Random::counting()).unwrap();
        let sealed = sealer.seal("cookie", b"text").unwrap();
        assert_eq!(sealer.open("cookie", &sealed).as_deref(), Some(&b"text"[..]));
        assert_eq!(sealer.open("other", &sealed), None);
        let mut changed = sealed.clone().into_bytes();
        changed[20] ^= 1;
        assert_eq!(sealer.open("cookie", &String::from_utf8(changed).unwrap()), None);
        assert_eq!(sealer.open("cookie", ""), None);
    }

    #[test]
    fn a_user_code_verifies_against_its_own_hash_alone() {
        let hash = hash_user_code(&Secret::new("password"), &Random::counting()).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(is_user_code_hash(&hash));
        assert!(verify_user_code(&hash, "password"));
        assert!(!verify_user_code(&hash, "Password"));
        assert!(!verify_user_code("password", "password"));
        let costly = ["m=4294967295,t=2", "m=19456,t=4294967295"].map(|params| hash.replace("m=19456,t=2", params));
        let another = hash.replace("argon2id", "argon2i");
        for none in ["", "password", "$argon2id$v=19$m=19456,t=2,p=1", "$2y$10$abc", &another, &costly[0], &costly[1]] {
            assert!(!is_user_code_hash(none), "{none}");
        }
    }

    #[test]
    fn table_of_webhook_secrets() {
        let table: [(&str, Option<&[u8]>); 8] = [
            ("whsec_MDEyMzQ1Njc4OWFiY2RlZg==", Some(b"0123456789abcdef")),
            ("whsec_MDEyMzQ1Njc4OWFiY2RlZmc=", Some(b"0123456789abcdefg")),
            ("whsec_MDEyMzQ1Njc4OWFiY2RlZg", None),
            ("whsec_MDEyMzQ1Njc4OWFiY2Rl", None),
            ("whsec_not base64 at all, but long", None),
            ("whsec_", None),
            ("MDEyMzQ1Njc4OWFiY2RlZg==", Some(b"MDEyMzQ1Njc4OWFiY2RlZg==")),
            ("a passphrase", Some(b"a passphrase")),
        ];
        for (text, bytes) in table {
            let key = WebhookKey::parse(&Secret::new(text));
            assert_eq!(key.as_ref().map(WebhookKey::bytes), bytes, "{text}");
            assert!(!format!("{key:?}").contains("48"));
        }
    }

    #[test]
    fn hmac_known_answer_of_rfc_4231() {
        let mac = hmac_sha256(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(mac[..4], [0x5b, 0xdc, 0xc1, 0x46]);
    }
}
