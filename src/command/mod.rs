//! One file per command of the command line. Each has its `Args` and a `run` that returns the exit code of the contract.

pub mod check;
pub mod ciba;
pub mod demo;
pub mod hash;
mod logging;
pub mod lookup;
pub mod serve;
mod start;
