//! Log lines: to standard error, as text on a terminal and as JSON elsewhere.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Starts logging; to be called once.
pub(super) fn start(config: &Config) {
    let terminal = std::io::stderr().is_terminal();
    let json = match config.log_format {
        LogFormat::Auto => !terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let filter = EnvFilter::try_new(&config.log).unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // colours are for people; whatever else reads the lines would have to take them out again
    let lines = if terminal { lines } else { lines.with_ansi(false) };
    // a second start, as in tests, keeps the first
    let _ = if json { lines.json().flatten_event(true).try_init() } else { lines.try_init() };
}
