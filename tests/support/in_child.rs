//! Runs a piece of a test in a child process: for what ends the process, or must be alone in it.
//!
//! The child is this test binary again, with the name of the test and an environment variable that
//! names the case. There the piece runs, then the child exits with 0; everything the parent wants
//! to know it reads from the exit status and both outputs. A child that hangs dies of `SIGALRM`.
#![allow(dead_code, reason = "shared by several test binaries")]

use std::fmt;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

const CASE: &str = "GREENLET_CRASH_CASE";
const SECONDS_TO_LIVE: u32 = 600;

/// Held while a child begins. Until it is another program it has all that this process has open: what another
/// test closes meanwhile, or has just closed, is not closed for the kernel.
static A_CHILD_BEGINS: Mutex<()> = Mutex::new(());

/// Calls `look` while no child begins: who closed a socket before may count on it here that nobody listens there,
/// and that its address is free.
pub(crate) fn while_no_child_begins<R>(look: impl FnOnce() -> R) -> R {
    let _none = A_CHILD_BEGINS.lock().unwrap_or_else(PoisonError::into_inner);
    look()
}

/// The path of the test that this stands in, as libtest spells it.
macro_rules! this_test {
    () => {{
        fn here() {}
        let path = std::any::type_name_of_val(&here);
        let (_crate_name, path) = path.split_once("::").expect("a path in a crate");
        path.strip_suffix("::here").expect("a path to `here`")
    }};
}
pub(crate) use this_test;

/// A case: its name, which its body is given, too.
pub(crate) type Case<'a> = (&'a str, fn(&str));

/// Runs one body in a child; what became of it. The child does not return from here.
pub(crate) fn in_child(test: &str, body: fn()) -> Outcome {
    in_child_with(test, &[], body)
}

/// As [`in_child`], with environment variables.
pub(crate) fn in_child_with(test: &str, variables: &[(&str, &str)], body: fn()) -> Outcome {
    if std::env::var_os(CASE).is_some() {
        be_the_child(body);
    }
    run(test, "only", variables)
}

/// Runs each case in a child of its own and gives its name and outcome to `check`.
pub(crate) fn cases_in_children(test: &str, cases: &[Case<'_>], check: impl Fn(&str, Outcome)) {
    cases_in_children_with(test, &[], cases, check);
}

/// As [`cases_in_children`], with environment variables.
pub(crate) fn cases_in_children_with(
    test: &str,
    variables: &[(&str, &str)],
    cases: &[Case<'_>],
    check: impl Fn(&str, Outcome),
) {
    if let Ok(wanted) = std::env::var(CASE) {
        let &(name, body) = cases.iter().find(|(name, _)| *name == wanted).expect("a known case");
        be_the_child(|| body(name));
    }
    for (name, _) in cases {
        check(name, run(test, name, variables));
    }
}

/// Runs `body` in one child for each number, which it is given.
pub(crate) fn numbers_in_children(
    test: &str,
    numbers: impl Iterator<Item = u64>,
    body: fn(u64),
    check: impl Fn(Outcome),
) {
    if let Ok(number) = std::env::var(CASE) {
        be_the_child(|| body(number.parse().expect("a number")));
    }
    for number in numbers {
        check(run(test, &number.to_string(), &[]));
    }
}

fn be_the_child(body: impl FnOnce()) -> ! {
    // The process of an emulator would leave core files, too.
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is valid.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &none) };
    // SAFETY: `alarm` has no preconditions.
    unsafe { libc::alarm(SECONDS_TO_LIVE) };
    println!(); // libtest has begun a line
    body();
    let _ = std::io::stdout().flush();
    std::process::exit(0)
}

/// Tells the parent some numbers, under a name: see [`Outcome::numbers`].
pub(crate) fn tell(name: &str, numbers: &[usize]) {
    println!("tell {name} {}", numbers.iter().map(|n| n.to_string()).collect::<Vec<_>>().join(" "));
}

fn run(test: &str, case: &str, variables: &[(&str, &str)]) -> Outcome {
    let this = std::env::current_exe().expect("the path of this test binary");
    let direct = output(prepare(Command::new(&this), test, case, variables));
    // Under an emulator that the kernel does not know, the way in is that of cargo's runner.
    let output = direct.or_else(|error| {
        let Some(runner) = runner() else { return Err(error) };
        let mut words = runner.split_whitespace();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).arg(&this);
        output(prepare(command, test, case, variables))
    });
    let output = output.expect("this test binary runs again");
    Outcome {
        case: case.to_owned(),
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: without_the_emulators_word(&String::from_utf8_lossy(&output.stderr)),
    }
}

/// Runs a child to its end.
pub(crate) fn output(mut command: Command) -> std::io::Result<Output> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let begun = while_no_child_begins(|| -> std::io::Result<_> {
        let mut child = command.spawn()?;
        // That returns a little before the kernel has closed what the child had of ours. libtest says something before
        // it runs anything.
        let mut first = Vec::new();
        child.stdout.as_mut().expect("a pipe").take(1).read_to_end(&mut first)?;
        Ok((child, first))
    });
    let (child, first) = begun?;
    let mut output = child.wait_with_output()?;
    output.stdout.splice(..0, first);
    Ok(output)
}

/// qemu adds a line of its own when its guest dies of a signal.
fn without_the_emulators_word(text: &str) -> String {
    let own = |line: &&str| !line.starts_with("qemu: uncaught target signal");
    text.lines().filter(own).flat_map(|line| [line, "\n"]).collect()
}

fn prepare(mut command: Command, test: &str, case: &str, variables: &[(&str, &str)]) -> Command {
    command.args([test, "--exact", "--include-ignored", "--nocapture", "--test-threads=1"]);
    command.env_remove("GREENLET_GUARD").env_remove("RUST_BACKTRACE");
    command.env(CASE, case).envs(variables.iter().copied());
    if cfg!(panic = "abort") {
        // libtest would start one more process for the test, and tell us only what it thinks of
        // that one's status. This is how it tells its own child what to run.
        command.env("__RUST_TEST_INVOKE", test);
    }
    command
}

fn runner() -> Option<String> {
    let arch = std::env::consts::ARCH.to_uppercase();
    std::env::var(format!("CARGO_TARGET_{arch}_UNKNOWN_LINUX_GNU_RUNNER")).ok()
}

/// What became of a child.
pub(crate) struct Outcome {
    case: String,
    status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Everything on standard output.
    pub(crate) fn stdout(&self) -> &str {
        &self.stdout
    }

    /// The signal that it died of.
    pub(crate) fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// It was ended by this signal.
    #[track_caller]
    pub(crate) fn died_of(&self, signal: i32) -> &Outcome {
        assert_eq!(self.status.signal(), Some(signal), "{self}");
        self
    }

    /// It exited by itself with this code.
    #[track_caller]
    pub(crate) fn exited_with(&self, code: i32) -> &Outcome {
        assert_eq!(self.status.code(), Some(code), "{self}");
        self
    }

    /// Standard error has this text somewhere.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Outcome {
        assert!(self.stderr.contains(text), "standard error lacks {text:?}\n{self}");
        self
    }

    /// Standard error does not have this text.
    #[track_caller]
    pub(crate) fn does_not_say(&self, text: &str) -> &Outcome {
        assert!(!self.stderr.contains(text), "standard error has {text:?}\n{self}");
        self
    }

    /// Standard error is exactly these lines, in which `#` stands for any number; but for the one that
    /// tells that io_uring is refused where these tests run.
    #[track_caller]
    pub(crate) fn says_only(&self, lines: &[&str]) -> &Outcome {
        let of_the_machine = |line: &&str| line.starts_with("greenlet: io_uring refused");
        let said = self.stderr.lines().filter(|line| !of_the_machine(line));
        let said = said.map(without_numbers).collect::<Vec<_>>();
        let wanted = lines.iter().map(|line| without_numbers(line)).collect::<Vec<_>>();
        assert_eq!(said, wanted, "\n{self}");
        self
    }

    /// Standard error has exactly this line, in which `#` stands for any number.
    #[track_caller]
    pub(crate) fn says_line(&self, line: &str) -> &Outcome {
        let said = self.stderr.lines().any(|said| without_numbers(said) == without_numbers(line));
        assert!(said, "standard error lacks the line {line:?}\n{self}");
        self
    }

    /// What the child told under this name.
    #[track_caller]
    pub(crate) fn numbers(&self, name: &str) -> Vec<usize> {
        let prefix = format!("tell {name} ");
        let line = self.stdout.lines().find_map(|line| line.strip_prefix(&prefix));
        let Some(line) = line else { panic!("it did not tell {name}\n{self}") };
        line.split(' ').map(|word| word.parse().expect("a number")).collect()
    }

    /// Did the child reach the place where it told this?
    pub(crate) fn told(&self, name: &str) -> bool {
        self.stdout.lines().any(|line| line.starts_with(&format!("tell {name}")))
    }
}

/// `#` for every run of digits.
fn without_numbers(line: &str) -> String {
    let mut text = String::new();
    for character in line.chars() {
        match character.is_ascii_digit() || character == '#' {
            true if text.ends_with('#') => {}
            true => text.push('#'),
            false => text.push(character),
        }
    }
    text
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "case {}: {:?}\n--- standard output\n{}--- standard error\n{}---",
            self.case, self.status, self.stdout, self.stderr
        )
    }
}

/// Can a child die of a fault, and do we see the signal? Says so once where not: an emulator may
/// answer a guest's fault in a way of its own.
pub(crate) fn faults_are_seen(test: &str) -> bool {
    const PROBE: &str = "GREENLET_CRASH_PROBE";
    static SEEN: OnceLock<bool> = OnceLock::new();
    if std::env::var_os(PROBE).is_some() {
        // SAFETY: `raise` ends this child; it is all that it was started for.
        unsafe {
            libc::signal(libc::SIGSEGV, libc::SIG_DFL);
            std::ptr::without_provenance_mut::<u8>(8).write_volatile(1);
        }
    }
    if std::env::var_os(CASE).is_some() {
        return true; // the parent has asked already
    }
    *SEEN.get_or_init(|| {
        let seen = run(test, "probe", &[(PROBE, "1")]).status.signal() == Some(libc::SIGSEGV);
        if !seen {
            println!("skipped: here a fault does not end a child by SIGSEGV (an emulator?)");
        }
        seen
    })
}
