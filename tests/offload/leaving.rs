//! Calls that are left: by a limit, a kill, a throw. What was begun goes on; what was not is dropped.

use crate::in_child::{in_child_with, this_test};
use crate::{dropped, ms};
use greenlet::{offload, sleep, spawn, timeout, yield_now};
use std::panic::catch_unwind;
use std::sync::mpsc::channel;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(60);

/// Calls `f` on a worker, and leaves by a kill once it has begun there.
fn left<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) {
    let (begun, has_begun) = channel();
    let task = spawn(move || {
        offload(move || {
            begun.send(()).unwrap();
            f()
        })
    });
    yield_now();
    has_begun.recv_timeout(LONG).unwrap();
    task.kill(); // returns although the closure runs on
    assert!(task.join().is_err_and(|end| end.is_killed()));
}

#[test]
fn a_limit_leaves() {
    let (gate, wait) = channel::<()>();
    let late = timeout(ms(2), || offload(move || wait.recv().is_ok()));
    assert_eq!(late.unwrap_err().limit(), ms(2));
    drop(gate);
}

#[test]
fn the_result_of_what_was_left_is_dropped_on_the_worker() {
    let (gate, wait) = channel::<()>();
    let (result, heard) = dropped();
    left(move || {
        assert!(wait.recv().is_err());
        result
    });
    assert!(heard.try_recv().is_err(), "the closure goes on");
    drop(gate);
    assert_eq!(heard.recv_timeout(LONG).unwrap().as_deref(), Some("greenlet-worker"));
}

#[test]
fn a_panic_that_nobody_waits_for_ends_in_silence() {
    let (gate, wait) = channel::<()>();
    let (payload, heard) = dropped();
    left(move || {
        assert!(wait.recv().is_err());
        std::panic::resume_unwind(Box::new(payload))
    });
    drop(gate);
    assert_eq!(heard.recv_timeout(LONG).unwrap().as_deref(), Some("greenlet-worker"));
    assert_eq!(offload(|| 1), 1);
}

#[test]
fn what_waits_to_be_raised_is_raised_before_anything_is_given_away() {
    let (closure, heard) = dropped();
    let task = spawn(move || {
        greenlet::shield(sleep_a_little);
        offload(move || drop(closure))
    });
    yield_now();
    task.kill_soon();
    assert!(task.join().unwrap_err().is_killed());
    assert_ne!(heard.recv().unwrap().as_deref(), Some("greenlet-worker"));
    fn sleep_a_little() {
        sleep(ms(2));
    }
}

#[test]
fn what_nobody_has_begun_with_is_dropped_by_who_leaves() {
    let outcome = in_child_with(this_test!(), &[("GREENLET_OFFLOAD_THREADS", "1")], || {
        let (gate, wait) = channel::<()>();
        let first = spawn(move || offload(move || assert!(wait.recv().is_err())));
        yield_now();
        let (closure, heard) = dropped();
        let late = timeout(ms(2), || offload(move || drop(closure)));
        assert!(late.is_err());
        assert_ne!(heard.try_recv().unwrap().as_deref(), Some("greenlet-worker"));
        drop(gate);
        first.join().unwrap();
        assert_eq!(offload(|| 3), 3, "the queue goes on");
    });
    outcome.exited_with(0);
}

/// The drop of what was to be called waits, and lets nothing through that arrives in it.
#[test]
fn a_kill_is_raised_whatever_the_drop_of_the_closure_does() {
    struct Swallows;
    impl Drop for Swallows {
        fn drop(&mut self) {
            let _ = catch_unwind(|| sleep(ms(1)));
        }
    }
    let outcome = in_child_with(this_test!(), &[("GREENLET_OFFLOAD_THREADS", "1")], || {
        let (gate, wait) = channel::<()>();
        let first = spawn(move || offload(move || assert!(wait.recv().is_err())));
        yield_now();
        let owned = Swallows;
        let killed = spawn(move || offload(move || drop(owned)));
        yield_now();
        killed.kill();
        assert!(killed.join().unwrap_err().is_killed());
        drop(gate);
        first.join().unwrap();
    });
    outcome.exited_with(0);
}

#[test]
fn a_shield_holds_kills_back_until_the_result_is_there() {
    let (gate, wait) = channel::<()>();
    let task = spawn(move || {
        let value = greenlet::shield(|| {
            offload(move || {
                let _ = wait.recv();
                5
            })
        });
        assert_eq!(value, 5);
        sleep(LONG);
    });
    yield_now();
    task.kill_soon();
    sleep(ms(2));
    assert!(!task.is_finished());
    drop(gate);
    assert!(task.join().unwrap_err().is_killed());
}
