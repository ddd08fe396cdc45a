//! A client with a stock library: a program of `tests/e2e/clients/`, which prints what it saw as one line of JSON.

use std::{
    io::Read,
    process::{Child, Command, Stdio},
    thread,
};

use serde_json::Value;

use crate::end_of;

pub(crate) struct Program(Child);

impl Program {
    pub(crate) fn start(name: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/clients/run"));
        command.arg(name).args(arguments).env("NO_PROXY", "localhost");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// What it saw. It must be about to end, and end well.
    pub(crate) fn saw(mut self) -> Value {
        let status = end_of(&mut self.0).expect("the client ends within 15 s of the decision");
        let mut line = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut line).unwrap();
        assert!(status.success(), "the client ended with {status}: {line}");
        serde_json::from_str(&line).unwrap_or_else(|fault| panic!("{fault}: {line}"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        if thread::panicking() {
            let mut complaint = String::new();
            let _ = self.0.stderr.take().unwrap().read_to_string(&mut complaint);
            eprintln!("--- the client printed:\n{complaint}---");
        }
    }
}
