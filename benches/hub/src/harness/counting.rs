//! System calls per request, counted from outside: by perf where it may, else by strace, which slows the
//! server down and thereby makes its batches larger.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use super::loads::{Load, generator};
use super::process::{Running, Server, is_installed, scratch};

const EVENT: &str = "raw_syscalls:sys_enter";
const ATTACH: Duration = Duration::from_millis(250);
const LIMIT: Duration = Duration::from_secs(30);

/// A program that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    Perf,
    Strace,
}

impl Counter {
    /// The best one that works here.
    pub fn find() -> Option<Counter> {
        let counts = Command::new("perf").args(["stat", "-x,", "-e", EVENT, "--", "true"]).output();
        let answer = counts.map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
        if answer.is_ok_and(|text| perf_count(&text).is_some()) {
            return Some(Counter::Perf);
        }
        is_installed("strace", &["-V"]).then_some(Counter::Strace)
    }

    pub fn name(self) -> &'static str {
        match self {
            Counter::Perf => "perf",
            Counter::Strace => "strace",
        }
    }

    fn command(self, pid: u32) -> Command {
        let pid = pid.to_string();
        match self {
            Counter::Perf => {
                let mut command = Command::new("perf");
                command.args(["stat", "-x,", "-e", EVENT, "-p", &pid]);
                command
            }
            Counter::Strace => {
                let mut command = Command::new("strace");
                command.args(["-f", "-c", "-p", &pid]);
                command
            }
        }
    }

    /// System calls per request of this server under this load.
    ///
    /// # Errors
    /// When the load or the counter failed.
    pub fn count(
        self,
        binaries: &Path,
        load: Load,
        server: &Server,
        cpu: usize,
        window: Duration,
    ) -> Result<f64, String> {
        let mut clients = generator(binaries, load, server.address);
        clients.args(["--hold", "--warm-up", "0"]);
        clients.args(["--milliseconds", &window.as_millis().to_string()]);
        clients.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut clients = Running::start(&mut clients, cpu).map_err(|error| error.to_string())?;
        clients.line(LIMIT)?;

        let (path, file) = scratch("counter").map_err(|error| error.to_string())?;
        let mut counter = self.command(server.process.pid());
        counter.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        let counter = Running::start(&mut counter, cpu).map_err(|error| error.to_string())?;
        thread::sleep(ATTACH);
        clients.go_on()?;
        let line = clients.line(LIMIT)?;
        counter.interrupt();
        // Ended by the signal that asked for it: how it ended says nothing.
        let _ = counter.finish(LIMIT);
        clients.go_on()?;
        clients.finish(LIMIT)?;

        let text = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(&path);
        let asked =
            line.split_once("asked=").and_then(|(_, count)| count.trim().parse::<f64>().ok());
        let asked = asked.ok_or_else(|| format!("load said {line:?}"))?;
        let calls = match self {
            Counter::Perf => perf_count(&text),
            Counter::Strace => strace_count(&text),
        };
        Ok(calls.ok_or_else(|| format!("{} said {text:?}", self.name()))? / asked)
    }
}

fn perf_count(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.contains(EVENT))?;
    line.split(',').next()?.parse().ok()
}

fn strace_count(text: &str) -> Option<f64> {
    let line = text.lines().rfind(|line| line.trim_end().ends_with(" total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_both_counters_are_read() {
        let perf = "109,,raw_syscalls:sys_enter,1055918,100.00,,\n";
        assert_eq!(perf_count(perf), Some(109.0));
        assert_eq!(perf_count("<not supported>,,raw_syscalls:sys_enter,0,0,,\n"), None);
        let strace = "% time     seconds  usecs/call     calls    errors syscall\n\
            ------ ----------- ----------- --------- --------- ----------------\n \
            99.00    0.010000           1     12000         3 recvfrom\n\
            100.00    0.010000           1     12345         3 total\n";
        assert_eq!(strace_count(strace), Some(12345.0));
    }
}
