//! Everything else in this binary, once more for each thing that a kernel may lack, and on epoll: the
//! fallbacks do the same. Each round is a process of its own.

use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

/// The names that `GREENLET_DISABLE` knows, and some of them together.
const MASKS: &[&str] = &[
    "uring",
    "single_issuer",
    "defer_taskrun",
    "single_issuer,defer_taskrun,coop_taskrun",
    "submit_all,no_sqarray,registered_ring,no_iowait,ext_arg",
    "multishot_accept",
    "buffer_ring",
    "poll_first",
    "sync_msg_ring",
    "accept",
    "connect",
    "recv",
    "send",
    "recvmsg",
    "sendmsg",
    "read,write",
    "accept,connect,recv,send,recvmsg,sendmsg,read,write,poll_first,buffer_ring",
];

/// Shows which round this is, to those who look at the processes.
const ROUND: &str = "GREENLET_MASKED_ROUND";

#[test]
fn all_tests_pass_without_each_of_the_kernels_gifts() {
    if std::env::var_os(ROUND).is_some() || std::env::var_os("GREENLET_DISABLE").is_some() {
        return;
    }
    let left = Mutex::new(MASKS.iter());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let mask = left.lock().unwrap().next();
                    let Some(mask) = mask else { return };
                    round(mask);
                }
            });
        }
    });
}

fn round(mask: &str) {
    let this = std::env::current_exe().unwrap();
    let mut child = Command::new(this);
    // The hub is left open, as most have it: io_uring here, unless it is that which is masked.
    child.env_remove("GREENLET_HUB").env("GREENLET_DISABLE", mask).env(ROUND, mask);
    child.env("GREENLET_STORM", "2000").args(["--test-threads=4", "-q"]);
    let output = child.stdin(Stdio::null()).output().unwrap();
    assert!(
        output.status.success(),
        "without {mask}: {:?}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
