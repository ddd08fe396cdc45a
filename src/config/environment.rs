//! The process's environment, read here and nowhere else: for the keys of `config.toml` (`REALMGATE_*`) and for secrets
//! that a realm file takes from it by name.

use std::{collections::BTreeMap, ffi::OsString};

/// A copy of the environment. Tests hand in one of their own.
pub(super) struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    pub(super) fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// For a file that may name no variables.
    pub(super) const fn none() -> Self {
        Self(BTreeMap::new())
    }

    #[cfg(test)]
    pub(super) fn of(variables: &[(&str, &str)]) -> Self {
        Self(variables.iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// The variable's value: nothing where it is not set, an error where it is not UTF-8.
    pub(super) fn get(&self, name: &str) -> Option<Result<&str, NotUnicode>> {
        self.0.get(std::ffi::OsStr::new(name)).map(|value| value.to_str().ok_or(NotUnicode))
    }

    /// The names that begin with `prefix`, in order.
    pub(super) fn names(&self, prefix: &str) -> impl Iterator<Item = &str> {
        self.0.keys().filter_map(|name| name.to_str()).filter(move |name| name.starts_with(prefix))
    }
}

/// The variable's value is not UTF-8.
#[derive(Debug)]
pub(super) struct NotUnicode;
