//! While the thread unwinds, or kills by drop, waits happen in place: nobody else runs.

use crate::in_child::{in_child, tell, this_test};
use crate::log::{Log, OnDrop};
use crate::ms;
use greenlet::{
    Greenlet, JoinHandle, Timeout, idle, sleep, spawn, spawn_detached, suspend, timeout, yield_now,
};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// A task that looks whether it runs while the thread unwinds, until `stop`.
fn watch(stop: &Rc<Cell<bool>>) -> JoinHandle<u32> {
    let stop = stop.clone();
    spawn(move || {
        let mut turns = 0;
        while !stop.get() {
            assert!(!std::thread::panicking(), "it runs while the thread unwinds");
            turns += 1;
            if turns % 2 == 0 { yield_now() } else { sleep(Duration::from_micros(20)) }
        }
        turns
    })
}

#[test]
fn a_destructor_that_sleeps_during_a_panic_waits_in_place() {
    let stop = Rc::new(Cell::new(false));
    let watchers: Vec<_> = (0..3).map(|_| watch(&stop)).collect();
    let task = spawn(|| {
        for _ in 0..5 {
            let _ = catch_unwind(|| {
                let _slow = OnDrop(|| {
                    let began = Instant::now();
                    sleep(ms(2));
                    assert!(began.elapsed() >= ms(2));
                    yield_now();
                    idle();
                });
                yield_now();
                resume_unwind(Box::new(1_i32));
            });
        }
    });
    task.join().unwrap();
    stop.set(true);
    watchers.into_iter().for_each(|task| assert!(task.join().unwrap() > 0));
}

#[test]
fn the_root_too() {
    let stop = Rc::new(Cell::new(false));
    let watcher = watch(&stop);
    yield_now();
    let raised = catch_unwind(AssertUnwindSafe(|| {
        let _outer = OnDrop(|| sleep(ms(2)));
        let _inner = OnDrop(|| {
            // Another panic, inside the destructor, with a destructor that sleeps.
            let _ = catch_unwind(|| {
                let _nested = OnDrop(|| sleep(ms(1)));
                resume_unwind(Box::new(2_i32));
            });
            sleep(ms(1));
        });
        resume_unwind(Box::new(1_i32));
    }));
    assert_eq!(raised.unwrap_err().downcast_ref(), Some(&1));
    stop.set(true);
    watcher.join().unwrap();
}

#[test]
fn limits_work_in_destructors() {
    let task = spawn(|| {
        let _end = OnDrop(|| {
            let began = Instant::now();
            assert!(timeout(ms(2), || sleep(Duration::from_secs(60))).is_err());
            assert!(began.elapsed() < Duration::from_secs(30));
        });
        resume_unwind(Box::new(1_i32));
    });
    assert!(task.join().is_err());
}

/// One interrupt unwinds the task; a second one, or an outer limit, must not be raised in the
/// destructors that run then: that would end the process.
#[test]
fn no_interrupt_is_raised_in_a_destructor_that_waits_while_another_unwinds() {
    let outcome = in_child(this_test!(), || {
        let task = spawn(|| {
            let _slow = OnDrop(|| {
                sleep(ms(2));
                yield_now();
                tell("cleaned up", &[]);
            });
            sleep(Duration::MAX);
        });
        yield_now();
        task.kill_soon();
        task.kill_soon();
        task.kill_soon_with(3_i32);
        assert!(task.join().unwrap_err().is_killed());
        // A limit that passes while its scope is unwound.
        let task = spawn(|| {
            let _limit = Timeout::start(ms(1));
            let _slow = OnDrop(|| sleep(ms(10)));
            resume_unwind(Box::new(4_i32));
        });
        assert_eq!(task.join().unwrap_err().downcast_ref(), Some(&4));
        let outer = timeout(ms(1), || {
            let _slow = OnDrop(|| sleep(ms(10)));
            let _slower = OnDrop(|| sleep(ms(10)));
            sleep(Duration::from_secs(60));
        });
        assert!(outer.is_err());
        // Kept, and raised at the first wait after the unwinding.
        let task = spawn(|| {
            let first = catch_unwind(|| {
                let _slow = OnDrop(|| sleep(ms(2)));
                sleep(Duration::MAX);
            });
            let second = catch_unwind(|| sleep(Duration::from_secs(60)));
            let number =
                |payload: Box<dyn std::any::Any + Send>| *payload.downcast::<i32>().unwrap();
            (number(first.unwrap_err()), number(second.unwrap_err()))
        });
        yield_now();
        task.kill_soon_with(1_i32);
        task.kill_soon_with(2_i32);
        assert_eq!(task.join().unwrap(), (1, 2));
    });
    outcome.exited_with(0);
    assert!(outcome.told("cleaned up"));
}

#[test]
fn a_destructor_cannot_wait_for_another_task() {
    let other = Rc::new(spawn(|| sleep(ms(5))));
    let held = other.clone();
    let task = spawn(move || {
        let _end = OnDrop(|| {
            let refused = catch_unwind(AssertUnwindSafe(|| held.wait())).unwrap_err();
            let text = refused.downcast_ref::<&str>().unwrap();
            assert!(text.contains("while the thread unwinds"), "{text}");
        });
        resume_unwind(Box::new(1_i32));
    });
    assert!(task.join().is_err());
    other.wait();
}

#[test]
fn a_join_in_a_destructor_ends_the_process_with_a_word() {
    let outcome = in_child(this_test!(), || {
        let other = spawn(|| sleep(Duration::from_secs(60)));
        let _end = OnDrop(|| other.wait());
        panic!("the first");
    });
    outcome.died_of(libc::SIGABRT).says("the first").says("while the thread unwinds");
}

#[test]
fn destructors_during_a_kill_by_drop_wait_in_place() {
    let log = Log::default();
    let noise = log.clone();
    let stop = Rc::new(Cell::new(false));
    let until = stop.clone();
    spawn_detached(move || {
        while !until.get() {
            noise.say("another");
            yield_now();
        }
    });
    let inner = log.clone();
    let g = Greenlet::new(move |()| {
        let nested = {
            let inner = inner.clone();
            let nested = Greenlet::new(move |()| {
                let _slow = OnDrop(|| {
                    sleep(ms(1));
                    inner.say("nested slept");
                });
                let () = suspend(());
            });
            let () = nested.switch(());
            nested
        };
        let _slow = OnDrop(|| {
            sleep(ms(2));
            yield_now();
            idle();
            inner.say("slept");
        });
        let _nested = nested;
        let () = suspend(());
    });
    let () = g.switch(());
    drop(g);
    log.say("dropped");
    assert_eq!(log.lines(), ["nested slept", "slept", "dropped"]);
    yield_now();
    stop.set(true);
    yield_now();
    assert!(!log.lines().is_empty());
}

/// A victim that catches its exit and sleeps is still being killed: in place.
#[test]
fn a_victim_that_goes_on_for_a_while() {
    let log = Log::default();
    let noise = log.clone();
    let other = spawn(move || noise.say("another"));
    let inner = log.clone();
    let g = Greenlet::new(move |()| {
        let _ = catch_unwind(|| suspend::<(), ()>(()));
        for _ in 0..3 {
            sleep(ms(1));
        }
        let task = spawn(|| 5);
        assert!(catch_unwind(AssertUnwindSafe(|| task.wait())).is_err());
        assert!(timeout(ms(1), || sleep(Duration::from_secs(60))).is_err());
        inner.say("over");
    });
    let () = g.switch(());
    drop(g);
    log.say("dropped");
    other.join().unwrap();
    assert_eq!(log.lines(), ["over", "dropped", "another"]);
}

#[test]
fn a_panic_hook_that_sleeps_waits_in_place() {
    let outcome = in_child(this_test!(), || {
        std::panic::set_hook(Box::new(|_| sleep(ms(1))));
        let other = spawn(|| assert!(!std::thread::panicking()));
        let task = spawn(|| panic!("quiet"));
        assert!(task.join().is_err());
        other.join().unwrap();
    });
    outcome.exited_with(0).says_only(&[]);
}

/// In place nobody could ever wake it: said, instead of a loop without end.
#[test]
fn a_wait_in_place_that_nothing_can_end_is_said() {
    let outcome = in_child(this_test!(), || {
        let _end = OnDrop(|| sleep(Duration::MAX));
        panic!("the first");
    });
    outcome.died_of(libc::SIGABRT).says("waits for a sleep").says("nothing can wake it");
}
