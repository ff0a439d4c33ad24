use crate::cases::{Subject, cases};
use crate::trace::{Trace, raised};
use greenlet::sync::WaitGroup;
use greenlet::{sleep, spawn, wait, yield_now};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

fn counting() -> Subject {
    let group = Rc::new(WaitGroup::new());
    group.inc();
    let (itself, opened, asked) = (Rc::downgrade(&group), group.clone(), group.clone());
    Subject {
        wait: Rc::new(move |limit| match limit {
            None => [group.wait()].len() == 1,
            Some(limit) => group.wait_timeout(limit),
        }),
        open: Rc::new(move || opened.dec()),
        state: Rc::new(move || format!("{asked:?}")),
        hands_over: false,
        itself,
    }
}

fn uncontended() {
    let group = WaitGroup::default();
    group.wait();
    group.add(2);
    let entered = group.enter();
    assert_eq!(format!("{group:?}"), "WaitGroup { count: 3, .. }");
    drop(entered);
    group.dec();
    group.dec();
    assert!(group.wait_timeout(Duration::ZERO));
    let told = catch_unwind(AssertUnwindSafe(|| group.dec())).unwrap_err();
    let text = told.downcast_ref::<&str>().unwrap();
    assert!(text.starts_with("a wait group with a count of 0 cannot be decremented"));
}

cases!(counting, uncontended);

#[test]
fn a_wait_ends_when_the_count_was_zero_even_if_it_has_grown_since() {
    let (trace, group) = (Trace::default(), Rc::new(WaitGroup::new()));
    group.add(2);
    let one = group.clone();
    let _ = trace.task("waits", move || {
        one.wait();
        one.count()
    });
    yield_now();
    group.dec();
    yield_now();
    trace.is(&[]);
    group.dec();
    group.inc();
    yield_now();
    trace.is(&["waits: 1"]);
    assert_eq!(wait(&[&*group]).timeout(Duration::from_millis(1)).first(), None);
}

#[test]
fn a_count_that_would_be_too_large_is_refused() {
    let group = WaitGroup::new();
    group.add(usize::MAX);
    let refused = catch_unwind(AssertUnwindSafe(|| group.inc())).unwrap_err();
    let text = format!("a wait group cannot count that far: its count is {}", usize::MAX);
    assert_eq!((raised(&*refused), group.count()), (text, usize::MAX));
}

#[test]
fn tasks_that_end_in_any_way_leave() {
    let group = Rc::new(WaitGroup::new());
    let tasks: Vec<_> = (0..3)
        .map(|n| {
            let group = group.clone();
            spawn(move || {
                let _entered = group.enter();
                sleep(if n == 0 { Duration::MAX } else { Duration::from_millis(1) });
                assert!(n != 1, "on purpose");
            })
        })
        .collect();
    yield_now();
    assert_eq!(group.count(), 3);
    tasks[0].kill_soon();
    group.wait();
    assert_eq!(wait(&[&*group]).first(), Some(0));
}
