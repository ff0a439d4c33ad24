//! The threads and their process: signals, forks, the end.

use crate::in_child::{in_child, tell, this_test};
use crate::ms;
use greenlet::{offload, reinit, sleep, spawn, yield_now};
use std::sync::mpsc::channel;

#[test]
fn signals_are_not_delivered_to_workers() {
    let blocked = offload(|| {
        // SAFETY: zeroes are a valid set.
        let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
        // SAFETY: asks for the mask.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut set) };
        [libc::SIGTERM, libc::SIGINT, libc::SIGCHLD, libc::SIGALRM, libc::SIGSEGV].map(|signal| {
            // SAFETY: a valid set and a signal.
            unsafe { libc::sigismember(&set, signal) }
        })
    });
    assert_eq!(blocked, [1, 1, 1, 1, 0]);
    // SAFETY: zeroes are a valid set.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: asks for the mask.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &mut set) };
    // SAFETY: a valid set and a signal.
    let is_blocked = unsafe { libc::sigismember(&set, libc::SIGTERM) };
    assert_eq!(is_blocked, 0, "the caller's mask stays as it was");
}

/// Takes all memory that a thread's stack would need; false where that does not keep threads away.
fn no_more_threads() -> bool {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = pages.split(' ').next().unwrap().parse().unwrap();
    // SAFETY: always succeeds.
    let bytes = pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64 + (1 << 20);
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
    // SAFETY: reads the record.
    unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) };
    std::thread::Builder::new().spawn(|| ()).map(|thread| thread.join().unwrap()).is_err()
}

#[test]
fn a_call_that_does_not_wait_for_a_thread_does_not_when_there_is_no_memory_for_one() {
    let outcome = in_child(this_test!(), || {
        let (gate, wait) = channel::<()>();
        let (begin, begun) = channel();
        let task = spawn(move || {
            offload(move || {
                begin.send(()).unwrap();
                wait.recv().is_err()
            })
        });
        yield_now();
        begun.recv().unwrap(); // a thread that only starts needs memory of its own
        if no_more_threads() {
            assert!(greenlet::try_offload(|| ()).is_err());
        }
        drop(gate);
        assert!(task.join().unwrap());
    });
    outcome.exited_with(0);
}

#[test]
fn the_end_of_a_process_waits_for_no_worker() {
    let outcome = in_child(this_test!(), || {
        let (gate, wait) = channel::<()>();
        std::mem::forget(gate); // what waits for it never ends
        greenlet::spawn_detached(move || {
            offload(move || wait.recv().is_ok());
        });
        yield_now();
        assert_eq!(offload(|| 1), 1); // now one is idle
    });
    outcome.exited_with(0).says_only(&[]);
}

#[test]
fn a_thread_with_a_call_under_way_ends_without_harm() {
    let (gate, wait) = channel::<()>();
    let (said, heard) = channel();
    let (begin, begun) = channel();
    std::thread::spawn(move || {
        greenlet::run(|| {
            let task = spawn(move || {
                offload(move || {
                    begin.send(()).unwrap();
                    let _ = wait.recv();
                    said.send(()).unwrap();
                })
            });
            // A call that has not begun never would.
            while begun.try_recv().is_err() {
                yield_now();
            }
            assert!(!task.is_finished());
        });
    })
    .join()
    .unwrap();
    drop(gate); // the hub that was to be woken is gone
    heard.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
}

#[test]
fn the_child_of_a_fork_has_threads_of_its_own() {
    let outcome = in_child(this_test!(), || {
        let (gate, wait) = channel::<()>();
        let under_way = spawn(move || offload(move || wait.recv().is_ok()));
        yield_now();
        assert_eq!(offload(|| 1), 1);
        // SAFETY: the child does little, and ends by `_exit`.
        let child = unsafe { libc::fork() };
        if child == 0 {
            reinit();
            let sum: i32 = (0..30)
                .map(|n| spawn(move || offload(move || n)))
                .map(|task| task.join().unwrap())
                .sum();
            sleep(ms(1));
            // SAFETY: ends the child.
            unsafe { libc::_exit(i32::from(sum == 435 && !under_way.is_finished())) };
        }
        let mut status = 0;
        // SAFETY: our own child.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        tell("child", &[libc::WEXITSTATUS(status) as usize]);
        drop(gate);
        under_way.join().unwrap();
        assert_eq!(offload(|| 2), 2);
    });
    outcome.exited_with(0);
    assert_eq!(outcome.numbers("child"), [1], "{outcome}");
}
