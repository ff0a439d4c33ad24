//! Runs `scripts/gdb-walk.sh` on this executable: gdb's own walks, at every instruction of the entry.

use std::process::Command;

/// What the script answers where gdb is missing or may not trace.
const SKIPPED: i32 = 77;

#[test]
fn gdb_walks_at_every_instruction() {
    let emulated = cfg!(target_arch = "aarch64") && std::env::var_os("QEMU_LD_PREFIX").is_some();
    if emulated || std::env::consts::ARCH != host() {
        eprintln!("skipped: gdb does not trace what an emulator runs");
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/gdb-walk.sh");
    let this = std::env::current_exe().unwrap();
    let output = Command::new("sh").arg(script).arg(this).output().unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    if output.status.code() == Some(SKIPPED) {
        eprintln!("{text}");
        return;
    }
    assert!(output.status.success(), "{:?}\n{text}", output.status);
}

/// The architecture that the kernel says it has; an emulator of programs passes that on or not.
fn host() -> String {
    let name = Command::new("uname").arg("-m").output().map(|output| output.stdout);
    String::from_utf8_lossy(&name.unwrap_or_default()).trim().to_owned()
}
