//! A secret as written: a string, `{ env = "NAME" }` or `{ file = "path" }`. Whatever is wrong with it, its value is in no
//! message.

use std::fs;

use toml::de::DeValue;

use super::{environment::NotUnicode, fault::Problem, table::Table};
use crate::secret::Secret;

impl Table<'_> {
    /// Reads the variable or the file at once; a file's newlines at the end do not count. An empty secret is a fault.
    pub(super) fn secret(&self, key: &'static str) -> Option<Secret> {
        match self.value(key)? {
            DeValue::String(text) => self.not_empty(key, text, "it"),
            DeValue::Table(_) => self.referred(key),
            other => self.wrong(key, r#"a string, { env = "NAME" } or { file = "path" }"#, other),
        }
    }

    fn referred(&self, key: &'static str) -> Option<Secret> {
        let table = self.table(key)?;
        let (env, file) = (table.string("env"), table.string("file"));
        let both = table.has("env") == table.has("file");
        table.finish();
        if both {
            let remedy = r#"write a string, { env = "NAME" } or { file = "path" }"#;
            self.fault(key, Problem::new("it must name either a variable or a file", remedy));
            return None;
        }
        match (env, file) {
            (Some(name), _) => self.in_variable(key, name),
            (_, Some(path)) => self.in_file(key, path),
            _ => None,
        }
    }

    fn in_variable(&self, key: &'static str, name: &str) -> Option<Secret> {
        let remedy = r#"set it, or write the secret as { file = "path" }"#;
        let cause = match self.source.environment.get(name) {
            Some(Ok(text)) => return self.not_empty(key, text, &format!("the environment variable {name}")),
            Some(Err(NotUnicode)) => format!("the environment variable {name} is not UTF-8"),
            None => format!("the environment variable {name} is not set"),
        };
        self.fault(key, Problem::new(cause, remedy));
        None
    }

    fn in_file(&self, key: &'static str, path: &str) -> Option<Secret> {
        let path = self.source.folder().join(path);
        match fs::read_to_string(&path) {
            Ok(text) => self.not_empty(key, text.trim_end_matches(['\r', '\n']), &path.display().to_string()),
            Err(error) => {
                let cause = format!("{} cannot be read: {error}", path.display());
                self.fault(
                    key,
                    Problem::new(cause, "paths are relative to the folder of this file; check it and its mode"),
                );
                None
            }
        }
    }

    fn not_empty(&self, key: &'static str, text: &str, place: &str) -> Option<Secret> {
        if text.is_empty() {
            self.fault(key, Problem::new(format!("{place} is empty"), "give the secret a value"));
            return None;
        }
        Some(Secret::new(text))
    }
}
