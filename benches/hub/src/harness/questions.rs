//! What is asked, and how the servers take turns.

use std::path::PathBuf;
use std::time::Duration;

use super::counting::Counter;
use super::loads::{self, Load, Times};
use super::process::Server;
use super::servers::Candidate;
use super::table::{self, Bars, Peers};
use crate::load::report::Report;
use crate::serve::Mode;
use crate::stats::Median;

/// Connections of the memory question, unless fewer files may be open.
pub const IDLE: u32 = 10_000;

/// One table.
pub struct Question {
    pub name: String,
    pub text: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Own { load: Load, shared: bool, bars: Option<Bars> },
    Wrk { connections: u32, bars: Option<Bars> },
    Idle,
    Calls { load: Load },
}

/// Everything that is asked.
pub fn all() -> Vec<Question> {
    let echo = |connections, size| Load { mode: Mode::Echo, connections, size };
    let http = |connections| Load { mode: Mode::Http, connections, size: 64 };
    let mut all = Vec::new();
    let mut add = |name: String, text, kind| all.push(Question { name, text, kind });
    for size in [64, 4096] {
        // Every request wakes the server where the load shares its CPU: the cleanest figure.
        let bars = (size == 64).then_some(Bars { floor: 1.12, peers: Some(Peers::Below) });
        let kind = Kind::Own { load: echo(100, size), shared: true, bars };
        add(format!("echo/shared/{size}"), "100 connections, server and load on one CPU", kind);
    }
    for connections in [1, 50, 500] {
        for size in [64, 4096] {
            let kind = Kind::Own { load: echo(connections, size), shared: false, bars: None };
            add(format!("echo/c{connections}/{size}"), "server on one CPU, load on another", kind);
        }
    }
    for connections in [50, 500] {
        let bars = Some(Bars { floor: 1.15, peers: None });
        let kind = Kind::Own { load: http(connections), shared: false, bars };
        add(format!("http/c{connections}"), "keep-alive hello, our own load on another CPU", kind);
    }
    for connections in [50, 500] {
        let bars = Some(Bars { floor: 1.15, peers: Some(Peers::NotAbove) });
        let kind = Kind::Wrk { connections, bars };
        add(format!("wrk/c{connections}"), "keep-alive hello, wrk on another CPU", kind);
    }
    add(
        format!("calls/c{}", 50),
        "system calls per 64-byte echo",
        Kind::Calls { load: echo(50, 64) },
    );
    add(
        format!("idle/{IDLE}"),
        "memory of idle connections, one echo each behind them",
        Kind::Idle,
    );
    all
}

/// How, where and how long to measure.
pub struct Setting {
    pub binaries: PathBuf,
    pub server_cpu: usize,
    pub load_cpu: Option<usize>,
    pub rounds: usize,
    pub wrk_rounds: usize,
    pub has_wrk: bool,
    /// A second per server and round: too long for a quick look at more than one load.
    pub all_of_wrk: bool,
    pub times: Times,
    pub counter: Option<Counter>,
    pub idle: u32,
}

impl Question {
    fn mode(&self) -> Mode {
        match self.kind {
            Kind::Own { load, .. } | Kind::Calls { load } => load.mode,
            Kind::Wrk { .. } => Mode::Http,
            Kind::Idle => Mode::Echo,
        }
    }

    /// The table, or why there is none.
    ///
    /// # Errors
    /// What is missing on this machine.
    pub fn answer(&self, setting: &Setting, candidates: &[Candidate]) -> Result<String, String> {
        let shared = matches!(self.kind, Kind::Own { shared: true, .. });
        let cpu = if shared { Some(setting.server_cpu) } else { setting.load_cpu };
        let cpu = cpu.ok_or("this process may use one CPU only")?;
        match self.kind {
            Kind::Own { load, bars, .. } => {
                let rows = self.rounds(setting, candidates, setting.rounds, |server, times| {
                    loads::own(&setting.binaries, load, server, cpu, times)
                });
                Ok(table::of_loads(&rows, bars))
            }
            Kind::Wrk { connections, bars } => {
                if !setting.has_wrk {
                    return Err("wrk is not installed".into());
                }
                if !setting.all_of_wrk && connections != 50 {
                    return Err("--quick".into());
                }
                let rounds = setting.wrk_rounds;
                let rows = self.rounds(setting, candidates, rounds, |server, _| {
                    loads::wrk(connections, server, cpu, 1)
                });
                Ok(table::of_loads(&rows, bars))
            }
            Kind::Idle => {
                let rows = self.each(setting, candidates, |server| {
                    loads::idle(&setting.binaries, setting.idle, server, cpu)
                });
                Ok(table::of_idle(&rows))
            }
            Kind::Calls { load } => {
                let counter = setting.counter.ok_or("neither perf nor strace can count here")?;
                // Time enough for a thousand requests also under strace.
                let window = setting.times.window.max(Duration::from_millis(200));
                let rows = self.each(setting, candidates, |server| {
                    let count = |_| counter.count(&setting.binaries, load, server, cpu, window);
                    let counts: Result<Vec<f64>, String> =
                        (0..setting.rounds.div_ceil(5)).map(count).collect();
                    Median::of(counts?).map(|counts| counts.median).ok_or("no rounds".into())
                });
                Ok(table::of_calls(&rows, counter.name()))
            }
        }
    }

    fn start(&self, setting: &Setting, candidate: &Candidate) -> Option<Server> {
        let mode = self.mode();
        if !candidate.serves(mode) {
            return None;
        }
        let started = Server::start(setting.server_cpu, |address| candidate.command(mode, address));
        started.map_err(|why| self.complain(candidate, &why)).ok()
    }

    fn complain(&self, candidate: &Candidate, why: &str) {
        eprintln!("{}: {} is left out: {why}", self.name, candidate.name);
    }

    /// All servers at once, each asked once per round, beginning with another one in every round. One
    /// that fails twice loses its row.
    fn rounds(
        &self,
        setting: &Setting,
        candidates: &[Candidate],
        rounds: usize,
        ask: impl Fn(&Server, Times) -> Result<Report, String>,
    ) -> Vec<table::Row<Vec<Report>>> {
        let started = candidates.iter().map(|candidate| self.start(setting, candidate));
        let mut servers: Vec<Option<Server>> = started.collect();
        let mut reports = vec![Vec::with_capacity(rounds); candidates.len()];
        for round in 0..rounds {
            for step in 0..candidates.len() {
                let index = (round + step) % candidates.len();
                let Some(server) = &servers[index] else { continue };
                // One stall of a busy machine does not cost the row.
                let asked = ask(server, setting.times);
                match asked.or_else(|_| ask(server, setting.times)) {
                    Ok(report) => reports[index].push(report),
                    Err(why) => {
                        self.complain(&candidates[index], &why);
                        servers[index] = None;
                    }
                }
            }
        }
        let rows = candidates.iter().zip(servers).zip(reports);
        let alive = rows.filter(|((_, server), _)| server.is_some());
        alive.map(|((candidate, _), reports)| table::Row::new(candidate, reports)).collect()
    }

    /// One server after the other, each asked once.
    fn each<T>(
        &self,
        setting: &Setting,
        candidates: &[Candidate],
        ask: impl Fn(&Server) -> Result<T, String>,
    ) -> Vec<table::Row<T>> {
        let mut rows = Vec::new();
        for candidate in candidates {
            let Some(server) = self.start(setting, candidate) else { continue };
            match ask(&server) {
                Ok(answer) => rows.push(table::Row::new(candidate, answer)),
                Err(why) => self.complain(candidate, &why),
            }
        }
        rows
    }
}
