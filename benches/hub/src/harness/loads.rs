//! One cell of a table: one server under one load.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::process::{Running, Server};
use crate::cpu::{self, ProcessClock};
use crate::load::report::{Report, microseconds};
use crate::serve::Mode;

/// What may be added to a load's own time before it counts as stuck.
const GRACE: Duration = Duration::from_secs(20);

/// The clients of one question.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub mode: Mode,
    pub connections: u32,
    pub size: u32,
}

/// How long a cell takes.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub warm_up: Duration,
    pub window: Duration,
}

/// The command of our own generator.
pub fn generator(binaries: &Path, load: Load, address: SocketAddr) -> Command {
    let mut command = Command::new(binaries.join("load"));
    command.arg(if load.mode == Mode::Http { "http" } else { "echo" });
    command.arg(address.to_string());
    command.args(["--connections", &load.connections.to_string()]);
    command.args(["--size", &load.size.to_string()]);
    command
}

/// Our own generator on one CPU.
///
/// # Errors
/// When the server answers wrongly, late or not at all.
pub fn own(
    binaries: &Path,
    load: Load,
    server: &Server,
    cpu: usize,
    times: Times,
) -> Result<Report, String> {
    let mut command = generator(binaries, load, server.address);
    command.args(["--server", &server.process.pid().to_string()]);
    command.args(["--milliseconds", &times.window.as_millis().to_string()]);
    command.args(["--warm-up", &times.warm_up.as_millis().to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let running = Running::start(&mut command, cpu).map_err(|error| error.to_string())?;
    let text = running.finish(times.warm_up + times.window + GRACE)?;
    Report::parse(&text).ok_or_else(|| format!("load said {text:?}"))
}

/// wrk for whole seconds, connecting included.
///
/// # Errors
/// When it failed or counted errors.
pub fn wrk(connections: u32, server: &Server, cpu: usize, seconds: u64) -> Result<Report, String> {
    let clock = ProcessClock::of(server.process.pid()).map_err(|error| error.to_string())?;
    let mut command = Command::new("wrk");
    command.args(["-t1", "--latency"]);
    command.args([format!("-c{connections}"), format!("-d{seconds}s")]);
    command.arg(format!("http://{}/", server.address));
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let before = clock.now().map_err(|error| error.to_string())?;
    let running = Running::start(&mut command, cpu).map_err(|error| error.to_string())?;
    let text = running.finish(Duration::from_secs(seconds) + GRACE)?;
    let after = clock.now().map_err(|error| error.to_string())?;
    let report = parse_wrk(&text).ok_or_else(|| format!("wrk said {text:?}"))?;
    Ok(Report { server_us: microseconds(after - before), ..report })
}

fn parse_wrk(text: &str) -> Option<Report> {
    if text.contains("Socket errors") || text.contains("Non-2xx") {
        return None;
    }
    let after = |word: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(word))?;
        line.split_whitespace().nth(1).and_then(in_microseconds)
    };
    let total = text.lines().find(|line| line.contains(" requests in "))?;
    let words: Vec<&str> = total.split_whitespace().collect();
    Some(Report {
        requests: words.first()?.parse().ok()?,
        seconds: in_microseconds(words.get(3)?.trim_end_matches(','))? / 1e6,
        p50_us: after("50%")?,
        p99_us: after("99%")?,
        own_us: 0.0,
        server_us: 0.0,
    })
}

fn in_microseconds(text: &str) -> Option<f64> {
    let units = [("us", 1.0), ("ms", 1e3), ("s", 1e6), ("m", 60e6)];
    units
        .iter()
        .find_map(|(unit, scale)| Some(text.strip_suffix(unit)?.parse::<f64>().ok()? * scale))
}

/// What idle connections cost a server.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    pub before: u64,
    pub with: u64,
    pub connections: u32,
    /// Processor time per second of doing nothing.
    pub busy: f64,
}

impl Idle {
    pub fn bytes_each(&self) -> f64 {
        self.with.saturating_sub(self.before) as f64 / f64::from(self.connections)
    }
}

/// Holds connections that were answered once.
///
/// # Errors
/// When the server does not take so many.
pub fn idle(
    binaries: &Path,
    connections: u32,
    server: &Server,
    cpu: usize,
) -> Result<Idle, String> {
    const SETTLE: Duration = Duration::from_millis(250);
    let io = |error: std::io::Error| error.to_string();
    let pid = server.process.pid();
    let clock = ProcessClock::of(pid).map_err(io)?;
    let load = |connections| Load { mode: Mode::Echo, connections, size: 64 };

    // The first connections touch what is there once per process.
    held(generator(binaries, load(8), server.address), cpu, |_| Ok(()))?;
    thread::sleep(SETTLE / 5);
    let before = cpu::resident_bytes(pid).map_err(io)?;
    held(generator(binaries, load(connections), server.address), cpu, |_| {
        thread::sleep(SETTLE);
        let began = clock.now().map_err(io)?;
        thread::sleep(SETTLE);
        let busy = (clock.now().map_err(io)? - began).as_secs_f64() / SETTLE.as_secs_f64();
        let with = cpu::resident_bytes(pid).map_err(io)?;
        Ok(Idle { before, with, connections, busy })
    })
}

fn held<T>(
    mut command: Command,
    cpu: usize,
    meanwhile: impl FnOnce(&mut Running) -> Result<T, String>,
) -> Result<T, String> {
    command.arg("--idle").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = Running::start(&mut command, cpu).map_err(|error| error.to_string())?;
    running.line(GRACE * 3)?;
    let answer = meanwhile(&mut running)?;
    running.go_on()?;
    running.finish(GRACE)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_wrk_are_read() {
        let text = "Running 1s test @ http://127.0.0.1:1/\n  1 threads and 50 connections\n  \
            Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency   255.62us   97.00us\n  \
            Latency Distribution\n     50%  244.00us\n     75%  289.00us\n     99%    1.20ms\n  \
            184463 requests in 1.10s, 13.72MB read\nRequests/sec: 167715.42\n";
        let report = parse_wrk(text).expect("a report");
        assert_eq!((report.requests, report.seconds), (184_463, 1.1));
        assert_eq!((report.p50_us, report.p99_us), (244.0, 1200.0));
        assert_eq!(parse_wrk(&format!("{text}Non-2xx or 3xx responses: 1\n")), None);
    }
}
