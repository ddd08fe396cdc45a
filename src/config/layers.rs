//! `config.toml` by figment: defaults, then the file, then the environment, then flags. figment says what a key's value is
//! and which layer it came from; every key is taken out on its own, so that all faults come out at once. The file is also
//! parsed with spans, for lines and for keys that nothing reads.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use figment::{
    Figment, Metadata, Profile, Provider,
    util::nest,
    value::{Dict, Map, Value},
};
use toml::de::{DeTable, DeValue};

use super::{
    Overrides,
    environment::{Environment, NotUnicode},
    fault::{Fault, Problem},
    table::Source,
};

/// What holds where nobody says otherwise.
const DEFAULTS: &str = r#"
listen = "127.0.0.1:8080"
public_url = "http://localhost:8080"
path_prefix = ""
realms = "realms"
state = "state"
log = "info"
log_format = "auto"
"#;

/// Every key of `config.toml`.
const KEYS: [&str; 15] = [
    "listen",
    "public_url",
    "path_prefix",
    "realms",
    "state",
    "log",
    "log_format",
    "trusted_proxies",
    "tls.certificate",
    "tls.private_key",
    "tls.client_certificates",
    "management.listen",
    "outbound.ca_certificates",
    "outbound.private_networks",
    "outbound.proxy",
];

const PREFIX: &str = "REALMGATE_";
/// Read by `realmgate ciba`.
const OF_THE_CLIENT: &str = "REALMGATE_CLIENT_SECRET";

/// The layers, and what was found to be wrong with them.
pub(super) struct Layers {
    figment: Figment,
    file: PathBuf,
    /// Whether the file could be read at all.
    is_read: bool,
    /// Where each key and table of the file stands.
    lines: BTreeMap<String, usize>,
    pub(super) faults: Vec<Fault>,
    pub(super) warnings: Vec<String>,
}

impl Layers {
    pub(super) fn new(file: &Path, overrides: &Overrides, environment: &Environment) -> Self {
        let mut layers = Self {
            figment: Figment::new(),
            file: file.to_owned(),
            is_read: false,
            lines: BTreeMap::new(),
            faults: Vec::new(),
            warnings: Vec::new(),
        };
        layers.merge(FILE, toml_dict(DEFAULTS));
        layers.merge_file();
        layers.merge_environment(environment);
        let flags = Value::serialize(overrides).ok().and_then(Value::into_dict).unwrap_or_default();
        layers.merge(FLAGS, flags);
        layers
    }

    fn merge(&mut self, name: &'static str, values: Dict) {
        self.figment = std::mem::take(&mut self.figment).merge(Layer { name, values });
    }

    fn merge_file(&mut self) {
        let text = match fs::read_to_string(&self.file) {
            Ok(text) => text,
            Err(error) => {
                let cause = format!("it cannot be read: {error}");
                let remedy = "write one (the shipped config.toml explains every key), or name another with --config";
                return self.add(None, None, Problem::new(cause, remedy));
            }
        };
        let (file, no_variables) = (self.file.clone(), Environment::none());
        let source = Source::new(&file, &text, &no_variables);
        if let Some(document) = source.parse() {
            self.lines(&source, "", document.get_ref());
            self.merge(FILE, toml_dict(&text));
            self.is_read = true;
        }
        self.faults.extend(source.into_faults());
    }

    /// Remembers the lines, and refuses keys that nothing reads.
    fn lines<'t>(&mut self, source: &Source<'_>, above: &str, table: &'t DeTable<'t>) {
        for (key, value) in table {
            let dotted = format!("{above}{}", key.get_ref());
            let line = source.line(key.span().start);
            let section = format!("{dotted}.");
            let is_section = KEYS.iter().any(|known| known.starts_with(&section));
            match value.get_ref() {
                DeValue::Table(entries) if is_section => self.lines(source, &section, entries),
                _ if is_section => {
                    self.add(
                        Some(line),
                        Some(dotted.clone()),
                        Problem::new("it must be a table", format!("write [{dotted}]")),
                    );
                }
                _ if KEYS.contains(&dotted.as_str()) => {}
                _ => {
                    let here = KEYS.into_iter().filter_map(|known| known.strip_prefix(above)?.split('.').next());
                    let problem = Problem::unknown_key(key.get_ref(), here);
                    self.add(Some(line), Some(dotted.escape_debug().to_string()), problem);
                }
            }
            self.lines.insert(dotted, line);
        }
    }

    /// `REALMGATE_TLS__CERTIFICATE` is `tls.certificate`. A text is taken as it is: no guessing that one is a number.
    fn merge_environment(&mut self, environment: &Environment) {
        for name in environment.names(PREFIX).filter(|name| *name != OF_THE_CLIENT) {
            let Some(key) = KEYS.into_iter().find(|key| variable(key) == name) else {
                self.warnings
                    .push(format!("the environment variable {name} is ignored: it names no key of config.toml"));
                continue;
            };
            match environment.get(name) {
                Some(Ok(text)) => {
                    let values = nest(key, Value::from(text)).into_dict().unwrap_or_default();
                    self.merge(ENVIRONMENT, values);
                }
                Some(Err(NotUnicode)) | None => {
                    let problem = Problem::new("it is not UTF-8", "set it to a text");
                    self.push(ENVIRONMENT, None, Some(name.to_owned()), problem);
                }
            }
        }
    }

    pub(super) const fn is_read(&self) -> bool {
        self.is_read
    }

    /// Whether somebody wrote the section, in whichever layer.
    pub(super) fn has_section(&self, section: &str) -> bool {
        self.lines.contains_key(section) || self.figment.contains(section)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.figment.contains(key)
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        match self.figment.find_value(key).ok()? {
            Value::String(_, text) => Some(text),
            other => {
                let remedy = match other.to_i128() {
                    Some(port) if key.ends_with("listen") => format!("write \"127.0.0.1:{port}\""),
                    _ => "write it in quotes".into(),
                };
                self.fault(key, Problem::new("it must be a string", remedy));
                None
            }
        }
    }

    /// A text that `read` turns into something better.
    pub(super) fn parsed<T>(&mut self, key: &str, read: impl FnOnce(&str) -> Result<T, Problem>) -> Option<T> {
        read(&self.text(key)?).map_err(|problem| self.fault(key, problem)).ok()
    }

    /// A list of texts; in the environment it is written as in TOML.
    pub(super) fn list(&mut self, key: &str) -> Vec<String> {
        let list = match self.figment.find_value(key) {
            Err(_) => Some(Vec::new()),
            Ok(Value::String(_, text)) if self.origin(key) == Origin::Environment => toml_list(&text),
            Ok(value) => value.deserialize().ok(),
        };
        list.unwrap_or_else(|| {
            self.fault(key, Problem::new("it must be a list of strings", "write such as [\"one\", \"two\"]"));
            Vec::new()
        })
    }

    /// In the file (and by default) relative to the file's folder, elsewhere to the working directory.
    pub(super) fn path(&mut self, key: &str) -> Option<PathBuf> {
        let text = self.text(key)?;
        if text.is_empty() {
            self.fault(key, Problem::new("it is empty", "write a path"));
            return None;
        }
        Some(self.resolved(key, &text))
    }

    pub(super) fn resolved(&self, key: &str, path: &str) -> PathBuf {
        match self.origin(key) {
            Origin::File => self.file.parent().unwrap_or(Path::new("")).join(path),
            Origin::Environment | Origin::CommandLine => path.into(),
        }
    }

    /// Records a fault where the value came from.
    pub(super) fn fault(&mut self, key: &str, problem: Problem) {
        match self.origin(key) {
            Origin::File => {
                let section = key.split('.').next().unwrap_or(key);
                let line = self.lines.get(key).or_else(|| self.lines.get(section)).copied();
                self.add(line, Some(key.to_owned()), problem);
            }
            Origin::Environment => self.push(ENVIRONMENT, None, Some(variable(key)), problem),
            Origin::CommandLine => {
                self.push(FLAGS, None, Some(format!("--{}", key.replace('_', "-"))), problem);
            }
        }
    }

    fn add(&mut self, line: Option<usize>, key: Option<String>, problem: Problem) {
        let file = self.file.display().to_string();
        self.push(&file, line, key, problem);
    }

    fn push(&mut self, file: &str, line: Option<usize>, key: Option<String>, problem: Problem) {
        let Problem { cause, remedy } = problem;
        self.faults.push(Fault { file: file.to_owned(), line, key, cause, remedy });
    }

    fn origin(&self, key: &str) -> Origin {
        match self.figment.find_metadata(key).map(|metadata| metadata.name.as_ref()) {
            Some(ENVIRONMENT) => Origin::Environment,
            Some(FLAGS) => Origin::CommandLine,
            _ => Origin::File,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// And the defaults, which stand for what the file does not say.
    File,
    Environment,
    CommandLine,
}

const FILE: &str = "file";
const ENVIRONMENT: &str = "environment";
const FLAGS: &str = "command line";

/// Values with the name of the layer that they came from.
struct Layer {
    name: &'static str,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

/// The variable that sets a key.
fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase().replace('.', "__"))
}

/// A sound TOML document. Not figment's own reader: that is of an older TOML, and names no lines.
fn toml_dict(text: &str) -> Dict {
    let table = toml::from_str::<toml::Table>(text).ok();
    table.and_then(|table| Value::serialize(table).ok()).and_then(Value::into_dict).unwrap_or_default()
}

fn toml_list(text: &str) -> Option<Vec<String>> {
    let value = DeValue::parse(text).ok()?;
    value.get_ref().as_array()?.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect()
}
