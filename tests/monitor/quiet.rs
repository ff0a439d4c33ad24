//! Who is not reported.

use crate::in_child::{in_child, this_test};
use crate::{LIMIT, LONG, ms, somebody_waits, stuck_until_reported, watch};
use greenlet::monitor::{Stall, start, stop};
use greenlet::{sleep, spawn};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Blocks this thread, with its hub, until it was reported twice; what else was between the two. Before,
/// the others may still have been on their way to where they wait, on a machine that is slow.
fn reports_until_this_thread_s(heard: &Receiver<Stall>) -> Vec<Stall> {
    let me = std::thread::current();
    let is_mine = |stall: &Stall| me.name().unwrap().starts_with(stall.thread().unwrap());
    while !is_mine(&stuck_until_reported(heard)) {}
    sleep(ms(1)); // that one is over
    let mut others = Vec::new();
    loop {
        let stall = stuck_until_reported(heard);
        if is_mine(&stall) {
            return others;
        }
        others.push(stall);
    }
}

/// One thread sleeps in the kernel; another is stuck until it is reported: by then the monitor has
/// looked at the sleeper for as long.
#[test]
fn a_hub_that_sleeps_in_the_kernel_is_idle() {
    let outcome = in_child(this_test!(), || {
        let heard = watch(LIMIT);
        let (sleeps, is_asleep) = channel();
        let (wake, woken) = channel::<()>();
        let sleeper = std::thread::Builder::new().name("sleeper".into()).spawn(move || {
            let for_long = spawn(|| sleep(LONG));
            let for_another_thread =
                spawn(move || greenlet::offload(move || woken.recv().is_err()));
            sleep(ms(1));
            sleeps.send(()).unwrap();
            assert!(for_another_thread.join().unwrap());
            for_long.kill();
        });
        is_asleep.recv().unwrap();
        somebody_waits();
        let more = reports_until_this_thread_s(&heard);
        drop(wake);
        sleeper.unwrap().join().unwrap();
        assert!(more.is_empty(), "{more:?}");
    });
    outcome.exited_with(0);
}

#[test]
fn a_hub_that_waits_for_its_turn_is_idle() {
    let outcome = in_child(this_test!(), || {
        let heard = watch(LIMIT);
        let (waits, is_waiting) = channel();
        let (wake, woken) = channel::<()>();
        let host = std::thread::Builder::new().name("host".into()).spawn(move || {
            let task = spawn(|| sleep(LONG));
            greenlet::turn(Duration::ZERO);
            assert!(greenlet::next_turn().is_some_and(|limit| limit > ms(1)));
            waits.send(()).unwrap();
            assert!(woken.recv().is_err()); // as a loop of its own would wait
            task.kill();
        });
        is_waiting.recv().unwrap();
        somebody_waits();
        let more = reports_until_this_thread_s(&heard);
        drop(wake);
        host.unwrap().join().unwrap();
        assert!(more.is_empty(), "{more:?}");
    });
    outcome.exited_with(0);
}

/// To block is what it is for, also when its thread has a hub.
#[test]
fn a_job_on_a_worker_thread_is_not_stuck() {
    let outcome = in_child(this_test!(), || {
        let heard = watch(LIMIT);
        let (begins, has_begun) = channel();
        let (end, ended) = channel::<()>();
        let job = spawn(move || {
            greenlet::offload(move || {
                sleep(ms(1));
                begins.send(()).unwrap();
                assert!(ended.recv().is_err());
            })
        });
        greenlet::yield_now();
        has_begun.recv().unwrap();
        somebody_waits();
        let more = reports_until_this_thread_s(&heard);
        drop(end);
        job.join().unwrap();
        assert!(more.is_empty(), "{more:?}");
    });
    outcome.exited_with(0);
}

/// What a report owns may itself start and stop monitors when it is dropped.
#[test]
fn the_end_of_a_report_may_use_the_monitor() {
    struct Stops;
    impl Drop for Stops {
        fn drop(&mut self) {
            stop();
        }
    }
    let outcome = in_child(this_test!(), || {
        for _ in 0..2 {
            let owned = Stops;
            let report = move |_: &Stall| _ = &owned;
            greenlet::monitor::Monitor::new().limit(LONG).on_stall(report).start().unwrap();
        }
        stop();
    });
    outcome.exited_with(0);
}

#[test]
fn a_root_greenlet_that_nobody_waits_for_may_take_its_time() {
    let outcome = in_child(this_test!(), || {
        let heard = watch(LIMIT);
        assert_eq!(spawn(|| 1).join().unwrap(), 1); // there is a hub, which has nothing more to do
        std::thread::Builder::new()
            .name("other".into())
            .spawn(move || {
                somebody_waits();
                let stall = stuck_until_reported(&heard);
                assert_eq!(stall.thread(), Some("other"), "{stall}");
            })
            .unwrap()
            .join()
            .unwrap();
    });
    outcome.exited_with(0);
}

#[test]
fn nobody_is_watched_after_stop() {
    let outcome = in_child(this_test!(), || {
        stop(); // nothing to be stopped
        let heard = watch(LIMIT);
        somebody_waits();
        stuck_until_reported(&heard);
        stop();
        // The callback goes when its thread sees that: nobody can report any more.
        while heard.recv_timeout(LONG).is_ok() {}
        assert!(heard.recv().is_err());
        let heard = watch(LIMIT);
        sleep(ms(1));
        stuck_until_reported(&heard);
        start(LONG).unwrap(); // other settings take the place of these
        while heard.recv_timeout(LONG).is_ok() {}
    });
    outcome.exited_with(0);
}

static HEARD: AtomicUsize = AtomicUsize::new(0);

#[test]
fn a_handler_that_was_there_first_hears_of_signals_that_are_not_ours() {
    extern "C" fn hear(_: libc::c_int) {
        HEARD.fetch_add(1, Ordering::Relaxed);
    }
    let outcome = in_child(this_test!(), || {
        // SAFETY: the handler is async-signal-safe.
        unsafe { libc::signal(libc::SIGURG, hear as *const () as usize) };
        let heard = watch(LIMIT);
        somebody_waits();
        stuck_until_reported(&heard);
        assert_eq!(HEARD.load(Ordering::Relaxed), 0);
        // SAFETY: `raise` has no preconditions.
        unsafe { libc::raise(libc::SIGURG) };
        assert_eq!(HEARD.load(Ordering::Relaxed), 1);
    });
    outcome.exited_with(0);
}
