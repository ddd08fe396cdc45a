//! The command line: one function per command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use realmgate::command;

/// OpenID CIBA in front of any OpenID Connect provider.
#[derive(Parser)]
#[command(name = "realmgate", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the gateway
    Serve(command::serve::Args),
    /// Run the gateway, a demo provider and demo people in one process, on loopback
    Demo(command::demo::Args),
    /// Read the whole configuration and print every fault
    Check(command::check::Args),
    /// A CIBA client for people and scripts
    Ciba(command::ciba::Args),
    /// Show step by step how a hint becomes a user
    Lookup(command::lookup::Args),
    /// Read a user code and print its Argon2id hash for a realm file
    Hash(command::hash::Args),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => command::serve::run(args),
        Command::Demo(args) => command::demo::run(args),
        Command::Check(args) => command::check::run(args),
        Command::Ciba(args) => command::ciba::run(args),
        Command::Lookup(args) => command::lookup::run(args),
        Command::Hash(args) => command::hash::run(args),
    }
}
