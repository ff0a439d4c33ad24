//! Everything else in this binary, once more for each thing that a kernel may lack, and on epoll: the
//! fallbacks do the same. Each round is a process of its own. Only where io_uring runs and no other hub
//! is asked for: there they are run anyway.

use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use greenlet::HubKind;

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
    let settings = [ROUND, "GREENLET_DISABLE", "GREENLET_HUB"];
    if settings.iter().any(|setting| std::env::var_os(setting).is_some()) {
        return;
    }
    greenlet::sleep(Duration::from_micros(1));
    if greenlet::stats().hub != HubKind::Uring {
        println!("not run: without io_uring every round would be the same");
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
    child.env("GREENLET_DISABLE", mask).env(ROUND, mask);
    child.env("GREENLET_STORM", "2000").args(["--test-threads=4", "-q"]);
    let output = crate::in_child::output(child).unwrap();
    assert!(
        output.status.success(),
        "without {mask}: {:?}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
