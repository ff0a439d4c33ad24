//! Who is reported, and where it was.

use crate::in_child::{in_child, in_child_with, tell, this_test};
use crate::{LIMIT, LONG, ms, somebody_waits, stuck_until_reported, watch};
use greenlet::monitor::{Monitor, stop};
use greenlet::{Greenlet, TaskBuilder, sleep, spawn};
use std::io::{BufRead, BufReader};
use std::os::fd::FromRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;

#[inline(never)]
fn spins_for_long(until: &AtomicBool) -> u64 {
    let mut turns = 0;
    while !until.load(Ordering::Relaxed) {
        turns = std::hint::black_box(turns + 1);
    }
    turns
}

#[test]
fn a_greenlet_that_spins_is_named_with_its_calls_once_per_stall() {
    let outcome = in_child(this_test!(), || {
        let (said, heard) = channel();
        let is_reported = Arc::new(AtomicBool::new(false));
        let seen = is_reported.clone();
        let monitor = Monitor::new().limit(LIMIT).on_stall(move |stall| {
            if stall.name() == Some("spinner") {
                said.send(stall.clone()).unwrap();
                seen.store(true, Ordering::Relaxed);
            }
        });
        monitor.start().unwrap();
        somebody_waits();
        let spinner = TaskBuilder::new().name("spinner").spawn(move || {
            spins_for_long(&is_reported);
            // Still the same stall.
            let began = std::time::Instant::now();
            while began.elapsed() < 2 * LIMIT {}
            is_reported.store(false, Ordering::Relaxed);
            sleep(ms(1)); // it is over
            spins_for_long(&is_reported); // a second one
        });
        let spinner = spinner.unwrap();
        let id = spinner.id();
        spinner.join().unwrap();
        stop();
        let stalls: Vec<_> = heard.try_iter().collect();
        assert_eq!(stalls.len(), 2, "{stalls:#?}");
        for stall in &stalls {
            assert_eq!((stall.id(), stall.name()), (Some(id), Some("spinner")));
            assert!(!stall.is_root() && stall.lasted() >= LIMIT);
            assert!(stall.created_at().unwrap().file().ends_with("reports.rs"));
            eprintln!("{stall}");
            if cfg!(debug_assertions) {
                let calls: Vec<_> =
                    ["spins_for_long", "a_greenlet_that_spins", "greenlet::greenlet::task::run"]
                        .into_iter()
                        .map(|call| stall.backtrace().find(call).expect(call))
                        .collect();
                assert!(calls.is_sorted());
                assert!(!stall.backtrace().contains("greenlet_walk"), "only its own calls");
                assert!(!stall.backtrace().contains("be_the_child"), "none of its parents'");
            }
        }
    });
    outcome.exited_with(0);
}

#[test]
fn the_environment_starts_it_and_it_writes_to_standard_error() {
    let outcome = in_child_with(this_test!(), &[("GREENLET_MONITOR", "300")], || {
        let mut ends = [0; 2];
        // SAFETY: room for two.
        assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
        // SAFETY: both are open; standard error of this child goes into the pipe from here on.
        assert_eq!(unsafe { libc::dup2(ends[1], 2) }, 2);
        // SAFETY: nobody else has it.
        let read = BufReader::new(unsafe { std::fs::File::from_raw_fd(ends[0]) });
        let task = TaskBuilder::new().name("reader").spawn(|| {
            let is_last = |line: &String| {
                line.contains("greenlet::greenlet::task::run") || !cfg!(debug_assertions)
            };
            let mut lines = Vec::new();
            for line in read.lines().map_while(Result::ok) {
                lines.push(line);
                if lines.len() > 1 && is_last(&lines[lines.len() - 1]) {
                    break;
                }
            }
            lines
        });
        somebody_waits();
        let lines = task.unwrap().join().unwrap();
        lines.iter().for_each(|line| println!("{line}"));
    });
    outcome.exited_with(0);
    let first = outcome.stdout.lines().find(|line| line.contains(" has kept ")).unwrap();
    assert!(first.contains("'reader' has kept its thread "), "{outcome}");
    assert!(first.contains("to itself for ") && first.contains("reports.rs"), "{outcome}");
    if cfg!(debug_assertions) {
        assert!(outcome.stdout.contains("read"), "{outcome}");
    }
}

#[test]
fn a_value_that_is_no_number_is_refused() {
    let outcome = in_child_with(this_test!(), &[("GREENLET_MONITOR", "often")], || {
        assert!(std::panic::catch_unwind(|| sleep(ms(1))).is_err());
    });
    outcome.exited_with(0).says("GREENLET_MONITOR=often is not understood");
}

#[test]
fn greenlets_that_are_no_tasks_are_named_too() {
    let outcome = in_child(this_test!(), || {
        let heard = watch(LIMIT);
        somebody_waits();
        let g = Greenlet::builder()
            .name("by hand")
            .create(move |()| {
                let stall = stuck_until_reported(&heard);
                (stall.name() == Some("by hand"), heard)
            })
            .unwrap();
        let (named, heard) = g.switch::<(), (bool, _)>(());
        assert!(named);
        sleep(ms(1)); // that one is over
        let stall = stuck_until_reported(&heard); // now the root greenlet
        assert!(stall.is_root() && stall.name().is_none() && stall.created_at().is_none());
        assert!(stall.to_string().starts_with("the root greenlet has kept its thread"));
        if cfg!(debug_assertions) {
            assert!(stall.backtrace().contains("stuck_until_reported"), "{stall}");
            assert!(stall.backtrace().contains("be_the_child"), "{stall}");
        }
    });
    outcome.exited_with(0);
}

#[test]
fn a_greenlet_at_the_end_of_a_small_stack_survives_the_report() {
    #[inline(never)]
    fn down(heard: &std::sync::mpsc::Receiver<greenlet::monitor::Stall>) -> usize {
        // As much as the wait itself needs, but not what a signal needs.
        if greenlet::stack_remaining().unwrap() < 6 << 10 {
            return stuck_until_reported(heard).backtrace().matches("down").count();
        }
        std::hint::black_box([0_u8; 64])[0] as usize + down(heard)
    }
    let outcome = in_child(this_test!(), || {
        let heard = watch(LIMIT);
        somebody_waits();
        let task = TaskBuilder::new().stack_size(32 << 10).spawn(move || down(&heard));
        let depth = task.unwrap().join().unwrap();
        assert!(depth > 10 || !cfg!(debug_assertions), "{depth}");
    });
    outcome.exited_with(0);
}

#[test]
fn each_of_several_hubs_is_reported() {
    let outcome = in_child(this_test!(), || {
        let heard = watch(LIMIT);
        let all = Arc::new(AtomicBool::new(false));
        let threads: Vec<_> = (0..3)
            .map(|n| {
                let all = all.clone();
                let body = move || {
                    spawn(|| sleep(ms(1))).join().unwrap();
                    somebody_waits();
                    spawn(move || spins_for_long(&all)).join().unwrap();
                };
                std::thread::Builder::new().name(format!("hub-{n}")).spawn(body).unwrap()
            })
            .collect();
        let mut names = std::collections::BTreeSet::new();
        while names.len() < 3 {
            names.insert(heard.recv_timeout(LONG).unwrap().thread().unwrap().to_owned());
        }
        all.store(true, Ordering::Relaxed);
        threads.into_iter().for_each(|thread| drop(thread.join()));
        assert!(names.iter().eq(["hub-0", "hub-1", "hub-2"]), "{names:?}");
    });
    outcome.exited_with(0);
}

#[test]
fn a_thread_that_takes_no_signals_is_reported_without_its_calls() {
    let outcome = in_child(this_test!(), || {
        let heard = watch(LIMIT);
        somebody_waits();
        // SAFETY: zeroes are a valid set.
        let mut all: libc::sigset_t = unsafe { std::mem::zeroed() };
        // SAFETY: valid for writes.
        unsafe { libc::sigfillset(&mut all) };
        // SAFETY: a valid set; nothing is asked for.
        unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &all, std::ptr::null_mut()) };
        let stall = stuck_until_reported(&heard);
        assert!(stall.id().is_none() && stall.backtrace().is_empty());
        assert!(stall.to_string().ends_with("the thread does not answer SIGURG"), "{stall}");
    });
    outcome.exited_with(0);
}

#[test]
fn a_report_that_panics_is_noted() {
    let outcome = in_child(this_test!(), || {
        let (said, heard) = channel();
        let monitor = Monitor::new().limit(LIMIT).on_stall(move |_| {
            said.send(()).unwrap();
            panic!("in a report");
        });
        monitor.start().unwrap();
        somebody_waits();
        for _ in 0..2 {
            spawn({
                let wait = heard.recv_timeout(LONG);
                move || wait.unwrap()
            })
            .join()
            .unwrap();
        }
    });
    outcome.exited_with(0).says("in a report");
}

#[test]
fn the_child_of_a_fork_is_watched_when_it_says_so() {
    let outcome = in_child(this_test!(), || {
        let heard = watch(LIMIT);
        somebody_waits();
        stuck_until_reported(&heard);
        // SAFETY: the child ends by `_exit`.
        let child = unsafe { libc::fork() };
        if child == 0 {
            greenlet::reinit();
            let heard = watch(LIMIT);
            somebody_waits();
            let stall = stuck_until_reported(&heard);
            // SAFETY: ends the child.
            unsafe { libc::_exit(if stall.is_root() { 7 } else { 1 }) };
        }
        let mut status = 0;
        // SAFETY: our own child.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        tell("status", &[libc::WEXITSTATUS(status) as usize]);
        sleep(ms(1));
        stuck_until_reported(&heard);
    });
    outcome.exited_with(0);
    assert_eq!(outcome.numbers("status"), [7]);
}
