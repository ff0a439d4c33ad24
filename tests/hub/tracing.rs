//! The trace callback, with tasks and parks.

use crate::log::Log;
use crate::ms;
use greenlet::{Greenlet, TraceKind, current, root, set_trace, sleep, spawn, yield_now};
use std::cell::Cell;
use std::panic::catch_unwind;
use std::rc::Rc;
use std::time::Duration;

fn name_of(greenlet: &Greenlet) -> String {
    if greenlet.is_root() { "root".into() } else { greenlet.name().unwrap_or("task".into()) }
}

#[test]
fn parks_wakes_and_ends_are_told() {
    let log = Log::default();
    let seen = log.clone();
    let task = spawn(yield_now);
    let other = spawn(yield_now);
    set_trace(Some(Rc::new(move |event| {
        assert_eq!(*event.target, current());
        assert_eq!(event.kind, TraceKind::Switch);
        let dead = if event.origin.is_dead() { " (dead)" } else { "" };
        seen.say(format!("{}{dead} -> {}", name_of(event.origin), name_of(event.target)));
    })));
    task.join().unwrap();
    other.join().unwrap();
    set_trace(None);
    let lines = log.lines();
    // The hub's greenlet hands over when a round begins; nobody is told in its own frames.
    assert!(lines.iter().all(|line| !line.ends_with("-> hub")), "{lines:?}");
    assert_eq!(lines.last().unwrap().split(" -> ").last(), Some("root"), "{lines:?}");
    assert!(lines.iter().filter(|line| line.ends_with("-> task")).count() >= 2, "{lines:?}");
}

fn busy() {
    let tasks: Vec<_> = (0..10_u64)
        .map(|n| {
            spawn(move || {
                yield_now();
                sleep(Duration::from_micros(n * 30));
                let g = Greenlet::new(|()| sleep(Duration::from_micros(20)));
                let () = g.switch(());
            })
        })
        .collect();
    tasks.into_iter().for_each(|task| task.join().unwrap());
}

#[test]
fn a_callback_that_yields_sleeps_and_joins() {
    let actions: [fn(); 4] = [
        yield_now,
        || sleep(Duration::from_micros(10)),
        || spawn(|| ()).join().unwrap(),
        || {
            let g = Greenlet::new(|()| {
                sleep(Duration::from_micros(5));
                String::from("whole")
            });
            let text: String = g.switch(());
            assert_eq!(text, "whole");
        },
    ];
    for action in actions {
        let calls = Rc::new(Cell::new(0));
        let counted = calls.clone();
        let busy_callbacks = Cell::new(0);
        set_trace(Some(Rc::new(move |_| {
            counted.set(counted.get() + 1);
            // What the callback starts is traced, too.
            if busy_callbacks.get() < 3 {
                busy_callbacks.set(busy_callbacks.get() + 1);
                action();
                busy_callbacks.set(busy_callbacks.get() - 1);
            }
        })));
        busy();
        set_trace(None);
        assert!(calls.get() > 20);
        busy();
    }
}

#[test]
fn a_callback_that_ends_the_work_of_the_root_inside_its_wait() {
    set_trace(Some(Rc::new(|_| {
        if current() == root() {
            greenlet::run(|| ());
        }
    })));
    let task = spawn(|| sleep(Duration::MAX));
    sleep(ms(2));
    assert!(task.is_finished(), "run ended it");
    sleep(ms(1));
    set_trace(None);
    busy();
}

#[test]
fn a_callback_that_panics_is_removed_and_its_panic_is_raised_in_the_target() {
    let countdown = Rc::new(Cell::new(0));
    for after in 0..12 {
        countdown.set(after);
        let left = countdown.clone();
        let main = spawn(|| {
            let work = spawn(|| {
                for _ in 0..5 {
                    yield_now();
                    sleep(Duration::from_micros(20));
                }
            });
            sleep(ms(1));
            work.join().is_ok()
        });
        set_trace(Some(Rc::new(move |_| {
            if left.get() == 0 {
                std::panic::resume_unwind(Box::new(77_i32));
            }
            left.set(left.get() - 1);
        })));
        let mut raised = 0;
        while !main.is_finished() {
            match catch_unwind(std::panic::AssertUnwindSafe(|| main.wait())) {
                Ok(()) => {}
                Err(payload) => {
                    assert_eq!(payload.downcast_ref(), Some(&77));
                    raised += 1;
                }
            }
        }
        set_trace(None);
        raised += u32::from(!main.join().unwrap_or(false));
        // Not at all if its target waited for the last time: then it is noted, as any interrupt is.
        assert!(raised <= 1, "after {after} events");
    }
}
