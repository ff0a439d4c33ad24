//! How an uncaught panic travels up the tree.

use crate::raised::{Boom, boom, raised, text, try_raised};
use crate::trace::{Defer, OnDrop, Trace};
use greenlet::{Greenlet, SwitchError, Why, all, suspend};
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::rc::Rc;

#[test]
fn an_uncaught_panic_kills_and_is_raised_in_the_parent() {
    let g = Greenlet::new(|()| panic!("caught in {}", "the parent"));
    assert_eq!(raised(|| g.switch::<(), ()>(())), "caught in the parent");
    assert!(g.is_dead());
    let later = Greenlet::new(|()| {
        suspend::<(), ()>(());
        panic_any(7_i32)
    });
    let () = later.switch(());
    match later.try_switch::<(), ()>(()) {
        Err(SwitchError::Thrown(payload)) => assert_eq!(payload.downcast_ref(), Some(&7)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_backtrace_shows_the_parents_but_not_who_merely_switched() {
    #[inline(never)]
    fn deep_in_the_body() -> String {
        std::hint::black_box(Backtrace::force_capture().to_string())
    }
    #[inline(never)]
    fn merely_switches(g: &Greenlet) {
        std::hint::black_box(g.switch_any(()));
    }
    #[inline(never)]
    fn the_parent_waits(stranger: &Greenlet) -> String {
        std::hint::black_box(stranger.switch::<(), String>(()))
    }
    let child = Greenlet::new(|()| std::hint::black_box(deep_in_the_body()));
    let stranger = Greenlet::new({
        let child = child.clone();
        move |()| merely_switches(&child)
    });
    let frames = the_parent_waits(&stranger);
    assert!(frames.contains("deep_in_the_body"), "{frames}");
    assert!(frames.contains("the_parent_waits"), "{frames}");
    assert!(!frames.contains("merely_switches"), "{frames}");
}

#[test]
fn a_panic_surfaces_where_the_parent_waits_and_may_go_on_from_there() {
    let trace = Trace::default();
    let g1 = Greenlet::new({
        let trace = trace.clone();
        move |()| {
            let caught = catch_unwind(|| suspend::<(), ()>(())).unwrap_err();
            trace.say(format!("g1 saw {}", text(&*caught)));
            resume_unwind(caught)
        }
    });
    let () = g1.switch(());
    let g2 = Greenlet::builder().parent(&g1).create(|()| boom("from g2")).unwrap();
    assert_eq!(raised(|| g2.switch::<(), ()>(())), "boom from g2");
    assert!(g1.is_dead() && g2.is_dead());
    trace.is(&["g1 saw boom from g2"]);
}

#[test]
fn a_parent_that_catches_returns_to_its_own_parent() {
    let g1 = Greenlet::new(|()| match try_raised(|| suspend::<(), ()>(())) {
        Ok(text) => format!("caught {text}"),
        Err(()) => "nothing".to_owned(),
    });
    let () = g1.switch(());
    let g2 = Greenlet::builder().parent(&g1).create(|()| boom("x")).unwrap();
    assert_eq!(g2.switch::<(), String>(()), "caught boom x");
}

#[test]
fn a_panic_passes_three_levels_to_the_first_who_catches() {
    let trace = Trace::default();
    let nest = |depth: u32, trace: &Trace| {
        fn body(depth: u32, trace: Trace) {
            let _seen = OnDrop(trace.clone(), ["level 0", "level 1", "level 2"][depth as usize]);
            if depth == 2 {
                boom("deep");
            }
            Greenlet::new(move |()| body(depth + 1, trace)).switch_any(());
        }
        let trace = trace.clone();
        Greenlet::new(move |()| body(depth, trace))
    };
    assert_eq!(raised(|| nest(0, &trace).switch::<(), ()>(())), "boom deep");
    trace.is(&["level 2", "level 1", "level 0"]);
}

#[test]
fn a_greenlet_started_in_a_handler_sees_nothing_of_it() {
    let mine = catch_unwind(|| boom("mine")).unwrap_err();
    let inner: (bool, String) = Greenlet::new(|()| {
        let before = std::thread::panicking();
        let caught = raised(|| boom("theirs"));
        (before, caught)
    })
    .switch(());
    assert_eq!(inner, (false, "boom theirs".to_owned()));
    assert_eq!(text(&*mine), "boom mine");
}

#[test]
fn while_unwinding_a_switch_is_refused_with_its_value() {
    let g = Greenlet::new(|x: i32| x);
    let refused = Rc::new(Cell::new(None));
    let caught = raised(|| {
        let _in_drop = Defer(|| {
            refused.set(Some(g.try_switch::<i32, i32>(3)));
        });
        boom("unwinding")
    });
    assert_eq!(caught, "boom unwinding");
    assert!(matches!(
        refused.take(),
        Some(Err(SwitchError::Refused { why: Why::Unwinding, value: 3 }))
    ));
    assert_eq!(g.switch::<i32, i32>(4), 4);
}

#[test]
fn while_unwinding_the_drop_of_a_handle_still_unwinds_its_greenlet() {
    let trace = Trace::default();
    let make = |line| {
        let trace = trace.clone();
        let g = Greenlet::new(move |()| {
            let _finally = OnDrop(trace.clone(), line);
            let _catches = Defer(|| drop(raised(|| boom("inside the cleanup"))));
            let inner = Greenlet::new({
                let trace = trace.clone();
                move |()| {
                    let _finally = OnDrop(trace, "inner");
                    suspend::<(), ()>(())
                }
            });
            let () = inner.switch(());
            suspend::<(), ()>(());
        });
        let () = g.switch(());
        g
    };
    let (first, second) = (make("first"), make("second"));
    let caught = raised(move || {
        let _held = (first, second);
        boom("unwinding")
    });
    assert_eq!(caught, "boom unwinding");
    assert!(!std::thread::panicking());
    trace.is(&["inner", "first", "inner", "second"]);
}

#[test]
fn a_pending_throw_survives_user_code_that_panics_and_catches() {
    let noisy = Defer(|| {
        drop(raised(|| boom("inner")));
        let g = Greenlet::new(|()| boom("inner greenlet"));
        drop(raised(|| g.switch::<(), ()>(())));
        let h = Greenlet::new(|()| suspend::<(), ()>(()));
        let () = h.switch(());
        drop(raised(|| h.throw::<()>(Boom("inner throw"))));
    });
    let g = Greenlet::new(move |()| drop(noisy));
    assert_eq!(raised(|| g.throw::<()>(Boom("outer"))), "boom outer");
    assert!(g.is_dead());
}

#[test]
fn no_payload_but_greenlet_exit_is_treated_apart() {
    struct SystemExit;
    struct KeyboardInterrupt(#[expect(dead_code, reason = "a payload with content")] i32);
    let exits = Greenlet::new(|()| resume_unwind(Box::new(SystemExit)));
    match exits.try_switch::<(), ()>(()) {
        Err(SwitchError::Thrown(payload)) => assert!(payload.is::<SystemExit>()),
        other => panic!("{other:?}"),
    }
    let waits = Greenlet::new(|()| suspend::<(), ()>(()));
    let () = waits.switch(());
    match waits.try_throw::<()>(KeyboardInterrupt(2)) {
        Err(SwitchError::Thrown(payload)) => assert!(payload.is::<KeyboardInterrupt>()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn four_greenlets_each_keep_the_panic_that_they_caught() {
    let make = |n: i32| {
        Greenlet::new(move |()| {
            let caught = catch_unwind(AssertUnwindSafe(|| resume_unwind(Box::new(n)))).unwrap_err();
            suspend::<(), ()>(());
            let again = catch_unwind(AssertUnwindSafe(|| resume_unwind(caught))).unwrap_err();
            *again.downcast::<i32>().unwrap()
        })
    };
    let greenlets: Vec<_> = (0..4).map(make).collect();
    for g in &greenlets {
        let () = g.switch(());
    }
    let results: Vec<i32> = greenlets.iter().map(|g| g.switch(())).collect();
    assert_eq!(results, [0, 1, 2, 3]);
}

#[test]
fn a_thousand_rounds_of_raising_and_catching_leave_nobody_behind() {
    let before = all().len();
    let dropped = Rc::new(());
    for n in 0..1_000 {
        let token = dropped.clone();
        let g2 = Greenlet::new(move |()| {
            let _token = token;
            if try_raised(|| boom("inside")).is_ok() {
                suspend::<(), ()>(());
            }
            if n % 2 == 0 {
                boom("out");
            }
        });
        let () = g2.switch(());
        let ended = g2.try_switch::<(), ()>(());
        assert_eq!(ended.is_err(), n % 2 == 0);
    }
    assert_eq!(all().len(), before);
    assert_eq!(Rc::strong_count(&dropped), 1);
}
