//! Tasks, timers and how tasks wait for one another, beside tokio, may, Go, gevent and threads: one table
//! per question.
//!
//! ```text
//! cargo run --release -p greenlet-hub-benches --bin tasks
//! cargo run --release -p greenlet-hub-benches --bin tasks -- --quick         # under a minute
//! ```
//!
//! Each peer is a process of its own on the last CPU that this process may use; they are asked in turns.
//! Figures are processor time: of the thread (tokio, gevent, ours), or of the process where others work,
//! too (may, Go, threads). Go and gevent are asked where they are installed.

use std::process::Command;
use std::time::{Duration, Instant};

use clap::Parser;
use greenlet_benches::machine;
use greenlet_benches::measure::Case;
use greenlet_benches::peers::{self, Process};
use greenlet_hub_benches::harness::text::{columns, figure, or_dash, spread};
use greenlet_hub_benches::stats::Median;
use greenlet_hub_benches::tasks::questions::{
    self, CROSSBEAM, GEVENT, GO, MAY, OURS, Question, STD, TOKIO,
};
use greenlet_hub_benches::tasks::{Loops, answer, may_tasks, threads, tokio_tasks};

/// Tasks, timers, queues, locks, events and pools on every peer: tables with ratios and bars.
#[derive(Parser)]
struct Options {
    /// Under a minute: shorter rounds, fewer rounds of what is long
    #[arg(long)]
    quick: bool,
    /// Only questions whose name (as spawn/1000) contains this
    #[arg(long, value_name = "SUBSTRING")]
    filter: Option<String>,
    /// Rounds per question
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: Option<u16>,
    /// Answer as this peer (the program starts itself so)
    #[arg(long, hide = true)]
    peer: Option<String>,
}

/// The peers in this program.
fn inside() -> Vec<(&'static str, Loops)> {
    vec![
        (TOKIO, tokio_tasks::loops as Loops),
        (MAY, may_tasks::loops),
        (STD, threads::std_loops),
        (CROSSBEAM, threads::crossbeam_loops),
        (OURS, greenlet_hub_benches::tasks::hub::loops),
    ]
}

fn main() {
    let options = Options::parse();
    if let Some(name) = &options.peer {
        let peers = inside();
        let (name, loops) = peers.iter().find(|(peer, _)| peer == name).expect("a peer's name");
        return answer(name, *loops);
    }
    let began = Instant::now();
    let cpu = machine::pin_to_last();
    println!("all on CPU {cpu}");
    if cfg!(debug_assertions) {
        println!("WARNING: not a release build, the figures mean nothing");
    }
    let peers = start();
    let filter = options.filter.as_deref().unwrap_or("");
    let sleeps = if options.quick { 20 } else { 100 };
    for question in questions::all(sleeps) {
        if question.name().contains(filter) {
            println!("\n{}: {}", question.name(), question.text);
            print!("{}", ask(&question, &peers, &options));
        }
    }
    println!(
        "\nns: processor time per operation, median of the rounds and its interval (95 %). ours / it: of the\n\
         ratios of each round; <-- behind: above the bar, or above 1 where there is none."
    );
    println!("{:.0} s", began.elapsed().as_secs_f64());
}

fn start() -> Vec<(&'static str, Process)> {
    let program = std::env::current_exe().expect("this program has a path");
    let itself =
        |name: &'static str| Process::start(name, Command::new(&program).args(["--peer", name]));
    let go = || {
        let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("go/tasks.go");
        let binary = program.with_file_name("tasks_go");
        peers::build_go(&source, &binary)?;
        Process::start(GO, Command::new(binary).env("GOMAXPROCS", "1"))
    };
    let gevent = || {
        let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("python/tasks.py");
        Process::start(GEVENT, Command::new(peers::python_path()).arg(script))
    };
    let mut started = Vec::new();
    let mut note = |name, process: Result<Process, String>| match process {
        Ok(process) => started.push((name, process)),
        Err(why) => println!("missing: {name}, {why}"),
    };
    note(GO, go());
    note(GEVENT, gevent());
    inside().into_iter().for_each(|(name, _)| note(name, itself(name)));
    started
}

struct Answered {
    name: &'static str,
    case: Case,
    laps: u64,
    ns: Vec<f64>,
    peak: Option<f64>,
}

fn ask(question: &Question, peers: &[(&'static str, Process)], options: &Options) -> String {
    let slice = Duration::from_millis(if options.quick { 2 } else { 10 });
    let rounds = if options.quick && question.laps.is_some() { 3 } else { 15 };
    let rounds = options.rounds.map_or(rounds, usize::from);
    let with = |(name, process): &(&'static str, Process)| {
        let mut case = process.case(question.what, question.size, question.size)?;
        // What a lap is done by is spawned before: at gevent that takes as long as many laps.
        let slice = if *name == GEVENT { 20 * slice } else { slice };
        let laps = question.laps.unwrap_or_else(|| case.laps_in(slice));
        Some(Answered { name, case, laps, ns: Vec::new(), peak: None })
    };
    let mut answered: Vec<Answered> = peers.iter().filter_map(with).collect();
    let count = answered.len();
    for round in 0..rounds {
        for step in 0..count {
            let peer = &mut answered[(round + step) % count];
            peer.ns.push(peer.case.ns(peer.laps));
        }
    }
    for peer in answered.iter_mut().filter(|_| question.what == "sleep") {
        let process = peers.iter().find(|(name, _)| *name == peer.name);
        let peak = process.and_then(|(_, process)| process.ask("peak 0 1"));
        peer.peak = peak.and_then(|bytes| bytes.parse().ok());
    }
    table(question, &answered)
}

fn table(question: &Question, answered: &[Answered]) -> String {
    const MIB: f64 = 1024.0 * 1024.0;
    let heads = ["peer", "ns", "ours / it", "bar", "peak MiB", ""];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    let ours = answered.iter().find(|peer| peer.name == OURS);
    for peer in answered {
        let ratio = ours.filter(|_| peer.name != OURS);
        let ratio = ratio.and_then(|ours| Median::of_ratios(&ours.ns, &peer.ns));
        let bar = question.bars.iter().find(|(name, _)| *name == peer.name).map(|(_, bar)| *bar);
        let behind = ratio.is_some_and(|ratio| ratio.median > bar.unwrap_or(1.0));
        rows.push(vec![
            peer.name.to_owned(),
            or_dash(Median::of(peer.ns.iter().copied()).as_ref().map(spread)),
            or_dash(ratio.as_ref().map(spread)),
            or_dash(bar.map(|bar| format!("<= {}", figure(bar)))),
            or_dash(peer.peak.map(|bytes| figure(bytes / MIB))),
            if behind { "<-- behind".into() } else { String::new() },
        ]);
    }
    columns(&rows)
}
