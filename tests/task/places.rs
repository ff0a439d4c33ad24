//! Where one may wait: everywhere. The root greenlet, raw greenlets, other threads, `run`.

use super::trace::Trace;
use super::{LONG, SHORT};
use greenlet::{
    Greenlet, current, join_all, root, scope, shield, sleep, spawn, suspend, timeout, wait,
    yield_now,
};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

/// Uses every kind of wait; what it returns is known.
fn everything() -> usize {
    sleep(SHORT);
    yield_now();
    let later = timeout(LONG, || spawn(|| 1).join().unwrap()).unwrap();
    let late = timeout(Duration::ZERO, || sleep(LONG)).is_err();
    let victim = spawn(|| sleep(LONG));
    victim.kill();
    let both = join_all([spawn(|| 10), spawn(|| 20)]).join().values().unwrap();
    let place = wait(&[&spawn(|| sleep(LONG)), &victim]).first().unwrap();
    let counted = Cell::new(0);
    scope(|s| {
        for _ in 0..3 {
            s.spawn(|| counted.set(counted.get() + shield(|| 100)));
        }
    });
    later + usize::from(late) + both.iter().sum::<usize>() + place + counted.get()
}

const ALL: usize = 1 + 1 + 30 + 1 + 300;

#[test]
fn in_the_root_greenlet() {
    assert_eq!(everything(), ALL);
}

#[test]
fn in_a_task() {
    assert_eq!(spawn(everything).join().unwrap(), ALL);
}

#[test]
fn in_a_raw_greenlet() {
    let raw = Greenlet::new(|()| everything());
    assert_eq!(raw.switch::<(), usize>(()), ALL);
    let trace = Trace::default();
    // Two of them, resumed by the hub: each goes back to the root, its parent, when it ends.
    let told = trace.clone();
    let nested = Greenlet::new(move |()| {
        let inner = Greenlet::new(|()| everything());
        told.add(inner.switch::<(), usize>(()));
        suspend::<&str, ()>("suspended");
        sleep(SHORT);
        "ended"
    });
    trace.add(nested.switch::<(), &str>(()));
    trace.add(nested.switch::<(), &str>(()));
    trace.is(&["333", "suspended", "ended"]);
}

#[test]
fn in_a_raw_greenlet_of_a_task() {
    let task = spawn(|| {
        let raw = Greenlet::new(|()| everything());
        raw.switch::<(), usize>(())
    });
    assert_eq!(task.join().unwrap(), ALL);
}

#[test]
fn on_other_threads_and_in_run() {
    let threads: Vec<_> = (0..3).map(|_| std::thread::spawn(everything)).collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), ALL);
    }
    let thread = std::thread::spawn(|| (0..3).map(|_| greenlet::run(everything)).sum::<usize>());
    assert_eq!(thread.join().unwrap(), 3 * ALL);
}

#[test]
fn a_kill_of_a_raw_greenlet_ends_its_wait() {
    let trace = Trace::default();
    let guard = trace.guard("frame");
    let raw = Greenlet::new(move |()| {
        let _guard = guard;
        root().switch_any("parked next");
        sleep(LONG);
    });
    let _ = raw.switch_any(());
    let waiting = raw.clone();
    let task = spawn(move || {
        waiting.throw::<()>(7_i32);
    });
    let payload = catch_unwind(AssertUnwindSafe(|| {
        let () = raw.switch(()); // it sleeps, the task throws, it ends here
    }));
    assert_eq!(payload.unwrap_err().downcast_ref(), Some(&7_i32));
    trace.is(&["frame dropped"]);
    drop(task);
}

#[test]
fn a_kill_of_a_task_is_raised_once_its_raw_greenlet_is_back() {
    let trace = Trace::default();
    let told = trace.clone();
    let task = spawn(move || {
        let own = current();
        let inner = told.clone();
        let raw = Greenlet::new(move |()| {
            sleep(SHORT);
            inner.add("raw is done");
            assert!(!own.is_dead());
        });
        let () = raw.switch(());
        told.add("back");
        yield_now();
        told.add("not reached");
    });
    yield_now();
    task.kill();
    trace.is(&["raw is done", "back"]);
}

#[test]
fn run_ends_what_is_left() {
    let trace = Trace::default();
    let kept = greenlet::run(|| {
        let (guard, told) = (trace.guard("parked"), trace.clone());
        let parked = spawn(move || {
            let _guard = guard;
            sleep(LONG);
        });
        parked.on_done_inline(move |end| told.add(format_args!("{:?}", end.state)));
        let unstarted = trace.guard("unstarted");
        let rc = Rc::new(spawn(move || drop(unstarted)));
        yield_now();
        (parked, rc)
    });
    trace.is(&["unstarted dropped", "parked dropped", "Killed"]);
    assert!(kept.0.is_finished() && kept.1.is_finished());
}
