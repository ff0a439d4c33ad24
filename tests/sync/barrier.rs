use crate::cases;
use crate::random::{Random, seeds};
use crate::trace::{Trace, raised};
use greenlet::sync::Barrier;
use greenlet::{Greenlet, JoinHandle, run, run_until_idle, shield, sleep, spawn, yield_now};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

fn comer(trace: &Trace, barrier: &Rc<Barrier>, name: &'static str) -> JoinHandle<()> {
    let barrier = barrier.clone();
    trace.task(name, move || if barrier.wait().is_leader() { "leads" } else { "follows" })
}

#[test]
fn uncontended_without_hub() {
    cases::without_hub(|| {
        for size in [0, 1] {
            let barrier = Barrier::new(size);
            assert!(barrier.wait().is_leader());
            assert!(barrier.wait_timeout(Duration::ZERO).unwrap().is_leader());
            assert_eq!((barrier.size(), barrier.waiting()), (size, 0));
        }
        assert_eq!(format!("{:?}", Barrier::new(2)), "Barrier { size: 2, waiting: 0 }");
    });
}

#[test]
fn the_last_to_come_leads_and_does_not_park() {
    let (trace, barrier) = (Trace::default(), Rc::new(Barrier::new(3)));
    for _ in 0..2 {
        let _ = (comer(&trace, &barrier, "a"), comer(&trace, &barrier, "b"));
        yield_now();
        trace.is(&[]);
        assert!(barrier.wait().is_leader());
        trace.say("root");
        yield_now();
        trace.is(&["root", "a: follows", "b: follows"]);
    }
}

#[test]
fn whoever_is_killed_thrown_at_or_late_has_not_come() {
    let (trace, barrier) = (Trace::default(), Rc::new(Barrier::new(2)));
    let killed = comer(&trace, &barrier, "killed");
    yield_now();
    killed.kill();
    let thrown_at = comer(&trace, &barrier, "thrown at");
    yield_now();
    thrown_at.kill_with("a stone");
    assert_eq!(barrier.wait_timeout(Duration::from_millis(1)), None);
    assert_eq!(barrier.waiting(), 0);
    let _ = comer(&trace, &barrier, "comes");
    yield_now();
    assert!(barrier.wait().is_leader());
    yield_now();
    trace.is(&["killed: killed", "thrown at: raised a stone", "comes: follows"]);
}

/// Whoever has come and is killed then has come: the others rely on it.
#[test]
fn killed_when_the_last_one_comes() {
    let (trace, barrier) = (Trace::default(), Rc::new(Barrier::new(2)));
    let a = comer(&trace, &barrier, "a");
    yield_now();
    barrier.wait();
    a.kill_soon();
    yield_now();
    trace.is(&["a: follows"]);
}

#[test]
fn shielded() {
    let (trace, barrier) = (Trace::default(), Rc::new(Barrier::new(2)));
    let one = barrier.clone();
    let a = trace.task("a", move || {
        shield(|| one.wait());
        sleep(Duration::MAX);
        ""
    });
    yield_now();
    a.kill_soon();
    yield_now();
    assert_eq!(barrier.waiting(), 1);
    barrier.wait();
    a.wait();
    trace.is(&["a: killed"]);
}

#[test]
fn raw_greenlets_and_root() {
    let barrier = Rc::new(Barrier::new(2));
    let (one, other) = (barrier.clone(), barrier.clone());
    let raw = Greenlet::new(move |()| one.wait().is_leader());
    let task = spawn(move || [other.wait().is_leader(), other.wait().is_leader()]);
    assert!(!raw.switch::<(), bool>(()));
    yield_now();
    assert!(barrier.wait().is_leader());
    assert_eq!(task.join().unwrap(), [true, false]);
}

#[test]
fn refused_while_unwinding() {
    struct WaitsInDrop(Rc<Barrier>);
    impl Drop for WaitsInDrop {
        fn drop(&mut self) {
            let waited = catch_unwind(AssertUnwindSafe(|| self.0.wait())).unwrap_err();
            assert!(raised(&*waited).starts_with("a barrier cannot be waited for while"));
        }
    }
    let barrier = Rc::new(Barrier::new(2));
    let waits = WaitsInDrop(barrier.clone());
    let failed = catch_unwind(AssertUnwindSafe(move || {
        let _waits = waits;
        panic!("the first");
    }));
    assert_eq!(raised(&*failed.unwrap_err()), "raised the first");
    assert_eq!(barrier.waiting(), 0);
}

#[test]
fn dropped_and_wound_up_with_waiters() {
    let left = std::thread::spawn(|| {
        let (weak, tasks) = run(|| {
            let barrier = Rc::new(Barrier::new(3));
            let tasks = ["a", "b"].map(|name| comer(&Trace::default(), &barrier, name));
            yield_now();
            tasks[0].kill();
            (Rc::downgrade(&barrier), tasks)
        });
        let all_ended = tasks.iter().all(JoinHandle::is_finished);
        (weak.upgrade().is_some(), all_ended)
    });
    assert_eq!(left.join().unwrap(), (false, true));
}

/// As many go on as have come in whole groups; the rest waits.
#[test]
fn at_random() {
    seeds(100, |seed| {
        let random = Random::new(seed);
        let size = 1 + random.below(5) as usize;
        let barrier = Rc::new(Barrier::new(size));
        let (passed, led) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let mut tasks: Vec<JoinHandle<()>> = Vec::new();
        for _ in 0..40 {
            let (barrier, passed, led) = (barrier.clone(), passed.clone(), led.clone());
            let limit = random.one_in(4).then(|| Duration::from_micros(random.below(300)));
            tasks.push(spawn(move || {
                let result = match limit {
                    None => Some(barrier.wait()),
                    Some(limit) => barrier.wait_timeout(limit),
                };
                if let Some(result) = result {
                    passed.set(passed.get() + 1);
                    led.set(led.get() + usize::from(result.is_leader()));
                }
            }));
            match random.below(6) {
                0 => tasks[random.below(tasks.len() as u64) as usize].kill_soon(),
                1 => sleep(Duration::from_micros(random.below(200))),
                2 | 3 => yield_now(),
                _ => {}
            }
        }
        run_until_idle();
        assert_eq!(passed.get(), led.get() * size);
        let waiting = tasks.iter().filter(|task| !task.is_finished()).count();
        assert_eq!(waiting, barrier.waiting());
        assert!(waiting < size);
        tasks.iter().for_each(JoinHandle::kill);
        assert_eq!(barrier.waiting(), 0);
    });
}
