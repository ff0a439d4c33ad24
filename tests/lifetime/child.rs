//! Runs a case in a child process: what must crash, and what is read from standard error.

use std::process::{Command, Output};

const CASE: &str = "GREENLET_LIFETIME_CASE";

/// Runs `case` in a new process of this test binary, in which only `test` runs; `test` is the path
/// of the test that calls this, as the harness names it.
pub(crate) fn in_child(test: &str, case: impl FnOnce()) -> Outcome {
    if std::env::var(CASE).is_ok_and(|wanted| wanted == test) {
        case();
        println!("case done");
        std::process::exit(0);
    }
    let program = std::env::current_exe().expect("the path of this binary");
    let mut child = Command::new(program);
    child.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(CASE, test);
    Outcome { output: child.output().expect("a child process") }
}

pub(crate) struct Outcome {
    output: Output,
}

impl Outcome {
    /// Standard error; the case must have run to its end.
    pub(crate) fn done(&self) -> String {
        let report = self.stderr();
        let printed = String::from_utf8_lossy(&self.output.stdout).into_owned();
        assert!(
            self.output.status.success() && printed.contains("case done"),
            "{}\n{}\n{}",
            self.output.status,
            tail(&printed),
            tail(&report)
        );
        report
    }

    /// Standard error; the case must have ended the process by `abort`.
    pub(crate) fn aborted(&self) -> String {
        use std::os::unix::process::ExitStatusExt;
        let report = self.stderr();
        assert_eq!(self.output.status.signal(), Some(SIGABRT), "{}\n{report}", self.output.status);
        report
    }

    fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }
}

const SIGABRT: i32 = 6;

/// The last lines.
fn tail(text: &str) -> &str {
    let start = text.len().saturating_sub(4_000);
    let start = (start..text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(start);
    &text[start..]
}
