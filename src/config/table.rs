//! Reading one TOML file with spans: every key reports its own fault with line and dotted path, and reading goes on, so
//! that all faults come out at once. A [`Table`] remembers which keys were asked for; what is left over in the end is an
//! unknown key. No serde here: derived enums lose the path, and serde's messages repeat values that may be secrets.

use std::{cell::RefCell, ops::RangeInclusive, path::Path};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    environment::Environment,
    fault::{Fault, Problem, is_nearly, one_of},
};

/// One file: its text, and the faults found so far.
pub(super) struct Source<'s> {
    pub(super) path: &'s Path,
    pub(super) environment: &'s Environment,
    text: &'s str,
    faults: RefCell<Vec<Fault>>,
}

impl<'s> Source<'s> {
    pub(super) fn new(path: &'s Path, text: &'s str, environment: &'s Environment) -> Self {
        Self { path, environment, text, faults: RefCell::default() }
    }

    /// The document; nothing (and a fault for each place) where it is not TOML.
    pub(super) fn parse(&self) -> Option<Spanned<DeTable<'s>>> {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        let mut last = None;
        for error in &errors {
            let line = error.span().map(|span| self.line(span.start));
            // what comes after the first fault of a line is mostly its consequence
            if line.is_none() || line != last {
                let cause = format!("this is not TOML: {}", error.message());
                self.add(line, None, Problem::new(cause, "correct the line; https://toml.io describes the format"));
            }
            last = line;
        }
        errors.is_empty().then_some(document)
    }

    /// Relative paths in the file begin here.
    pub(super) fn folder(&self) -> &'s Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    pub(super) fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().get(..at).unwrap_or(self.text.as_bytes());
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }

    pub(super) fn add(&self, line: Option<usize>, key: Option<String>, problem: Problem) {
        let Problem { cause, remedy } = problem;
        self.faults.borrow_mut().push(Fault { file: self.path.display().to_string(), line, key, cause, remedy });
    }

    pub(super) fn is_sound(&self) -> bool {
        self.faults.borrow().is_empty()
    }

    /// The faults, in the order of the file; what is missing in it comes last.
    pub(super) fn into_faults(self) -> Vec<Fault> {
        let mut faults = self.faults.into_inner();
        faults.sort_by_key(|fault| (fault.line.is_none(), fault.line));
        faults
    }
}

/// One table of a file.
pub(super) struct Table<'t> {
    pub(super) source: &'t Source<'t>,
    /// The dotted path; empty at the top.
    path: String,
    line: Option<usize>,
    entries: &'t DeTable<'t>,
    known: RefCell<Vec<&'static str>>,
}

impl<'t> Table<'t> {
    pub(super) fn root(source: &'t Source<'t>, document: &'t Spanned<DeTable<'t>>) -> Self {
        Self { source, path: String::new(), line: None, entries: document.get_ref(), known: RefCell::default() }
    }

    /// Whether the key is there; it counts as known from now on.
    pub(super) fn has(&self, key: &'static str) -> bool {
        self.value(key).is_some()
    }

    /// Whether something stands there that was most likely meant to be this key.
    pub(super) fn has_nearly(&self, key: &str) -> bool {
        self.entries().any(|(other, _)| is_nearly(other, key))
    }

    /// Where the key stands.
    pub(super) fn line_of(&self, key: &str) -> Option<usize> {
        self.entries.get_key_value(key).map(|(key, _)| self.source.line(key.span().start))
    }

    /// Whether the key's value is one of these words.
    pub(super) fn is(&self, key: &str, words: &[&str]) -> bool {
        let word = self.entries.get(key).and_then(|value| value.get_ref().as_str());
        word.is_some_and(|word| words.contains(&word))
    }

    /// Every key with its value, for tables whose keys are free.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&'t str, &'t Spanned<DeValue<'t>>)> {
        self.entries.iter().map(|(key, value)| (key.get_ref().as_ref(), value))
    }

    /// Records a fault at this key; at the table where the key is absent.
    pub(super) fn fault(&self, key: &str, problem: Problem) {
        self.source.add(self.line_of(key).or(self.line), Some(self.dotted(key)), problem);
    }

    /// Each of these keys must be there.
    pub(super) fn require(&self, keys: &[&'static str]) {
        for key in keys {
            if !self.has(key) {
                self.fault(key, Problem::new("it is missing", format!("add `{key}`")));
            }
        }
    }

    /// A key that a later version will read. Its presence is a fault: nothing is ignored in silence.
    pub(super) fn not_yet(&self, key: &'static str, remedy: &str) {
        if self.value(key).is_some() {
            self.fault(key, Problem::new("not supported yet", remedy));
        }
    }

    /// Every key that nothing has asked for is a fault.
    pub(super) fn finish(self) {
        let known = self.known.borrow();
        for (key, _) in self.entries().filter(|(key, _)| !known.contains(key)) {
            self.fault(key, Problem::unknown_key(key, known.iter().copied()));
        }
    }

    pub(super) fn string(&self, key: &'static str) -> Option<&'t str> {
        match self.value(key)? {
            DeValue::String(text) if text.trim().is_empty() => {
                self.fault(key, Problem::new("it is empty", "write a value, or remove the key"));
                None
            }
            DeValue::String(text) => Some(text),
            other => self.wrong(key, "a string", other),
        }
    }

    /// A string that `read` turns into something better.
    pub(super) fn parsed<T>(&self, key: &'static str, read: impl FnOnce(&str) -> Result<T, Problem>) -> Option<T> {
        read(self.string(key)?).map_err(|problem| self.fault(key, problem)).ok()
    }

    /// One of a few words; `later` are those that a later version will know.
    pub(super) fn choice<T: Copy>(&self, key: &'static str, known: &[(&str, T)], later: &[&str]) -> Option<T> {
        self.parsed(key, |text| {
            let found = known.iter().find(|(word, _)| *word == text);
            found.map(|(_, meaning)| *meaning).ok_or_else(|| {
                let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
                if later.contains(&text) {
                    Problem::new(format!("not supported yet: `{text}`"), format!("write {}", one_of(&words)))
                } else {
                    Problem::unknown_word(text, &words)
                }
            })
        })
    }

    pub(super) fn flag(&self, key: &'static str) -> Option<bool> {
        match self.value(key)? {
            DeValue::Boolean(flag) => Some(*flag),
            other => self.wrong(key, "true or false", other),
        }
    }

    /// A whole number within `range`; `unit` is for the message.
    pub(super) fn number(&self, key: &'static str, range: RangeInclusive<u64>, unit: &str) -> Option<u64> {
        let value = self.value(key)?;
        let DeValue::Integer(integer) = value else { return self.wrong(key, "a whole number", value) };
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|n| range.contains(n));
        if number.is_none() {
            let cause = format!("it must be from {} to {} {unit}", range.start(), range.end());
            self.fault(key, Problem::new(cause, "write a number within these bounds, or remove the key"));
        }
        number
    }

    pub(super) fn strings(&self, key: &'static str) -> Option<Vec<&'t str>> {
        let value = self.value(key)?;
        let texts = value.as_array().and_then(|array| array.iter().map(|item| item.get_ref().as_str()).collect());
        texts.or_else(|| self.wrong(key, "a list of strings", value))
    }

    pub(super) fn table(&self, key: &'static str) -> Option<Self> {
        match self.value(key)? {
            DeValue::Table(entries) => Some(self.below(self.dotted(key), &self.entries[key], entries)),
            other => self.wrong(key, "a table", other),
        }
    }

    /// The entries of a table whose keys are free.
    pub(super) fn entries_of(&self, key: &'static str) -> Option<&'t DeTable<'t>> {
        match self.value(key)? {
            DeValue::Table(entries) => Some(entries),
            other => self.wrong(key, "a table", other),
        }
    }

    /// The elements of an array of tables, in order; none where it is absent.
    pub(super) fn tables(&self, key: &'static str) -> Vec<Self> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let Some(array) = value.as_array() else {
            self.wrong::<()>(key, "a list of tables", value);
            return Vec::new();
        };
        let mut tables = Vec::with_capacity(array.len());
        for (at, item) in array.iter().enumerate() {
            match item.get_ref() {
                DeValue::Table(entries) => {
                    tables.push(self.below(format!("{}[{at}]", self.dotted(key)), item, entries));
                }
                other => {
                    self.wrong::<()>(key, "a list of tables", other);
                }
            }
        }
        tables
    }

    /// The value of a key, which counts as known from now on.
    pub(super) fn value(&self, key: &'static str) -> Option<&'t DeValue<'t>> {
        self.known.borrow_mut().push(key);
        self.entries.get(key).map(Spanned::get_ref)
    }

    /// Records that the value is of the wrong type.
    pub(super) fn wrong<T>(&self, key: &str, expected: &str, found: &DeValue<'_>) -> Option<T> {
        let cause = format!("it must be {expected}, not {}", type_of(found));
        let remedy = match (expected, found) {
            ("a string", DeValue::Array(_)) if key == "scope" => {
                "write one string with spaces between, such as \"openid profile\"".into()
            }
            ("a string", DeValue::Array(_) | DeValue::Table(_)) => "write one string".into(),
            ("a string", _) => "write it in quotes".into(),
            _ => format!("write {expected}"),
        };
        self.fault(key, Problem::new(cause, remedy));
        None
    }

    fn below(&self, path: String, value: &'t Spanned<DeValue<'t>>, entries: &'t DeTable<'t>) -> Self {
        let line = Some(self.source.line(value.span().start));
        Self { source: self.source, path, line, entries, known: RefCell::default() }
    }

    fn dotted(&self, key: &str) -> String {
        let bare = key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        let key = if bare && !key.is_empty() { key.to_owned() } else { format!("{key:?}") };
        if self.path.is_empty() { key } else { format!("{}.{key}", self.path) }
    }
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or a time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
