//! `make bench`: the gateway beside a bare warp server that does the same calls, both on one core, loaded in turns from the
//! other one. What is measured and what limits it: docs/performance.md.
#![forbid(unsafe_code)]

mod assertion;
mod control;
mod flow;
mod held;
mod http1;
mod load;
mod ping;
mod process;
mod report;
mod run;
mod tokens;
mod world;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Any fault ends the bench, with its sentence.
type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Result<T> = std::result::Result<T, BoxError>;

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure both and print the table
    Run(run::Args),
    /// The bare warp server
    Control(control::Args),
}

#[expect(clippy::print_stderr, reason = "the command line's own output")]
fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Control(args) => control::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
