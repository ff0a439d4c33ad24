//! What is raised in the root greenlet and caught by nobody.
//!
//! libtest, which catches it here, exits with 101 as the end of `main` does.

use crate::in_child::{Case, Outcome, cases_in_children, in_child, tell, this_test};
use greenlet::{Greenlet, GreenletExit, current, root, suspend};
use std::panic::{catch_unwind, resume_unwind};

/// Suspended in its parent's `switch`.
fn suspended() -> Greenlet {
    let g = Greenlet::new(|()| suspend::<(), ()>(()));
    let () = g.switch(());
    g
}

/// How often our own note stands there.
fn notes(outcome: &Outcome) -> usize {
    outcome.stderr.matches("is raised in the root greenlet").count()
}

#[derive(Debug)]
struct OutOfCheese;

#[test]
fn uncaught_throw_at_the_root_leaves_one_line_and_exits_with_101() {
    let cases: [Case<'_>; 8] = [
        ("at a suspended child", |_| _ = suspended().throw_any(OutOfCheese)),
        ("at an unstarted child", |_| _ = Greenlet::new(|()| ()).throw_any(OutOfCheese)),
        ("at a dead child", |_| {
            let g = Greenlet::new(|()| ());
            g.switch_any(());
            g.throw_any(OutOfCheese);
        }),
        ("at the root by itself", |_| _ = root().throw_any(OutOfCheese)),
        ("at the root by a child", |_| {
            Greenlet::new(|()| root().throw::<()>(OutOfCheese)).switch_any(());
        }),
        ("at a grandchild", |_| {
            let child = Greenlet::new(|()| _ = suspended().throw_any(OutOfCheese));
            child.switch_any(());
        }),
        ("at a child that throws it on", |_| {
            let g = Greenlet::new(|()| {
                let caught = catch_unwind(|| suspend::<(), ()>(()));
                resume_unwind(caught.unwrap_err());
            });
            let () = g.switch(());
            g.throw_any(OutOfCheese);
        }),
        ("inside run", |_| greenlet::run(|| _ = suspended().throw_any(OutOfCheese))),
    ];
    cases_in_children(this_test!(), &cases, |_, outcome| {
        let line = "greenlet: a thrown crash::uncaught::OutOfCheese is raised in the root greenlet";
        outcome.exited_with(101).says_only(&[line]);
    });
}

/// The cleanup of whoever passes a throw on may throw, too: the line is due all the same.
#[test]
fn uncaught_throw_is_noted_although_another_was_thrown_since() {
    let outcome = in_child(this_test!(), || {
        let g = Greenlet::new(|()| {
            let caught = catch_unwind(|| suspend::<(), ()>(()));
            suspended().kill();
            resume_unwind(caught.unwrap_err());
        });
        let () = g.switch(());
        g.throw_any("out of cheese");
    });
    outcome.exited_with(101);
    assert_eq!(notes(&outcome), 1, "{outcome}");
}

#[test]
fn uncaught_panic_of_a_child_is_printed_once_and_exits_with_101() {
    let cases: [Case<'_>; 4] = [
        ("of a child", |_| _ = Greenlet::new(|()| panic!("no cheese")).switch_any(())),
        ("of a great-grandchild", |_| {
            fn nest(levels: u32) {
                match levels {
                    0 => panic!("no cheese"),
                    _ => _ = Greenlet::new(move |()| nest(levels - 1)).switch_any(()),
                }
            }
            nest(3);
        }),
        ("of one with a dead parent", |_| {
            let child = Greenlet::new(|()| Greenlet::new(|()| panic!("no cheese")));
            let orphaned: Greenlet = child.switch(());
            orphaned.switch_any(());
        }),
        ("with a name", |_| {
            let g = Greenlet::builder().name("shop").create(|()| panic!("no cheese"));
            g.unwrap().switch_any(());
        }),
    ];
    cases_in_children(this_test!(), &cases, |_, outcome| {
        outcome.exited_with(101).says("uncaught.rs:").says("panicked at").does_not_say("thrown");
        assert_eq!(outcome.stderr.matches("no cheese").count(), 1, "printed once\n{outcome}");
        assert_eq!(outcome.stderr.matches("panicked at").count(), 1, "{outcome}");
    });
}

/// A panic is not a throw, whatever was thrown before: the payloads may even share an address.
#[test]
fn panic_is_not_called_a_throw_because_something_was_thrown_before() {
    struct Nothing;
    let cases: [Case<'_>; 2] = [
        ("payloads without bytes", |_| {
            suspended().kill();
            Greenlet::new(|()| std::panic::panic_any(Nothing)).switch_any(());
        }),
        ("payloads of one size", |_| {
            let g = Greenlet::new(|()| _ = catch_unwind(|| suspend::<(), ()>(())));
            let () = g.switch(());
            g.throw_any([1_u64; 5]);
            let boxed = Greenlet::new(|()| std::panic::panic_any([2_u64; 5]));
            boxed.switch_any(());
        }),
    ];
    cases_in_children(this_test!(), &cases, |_, outcome| {
        outcome.exited_with(101);
        assert_eq!(notes(&outcome), 0, "{outcome}");
    });
}

/// Only the thread ends.
#[test]
fn uncaught_throw_in_another_threads_root_leaves_one_line_and_ends_the_thread() {
    let outcome = in_child(this_test!(), || {
        let body = || _ = suspended().throw_any(OutOfCheese);
        let payload = std::thread::spawn(body).join().unwrap_err();
        assert!(payload.is::<OutOfCheese>());
        let g = Greenlet::new(|x: i32| x + 1);
        assert_eq!(g.switch::<i32, i32>(1), 2);
        tell("goes on", &[]);
    });
    let line = "greenlet: a thrown crash::uncaught::OutOfCheese is raised in the root greenlet";
    outcome.exited_with(0).says_only(&[line]);
    assert!(outcome.told("goes on"));
}

/// A quiet exit is an answer for a parent that waits for anything, and no reason to end for it.
#[test]
fn quiet_exits_stay_quiet() {
    let outcome = in_child(this_test!(), || {
        assert!(suspended().kill().is::<GreenletExit>());
        assert!(Greenlet::new(|()| ()).kill().is::<GreenletExit>());
        let g = Greenlet::new(|()| current().throw::<()>(GreenletExit));
        assert!(g.switch_any(()).is::<GreenletExit>());
        drop(suspended());
    });
    outcome.exited_with(0).says_only(&[]);
}

/// A caller's mistake is a panic like any other: printed, with the caller's place and both types.
#[test]
fn uncaught_refusal_names_both_types_and_the_callers_line() {
    let outcome = in_child(this_test!(), || {
        let g = Greenlet::builder().name("shop").create(|_: String| ()).unwrap();
        g.switch_any(42_i32);
    });
    outcome
        .exited_with(101)
        .says("uncaught.rs:")
        .says("'shop'")
        .says("sent i32, awaited alloc::string::String");
}

#[test]
fn uncaught_refusal_says_what_was_refused() {
    let cases: [Case<'_>; 3] = [
        ("cannot switch to greenlet # 'shop': it has no body yet, bind one first", |_| {
            Greenlet::builder().name("shop").create_unbound().unwrap().switch_any(());
        }),
        ("cannot throw at greenlet # 'shop': it has no body yet, bind one first", |_| {
            Greenlet::builder().name("shop").create_unbound().unwrap().throw_any(());
        }),
        ("cannot switch to the parent: sent i32, awaited ()", |_| {
            let () = Greenlet::new(|()| suspend::<i32, ()>(42)).switch(());
        }),
    ];
    cases_in_children(this_test!(), &cases, |text, outcome| {
        outcome.exited_with(101).says("uncaught.rs:").says_line(text);
    });
}

#[test]
fn uncaught_end_of_a_child_names_both_types() {
    let outcome = in_child(this_test!(), || {
        let g = Greenlet::builder().name("shop").create(|()| "cheese").unwrap();
        let _: i32 = g.switch(());
    });
    outcome
        .exited_with(101)
        .says("uncaught.rs:")
        .says("'shop' ended with a value of type &str, awaited i32");
}
