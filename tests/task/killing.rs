//! Ending tasks from outside.

use super::trace::Trace;
use super::{LONG, SHORT};
use greenlet::{
    GreenletExit, JoinHandle, TaskState, idle, is_interrupted, kill_all, shield, sleep, spawn,
    timeout, yield_now,
};
use std::cell::{Cell, OnceCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

#[test]
fn one_that_is_killed_before_it_began_never_runs() {
    let trace = Trace::default();
    let guard = trace.guard("closure");
    let task = spawn(move || drop(guard));
    let told = trace.clone();
    task.on_done_inline(move |end| told.add(format_args!("told {:?}", end.state)));
    task.kill_soon();
    assert_eq!(task.state(), TaskState::Waiting);
    task.kill();
    trace.is(&["closure dropped", "told Killed"]);
    assert_eq!(task.state(), TaskState::Killed);
}

#[test]
fn one_that_waits_is_ended_there_and_its_guards_run() {
    let trace = Trace::default();
    let guard = trace.guard("frame");
    let task = spawn(move || {
        let _guard = guard;
        sleep(LONG);
        unreachable!();
    });
    yield_now();
    task.kill();
    trace.is(&["frame dropped"]);
    task.kill(); // nothing
    task.kill_soon_with("late");
    assert!(task.join().unwrap_err().is_killed());
}

#[test]
fn one_that_computes_is_ended_at_its_next_wait() {
    let task = spawn(|| {
        yield_now();
        assert!(is_interrupted());
        yield_now();
        unreachable!();
    });
    yield_now();
    task.kill_soon();
    assert!(!task.is_finished());
    assert!(task.join().unwrap_err().is_killed());
}

#[test]
fn one_that_ends_before_its_next_wait_has_ended_by_itself() {
    let task = spawn(|| {
        yield_now();
        7
    });
    yield_now();
    task.kill_soon();
    // It was parked in the yield, so that is where it is raised.
    assert!(task.join().unwrap_err().is_killed());
    let task: Rc<OnceCell<JoinHandle<i32>>> = Rc::default();
    let own = task.clone();
    task.set(spawn(move || {
        own.get().unwrap().kill_soon();
        7
    }))
    .unwrap();
    task.get().unwrap().wait();
    assert_eq!(task.get().unwrap().value(), Some(&7));
}

#[test]
fn a_reason_is_what_the_task_fails_with() {
    let unstarted = spawn(|| unreachable!());
    unstarted.kill_with(3_i32);
    let running = spawn(|| sleep(LONG));
    yield_now();
    running.kill_with("enough");
    assert_eq!(running.state(), TaskState::Failed);
    assert_eq!(running.join().unwrap_err().downcast_ref(), Some(&"enough"));
    let error = unstarted.join().unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&3_i32));
}

#[test]
fn one_that_catches_its_exit_is_waited_for() {
    let trace = Trace::default();
    let told = trace.clone();
    let task = spawn(move || {
        let payload = catch_unwind(|| sleep(LONG)).unwrap_err();
        assert!(payload.is::<GreenletExit>());
        told.add("caught");
        sleep(SHORT);
        told.add("done");
        7
    });
    yield_now();
    assert!(!task.kill_timeout(Duration::ZERO));
    trace.add("not waited for");
    task.kill_timeout(LONG); // one more
    trace.is(&["caught", "not waited for"]);
    assert!(task.join().unwrap_err().is_killed());
    let told = trace.clone();
    let task = spawn(move || {
        let _ = catch_unwind(|| sleep(LONG));
        sleep(SHORT);
        told.add("done");
        7
    });
    yield_now();
    task.kill();
    trace.is(&["done"]);
    assert_eq!(task.join().unwrap(), 7);
}

#[test]
fn exits_are_raised_one_at_a_time_in_the_order_in_which_they_came() {
    let task = spawn(|| {
        let first = catch_unwind(|| sleep(LONG)).unwrap_err();
        let second = catch_unwind(|| sleep(LONG)).unwrap_err();
        (*first.downcast::<i32>().unwrap(), *second.downcast::<i32>().unwrap())
    });
    yield_now();
    task.kill_soon_with(1_i32);
    task.kill_soon_with(2_i32);
    assert_eq!(task.join().unwrap(), (1, 2));
}

#[test]
fn a_shield_holds_a_kill_back() {
    let trace = Trace::default();
    let told = trace.clone();
    let task = spawn(move || {
        shield(|| {
            sleep(SHORT);
            told.add("shielded");
        });
        yield_now();
        told.add("not reached");
    });
    yield_now();
    task.kill();
    trace.is(&["shielded"]);
}

#[test]
fn a_killer_that_is_interrupted_has_killed_all_the_same() {
    let task = Rc::new(spawn(|| {
        let _ = catch_unwind(|| sleep(LONG));
        sleep(SHORT);
    }));
    yield_now();
    assert!(timeout(Duration::ZERO, || task.kill()).is_err());
    assert!(!task.is_finished());
    task.wait();
    assert!(task.is_success());
}

#[test]
fn a_task_can_kill_itself() {
    for by in 0..3 {
        let task: Rc<OnceCell<JoinHandle<()>>> = Rc::default();
        let own = task.clone();
        task.set(spawn(move || {
            let own = own.get().unwrap();
            match by {
                0 => own.kill(),
                1 => drop(own.kill_timeout(LONG)),
                _ => drop(kill_all([own]).wait()),
            }
            unreachable!();
        }))
        .unwrap();
        task.get().unwrap().wait();
        assert_eq!(task.get().unwrap().state(), TaskState::Killed);
    }
}

#[test]
fn only_one_that_has_not_begun_is_cancelled() {
    let task = spawn(|| {
        yield_now();
        7
    });
    yield_now();
    assert!(!task.cancel());
    assert_eq!(task.join().unwrap(), 7);
    let task = spawn(|| unreachable!());
    assert!(task.cancel() && task.cancel());
    assert!(task.join().unwrap_err().is_killed());
}

#[test]
fn all_are_killed_in_order_and_waited_for() {
    let trace = Trace::default();
    let tasks: Vec<_> = ["a", "b", "c"]
        .map(|name| {
            let guard = trace.guard(name);
            spawn(move || {
                let _guard = guard;
                sleep(LONG);
            })
        })
        .into();
    yield_now();
    let never = spawn(|| unreachable!());
    assert!(kill_all(tasks.iter().chain([&never])).wait());
    trace.is(&["a dropped", "b dropped", "c dropped"]);
    assert!(kill_all(&tasks).wait()); // nothing
    assert!(kill_all::<()>([]).wait());
}

#[test]
fn the_current_one_is_the_last_of_all_that_are_killed() {
    for is_interrupted in [false, true] {
        let (trace, own) = (Trace::default(), Rc::new(OnceCell::new()));
        let (guard, last) = (trace.guard("other"), trace.guard("own"));
        let (limit, delay) = if is_interrupted { (SHORT, LONG) } else { (LONG, SHORT) };
        let other = Rc::new(spawn(move || {
            let _guard = guard;
            let _ = catch_unwind(|| sleep(LONG));
            sleep(delay);
        }));
        let (me, also) = (own.clone(), other.clone());
        let killer = spawn(move || {
            let _last = last;
            let waited = timeout(limit, || kill_all([me.get().unwrap(), &*also]).wait());
            assert!(is_interrupted && waited.is_err());
            sleep(LONG); // it is killed all the same
        });
        own.set(killer).unwrap();
        own.get().unwrap().wait();
        assert_eq!(own.get().unwrap().state(), TaskState::Killed);
        other.kill();
        match is_interrupted {
            false => trace.is(&["other dropped", "own dropped"]),
            true => trace.is(&["own dropped", "other dropped"]),
        }
    }
}

#[test]
fn stubborn_ones_are_waited_for_as_long_as_wanted() {
    let stubborn = || {
        spawn(|| {
            let reason = catch_unwind(|| sleep(LONG)).unwrap_err();
            sleep(SHORT * 4);
            *reason.downcast::<&str>().unwrap()
        })
    };
    let tasks = [stubborn(), stubborn()];
    yield_now();
    kill_all(&tasks).reason("stop").soon();
    assert!(timeout(SHORT, || tasks.iter().for_each(|task| task.wait())).is_err());
    for task in tasks {
        assert_eq!(task.join().unwrap(), "stop");
    }
    let tasks = [stubborn(), stubborn()];
    yield_now();
    assert!(!kill_all(&tasks).reason("stop").timeout(SHORT).wait());
    for task in tasks {
        assert_eq!(task.join().unwrap(), "stop");
    }
}

#[test]
fn a_destructor_may_kill_while_the_thread_unwinds() {
    struct KillOnDrop(Rc<JoinHandle<()>>);
    impl Drop for KillOnDrop {
        fn drop(&mut self) {
            self.0.kill();
            assert!(!self.0.kill_timeout(LONG));
            assert!(!kill_all([&*self.0]).wait());
        }
    }
    let task = Rc::new(spawn(|| sleep(LONG)));
    let kill = KillOnDrop(task.clone());
    yield_now();
    let outcome = catch_unwind(AssertUnwindSafe(move || {
        let _kill = kill;
        std::panic::resume_unwind(Box::new(()));
    }));
    assert!(outcome.is_err() && !task.is_finished());
    task.wait();
    assert_eq!(task.state(), TaskState::Killed);
}

/// A result that nobody takes is dropped with the handle, by whoever has that.
#[test]
fn a_kill_that_comes_while_a_result_is_dropped_is_not_lost() {
    struct Slow;
    impl Drop for Slow {
        fn drop(&mut self) {
            sleep(LONG);
        }
    }
    let went_on = Rc::new(Cell::new(false));
    let goes_on = went_on.clone();
    let task = spawn(|| Slow);
    let dropper = spawn(move || {
        task.wait();
        drop(task);
        goes_on.set(true);
    });
    idle();
    dropper.kill();
    assert!(!went_on.get() && dropper.join().unwrap_err().is_killed());
}

/// A copy of the reason is made by code of the user's. If that lets the task end, nobody is killed: least of
/// all who has its stack now.
#[test]
fn a_task_that_ends_while_the_reason_is_copied_is_left_alone() {
    thread_local! {
        static NEXT: Cell<Option<JoinHandle<u32>>> = const { Cell::new(None) };
    }
    struct Reason;
    impl Clone for Reason {
        fn clone(&self) -> Reason {
            yield_now();
            NEXT.set(Some(spawn(|| 7)));
            Reason
        }
    }
    let task = spawn(|| 5);
    kill_all([&task]).reason(Reason).soon();
    assert_eq!(task.join().unwrap(), 5);
    assert_eq!(NEXT.take().unwrap().join().unwrap(), 7);
}
