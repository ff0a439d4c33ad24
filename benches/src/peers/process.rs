//! Peers in other languages: one process per language that times its own loops.
//!
//! It is asked `what size laps` in one line and answers nanoseconds, or `no` when the question is not
//! for it. It sits on the same CPU; while it measures, this process waits for its answer.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use crate::measure::Case;

/// A running peer; clones ask the same process.
#[derive(Clone)]
pub struct Process {
    name: &'static str,
    pipes: Rc<RefCell<Pipes>>,
}

struct Pipes {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Drop for Pipes {
    fn drop(&mut self) {
        // The end of its input ends the process.
        drop(self.questions.take());
        let _ = self.child.wait();
    }
}

impl Process {
    /// Starts a peer that answers `version`.
    ///
    /// # Errors
    /// When it does not.
    pub fn start(name: &'static str, command: &mut Command) -> Result<Process, String> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("not installed ({error})"))?;
        let questions = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("its output is piped"));
        let pipes = Rc::new(RefCell::new(Pipes { child, questions, answers }));
        let process = Process { name, pipes };
        match process.ask("version") {
            Some(_) => Ok(process),
            None => Err("not installed".into()),
        }
    }

    /// The versions it reports.
    pub fn version(&self) -> String {
        self.ask("version").unwrap_or_default()
    }

    /// The loop for this question, if the peer has one.
    pub fn case(&self, what: &str, size: usize, per_lap: usize) -> Option<Case> {
        let question = format!("{what} {size}");
        self.ask(&format!("{question} 1"))?.parse::<u64>().ok()?;
        let process = self.clone();
        Some(Case::new(self.name, per_lap, move |laps| {
            let answer = process.ask(&format!("{question} {laps}"));
            let answer = answer.and_then(|ns| ns.parse().ok());
            Duration::from_nanos(answer.expect("a peer that answered once answers again"))
        }))
    }

    /// One line for another, in the peer's own words.
    pub fn ask(&self, question: &str) -> Option<String> {
        let pipes = &mut *self.pipes.borrow_mut();
        writeln!(pipes.questions.as_mut()?, "{question}").ok()?;
        let mut answer = String::new();
        pipes.answers.read_line(&mut answer).ok()?;
        let answer = answer.trim();
        (!answer.is_empty()).then(|| answer.to_owned())
    }
}

/// The interpreter of `GREENLET_BENCH_PYTHON`, of `benches/.venv`, or `python3`.
pub fn python_path() -> PathBuf {
    let named = std::env::var_os("GREENLET_BENCH_PYTHON").map(PathBuf::from);
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    named.or(Some(own).filter(|python| python.exists())).unwrap_or_else(|| "python3".into())
}

/// Python's greenlet, by [`python_path`].
///
/// # Errors
/// Why there is none.
pub fn python() -> Result<Process, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/peer.py");
    Process::start("python greenlet", Command::new(python_path()).arg(script))
        .map_err(|_| "no greenlet (scripts/bench-venv.sh installs it)".into())
}

/// Builds one Go source, once per version of it.
///
/// # Errors
/// Why it is not built.
pub fn build_go(source: &Path, binary: &Path) -> Result<(), String> {
    let modified = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    if modified(binary) < modified(source) {
        let built = Command::new("go").arg("build").arg("-o").arg(binary).arg(source).output();
        let built = built.map_err(|error| format!("not installed ({error})"))?;
        if !built.status.success() {
            return Err(format!("go build: {}", String::from_utf8_lossy(&built.stderr).trim()));
        }
    }
    Ok(())
}

/// The loops in Go.
///
/// # Errors
/// Why there are none.
pub fn go() -> Result<Process, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("go/main.go");
    let binary = Path::new(env!("OUT_DIR")).join("bench-go-peer");
    build_go(&source, &binary)?;
    Process::start("go", Command::new(binary).env("GOMAXPROCS", "1"))
}
