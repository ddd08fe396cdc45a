//! `authorization_details` (RFC 9396 2): what is asked for beyond scopes, as JSON objects that each name their `type`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A list of details, each an object with a `type`. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AuthorizationDetails(Arc<[Map<String, Value>]>);

impl AuthorizationDetails {
    pub fn new(details: Vec<Map<String, Value>>) -> Self {
        Self(details.into())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Map<String, Value>> {
        self.0.iter()
    }

    /// The `type` of each.
    pub fn types(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|item| item.get("type").and_then(Value::as_str).unwrap_or_default())
    }
}
