//! Kills, throws and time limits that arrive at every place where a task can be.

use crate::log::Log;
use crate::ms;
use greenlet::{
    Greenlet, GreenletExit, JoinHandle, TaskState, Timeout, is_interrupted, shield, sleep, spawn,
    timeout, yield_now,
};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Raises what was raised, as a word.
fn word(payload: &(dyn std::any::Any + Send)) -> String {
    if payload.is::<GreenletExit>() {
        "exit".into()
    } else if payload.is::<greenlet::Elapsed>() {
        "elapsed".into()
    } else if let Some(number) = payload.downcast_ref::<i32>() {
        number.to_string()
    } else {
        "another".into()
    }
}

/// Waits by `wait`, and notes what is raised there, again and again until 'end' is raised.
fn note(log: &Log, wait: impl Fn()) {
    loop {
        let payload = catch_unwind(AssertUnwindSafe(&wait)).unwrap_err();
        log.say(word(&*payload));
        if payload.downcast_ref() == Some(&0_i32) {
            return;
        }
    }
}

fn ends_of(task: &JoinHandle<()>, reasons: &[i32]) {
    reasons.iter().for_each(|reason| task.kill_soon_with(*reason));
}

#[test]
fn an_interrupt_ends_a_sleep_at_once() {
    let began = Instant::now();
    let task = spawn(|| sleep(Duration::from_secs(60)));
    yield_now();
    task.kill_soon_with(5_i32);
    assert!(!task.is_finished());
    let mut error = task.join().unwrap_err();
    assert_eq!(word(error.payload_mut()), "5");
    assert!(!error.is_killed());
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn an_interrupt_ends_a_join_and_the_joined_goes_on() {
    let inner = Rc::new(spawn(|| {
        sleep(ms(5));
        3
    }));
    let waited = inner.clone();
    let outer = spawn(move || waited.wait());
    yield_now();
    outer.kill();
    assert_eq!(outer.state(), TaskState::Killed);
    assert!(!inner.is_finished());
    inner.wait();
    assert_eq!(inner.value(), Some(&3));
}

#[test]
fn an_interrupt_reaches_one_that_is_ready_or_yields() {
    let log = Log::default();
    let inner = log.clone();
    let task = spawn(move || note(&inner, yield_now));
    yield_now();
    ends_of(&task, &[1, 2, 3, 0]);
    task.join().unwrap();
    assert_eq!(log.lines(), ["1", "2", "3", "0"]);
}

#[test]
fn who_has_not_begun_never_does() {
    let log = Log::default();
    let (inner, end) = (log.clone(), log.at_end("closure dropped"));
    let task = spawn(move || {
        let _end = end;
        inner.say("begun");
    });
    task.kill_soon();
    task.kill_soon_with(4_i32);
    assert_eq!(task.state(), TaskState::Waiting);
    assert!(task.join().unwrap_err().is_killed());
    assert_eq!(log.lines(), ["closure dropped"]);
}

#[test]
fn a_task_ends_itself() {
    let slot: Rc<RefCell<Option<Rc<JoinHandle<()>>>>> = Rc::default();
    let log = Log::default();
    let (own, inner) = (slot.clone(), log.clone());
    let task = Rc::new(spawn(move || {
        let handle = own.borrow_mut().take().unwrap();
        let caught = catch_unwind(AssertUnwindSafe(|| handle.kill_with(9_i32)));
        inner.say(word(&*caught.unwrap_err()));
        handle.kill_soon();
        assert!(is_interrupted());
        inner.say("still here");
        handle.kill();
    }));
    *slot.borrow_mut() = Some(task.clone());
    task.wait();
    assert_eq!(task.state(), TaskState::Killed);
    assert_eq!(log.lines(), ["9", "still here"]);
}

#[test]
fn the_finished_are_left_alone() {
    let task = spawn(|| 1);
    task.wait();
    task.kill();
    assert!(task.kill_timeout(ms(1)));
    assert_eq!(task.state(), TaskState::Succeeded);
    assert_eq!(task.join().unwrap(), 1);
}

#[test]
fn all_interrupts_are_raised_in_order_one_at_a_time() {
    let log = Log::default();
    let inner = log.clone();
    let task = spawn(move || note(&inner, || sleep(Duration::MAX)));
    yield_now();
    ends_of(&task, &[7, 6, 5, 4, 3]);
    task.kill_soon();
    task.kill_soon_with(0_i32);
    task.join().unwrap();
    assert_eq!(log.lines(), ["7", "6", "5", "4", "3", "exit", "0"]);
}

#[test]
fn a_kill_and_a_limit_at_once_are_both_raised() {
    let log = Log::default();
    let inner = log.clone();
    let task = spawn(move || {
        let _limit = Timeout::start(ms(1));
        shield(|| sleep(ms(5)));
        note(&inner, || sleep(Duration::MAX));
    });
    sleep(ms(2));
    task.kill_soon_with(1_i32);
    sleep(ms(10));
    task.kill_soon_with(0_i32);
    task.join().unwrap();
    let mut lines = log.lines();
    lines.sort();
    assert_eq!(lines, ["0", "1", "elapsed"]);
}

/// What is still to be raised when a task ends is dropped, not raised in whoever gets its stack.
#[test]
fn interrupts_that_are_left_end_with_their_task() {
    for _ in 0..10 {
        let task = spawn(|| {
            let _ = catch_unwind(|| sleep(Duration::MAX));
        });
        yield_now();
        task.kill_soon();
        task.kill_soon();
        task.kill_soon();
        task.join().unwrap();
        let next = spawn(|| {
            assert!(!is_interrupted());
            sleep(ms(1));
            yield_now();
        });
        next.join().unwrap();
    }
}

/// The same where the drop of what is left waits, and more arrives meanwhile.
#[test]
fn what_arrives_while_a_task_is_cleaned_up_is_dropped_too() {
    struct Slow;
    impl Drop for Slow {
        fn drop(&mut self) {
            let _ = catch_unwind(|| sleep(ms(3)));
        }
    }
    greenlet::greenlet_local! {
        static LOCAL: Slow = Slow;
    }
    for _ in 0..10 {
        let task = spawn(|| {
            LOCAL.with(|_| ());
            let _ = catch_unwind(|| sleep(Duration::MAX));
        });
        yield_now();
        let g = task.greenlet().unwrap();
        task.kill_soon();
        task.kill_soon_with(Slow);
        task.kill_soon_with(Slow);
        let mut thrown = 0;
        while !g.is_dead() {
            // Each drop waits for what is queued behind it, so that many would overflow the stack.
            if thrown < 5 && g.try_throw::<()>(Slow).is_ok() {
                thrown += 1;
            }
            sleep(Duration::from_micros(700));
        }
        assert!(thrown > 0);
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                spawn(|| {
                    assert!(!is_interrupted());
                    sleep(ms(1));
                })
            })
            .collect();
        tasks.into_iter().for_each(|task| task.join().unwrap());
        task.join().unwrap();
    }
}

/// The same for one that is no task: the tree drops what is left, and knows nothing of marks.
#[test]
fn destructors_wait_when_what_was_left_in_a_raw_greenlet_was_dropped() {
    struct Says(Log, &'static str);
    impl Drop for Says {
        fn drop(&mut self) {
            assert!(!is_interrupted());
            sleep(ms(1));
            self.0.say(self.1);
        }
    }
    struct Slow(std::sync::mpsc::Sender<()>);
    impl Drop for Slow {
        fn drop(&mut self) {
            sleep(ms(1));
            self.0.send(()).unwrap();
        }
    }
    greenlet::greenlet_local! {
        static LOCALS: RefCell<Vec<Says>> = RefCell::new(Vec::new());
    }
    let log = Log::default();
    let inner = log.clone();
    let (slow, heard) = std::sync::mpsc::channel();
    let g = Greenlet::new(move |()| {
        let both = ["one", "another"].map(|line| Says(inner.clone(), line));
        LOCALS.with(|locals| locals.borrow_mut().extend(both));
        shield(yield_now);
    });
    let thrown = g.clone();
    let throwing = spawn(move || {
        let () = thrown.throw(GreenletExit);
        let () = thrown.throw(Slow(slow));
    });
    let () = g.switch(());
    assert_eq!(log.lines(), ["one", "another"]);
    heard.recv().unwrap();
    throwing.join().unwrap();
}

#[test]
fn a_shield_holds_back_and_then_lets_through() {
    let log = Log::default();
    let inner = log.clone();
    let task = spawn(move || {
        shield(|| {
            shield(|| sleep(ms(3)));
            inner.say(format!("inner over, interrupted: {}", is_interrupted()));
            sleep(ms(1));
            yield_now();
            inner.say("outer over");
        });
        inner.say("computes");
        let caught = catch_unwind(|| sleep(Duration::from_secs(60)));
        inner.say(word(&*caught.unwrap_err()));
        assert!(!is_interrupted());
    });
    yield_now();
    task.kill_soon();
    task.join().unwrap();
    assert_eq!(log.lines(), ["inner over, interrupted: true", "outer over", "computes", "exit"]);
}

#[test]
fn a_panic_leaves_a_shield() {
    let task = spawn(|| {
        let _ = catch_unwind(|| shield(|| shield(|| resume_unwind(Box::new(1_i32)))));
        sleep(Duration::MAX);
    });
    yield_now();
    task.kill();
    assert_eq!(task.state(), TaskState::Killed);
}

#[test]
fn limits_nest_and_each_knows_its_own() {
    let inner_first = timeout(Duration::from_secs(60), || {
        let inner = timeout(ms(2), || sleep(Duration::from_secs(60)));
        assert!(inner.is_err());
        5
    });
    assert_eq!(inner_first, Ok(5));
    let outer_first = timeout(ms(2), || timeout(Duration::from_secs(60), || sleep(Duration::MAX)));
    assert!(outer_first.is_err());
    // Both have passed when the first is looked at: each is raised once, in its own frame.
    let both = timeout(ms(1), || {
        let inner = timeout(ms(1), || {
            shield(|| sleep(ms(5)));
            sleep(Duration::MAX);
        });
        assert!(inner.is_err() || inner.is_ok());
        sleep(Duration::MAX);
    });
    assert!(both.is_err());
    assert!(!is_interrupted());
}

#[test]
fn a_limit_that_passes_unseen_leaves_nothing() {
    assert_eq!(timeout(ms(1), || std::thread::sleep(ms(3))), Ok(()));
    sleep(ms(2));
    let limit = Timeout::start(ms(1));
    shield(|| sleep(ms(3)));
    assert!(is_interrupted() && limit.is_pending());
    limit.cancel();
    assert!(!is_interrupted() && !limit.is_pending());
    sleep(ms(1));
}

#[test]
fn a_limit_that_is_given_away_stays_with_who_started_it() {
    let slot: Rc<Cell<Option<Timeout>>> = Rc::default();
    let inner = slot.clone();
    let task = spawn(move || {
        inner.set(Some(Timeout::start(ms(4))));
        sleep(Duration::MAX);
    });
    yield_now();
    let limit = slot.take().unwrap();
    let mut error = task.join().unwrap_err();
    assert!(limit.caught(error.payload_mut()));
    // Its greenlet is dead when it passes.
    let inner = slot.clone();
    let task = spawn(move || inner.set(Some(Timeout::start(ms(2)))));
    task.join().unwrap();
    let mut limit = slot.take().unwrap();
    sleep(ms(5));
    assert!(!limit.is_pending());
    limit.restart();
    assert!(catch_unwind(AssertUnwindSafe(|| sleep(Duration::from_secs(60)))).is_err(), "ours now");
}

/// Passed, not raised, its greenlet dead and the stack with a new owner: dropped, it touches nobody.
#[test]
fn a_limit_that_outlives_its_greenlet_touches_nobody() {
    for _ in 0..20 {
        let slot: Rc<RefCell<Vec<Timeout>>> = Rc::default();
        let inner = slot.clone();
        let task = spawn(move || {
            for _ in 0..3 {
                inner.borrow_mut().push(Timeout::start(ms(1)));
            }
            shield(|| sleep(ms(2)));
            assert!(is_interrupted());
        });
        task.join().unwrap();
        let others: Vec<_> = (0..3)
            .map(|_| {
                spawn(|| {
                    let _own = Timeout::start(ms(1));
                    let late = catch_unwind(|| sleep(Duration::from_secs(60)));
                    assert_eq!(word(&*late.unwrap_err()), "elapsed");
                })
            })
            .collect();
        yield_now();
        slot.take();
        others.into_iter().for_each(|task| task.join().unwrap());
    }
}

#[test]
fn limits_of_different_threads_are_different() {
    fn elapsed() -> greenlet::Elapsed {
        timeout(Duration::from_micros(10), || sleep(Duration::from_secs(60))).unwrap_err()
    }
    let theirs = std::thread::spawn(elapsed).join().unwrap();
    let again = std::thread::spawn(elapsed).join().unwrap();
    assert!(theirs != elapsed() && theirs != again);
}

#[test]
fn interrupts_of_the_root_are_raised_in_it() {
    let late = timeout(ms(2), || spawn(|| sleep(ms(50))).join());
    assert!(late.is_err());
    let root = greenlet::root();
    let task = spawn(move || root.throw::<()>(8_i32));
    let caught = catch_unwind(|| sleep(Duration::from_secs(60)));
    assert_eq!(word(&*caught.unwrap_err()), "8");
    task.join().unwrap();
}

#[test]
fn waits_with_a_limit_end_in_time_and_leave_no_trace() {
    let task = spawn(|| sleep(Duration::from_secs(600)));
    for _ in 0..5 {
        assert!(!task.wait_timeout(ms(1)));
    }
    let task = task.join_timeout(ms(1)).unwrap_err();
    let task = task.try_join().unwrap_err();
    assert!(task.kill_timeout(Duration::from_secs(60)));
    assert!(task.try_join().unwrap().unwrap_err().is_killed());
}
