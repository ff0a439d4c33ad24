//! Servers of the hub beside their peers: one command, one table per question.
//!
//! ```text
//! cargo build --release --example echo --example httpd          # ours; left out when missing
//! cargo build --release -p greenlet-hub-benches                 # the peers and the load
//! cargo run --release -p greenlet-hub-benches --bin hub         # all, about 12 minutes
//! cargo run --release -p greenlet-hub-benches --bin hub -- --quick             # below 90 seconds
//! cargo run --release -p greenlet-hub-benches --bin hub -- --filter shared     # some questions
//! cargo run --release -p greenlet-hub-benches --bin hub -- --servers tokio,greenlet
//! ```
//!
//! Every server is a child process on the first CPU that this process may use; the load is one thread
//! on the second one (`echo/shared`: on the same one). Per question all servers are started, asked once
//! per round in turns, and ended. The server's processor time is read from its CPU clock at both ends of
//! a window, which begins after a warm-up. In `wrk` rows the window is the whole run of wrk.
//!
//! Our rows are the examples `echo` and `httpd` of the crate under `GREENLET_HUB=uring` and `=epoll`;
//! `--examples` names another folder for them. Go (`go`), gevent (`scripts/bench-venv.sh`), wrk, and perf or
//! strace are used where they are installed. All sockets are on loopback. Children end with this process.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser;
use greenlet_benches::machine;
use greenlet_hub_benches::cpu::raise_file_limit;
use greenlet_hub_benches::harness::counting::Counter;
use greenlet_hub_benches::harness::loads::Times;
use greenlet_hub_benches::harness::process::is_installed;
use greenlet_hub_benches::harness::questions::{self, IDLE, Question, Setting};
use greenlet_hub_benches::harness::servers;

/// The same servers on every peer: one table per question, with ratios and marks.
#[derive(Parser)]
struct Options {
    /// Below 90 seconds: fewer and shorter rounds, one round of wrk with 50 connections
    #[arg(long)]
    quick: bool,
    /// Only questions whose name (as echo/shared/64) contains this
    #[arg(long, value_name = "SUBSTRING")]
    filter: Option<String>,
    /// Only servers whose name contains one of these (the floor is always asked)
    #[arg(long, value_name = "SUBSTRINGS", value_delimiter = ',')]
    servers: Vec<String>,
    /// Rounds per question
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
    rounds: Option<u16>,
    /// Rounds per question of wrk, a second each
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000))]
    wrk_rounds: Option<u16>,
    /// Length of a window
    #[arg(long, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    milliseconds: Option<u64>,
    /// Folder of the crate's built examples (default: beside this program)
    #[arg(long, value_name = "FOLDER")]
    examples: Option<PathBuf>,
}

const LEGEND: &str = "\
CPU us/request: processor time of the server process per answered request, median of the rounds and its
interval (95 %). x floor, hub / it: medians of the ratios of each round; below 1 ours is cheaper. <-- behind:
that peer is cheaper than our uring hub (median above 1); <-- epoll behind: our epoll hub is above 1.10 of
tokio or 1.00 of may. Below a peer: the upper end of the interval is below 1. Not above: the lower end is not.
load busy: CPU of the load; near 100 % it is the load that bounds requests/s.
Handlers: one 4 KiB buffer per connection (floor: provided buffers, raw epoll: one for all), TCP_NODELAY;
HTTP heads parsed by httparse, in go by net/http, in gevent by hand. monoio and compio: SINGLE_ISSUER and
DEFER_TASKRUN. tokio, may, go: one worker. Resident memory does not hold the kernel's socket buffers.";

fn main() {
    let options = Options::parse();
    let began = Instant::now();
    let program = std::env::current_exe().expect("this program has a path");
    let binaries = program.parent().expect("and lies in a folder").to_owned();
    let examples = options.examples.clone().unwrap_or_else(|| binaries.join("examples"));
    let setting = setting(&options, binaries);

    println!("kernel   {}", kernel());
    let load_cpu = setting.load_cpu.map_or("none".into(), |cpu| format!("CPU {cpu}"));
    println!("CPUs     servers on CPU {}, load on {load_cpu}", setting.server_cpu);
    println!(
        "rounds   {} of {:?}, wrk {}",
        setting.rounds, setting.times.window, setting.wrk_rounds
    );
    if cfg!(debug_assertions) {
        println!("WARNING  not a release build: the figures mean nothing");
    }

    let wanted =
        |name: &str| options.servers.is_empty() || options.servers.iter().any(|s| name.contains(s));
    let found = servers::find(&setting.binaries, &examples, wanted);
    for (name, why) in &found.missing {
        println!("missing  {name}: {why}");
    }
    let filter = options.filter.as_deref().unwrap_or("");
    let questions: Vec<Question> =
        questions::all().into_iter().filter(|question| question.name.contains(filter)).collect();
    if questions.is_empty() {
        let names: Vec<String> = questions::all().into_iter().map(|q| q.name).collect();
        eprintln!("hub: no question contains {filter:?}; there are {}", names.join(", "));
        std::process::exit(2);
    }
    for question in &questions {
        println!("\n{}: {}", question.name, question.text);
        match question.answer(&setting, &found.candidates) {
            Ok(table) => print!("{table}"),
            Err(why) => println!("  not asked: {why}"),
        }
    }
    println!("\n{LEGEND}\n{:.0} s", began.elapsed().as_secs_f64());
}

fn setting(options: &Options, binaries: PathBuf) -> Setting {
    let cpus = machine::allowed_cpus();
    let files = raise_file_limit();
    let (rounds, wrk_rounds, window, warm_up) =
        if options.quick { (3, 1, 60, 15) } else { (15, 5, 150, 50) };
    let window = options.milliseconds.unwrap_or(window);
    Setting {
        binaries,
        server_cpu: cpus[0],
        load_cpu: cpus.get(1).copied(),
        rounds: options.rounds.map_or(rounds, usize::from),
        wrk_rounds: options.wrk_rounds.map_or(wrk_rounds, usize::from),
        all_of_wrk: !options.quick,
        has_wrk: is_installed("wrk", &["-v"]),
        times: Times {
            warm_up: Duration::from_millis(warm_up),
            window: Duration::from_millis(window),
        },
        counter: Counter::find(),
        idle: IDLE.min(files.saturating_sub(200) as u32),
    }
}

fn kernel() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().next().unwrap_or_default().to_owned();
    format!("{} {}, load {load}", release.trim(), std::env::consts::ARCH)
}
