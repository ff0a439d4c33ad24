//! Each system call of a small program (`probe.rs`) fails once: the first time it is made, the
//! second, and so on. The program must go on as if nothing had happened, or end with an error that
//! says what is missing; it never hangs, crashes or lies.
//!
//! strace(1) does it: `-e inject=mmap:error=ENOMEM:when=7`.

use crate::bar::Bar;
use crate::probe::{MARK, TOLD};
use crate::{Outcome, must};
use std::fs;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// A system call, the errors it gives, and the hub with which it is made.
struct Case {
    call: &'static str,
    errors: &'static [&'static str],
    hub: &'static str,
    /// Must the program go on as if nothing had happened?
    unharmed: bool,
}

const fn case(call: &'static str, errors: &'static [&'static str], hub: &'static str) -> Case {
    Case { call, errors, hub, unharmed: false }
}

const fn unharmed(call: &'static str, errors: &'static [&'static str], hub: &'static str) -> Case {
    Case { call, errors, hub, unharmed: true }
}

const CASES: &[Case] = &[
    case("mmap", &["ENOMEM"], "uring"),
    case("mmap", &["ENOMEM"], "epoll"),
    unharmed("madvise", &["EINVAL", "ENOMEM"], "uring"),
    unharmed("process_madvise", &["EINVAL", "ENOSYS", "EPERM"], "uring"),
    unharmed("munmap", &["ENOMEM"], "uring"),
    case("mprotect", &["ENOMEM"], "epoll"),
    unharmed("io_uring_setup", &["ENOMEM", "EPERM", "ENOSYS", "EMFILE"], "best"),
    case("io_uring_setup", &["ENOMEM", "EPERM"], "uring"),
    unharmed("close", &["EINTR"], "uring"),
    unharmed("io_uring_enter", &["EINTR", "EBUSY", "EAGAIN"], "uring"),
    unharmed("io_uring_register", &["ENOMEM", "EINVAL"], "best"),
    case("io_uring_register", &["ENOMEM", "EINVAL"], "uring"),
    case("epoll_create1", &["EMFILE", "ENOMEM"], "epoll"),
    case("epoll_ctl", &["ENOMEM", "ENOSPC"], "epoll"),
    unharmed("epoll_wait", &["EINTR"], "epoll"),
    unharmed("epoll_pwait", &["EINTR"], "epoll"),
    unharmed("epoll_pwait2", &["EINTR"], "epoll"),
    unharmed("poll", &["EINTR"], "poll"),
    unharmed("ppoll", &["EINTR"], "poll"),
    unharmed("select", &["EINTR"], "select"),
    unharmed("pselect6", &["EINTR"], "select"),
    unharmed("accept4", &["EINTR"], "epoll"),
    case("accept4", &["ECONNABORTED", "EMFILE", "ENFILE"], "epoll"),
    unharmed("recvfrom", &["EINTR"], "epoll"),
    unharmed("sendto", &["EINTR"], "epoll"),
    case("sendto", &["ENOBUFS"], "epoll"),
    case("connect", &["EADDRNOTAVAIL"], "epoll"),
    case("socket", &["EMFILE"], "uring"),
    case("socketpair", &["EMFILE"], "uring"),
    case("eventfd2", &["EMFILE"], "epoll"),
    case("eventfd2", &["EMFILE"], "uring"),
    case("clone3", &["EAGAIN"], "uring"),
    unharmed("write", &["EINTR"], "epoll"),
    case("sigaltstack", &["ENOMEM"], "epoll"),
    case("fcntl", &["EINVAL"], "epoll"),
];

/// A run that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// At most so many calls of each kind fail, one in each run.
pub(crate) fn run(most: u64) -> Outcome {
    let strace = Command::new("strace").arg("--version").stdout(Stdio::null()).status();
    must!(strace.is_ok_and(|status| status.success()), "strace is missing: apt-get install strace");
    let bar = Bar::new("failures", CASES.iter().map(|case| case.errors.len() as u64).sum());
    let (mut runs, mut told, mut steps) = (0, 0, 0);
    for case in CASES {
        let (before, calls) = calls(case)?;
        for error in case.errors {
            for number in (1..=calls).take(most as usize) {
                let what = format!("{} ({} hub), call {number}: {error}", case.call, case.hub);
                bar.say(what.clone());
                let inject = format!("inject={}:error={error}:when={}", case.call, before + number);
                let end = traced(case, &["-e", &inject])?;
                runs += 1;
                match end.judged() {
                    Judged::Unharmed => {}
                    Judged::Told if !case.unharmed => told += 1,
                    _ => return Err(format!("{what}: {end:?}")),
                }
            }
            steps += 1;
            bar.at(steps);
        }
    }
    Ok(format!("{runs} runs, {} unharmed, {told} ended with an error that says so", runs - told))
}

/// How often the program makes the call: before its own work begins, and in it.
fn calls(case: &Case) -> Result<(u32, u32), String> {
    let log = std::env::temp_dir().join(format!("greenlet-soak-{}.trace", std::process::id()));
    let log = log.to_str().expect("a path in UTF-8");
    let trace = format!("trace={},{MARK}", case.call);
    let end = traced(case, &["-e", &trace, "-o", log])?;
    must!(matches!(end.judged(), Judged::Unharmed), "the program fails by itself: {end:?}");
    let text = fs::read_to_string(log).map_err(|error| error.to_string())?;
    let _ = fs::remove_file(log); // of the system's temporary folder
    let call = format!("{}(", case.call);
    let (mut before, mut after, mut marked) = (0, 0, false);
    for line in text.lines() {
        if line.contains(MARK) {
            marked = true;
        } else if line.contains(&call) {
            *if marked { &mut after } else { &mut before } += 1;
        }
    }
    must!(marked, "the program has not begun: {text}");
    Ok((before, after))
}

/// How the program ended.
#[derive(Debug)]
struct End {
    status: Option<i32>,
    output: String,
}

enum Judged {
    Unharmed,
    /// By an error that says what went wrong.
    Told,
    Bad,
}

impl End {
    fn judged(&self) -> Judged {
        match self.status {
            Some(0) => Judged::Unharmed,
            Some(status) if status == i32::from(TOLD) && self.output.contains("told: ") => {
                Judged::Told
            }
            // The standard library's way to say that there is no memory for a box or a vector.
            _ if self.output.contains("memory allocation of") => Judged::Told,
            _ => Judged::Bad,
        }
    }
}

fn traced(case: &Case, options: &[&str]) -> Result<End, String> {
    let failed = |error: std::io::Error| error.to_string();
    let program = std::env::current_exe().map_err(failed)?;
    let mut command = Command::new("strace");
    command.args(["-qq", "-f"]).args(options);
    if !options.iter().any(|option| option.starts_with("trace=")) {
        command.args(["-o", "/dev/null"]);
    }
    command.arg(program).arg("probe").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    if case.hub != "best" {
        command.env("GREENLET_HUB", case.hub);
    }
    let mut child = command.process_group(0).spawn().map_err(failed)?;
    let until = Instant::now() + LIMIT;
    let status = loop {
        match child.try_wait().map_err(failed)? {
            Some(status) => break status.code(),
            None if Instant::now() >= until => {
                // SAFETY: a group of our own making, whose first process we have not waited for.
                unsafe { libc::kill(-(child.id() as libc::pid_t), libc::SIGKILL) };
                let _ = child.wait();
                break None;
            }
            None => thread::sleep(Duration::from_millis(1)),
        }
    };
    let mut output = String::new();
    child.stdout.take().map(|mut out| out.read_to_string(&mut output));
    child.stderr.take().map(|mut err| err.read_to_string(&mut output));
    Ok(End { status, output })
}
