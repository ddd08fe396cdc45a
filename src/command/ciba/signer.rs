//! The client's private key, and the name under which the server knows it.

use serde::Serialize;

use crate::{
    jose::{self, NotSigned},
    keys::SigningKey,
};

#[derive(Debug)]
pub(super) struct Signer {
    pub(super) key: SigningKey,
    /// The `kid` of the key in the client's registration. Without it the server finds the key by its kind (OpenID Connect
    /// Core 10.1).
    pub(super) key_id: Option<String>,
}

impl Signer {
    pub(super) fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, NotSigned> {
        jose::sign_typed(&self.key, typ, self.key_id.as_deref(), claims)
    }
}
