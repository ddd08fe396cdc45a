//! What was measured, beside its bar: a table for people, and every round as a line of JSON in `target/bench/rounds.jsonl`.

use std::{
    fs::File,
    io::{Write, stdout},
    path::Path,
    time::Duration,
};

use serde_json::json;

use super::{
    Result, assertion,
    held::{self, HeldPolls},
    load::{Round, quantile},
    ping::{self, Pings},
    run::Rounds,
};

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

    /// Held polls: bytes, and how soon after the decision they are answered.
    pub(crate) fn held(&self, control: &HeldPolls, gateway: Option<&HeldPolls>) -> Result<()> {
        let kilobytes = |polls: &HeldPolls| polls.memory / 1e3;
        self.note(&format!("memory for each of {} held polls: control {:.1} kB", held::HELD, kilobytes(control)))?;
        if let Some(gateway) = gateway {
            let each = kilobytes(gateway);
            self.note(&format!("  gateway {each:.1} kB; {}", at_most(each, 25.0, " kB")))?;
        }
        self.note(&format!(
            "decision to a held poll's answer: control {}",
            self.times("held", "control", &control.woken)?
        ))?;
        let Some(gateway) = gateway else { return Ok(()) };
        let times = self.times("held", "gateway", &gateway.woken)?;
        self.note(&format!("  gateway {times}; {}", at_most(quantile(&gateway.woken, 0.99), 50.0, " ms")))
    }

    pub(crate) fn too_few_files(&self, limit: usize) -> Result<()> {
        self.note(&format!(
            "held polls: left out; {} open files are needed, and the limit is {limit} (ulimit -Hn)",
            held::OPEN_FILES
        ))
    }

    pub(crate) fn ping(&self, pings: &Pings) -> Result<()> {
        let (rate, dead, of) = (ping::RATE, ping::DEAD, ping::CLIENTS);
        self.note(&format!("approval to ping, {rate} approvals a second, {dead} of {of} endpoints dead:"))?;
        let times = self.times("ping", "gateway", &pings.took)?;
        let met = match pings.missed {
            0 => at_most(quantile(&pings.took, 0.99), 100.0, " ms"),
            missed => format!("{missed} never came: not met"),
        };
        self.note(&format!("  gateway {times}; {met}"))
    }

    fn times(&self, what: &str, server: &str, sorted: &[Duration]) -> Result<String> {
        let [p50, p99, longest] = [0.5, 0.99, 1.0].map(|q| quantile(sorted, q));
        let line = json!({ "what": what, "server": server, "count": sorted.len(), "p50_ms": p50, "p99_ms": p99, "longest_ms": longest });
        writeln!(&self.rounds, "{line}")?;
        Ok(format!("p50 {p50:.1} ms, p99 {p99:.1} ms, longest {longest:.1} ms"))
    }

    /// A poll with an assertion, beside a poll with a secret and one verification.
    pub(crate) fn assertion(&mut self, rounds: &assertion::Rounds) -> Result<()> {
        self.header(rounds.form.len())?;
        let form = self.line("form", "control", &rounds.form)?;
        let verify = self.line("form, one ES256", "control", &rounds.verify)?;
        if rounds.signed.is_empty() {
            return Ok(());
        }
        let poll = self.line("poll with a secret", "gateway", &rounds.poll)?;
        let signed = self.line("the same, signed", "gateway", &rounds.signed)?;
        let verification = verify - form;
        let bar = verification.mul_add(1.5, poll);
        let met = if signed <= bar { "met" } else { "not met" };
        self.note(&format!(
            "{:<20} one verification {verification:.1} µs; {signed:.1} µs, at most {poll:.1} + 1.5 x {verification:.1} = {bar:.1} µs: {met}", ""
        ))
    }

    /// The ratio is that of the processor times, which is that of the rates where both use their core up.
    pub(crate) fn load(&mut self, what: &str, rounds: &Rounds, at_least: f64) -> Result<()> {
        self.header(rounds.control.len())?;
        let control = self.line(what, "control", &rounds.control)?;
        if rounds.gateway.is_empty() {
            return Ok(());
        }
        let gateway = self.line("", "gateway", &rounds.gateway)?;
        let ratio = control / gateway;
        let met = if ratio >= at_least { "met" } else { "not met" };
        self.note(&format!("{:<20} ratio {ratio:.2}; at least {at_least:.2}: {met}", ""))
    }

    /// Of the table, once.
    fn header(&mut self, rounds: usize) -> Result<()> {
        if self.has_header {
            return Ok(());
        }
        self.has_header = true;
        self.note(&format!(
            "{:<20} {:<8} {:>8} {:>8} {:>6} {:>8} {:>8}  medians of {rounds} rounds",
            "", "", "per s", "CPU µs", "busy", "p50 ms", "p99 ms",
        ))
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
