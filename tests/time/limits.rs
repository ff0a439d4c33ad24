//! One limit: when it is raised, and when not any more.

use super::{LONG, SHORT};
use greenlet::{
    Elapsed, Greenlet, Timeout, is_interrupted, shield, sleep, spawn, timeout, timeout_or,
    yield_now,
};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

/// Waits for one look at the clock, and more.
fn let_it_pass() {
    shield(|| sleep(SHORT * 2));
}

#[test]
fn a_limit_that_does_not_pass_leaves_nothing() {
    assert_eq!(timeout(LONG, || 7), Ok(7));
    assert_eq!(timeout(Duration::MAX, || 7), Ok(7));
    assert_eq!(timeout(Duration::ZERO, || 7), Ok(7), "it never waited");
    assert!(!is_interrupted());
    yield_now();
}

#[test]
fn one_that_passes_ends_the_wait() {
    let began = Instant::now();
    let late = timeout(SHORT, || sleep(LONG)).unwrap_err();
    assert!(began.elapsed() >= SHORT && began.elapsed() < LONG);
    assert_eq!((late.limit(), late.label()), (SHORT, None));
    assert_eq!(late.to_string(), "the time limit of 2ms has passed");
}

#[test]
fn zero_is_raised_at_the_next_wait() {
    let mut steps = Vec::new();
    let late = timeout(Duration::ZERO, || {
        assert!(is_interrupted());
        steps.push("before");
        yield_now();
        steps.push("after");
    });
    assert!(late.is_err());
    assert_eq!(steps, ["before"]);
}

#[test]
fn code_that_computes_is_ended_at_its_next_wait() {
    let began = Instant::now();
    let late = timeout(SHORT, || {
        while began.elapsed() < SHORT * 2 {
            std::hint::spin_loop();
        }
        loop {
            yield_now(); // the clock is looked at now and then
        }
    });
    let late: Result<(), Elapsed> = late;
    assert!(late.is_err());
}

#[test]
fn a_default_stands_for_what_comes_too_late() {
    let slow = || {
        sleep(LONG);
        1
    };
    assert_eq!(timeout_or(SHORT, 2, slow), 2);
    assert_eq!(timeout_or(LONG, 2, || 1), 1);
}

#[test]
fn what_f_catches_is_not_returned() {
    let caught = timeout(SHORT, || {
        let payload = catch_unwind(|| sleep(LONG)).unwrap_err();
        sleep(Duration::ZERO); // raised once only
        payload.is::<Elapsed>()
    });
    assert_eq!(caught, Ok(true));
}

#[test]
fn panics_and_throws_pass_through() {
    let payload = catch_unwind(|| timeout(LONG, || resume_unwind(Box::new("inside")))).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"inside"));
    let task = spawn(|| timeout(LONG, || sleep(LONG)));
    yield_now();
    task.kill_with("thrown");
    assert_eq!(task.join().unwrap_err().downcast_ref(), Some(&"thrown"));
}

#[test]
fn a_guard_raises_until_it_is_cancelled_or_dropped() {
    let limit = Timeout::labelled(SHORT, "the answer");
    assert!(limit.is_pending());
    assert_eq!((limit.limit(), limit.to_string()), (SHORT, "2ms: the answer".into()));
    let payload = catch_unwind(|| sleep(LONG)).unwrap_err();
    assert!(limit.caught(&*payload) && !limit.is_pending());
    let elapsed = payload.downcast_ref::<Elapsed>().unwrap();
    assert_eq!(elapsed.to_string(), "the time limit of 2ms has passed: the answer");
    yield_now(); // once only
    let limit = Timeout::start(SHORT);
    assert_eq!(limit.to_string(), "2ms");
    limit.cancel();
    assert!(!limit.is_pending());
    let_it_pass();
    yield_now();
    drop(Timeout::start(SHORT));
    let_it_pass();
    yield_now();
}

#[test]
fn one_that_has_passed_can_be_cancelled_before_it_is_raised() {
    let limit = Timeout::start(SHORT);
    let_it_pass();
    assert!(limit.is_pending() && is_interrupted());
    limit.cancel();
    assert!(!limit.is_pending() && !is_interrupted());
    yield_now();
    // The same by its end.
    timeout(SHORT, let_it_pass).unwrap();
    yield_now();
}

#[test]
fn one_can_be_started_again() {
    let mut limit = Timeout::start(SHORT);
    let first = catch_unwind(|| sleep(LONG)).unwrap_err();
    assert!(limit.caught(&*first));
    limit.restart();
    assert!(limit.is_pending() && !limit.caught(&*first));
    let second = catch_unwind(|| sleep(LONG)).unwrap_err();
    assert!(limit.caught(&*second));
    assert_ne!(first.downcast_ref::<Elapsed>(), second.downcast_ref::<Elapsed>());
    // Before it has passed, and after it has passed unraised.
    let mut limit = Timeout::start(LONG);
    limit.restart();
    drop(limit);
    let mut limit = Timeout::start(SHORT);
    let_it_pass();
    limit.restart();
    assert!(!is_interrupted());
    limit.cancel();
    yield_now();
}

#[test]
fn a_guard_that_is_carried_elsewhere_limits_whoever_started_it() {
    let starter = spawn(|| {
        let limit = Timeout::start(SHORT);
        let holder = spawn(move || {
            sleep(SHORT * 3); // not ended
            limit
        });
        let payload = catch_unwind(|| sleep(LONG)).unwrap_err();
        let mut limit = holder.join().unwrap();
        assert!(limit.caught(&*payload));
        // Started again elsewhere, it limits the greenlet there.
        let other = spawn(move || {
            limit.restart();
            let payload = catch_unwind(|| sleep(LONG)).unwrap_err();
            limit.caught(&*payload)
        });
        other.join().unwrap()
    });
    assert!(starter.join().unwrap());
}

#[test]
fn a_guard_outlives_its_greenlet_in_peace() {
    let limit = spawn(|| Timeout::start(SHORT)).join().unwrap();
    sleep(SHORT * 2);
    assert!(!limit.is_pending());
    drop(limit);
    // One that has passed, unraised, when its greenlet ends.
    let limit = spawn(|| {
        let limit = Timeout::start(SHORT);
        let_it_pass();
        limit
    });
    let limit = limit.join().unwrap();
    assert!(!limit.is_pending());
    drop(limit);
    // The same in a greenlet that is no task.
    let raw = Greenlet::new(|()| {
        let limit = Timeout::start(SHORT);
        let_it_pass();
        limit
    });
    let mut limit: Timeout = raw.switch(());
    limit.cancel();
    limit.restart();
    assert!(catch_unwind(AssertUnwindSafe(|| sleep(LONG))).is_err());
}

#[test]
fn a_forgotten_guard_never_hits_another_greenlet() {
    for _ in 0..100 {
        spawn(|| std::mem::forget(Timeout::start(SHORT))).join().unwrap();
    }
    // These take the stacks of those.
    let others: Vec<_> = (0..100).map(|_| spawn(|| sleep(SHORT * 3))).collect();
    for other in others {
        other.join().unwrap();
    }
    std::mem::forget(Timeout::start(SHORT));
    assert!(catch_unwind(|| sleep(LONG)).is_err(), "its own greenlet it does");
}

#[test]
fn a_guard_outlives_its_hub_in_peace() {
    let (linked, passed) = greenlet::run(|| {
        let linked = Timeout::start(LONG);
        let passed = Timeout::start(SHORT);
        let_it_pass();
        (linked, passed)
    });
    drop(linked);
    let mut passed = passed;
    let payload = catch_unwind(|| sleep(LONG)).unwrap_err();
    assert!(passed.caught(&*payload), "it was still to be raised");
    passed.restart();
    drop(passed);
}

#[test]
fn numbers_of_limits_are_not_those_of_other_threads() {
    let of_thread = || timeout(Duration::ZERO, yield_now).unwrap_err();
    let here = of_thread();
    let there = std::thread::spawn(of_thread).join().unwrap();
    assert_ne!(here, there);
    assert_ne!(here, greenlet::run(of_thread));
    assert_ne!(greenlet::run(of_thread), greenlet::run(of_thread));
}

#[test]
fn a_limit_is_noticed_once_control_is_back() {
    // A raw greenlet that is switched to has waits of its own.
    let began = Instant::now();
    let raw = Greenlet::new(|()| {
        sleep(SHORT * 3);
        7
    });
    let (mut got, mut reached) = (0, false);
    let late = timeout(SHORT, || {
        got = raw.switch::<(), i32>(());
        yield_now();
        reached = true;
    });
    assert!(late.is_err() && !reached && began.elapsed() >= SHORT * 3);
    assert_eq!(got, 7);
    // One that is started inside it is its own.
    let raw = Greenlet::new(|()| timeout(SHORT, || sleep(LONG)).is_err());
    assert_eq!(timeout(LONG, || raw.switch::<(), bool>(())), Ok(true));
}

/// As in a program whose limit is as long as what it limits: the limit began first.
#[test]
fn a_limit_is_not_later_than_a_sleep_of_its_length() {
    for length in [SHORT, Duration::from_millis(1_100)] {
        let tries: Vec<_> = (0..40)
            .map(|_| {
                sleep(Duration::from_micros(300)); // at all places between two ticks of the clock
                let around = spawn(move || timeout(length, || sleep(length)).is_err());
                let beside =
                    spawn(move || timeout(length, || spawn(move || sleep(length)).join()).is_err());
                [around, beside]
            })
            .collect();
        for tried in tries.into_iter().flatten() {
            assert!(tried.join().unwrap(), "the limit of {length:?} came after the sleep");
        }
    }
}
