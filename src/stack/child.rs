//! Runs one test of this binary again, alone in a child process: for what ends the process or changes it.

use std::process::{Command, Output};

const MARK: &str = "GREENLET_STACK_TEST_CHILD";

/// In the child, `None`. In the parent: what became of a child that ran only the test called `name`.
pub(super) fn run(name: &str, variables: &[(&str, &str)]) -> Option<Output> {
    if std::env::var_os(MARK).is_some() {
        return None;
    }
    let this = std::env::current_exe().unwrap();
    let direct = child(Command::new(&this), name, variables).output();
    // Under an emulator that the kernel does not know, the way in is that of cargo's runner.
    let output = direct.or_else(|error| {
        let runner = format!(
            "CARGO_TARGET_{}_UNKNOWN_LINUX_GNU_RUNNER",
            std::env::consts::ARCH.to_uppercase()
        );
        let Ok(runner) = std::env::var(runner) else { return Err(error) };
        let mut words = runner.split_whitespace();
        let mut command = Command::new(words.next().unwrap());
        command.args(words).arg(&this);
        child(command, name, variables).output()
    });
    Some(output.unwrap())
}

fn child(mut command: Command, name: &str, variables: &[(&str, &str)]) -> Command {
    command.args([name, "--exact", "--include-ignored", "--nocapture", "--test-threads=1"]);
    command.env(MARK, "1").env_remove("GREENLET_GUARD").envs(variables.iter().copied());
    command
}

/// The child must have run its test to the end.
pub(super) fn assert_passed(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{:?}\n{text}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}
