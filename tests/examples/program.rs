//! Runs an example as a process of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// For whatever is waited for: long, because the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A server, which is killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    lines: Arc<Mutex<Vec<String>>>,
    /// Takes its output until that ends.
    reader: Option<thread::JoinHandle<()>>,
}

impl Server {
    /// Starts an example on a free port of this machine.
    pub(crate) fn start(name: &str, more: &[&str]) -> Server {
        Server::run(command(name).arg("127.0.0.1:0").args(more))
    }

    /// As [`Server::start`], with at most so many open files.
    pub(crate) fn start_with_files(name: &str, files: u32) -> Server {
        Server::run(limited(name, files).arg("127.0.0.1:0"))
    }

    fn run(command: &mut Command) -> Server {
        Server::run_where(command, |line| line.strip_prefix("listening on ")?.parse().ok())
    }

    /// As [`Server::start`], of a program that says in another way where it listens.
    pub(crate) fn run_where(
        command: &mut Command,
        address: impl Fn(&str) -> Option<SocketAddr>,
    ) -> Server {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the example starts");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let mut first = String::new();
        output.read_line(&mut first).expect("text");
        let Some(address) = address(first.trim()) else {
            panic!("{first:?}, status {:?}", child.wait())
        };
        let lines = Arc::new(Mutex::new(Vec::new()));
        let reader = Some(thread::spawn({
            let lines = lines.clone();
            move || {
                for line in output.lines().map_while(Result::ok) {
                    lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
            }
        }));
        Server { child, address, lines, reader }
    }

    /// What it has said after its first line.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it has ended by itself, and well, and all of its output is here.
    #[track_caller]
    pub(crate) fn ends_well(&mut self) {
        let began = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is ours") {
                break status;
            }
            assert!(began.elapsed() < PATIENCE, "it goes on: {:#?}", self.lines());
            thread::sleep(Duration::from_millis(5));
        };
        assert!(status.success(), "{status}");
        self.reader.take().expect("asked once").join().expect("no panic");
    }

    /// Waits until standard output has a line with this text.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) {
        let began = Instant::now();
        loop {
            let lines = self.lines();
            if lines.iter().any(|line| line.contains(text)) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{text:?} is not in {lines:#?}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(Some(status)) = self.child.try_wait() {
            eprintln!("the example had ended by itself: {status}");
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Standard output, of a program that ends well.
#[track_caller]
pub(crate) fn output(command: &mut Command) -> String {
    let output = command.output().expect("the example starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{text}\n{errors}", output.status);
    text
}

/// A command that runs an example.
pub(crate) fn command(name: &str) -> Command {
    let path = path(name);
    match runner() {
        None => Command::new(path),
        Some(runner) => {
            let mut words = runner.split_whitespace();
            let mut command = Command::new(words.next().unwrap_or_default());
            command.args(words).arg(path);
            command
        }
    }
}

/// As [`command`], where at most so many files may be open.
pub(crate) fn limited(name: &str, files: u32) -> Command {
    let plain = command(name);
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("ulimit -n {files} && exec \"$0\" \"$@\""));
    command.arg(plain.get_program()).args(plain.get_args());
    command
}

/// What runs programs of another architecture, as this one was run.
fn runner() -> Option<String> {
    let arch = std::env::consts::ARCH.to_uppercase();
    let runner = std::env::var(format!("CARGO_TARGET_{arch}_UNKNOWN_LINUX_GNU_RUNNER")).ok()?;
    runner.contains("qemu").then_some(runner)
}

/// Beside this test's own program: `target/PROFILE/deps/examples-1234` and `../examples/NAME`. Where
/// only tests were built, all examples are built now.
fn path(name: &str) -> PathBuf {
    static BUILDING: Mutex<()> = Mutex::new(());
    let this = std::env::current_exe().expect("the path of this test");
    let folder = this.parent().and_then(|deps| deps.parent()).expect("target/PROFILE/deps");
    let path = folder.join("examples").join(name);
    let _alone = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    if path.exists() {
        return path;
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--examples"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    let mut target = folder.parent().expect("target or target/TRIPLE");
    if let Some(triple) = target.file_name().and_then(|name| name.to_str())
        && triple.contains("-linux-")
    {
        cargo.args(["--target", triple]);
        target = target.parent().expect("target");
    }
    let status = cargo.arg("--target-dir").arg(target).status().expect("cargo");
    assert!(status.success() && path.exists(), "cannot build {}: {status}", path.display());
    path
}
