//! Closed-loop load on one server, as one line of figures.

use std::io::{BufRead, Write};
use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use greenlet_hub_benches::cpu::{ProcessClock, raise_file_limit};
use greenlet_hub_benches::load::clients::{Clients, Window};
use greenlet_hub_benches::load::traffic::Traffic;
use greenlet_hub_benches::serve::Mode;

/// N clients on one thread, each asking again when its answer has come and been compared.
#[derive(Parser)]
struct Options {
    /// What is sent: messages of --size bytes, or HTTP requests
    #[arg(value_parser = ["echo", "http"])]
    mode: String,
    /// The server's address and port
    address: SocketAddr,
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    connections: u32,
    /// Bytes of an echo (no more than a socket holds while nobody reads)
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    size: u32,
    /// Length of the measured window
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    milliseconds: u64,
    /// Time before the window
    #[arg(long, default_value_t = 100)]
    warm_up: u64,
    /// Process whose CPU time is read at both ends of the window
    #[arg(long, value_name = "PID")]
    server: Option<u32>,
    /// Say `ready` when connected, begin at a line of input, end at the next one
    #[arg(long)]
    hold: bool,
    /// Say `ready` when connected, send nothing more, end at a line of input
    #[arg(long)]
    idle: bool,
}

fn main() {
    if let Err(error) = run(&Options::parse()) {
        eprintln!("load: {error}");
        std::process::exit(1);
    }
}

fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    raise_file_limit();
    let mode = if options.mode == "http" { Mode::Http } else { Mode::Echo };
    let traffic = Traffic::new(mode, options.size as usize, &options.address.to_string());
    let mut clients = Clients::connect(options.address, options.connections as usize, traffic)?;
    if options.hold || options.idle {
        say("ready")?;
        wait_for_line()?;
    }
    if options.idle {
        return Ok(());
    }
    let window = Window {
        warm_up: Duration::from_millis(options.warm_up),
        length: Duration::from_millis(options.milliseconds),
        server: options.server.map(ProcessClock::of).transpose()?,
    };
    let report = clients.run(&window)?;
    if options.hold {
        say(&format!("{report} asked={}", clients.asked()))?;
        wait_for_line()?;
    } else {
        say(&report.to_string())?;
    }
    Ok(())
}

fn say(line: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

fn wait_for_line() -> std::io::Result<()> {
    std::io::stdin().lock().read_line(&mut String::new()).map(drop)
}
