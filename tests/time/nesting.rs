//! Limits within limits.

use super::{LONG, SHORT};
use greenlet::{Elapsed, Timeout, shield, sleep, spawn, timeout, yield_now};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

#[test]
fn the_inner_one_is_caught_inside() {
    let outer = timeout(LONG, || timeout(SHORT, || sleep(LONG)));
    assert_eq!(outer.unwrap().unwrap_err().limit(), SHORT);
}

#[test]
fn the_outer_one_passes_the_inner_one() {
    let mut after = false;
    let outer = timeout(SHORT, || {
        let inner = timeout(LONG, || sleep(LONG));
        after = true;
        inner
    });
    assert_eq!(outer.unwrap_err().limit(), SHORT);
    assert!(!after);
}

#[test]
fn an_outer_handler_sees_whose_it_is() {
    let outer = Timeout::labelled(LONG, "outer");
    let inner = Timeout::labelled(SHORT, "inner");
    let payload = catch_unwind(|| sleep(LONG)).unwrap_err();
    assert!(!outer.caught(&*payload) && inner.caught(&*payload) && outer.is_pending());
    assert_eq!(payload.downcast_ref::<Elapsed>().unwrap().label(), Some("inner"));
}

#[test]
fn each_catches_its_own_and_lets_others_pass() {
    let outer = Timeout::start(SHORT);
    let inner = Timeout::start(LONG);
    let mut after = false;
    let caught = outer.catch(|| {
        let _ = inner.catch(|| sleep(LONG));
        after = true;
    });
    assert_eq!(caught.unwrap_err().limit(), SHORT);
    assert!(!after && inner.is_pending() && !outer.is_pending());
    assert_eq!(outer.catch(|| 7), Ok(7));
    let panic = catch_unwind(AssertUnwindSafe(|| inner.catch(|| resume_unwind(Box::new("mine")))));
    assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"mine"));
}

#[test]
fn one_that_passed_between_two_calls_is_caught_by_the_second() {
    let limit = Timeout::start(SHORT);
    assert!(limit.catch(|| shield(|| sleep(SHORT * 2))).is_ok());
    assert!(limit.catch(yield_now).is_err());
    assert!(limit.catch(yield_now).is_ok());
}

#[test]
fn of_two_with_the_same_moment_both_are_raised() {
    for depth in [2, 5] {
        let limits: Vec<_> = (0..depth).map(|_| Timeout::start(SHORT)).collect();
        shield(|| sleep(SHORT * 2));
        for limit in &limits {
            let payload = catch_unwind(yield_now).unwrap_err();
            assert!(limit.caught(&*payload), "in the order of their starts");
        }
        yield_now();
    }
    // Zero within zero: the outer one was first, so the inner one is never asked.
    let both = timeout(Duration::ZERO, || timeout(Duration::ZERO, yield_now));
    assert!(both.is_err());
    yield_now();
}

#[test]
fn an_inner_one_that_passes_unraised_is_gone_with_its_region() {
    let outer = timeout(LONG, || {
        timeout(SHORT, || shield(|| sleep(SHORT * 2))).unwrap();
        yield_now();
        7
    });
    assert_eq!(outer, Ok(7));
}

#[test]
fn a_thousand_levels_unwind_to_the_one_that_passed() {
    fn nest(levels: usize, passes: usize) -> Result<usize, Elapsed> {
        if levels == 0 {
            sleep(LONG);
            unreachable!();
        }
        let limit = if levels == passes { SHORT } else { LONG };
        match timeout(limit, || nest(levels - 1, passes)) {
            Ok(inner) => inner,
            Err(_) => Ok(levels),
        }
    }
    for passes in [1, 50, 100] {
        let task = greenlet::TaskBuilder::new().stack_size(1 << 20);
        assert_eq!(task.spawn(move || nest(100, passes)).unwrap().join().unwrap(), Ok(passes));
    }
}

#[test]
fn each_greenlet_has_its_own() {
    let tasks: Vec<_> = (1..50)
        .map(|n| {
            let limit = Duration::from_micros(n * 100);
            spawn(move || timeout(limit, || sleep(LONG)).unwrap_err().limit() == limit)
        })
        .collect();
    assert!(tasks.into_iter().all(|task| task.join().unwrap()));
}

#[test]
fn a_kill_within_a_limit_is_a_kill() {
    let task = spawn(|| {
        let late = timeout(LONG, || catch_unwind(AssertUnwindSafe(|| sleep(LONG))).is_err());
        late == Ok(true)
    });
    yield_now();
    task.kill_soon();
    assert!(task.join().unwrap());
    // A limit and a kill at once: one after the other.
    let task = spawn(|| {
        let limit = Timeout::start(Duration::ZERO);
        let first = catch_unwind(yield_now).unwrap_err();
        let second = catch_unwind(yield_now).unwrap_err();
        first.is::<greenlet::GreenletExit>() && limit.caught(&*second)
    });
    task.kill_soon();
    assert!(task.join().unwrap_err().is_killed(), "before it began");
}
