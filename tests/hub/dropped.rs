//! The last handle of a raw greenlet is dropped while it is parked in the hub.

use crate::in_child::{in_child, tell, this_test};
use crate::log::{Log, OnDrop};
use crate::ms;
use greenlet::sync::Event;
use greenlet::{
    Deadlock, Greenlet, GreenletExit, all, current, run_until_idle, shield, sleep, spawn,
};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Duration;

/// A raw greenlet that sleeps for ever in `body`, and that nobody else holds. The root comes back
/// from it because nothing else can happen.
fn parked(body: impl FnOnce() + 'static) -> Greenlet {
    let g = Greenlet::new(move |()| body());
    let raised = catch_unwind(AssertUnwindSafe(|| g.switch::<(), ()>(())));
    assert!(raised.unwrap_err().is::<Deadlock>());
    g
}

#[test]
fn it_is_told_to_exit_and_unwinds_when_it_is_its_turn() {
    let log = Log::default();
    let inner = log.clone();
    let g = parked(move || {
        let _end = inner.at_end("unwound");
        sleep(Duration::MAX);
    });
    let weak = g.downgrade();
    drop(g);
    log.say("dropped");
    assert!(weak.upgrade().is_none());
    sleep(ms(1));
    assert_eq!(log.lines(), ["dropped", "unwound"]);
}

#[test]
fn its_destructors_may_sleep() {
    let log = Log::default();
    let inner = log.clone();
    let g = parked(move || {
        let _end = inner.at_end("unwound");
        let _slow = OnDrop(|| sleep(ms(3)));
        sleep(Duration::MAX);
    });
    drop(g);
    let other = log.clone();
    spawn(move || other.say("another runs")).join().unwrap();
    sleep(ms(1));
    // In place: nobody runs between the exit and the end.
    assert_eq!(log.lines(), ["unwound", "another runs"]);
}

/// Handles to one that was told to exit are made and dropped: it is told once.
#[test]
fn it_is_told_once() {
    let log = Log::default();
    let inner = log.clone();
    let g = parked(move || {
        let mut slept = 0;
        while slept < 2 {
            match catch_unwind(|| sleep(if slept == 0 { Duration::MAX } else { ms(2) })) {
                Ok(()) => slept += 1,
                Err(payload) => {
                    inner.say(if payload.is::<GreenletExit>() { "exit" } else { "?" });
                    slept = 1;
                }
            }
        }
        inner.say("done");
    });
    drop(g);
    for _ in 0..5 {
        drop(all()); // handles of everybody come and go
    }
    run_until_idle();
    assert_eq!(log.lines(), ["exit", "done"]);
}

/// The end of what was dropped is no answer to what its parent waits for.
#[test]
fn its_end_is_not_told_to_a_parent_that_waits_for_another() {
    let ends: [fn(); 3] = [
        || sleep(Duration::MAX),
        || drop(catch_unwind(|| sleep(Duration::MAX))),
        || {
            let _ = catch_unwind(|| sleep(Duration::MAX));
            resume_unwind(Box::new(5_i32))
        },
    ];
    for end in ends {
        let dropped = parked(end);
        let other = Greenlet::new(|()| {
            sleep(ms(3));
            7_i32
        });
        drop(dropped);
        let seven: Result<i32, _> = other.try_switch(());
        assert_eq!(seven.ok(), Some(7));
    }
}

/// It caught its exit, and is held again: its end is that of any other.
#[test]
fn one_that_is_held_again_answers_whoever_switches_to_it() {
    let kept = Rc::new(Cell::new(None));
    let keeps = kept.clone();
    let g = Greenlet::new(move |()| {
        let _ = catch_unwind(|| sleep(Duration::MAX));
        keeps.set(Some(current()));
        let sleeper = Greenlet::new(|()| sleep(Duration::MAX));
        sleeper.switch::<(), ()>(());
        5_i32
    });
    let parked = catch_unwind(AssertUnwindSafe(|| g.switch::<(), ()>(())));
    assert!(parked.unwrap_err().is::<Deadlock>());
    drop(g);
    sleep(ms(1));
    let g = kept.take().unwrap();
    assert_eq!(g.switch::<(), i32>(()), 5);
    assert!(g.is_dead());
}

/// It was told to exit, and went on without a handle: suspended by a switch, nobody would find it again.
#[test]
fn one_that_goes_on_after_its_exit_is_killed_when_it_switches_away() {
    for how in ["catches it", "waits again", "holds it back", "has what it waits for"] {
        let (log, set) = (Log::default(), Rc::new(Event::new()));
        let (inner, event) = (log.clone(), set.clone());
        let g = parked(move || {
            match how {
                "holds it back" => shield(|| event.wait()),
                "has what it waits for" => event.wait(),
                _ => drop(catch_unwind(|| sleep(Duration::MAX))),
            }
            if how == "waits again" {
                sleep(ms(1));
            }
            let other = inner.clone();
            let next = Greenlet::new(move |()| other.say("next"));
            let _end = inner.at_end("killed");
            next.switch::<(), ()>(());
        });
        drop(g);
        set.set();
        let mut lines = log.lines();
        while lines.len() < 2 {
            sleep(ms(1));
            lines.extend(log.lines());
        }
        assert_eq!(lines, ["killed", "next"], "{how}");
    }
}

#[test]
fn a_panic_in_its_cleanup_is_reported() {
    let outcome = in_child(this_test!(), || {
        let g = parked(|| {
            let _ = catch_unwind(|| sleep(Duration::MAX));
            resume_unwind(Box::new("spoiled"));
        });
        drop(g);
        sleep(ms(1));
        tell("went on", &[]);
    });
    outcome.exited_with(0).says("ignored in cleanup: spoiled");
    assert!(outcome.told("went on"));
}

#[test]
fn dropped_by_a_task_that_goes_on() {
    let log = Log::default();
    let inner = log.clone();
    let g = parked(move || {
        let _end = inner.at_end("unwound");
        sleep(Duration::MAX);
    });
    let said = log.clone();
    let task = spawn(move || {
        drop(g);
        said.say("dropped");
        sleep(ms(1));
        said.say("slept");
    });
    task.join().unwrap();
    assert_eq!(log.lines(), ["dropped", "unwound", "slept"]);
}

/// Killed from within another kill by drop.
#[test]
fn dropped_by_a_destructor_of_one_that_is_dropped() {
    let log = Log::default();
    let (inner, other) = (log.clone(), log.clone());
    let g = parked(move || {
        let _end = inner.at_end("parked unwound");
        sleep(Duration::MAX);
    });
    let holder = Greenlet::new(move |()| {
        let _end = other.at_end("holder unwound");
        let _held = g;
        let () = greenlet::suspend(());
    });
    let () = holder.switch(());
    drop(holder);
    log.say("dropped");
    sleep(ms(1));
    assert_eq!(log.lines(), ["holder unwound", "dropped", "parked unwound"]);
}

#[test]
fn thousands_are_dropped_while_they_are_parked() {
    let log = Log::default();
    for _ in 0..2000 {
        let inner = log.clone();
        let task = spawn(move || {
            let end = inner.at_end("unwound");
            let g = Greenlet::new(move |()| {
                let _end = end;
                sleep(Duration::from_secs(60));
            });
            g.switch::<(), ()>(());
        });
        task.kill_soon();
        drop(task);
    }
    sleep(ms(1));
    log.lines();
}
