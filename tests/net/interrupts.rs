//! What arrives inside a call that waits: every kind of it, in every call. Nothing is lost by it: what
//! had come, or comes later, is brought by the next call.

use crate::pair::settle;
use crate::waiting::{ALL, Waiting};
use greenlet::{GreenletExit, JoinHandle, shield, spawn, timeout};
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(1);

/// Runs `check` for every call of the table, which is made anew each time.
fn for_all(check: impl Fn(&str, &Waiting)) {
    for (name, make) in ALL {
        check(name, &make());
    }
}

/// Starts the call in a task, and lets it come to its wait.
fn begin(name: &str, waiting: &Waiting) -> JoinHandle<io::Result<String>> {
    let call = waiting.call.clone();
    let task = spawn(move || call());
    settle();
    assert!(task.is_started() && !task.is_finished(), "{name} does not wait");
    task
}

/// The call that comes after one that was ended brings what is there.
fn brings_all(name: &str, waiting: &Waiting) {
    (waiting.supply)();
    assert_eq!((waiting.call)().expect(name), waiting.brings, "{name}");
    if waiting.once {
        assert!(timeout(SHORT, || (waiting.call)()).is_err(), "{name}: it brought more");
    }
}

#[test]
fn a_kill_ends_it() {
    for_all(|name, waiting| {
        let task = begin(name, waiting);
        task.kill();
        assert!(task.join().unwrap_err().is_killed(), "{name}");
        brings_all(name, waiting);
    });
}

#[test]
fn a_throw_is_raised_in_it() {
    for_all(|name, waiting| {
        let task = begin(name, waiting);
        let () = task.greenlet().unwrap().throw("thrown".to_owned());
        let error = task.join().unwrap_err();
        assert!(error.to_string().contains("thrown"), "{name}: {error}");
        brings_all(name, waiting);
    });
}

#[test]
fn a_time_limit_ends_it() {
    for_all(|name, waiting| {
        assert!(timeout(SHORT, || (waiting.call)()).is_err(), "{name}");
        brings_all(name, waiting);
    });
}

#[test]
fn a_limit_that_has_passed_before_it_ends_it_at_once() {
    for_all(|name, waiting| {
        let late = timeout(Duration::from_nanos(1), || (waiting.call)());
        assert!(late.is_err(), "{name}");
        brings_all(name, waiting);
    });
}

#[test]
fn a_shield_keeps_a_kill_out_until_it_has_brought_something() {
    for_all(|name, waiting| {
        let call = waiting.call.clone();
        let brought = Rc::new(RefCell::new(None));
        let note = brought.clone();
        let task = spawn(move || {
            *note.borrow_mut() = Some(shield(|| call()));
            greenlet::sleep(Duration::MAX);
        });
        settle();
        task.kill_soon();
        settle();
        assert!(!task.is_finished() && brought.borrow().is_none(), "{name}");
        (waiting.supply)();
        assert!(task.join().unwrap_err().is_killed(), "{name}");
        let brought = brought.borrow_mut().take().expect(name);
        assert_eq!(brought.expect(name), waiting.brings, "{name}");
    });
}

/// The kill comes when the kernel has the result already: it is brought, by this call or the next.
#[test]
fn what_had_come_before_a_kill_is_not_lost() {
    for_all(|name, waiting| {
        let call = waiting.call.clone();
        let brought = Rc::new(RefCell::new(None));
        let note = brought.clone();
        let task = spawn(move || *note.borrow_mut() = Some(call()));
        settle();
        (waiting.supply)();
        task.kill_soon();
        let _ = task.join();
        match brought.borrow_mut().take() {
            Some(result) => assert_eq!(result.expect(name), waiting.brings, "{name}"),
            None => assert_eq!((waiting.call)().expect(name), waiting.brings, "{name}"),
        }
        if waiting.once {
            assert!(timeout(SHORT, || (waiting.call)()).is_err(), "{name}: it came twice");
        }
    });
}

#[test]
fn close_by_another_ends_it_with_an_error() {
    for_all(|name, waiting| {
        let Some(close) = &waiting.close else { return };
        let task = begin(name, waiting);
        close().expect(name);
        let error = task.join().unwrap().expect_err(name);
        assert_eq!(error.kind(), io::ErrorKind::NotConnected, "{name}: {error}");
        let error = (waiting.call)().expect_err(name);
        assert_eq!(error.kind(), io::ErrorKind::NotConnected, "{name}: {error}");
        close().expect("a second time it does nothing");
    });
}

#[test]
fn close_and_kill_at_once_end_it_once() {
    for_all(|name, waiting| {
        let Some(close) = &waiting.close else { return };
        for kill_first in [false, true] {
            let waiting = Waiting { ..ALL.iter().find(|(n, _)| *n == name).unwrap().1() };
            let close = waiting.close.as_ref().map_or(close, |close| close);
            let task = begin(name, &waiting);
            if kill_first {
                task.kill_soon();
            }
            close().expect(name);
            task.kill_soon();
            match task.join() {
                Ok(result) => assert!(result.is_err(), "{name}"),
                Err(error) => assert!(error.is_killed(), "{name}: {error}"),
            }
        }
    });
}

/// A kill that is pending when the call begins is raised before it has taken anything.
#[test]
fn a_kill_that_is_pending_comes_first() {
    for_all(|name, waiting| {
        let call = waiting.call.clone();
        let began = Rc::new(RefCell::new(false));
        let note = began.clone();
        let task = spawn(move || {
            shield(greenlet::yield_now);
            *note.borrow_mut() = true;
            call()
        });
        greenlet::yield_now();
        task.kill_soon_with(GreenletExit);
        (waiting.supply)();
        assert!(task.join().unwrap_err().is_killed(), "{name}");
        assert!(*began.borrow());
        assert_eq!((waiting.call)().expect(name), waiting.brings, "{name}");
    });
}
