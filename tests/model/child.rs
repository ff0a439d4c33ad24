//! Runs a test in a process of its own, so that an abort still tells which program it was, and so that the
//! crate's reports on standard error, which thousands of killed greenlets leave, do not bury the rest.

use std::fmt::Display;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

const CHILD: &str = "GREENLET_MODEL_CHILD";

/// Marks the lines that name the program about to run.
const MARK: &str = "program ";

/// Runs `body` in a child process that runs this very test.
///
/// # Panics
///
/// When the child fails, with what it said.
pub(crate) fn run(test: &str, body: impl FnOnce()) {
    if std::env::var_os(CHILD).is_some() {
        return body();
    }
    let child = Command::new(std::env::current_exe().expect("a test has a file"))
        .args([test, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    // Under an emulator the kernel cannot start the file by itself.
    let Ok(mut child) = child else { return body() };
    let (mut reports, mut last, mut said) = (0, String::from("no program"), String::new());
    let stderr = BufReader::new(child.stderr.take().expect("piped"));
    for line in stderr.lines().map(|line| line.expect("text")) {
        if line.starts_with("greenlet: ") {
            reports += 1;
        } else if line.starts_with(MARK) {
            last = line;
        } else {
            said = said + &line + "\n";
        }
    }
    // A few lines: they wait in the pipe.
    let output = child.wait_with_output().expect("our own child");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let status = output.status;
    assert!(status.success(), "{test} ended with {status}, it was at {last}\n{said}\n{stdout}");
    for line in stdout.lines().filter(|line| line.starts_with("crate: ")) {
        println!("{line} ({reports} reports on standard error)");
    }
}

/// Names the program that is about to run.
pub(crate) fn about_to_run(name: &dyn Display) {
    if std::env::var_os(CHILD).is_some() {
        eprintln!("{MARK}{name}");
    }
}
