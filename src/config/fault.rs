//! What is wrong in a file: where, why, and what to do about it. No text here ever holds a value that may be a secret.

use std::fmt;

/// One fault in the configuration, for the person who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file as it was named; `environment` or `command line` where the value came from there.
    pub file: String,
    pub line: Option<usize>,
    /// The dotted path, such as `clients[0].client_secret`.
    pub key: Option<String>,
    pub cause: String,
    pub remedy: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(key) = &self.key {
            write!(f, ": {key}")?;
        }
        write!(f, ": {}\n  remedy: {}", self.cause, self.remedy)
    }
}

/// Every fault that was found; never empty.
#[derive(Debug, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

/// What is wrong with one value; the reader that holds the value adds file, line and key.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) cause: String,
    pub(super) remedy: String,
}

impl Problem {
    pub(super) fn new(cause: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { cause: cause.into(), remedy: remedy.into() }
    }

    /// A key that nothing here reads, with the nearest of those that something does.
    pub(super) fn unknown_key<'k>(key: &str, known: impl Iterator<Item = &'k str>) -> Self {
        let mut known: Vec<&str> = known.collect();
        known.sort_unstable();
        known.dedup();
        let remedy = match nearest(key, &known) {
            Some(near) => format!("write `{near}` if that is what is meant, or remove the key"),
            None if known.is_empty() => "remove it".into(),
            None => format!("remove it; known here are {}", listed(&known)),
        };
        Self::new("unknown key", remedy)
    }

    /// A word where only some are known, none of which is a secret.
    pub(super) fn unknown_word(word: &str, known: &[&str]) -> Self {
        let word: String = word.escape_debug().take(40).collect();
        Self::new(format!("`{word}` is none of the known words"), format!("write {}", one_of(known)))
    }
}

/// Whether a name is most likely meant to be another.
pub(super) fn is_nearly(name: &str, meant: &str) -> bool {
    nearest(name, &[meant]).is_some()
}

/// The name that a misspelt one was most likely meant to be.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let scored = known.iter().map(|known| (strsim::normalized_damerau_levenshtein(name, known), *known));
    scored.filter(|(score, _)| *score >= 0.6).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

/// `a`, `b`, `c`
fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

pub(super) fn one_of(words: &[&str]) -> String {
    match words {
        [word] => format!("`{word}`"),
        words => format!("one of {}", listed(words)),
    }
}
