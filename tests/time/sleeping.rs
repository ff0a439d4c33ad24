//! `sleep`, `yield_now`, `idle`.

use super::trace::Trace;
use super::{LONG, SHORT};
use greenlet::{JoinHandle, idle, shield, sleep, spawn, timeout, yield_now};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

#[test]
fn sleepers_wake_by_their_moments_never_early() {
    loop {
        let (trace, all_begin) = (Trace::default(), Instant::now());
        let tasks = [60, 20, 40].map(|ms| {
            let trace = trace.clone();
            spawn(move || {
                let began = Instant::now();
                sleep(Duration::from_millis(ms));
                assert!(began.elapsed() >= Duration::from_millis(ms));
                trace.add(ms);
            })
        });
        yield_now();
        let all_sleep = all_begin.elapsed();
        for task in tasks {
            task.join().unwrap();
        }
        // Otherwise the machine has paused between two sleeps, and the one that began later may end later.
        if all_sleep < Duration::from_millis(10) {
            return trace.is(&["20", "40", "60"]);
        }
    }
}

#[test]
fn short_sleeps_are_not_early_either() {
    for ns in [1, 100, 10_000, 150_000] {
        let (began, length) = (Instant::now(), Duration::from_nanos(ns));
        sleep(length);
        assert!(began.elapsed() >= length);
    }
}

#[test]
fn a_sleep_of_nothing_lets_the_others_run_once() {
    let trace = Trace::default();
    for name in ["a", "b"] {
        let trace = trace.clone();
        greenlet::spawn_detached(move || {
            trace.add(name);
            yield_now();
            trace.add(name);
        });
    }
    sleep(Duration::ZERO);
    trace.add("-");
    yield_now();
    trace.is(&["a", "b", "-", "a", "b"]);
}

#[test]
fn idle_returns_when_all_others_wait() {
    let trace = Trace::default();
    let told = trace.clone();
    let sleeper = spawn(|| sleep(LONG));
    let busy = spawn(move || {
        for n in 0..100 {
            yield_now();
            if n == 99 {
                told.add("done");
            }
        }
    });
    idle();
    trace.is(&["done"]);
    assert!(busy.is_finished() && !sleeper.is_finished());
}

#[test]
fn a_sleep_is_ended_by_a_kill_a_throw_and_a_limit() {
    let task = spawn(|| sleep(LONG));
    yield_now();
    task.kill();
    assert!(task.join().unwrap_err().is_killed());
    let task = spawn(|| catch_unwind(|| sleep(LONG)).unwrap_err());
    yield_now();
    task.greenlet().unwrap().throw::<()>(7_i32);
    assert_eq!(task.join().unwrap().downcast_ref(), Some(&7_i32));
    assert!(timeout(SHORT, || sleep(LONG)).is_err());
}

#[test]
fn a_shielded_sleep_is_not_ended() {
    let began = Instant::now();
    let late = timeout(Duration::ZERO, || {
        shield(|| sleep(SHORT));
        assert!(began.elapsed() >= SHORT);
        yield_now();
    });
    assert!(late.is_err());
}

#[test]
fn a_destructor_may_sleep_while_the_thread_unwinds_but_nobody_else_runs() {
    struct SleepInDrop;
    impl Drop for SleepInDrop {
        fn drop(&mut self) {
            sleep(SHORT);
        }
    }
    let (trace, began) = (Trace::default(), Instant::now());
    let told = trace.clone();
    let other = spawn(move || told.add("other"));
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let _guard = SleepInDrop;
        resume_unwind(Box::new(()));
    }));
    assert!(outcome.is_err() && began.elapsed() >= SHORT && !other.is_finished());
    other.join().unwrap();
    trace.is(&["other"]);
}

#[test]
fn a_sleep_for_ever_is_no_event() {
    let payload = catch_unwind(|| sleep(Duration::MAX)).unwrap_err();
    assert!(payload.is::<greenlet::Deadlock>());
}

/// What was due when the clock was looked at rings first; but nobody may take that for all that is due.
#[test]
fn idle_looks_at_the_clock_anew() {
    const SOON: Duration = Duration::from_millis(10);
    let woken = Rc::new(Cell::new(None));
    let victim = Rc::new(RefCell::new(None::<JoinHandle<()>>));
    let all_sleep = Rc::new(Cell::new(None::<Instant>));
    let first = spawn({
        let (woken, victim, all_sleep) = (woken.clone(), victim.clone(), all_sleep.clone());
        move || {
            sleep(SOON);
            // The last one's moment comes in here.
            while all_sleep.get().is_none_or(|began| began.elapsed() < 2 * SOON) {}
            victim.take().unwrap().kill_soon();
            idle();
            assert!(woken.get().is_some());
        }
    });
    let second = spawn(|| sleep(SOON));
    *victim.borrow_mut() = Some(spawn(|| sleep(SOON)));
    let last = spawn(move || {
        sleep(SOON * 6 / 5);
        woken.set(Some(()));
    });
    let witness = spawn(move || all_sleep.set(Some(Instant::now())));
    witness.join().unwrap();
    first.join().unwrap();
    second.join().unwrap();
    last.join().unwrap();
}
