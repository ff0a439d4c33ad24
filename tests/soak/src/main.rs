//! Long runs: nothing is lost or mixed up, nothing grows, and failing system calls are survived.
//!
//! ```text
//! cargo run --release -p greenlet-soak -- all                 # reduced: about a minute
//! cargo run --release -p greenlet-soak -- all --full          # about half an hour
//! cargo run --release -p greenlet-soak -- connections --full
//! ```
//!
//! Each run prints a line of figures, and the program fails when one of them is not as it must be.

mod bar;
mod connections;
mod failures;
mod forks;
mod growth;
mod probe;
#[path = "../../support/random.rs"]
mod random;
mod reuse;
mod spawns;
mod threads;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Long runs of greenlet on this machine's kernel.
#[derive(Parser)]
struct Arguments {
    /// In the size that a release needs; otherwise reduced.
    #[arg(long, global = true)]
    full: bool,
    #[command(subcommand)]
    run: Run,
}

#[derive(Subcommand, Clone, Copy)]
enum Run {
    /// Everything below, one after the other
    All,
    /// 10,000 connections for ten minutes, blocks of random sizes with checksums, two processes
    Connections,
    /// 1,000,000 connections that come and go, whose descriptors' numbers are reused; no cross-talk
    Reuse,
    /// 10,000,000 greenlets spawned and finished, with flat memory
    Spawns,
    /// 10,000 threads that end with 100 parked greenlets each
    Threads,
    /// 10,000 forks while data flows
    Forks,
    /// Each system call of a small program fails once, the first, the second, ... time it is made
    Failures,
    /// The program whose system calls fail
    #[command(hide = true)]
    Probe,
    /// The clients of `connections`
    #[command(hide = true)]
    Clients { port: u16, connections: u64, seconds: u64 },
}

/// What a run says in the end, or what was not as it must be.
type Outcome = Result<String, String>;

/// A check that ends a run.
macro_rules! must {
    ($holds:expr, $($text:tt)+) => {
        if !$holds {
            return Err(format!($($text)+));
        }
    };
}
use must;

fn main() -> ExitCode {
    let Arguments { full, run } = Arguments::parse();
    let size = |reduced, in_full| if full { in_full } else { reduced };
    let runs: [(&str, &dyn Fn() -> Outcome); 6] = [
        ("spawns", &|| spawns::run(size(300_000, 10_000_000))),
        ("threads", &|| threads::run(size(300, 10_000))),
        ("forks", &|| forks::run(size(200, 10_000))),
        ("reuse", &|| reuse::run(size(20_000, 1_000_000))),
        ("connections", &|| connections::run(size(500, 10_000), size(5, 600))),
        ("failures", &|| failures::run(size(12, u64::MAX))),
    ];
    let wanted = match run {
        Run::Probe => return probe::run(),
        Run::Clients { port, connections, seconds } => {
            return connections::clients(port, connections, seconds);
        }
        Run::All => "",
        Run::Connections => "connections",
        Run::Reuse => "reuse",
        Run::Spawns => "spawns",
        Run::Threads => "threads",
        Run::Forks => "forks",
        Run::Failures => "failures",
    };
    let mut failed = false;
    for (name, run) in runs.into_iter().filter(|(name, _)| wanted.is_empty() || *name == wanted) {
        match run() {
            Ok(figures) => println!("{name}: ok: {figures}"),
            Err(what) => {
                println!("{name}: FAILED: {what}");
                failed = true;
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
