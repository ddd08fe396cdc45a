//! What was measured, beside its bar: a table for people, and every round as a line of JSON in `target/bench/rounds.jsonl`.

use std::{
    fs::File,
    io::{Write, stdout},
    path::Path,
};

use serde_json::json;

use super::{Result, load::Round, run::Rounds};

const MEGABYTE: f64 = 1e6;

pub(crate) struct Report {
    rounds: File,
    has_header: bool,
}

impl Report {
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        Ok(Self { rounds: File::create(folder.join("rounds.jsonl"))?, has_header: false })
    }

    pub(crate) fn note(&self, text: &str) -> Result<()> {
        Ok(writeln!(stdout(), "{text}")?)
    }

    /// Milliseconds from exec to the first answer; `bare` is the control without keys and without an outgoing client.
    pub(crate) fn start(&self, bare: f64, control: f64, gateway: f64) -> Result<()> {
        self.note(&format!("exec to first answer: control {control:.1} ms (bare {bare:.1} ms)"))?;
        if gateway.is_nan() {
            return Ok(());
        }
        let ratio = gateway / control;
        self.note(&format!("  gateway {gateway:.1} ms, {ratio:.2} times the control's; {}", at_most(ratio, 1.2, "")))
    }

    /// Bytes, ten seconds after the start.
    pub(crate) fn idle(&self, control: u64, gateway: Option<u64>) -> Result<()> {
        self.note(&format!("idle memory: control {:.1} MB", control as f64 / MEGABYTE))?;
        let Some(gateway) = gateway else { return Ok(()) };
        let gateway = gateway as f64 / MEGABYTE;
        self.note(&format!("  gateway {gateway:.1} MB; {}", at_most(gateway, 20.0, " MB")))
    }

    /// Bytes for each pending request.
    pub(crate) fn pending(&self, control: f64, gateway: Option<f64>) -> Result<()> {
        self.note(&format!("memory for each of 100,000 pending requests: control {control:.0} B"))?;
        let Some(gateway) = gateway else { return Ok(()) };
        self.note(&format!("  gateway {gateway:.0} B; {}", at_most(gateway, 2_000.0, " B")))
    }

    /// The ratio is that of the processor times, which is that of the rates where both use their core up.
    pub(crate) fn load(&mut self, what: &str, rounds: &Rounds, at_least: f64) -> Result<()> {
        if !self.has_header {
            self.note(&format!(
                "{:<20} {:<8} {:>8} {:>8} {:>6} {:>8} {:>8}  medians of {} rounds",
                "",
                "",
                "per s",
                "CPU µs",
                "busy",
                "p50 ms",
                "p99 ms",
                rounds.control.len()
            ))?;
            self.has_header = true;
        }
        let control = self.line(what, "control", &rounds.control)?;
        if rounds.gateway.is_empty() {
            return Ok(());
        }
        let gateway = self.line("", "gateway", &rounds.gateway)?;
        let ratio = control / gateway;
        let met = if ratio >= at_least { "met" } else { "not met" };
        self.note(&format!("{:<20} ratio {ratio:.2}; at least {at_least:.2}: {met}", ""))
    }

    /// One line of the table; the processor time that it shows.
    fn line(&mut self, what: &str, server: &str, rounds: &[Round]) -> Result<f64> {
        for Round { per_second, cpu, busy, p50, p99 } in rounds {
            let line = json!({
                "what": what, "server": server, "per_second": per_second, "cpu_us": cpu, "busy": busy, "p50_ms": p50, "p99_ms": p99,
            });
            writeln!(self.rounds, "{line}")?;
        }
        let middle = |value: fn(&Round) -> f64| median(&mut rounds.iter().map(value).collect::<Vec<_>>());
        let cpu = middle(|round| round.cpu);
        self.note(&format!(
            "{what:<20} {server:<8} {:>8.0} {cpu:>8.1} {:>4.0} % {:>8.2} {:>8.2}",
            middle(|round| round.per_second),
            middle(|round| round.busy) * 100.0,
            middle(|round| round.p50),
            middle(|round| round.p99),
        ))?;
        Ok(cpu)
    }
}

fn at_most(value: f64, bar: f64, unit: &str) -> String {
    format!("at most {bar}{unit}: {}", if value <= bar { "met" } else { "not met" })
}

/// Not a number where there are none.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
