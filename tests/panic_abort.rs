//! A program built with `panic = "abort"`: no stack can be unwound, everything else works.
//!
//! ```sh
//! RUSTC_BOOTSTRAP=1 CARGO_PROFILE_DEV_PANIC=abort \
//!     cargo test -Zpanic-abort-tests --test panic_abort --target-dir target/abort
//! ```
#![cfg_attr(panic = "abort", expect(unsafe_code, reason = "the helper speaks to the kernel"))]

#[cfg(panic = "abort")]
#[path = "support/in_child.rs"]
mod in_child;

#[cfg(not(panic = "abort"))]
#[test]
fn only_when_built_with_panic_abort() {
    println!("skipped: this build unwinds; the head of tests/panic_abort.rs says how to run it");
}

#[cfg(panic = "abort")]
mod without_unwinding {
    use super::in_child::{Outcome, in_child, tell, this_test};
    use greenlet::{
        Coroutine, Greenlet, GreenletExit, Received, Step, SwitchError, Why, current, generator,
        root, set_trace, suspend, try_suspend,
    };
    use std::cell::Cell;
    use std::rc::Rc;

    struct TellsDrop;

    impl Drop for TellsDrop {
        fn drop(&mut self) {
            tell("dropped", &[]);
        }
    }

    /// Suspended in a plain `suspend`, which raises throws.
    fn suspended() -> Greenlet {
        let g = Greenlet::builder().name("held").create(|()| {
            let _tells = TellsDrop;
            suspend::<(), ()>(());
        });
        let g = g.unwrap();
        let () = g.switch(());
        g
    }

    /// Suspended where throws are values; ends with what was thrown, which must be an `i32`.
    fn taking_throws() -> Greenlet {
        let g = Greenlet::new(|()| match try_suspend::<(), ()>(()) {
            Err(SwitchError::Thrown(payload)) => *payload.downcast::<i32>().unwrap(),
            other => panic!("{other:?}"),
        });
        let () = g.switch(());
        g
    }

    fn all_is_well() {
        let g = Greenlet::new(|x: i32| suspend::<i32, i32>(x + 1) + 2);
        let (first, second): (i32, i32) = (g.switch(1), g.switch(10));
        assert_eq!((first, second), (2, 12));
        assert!(g.is_dead());
    }

    #[track_caller]
    fn assert_aborted(outcome: &Outcome) {
        outcome.died_of(libc::SIGABRT);
        assert!(!outcome.told("survived"), "{outcome}");
    }

    #[test]
    fn switches_values_and_deaths_work() {
        all_is_well();
        let texts = Greenlet::new(|text: String| {
            let (a, b): (u8, [u64; 9]) = suspend(text + " world");
            (a, b.iter().sum::<u64>())
        });
        assert_eq!(texts.switch::<_, String>("hello".to_owned()), "hello world");
        assert_eq!(texts.switch::<_, (u8, u64)>((7_u8, [2_u64; 9])), (7, 18));
        assert!(texts.is_dead());

        let nested = Greenlet::new(|x: u32| {
            let inner = Greenlet::new(|x: u32| x * 2);
            inner.switch::<u32, u32>(x) + 1
        });
        assert_eq!(nested.switch::<u32, u32>(20), 41);

        let mut adder = Coroutine::new(|out, mut x: i32| {
            while x != 0 {
                x = out.give(x + 1);
            }
            "done"
        });
        assert_eq!(adder.resume(3), Step::Yielded(4));
        assert_eq!(adder.resume(0), Step::Returned("done"));
        assert_eq!(generator(|out| (0..4).for_each(|n| out.give(n))).sum::<i32>(), 6);
    }

    #[test]
    fn many_greenlets_reuse_the_stacks_of_the_dead() {
        for n in 0..10_000_u64 {
            let g = Greenlet::new(|x: u64| suspend::<u64, u64>(x) * 2);
            assert_eq!(g.switch::<u64, u64>(n), n);
            assert_eq!(g.switch::<u64, u64>(n), 2 * n);
        }
    }

    #[test]
    fn refused_values_come_back() {
        let g = Greenlet::new(|_: String| ());
        match g.try_switch::<i32, ()>(5) {
            Err(SwitchError::Refused { why: Why::WrongType { .. }, value: 5 }) => {}
            other => panic!("{other:?}"),
        }
        let wrong = Greenlet::new(|()| "text");
        let Err(SwitchError::ChildExited(exit)) = wrong.try_switch::<(), i32>(()) else {
            panic!("an i32 came")
        };
        assert_eq!(exit.type_name(), Some("&str"));
    }

    #[test]
    fn throw_at_a_frame_that_raises_is_refused_and_the_greenlet_goes_on() {
        let g = Greenlet::new(|()| suspend::<(), i32>(()) + 1);
        let () = g.switch(());
        match g.try_throw::<()>("thrown") {
            Err(SwitchError::Refused { why: Why::CannotUnwind, value }) => {
                assert_eq!(value.downcast_ref(), Some(&"thrown"));
            }
            other => panic!("{other:?}"),
        }
        let refused = g.try_throw::<Received>(GreenletExit).unwrap_err();
        assert_eq!(refused.why(), Some(Why::CannotUnwind));
        assert_eq!(g.switch::<i32, i32>(41), 42);
    }

    #[test]
    fn throw_at_a_frame_that_takes_throws_arrives_as_a_value() {
        assert_eq!(taking_throws().try_throw::<i32>(7).unwrap(), 7);
        // The same for a frame of `try_switch`, and for one that suspends again and again.
        let g = Greenlet::new(|()| {
            let mut sum = 0;
            loop {
                match root().try_switch::<i32, Received>(sum) {
                    Err(SwitchError::Thrown(payload)) => sum += *payload.downcast::<i32>().unwrap(),
                    Ok(_) => return -sum,
                    Err(other) => panic!("{other:?}"),
                }
            }
        });
        assert_eq!(g.switch::<(), i32>(()), 0);
        assert_eq!(g.try_throw::<i32>(1).unwrap(), 1);
        assert_eq!(g.try_throw::<i32>(2).unwrap(), 3);
        assert_eq!(g.switch::<(), i32>(()), -3);
    }

    /// What the frame takes is decided by the call that is suspended, not by an earlier one.
    #[test]
    fn plain_suspension_after_one_that_takes_throws_refuses_them() {
        let g = Greenlet::new(|()| {
            let first = try_suspend::<i32, ()>(1).is_err();
            suspend::<bool, ()>(first);
        });
        assert_eq!(g.switch::<(), i32>(()), 1);
        assert!(g.try_throw::<bool>(0).unwrap());
        assert_eq!(g.try_throw::<()>(0).unwrap_err().why(), Some(Why::CannotUnwind));
        let () = g.switch(());
    }

    /// A plain suspension inside of what runs within a `try_switch`: here a trace callback.
    #[test]
    fn plain_suspension_inside_a_trace_callback_refuses_throws() {
        let suspend_once = Rc::new(Cell::new(false));
        let armed = suspend_once.clone();
        set_trace(Some(Rc::new(move |event| {
            if armed.get() && !event.target.is_root() {
                armed.set(false);
                suspend::<i32, ()>(2);
            }
        })));
        let g = Greenlet::new(|()| {
            let back = try_suspend::<i32, ()>(1);
            set_trace(None);
            if back.is_ok() { 3 } else { -3 }
        });
        assert_eq!(g.switch::<(), i32>(()), 1);
        suspend_once.set(true);
        assert_eq!(g.switch::<(), i32>(()), 2, "it waits in the callback");
        let why = g.try_throw::<i32>("thrown").unwrap_err().why();
        assert_eq!(why, Some(Why::CannotUnwind));
        assert_eq!(g.switch::<(), i32>(()), 3);
        set_trace(None);
    }

    #[test]
    fn throw_at_an_unstarted_or_dead_greenlet_arrives_here_as_a_value() {
        let owned = Rc::new(());
        let weak = Rc::downgrade(&owned);
        let g = Greenlet::new(move |()| drop(owned));
        let Err(SwitchError::Thrown(payload)) = g.try_throw::<()>(5) else { panic!("not thrown") };
        assert_eq!(payload.downcast_ref(), Some(&5));
        assert!(g.is_dead() && weak.upgrade().is_none());
        let Err(SwitchError::Thrown(payload)) = g.try_throw::<()>(6) else { panic!("not thrown") };
        assert_eq!(payload.downcast_ref(), Some(&6));
        assert!(Greenlet::new(|()| ()).kill().is::<GreenletExit>());
    }

    /// The throw would arrive at an ancestor, whose frame must take it as well.
    #[test]
    fn throw_that_would_reach_an_ancestor_that_raises_is_refused() {
        let outcome = in_child(this_test!(), || {
            let parent = Greenlet::new(|()| {
                let dead = Greenlet::new(|()| ());
                dead.switch_any(());
                dead.set_parent(&root()).unwrap(); // which waits in a plain `switch`
                let why = dead.try_throw::<()>(5).unwrap_err().why();
                assert_eq!(why, Some(Why::CannotUnwind));
                let unstarted = Greenlet::new(|()| ());
                unstarted.set_parent(&root()).unwrap();
                let why = unstarted.try_throw::<()>(5).unwrap_err().why();
                assert_eq!(why, Some(Why::CannotUnwind));
            });
            parent.switch_any(());
            all_is_well();
            tell("survived", &[]);
        });
        outcome.exited_with(0).says_only(&[]);
        assert!(outcome.told("survived"), "{outcome}");
    }

    #[test]
    fn closure_of_an_unstarted_greenlet_is_dropped_with_its_last_handle() {
        let outcome = in_child(this_test!(), || {
            let owned = TellsDrop;
            drop(Greenlet::new(move |()| drop(owned)));
        });
        outcome.exited_with(0).says_only(&[]);
        assert!(outcome.told("dropped"), "{outcome}");
    }

    #[test]
    fn dropping_a_suspended_greenlet_leaks_it_and_says_so() {
        let outcome = in_child(this_test!(), || {
            let g = suspended();
            let (weak, stack) = (g.downgrade(), g.stack_bounds().unwrap());
            drop(g);
            assert!(weak.upgrade().is_none_or(|g| g.is_dead()));
            all_is_well();
            // Its stack is never given to another.
            let others: Vec<_> = (0..200).map(|_| Greenlet::new(|()| ())).collect();
            assert!(others.iter().all(|g| g.stack_bounds().unwrap().start != stack.start));
            let taking = taking_throws(); // a kill by drop has nobody to unwind there, either
            drop(taking);
            all_is_well();
            tell("survived", &[]);
        });
        let named = "greenlet: greenlet # 'held' is leaked with all that it owns: the program is \
                     built with panic = \"abort\"";
        outcome.exited_with(0).says_only(&[named, &named.replace(" 'held'", "")]);
        assert!(outcome.told("survived") && !outcome.told("dropped"), "{outcome}");
    }

    #[test]
    fn run_leaks_and_reports_what_is_left() {
        let outcome = in_child(this_test!(), || {
            let work = || greenlet::run(|| std::mem::forget(suspended()));
            std::thread::spawn(work).join().unwrap();
            tell("survived", &[]);
        });
        outcome
            .exited_with(0)
            .says("'held' is leaked with all that it owns: the program is built with panic");
        assert!(outcome.told("survived") && !outcome.told("dropped"), "{outcome}");
    }

    #[test]
    fn kill_of_a_suspended_greenlet_says_why_it_cannot_be() {
        let outcome = in_child(this_test!(), || {
            suspended().kill();
            tell("survived", &[]);
        });
        assert_aborted(&outcome);
        outcome.says("cannot throw at greenlet").says("'held': it cannot be unwound in a program");
    }

    #[test]
    fn panic_in_a_greenlet_ends_the_process_with_its_message() {
        let outcome = in_child(this_test!(), || {
            let g = Greenlet::new(|()| panic!("no cheese"));
            g.switch_any(());
            tell("survived", &[]);
        });
        assert_aborted(&outcome);
        outcome.says("no cheese");
    }

    /// Raising it here would end the process; asked to, it says what was thrown.
    #[test]
    fn throw_at_oneself_ends_the_process_with_a_line() {
        let outcome = in_child(this_test!(), || {
            let g = Greenlet::new(|()| current().throw::<()>(5_i32));
            g.switch_any(());
            tell("survived", &[]);
        });
        assert_aborted(&outcome);
        outcome.says("a thrown i32").says("panic = \"abort\"");
    }

    /// What is dropped within a `try_throw` is no part of it: a plain switch there takes no throw, and a
    /// `try_switch` there leaves the mark as it was.
    #[test]
    fn what_runs_inside_a_try_throw_is_marked_by_itself() {
        struct Switches(Greenlet, bool);
        impl Drop for Switches {
            fn drop(&mut self) {
                match self.1 {
                    true => drop(self.0.try_switch::<(), ()>(())),
                    false => self.0.switch::<(), ()>(()),
                }
            }
        }
        let refused = Rc::new(Cell::new(false));
        let says = refused.clone();
        let thrower = Greenlet::new(move |()| {
            let answer = root().try_throw::<()>(1_i32);
            let why = Why::CannotUnwind;
            says.set(matches!(answer, Err(SwitchError::Refused { why: w, .. }) if w == why));
        });
        let held = Switches(thrower, false);
        let unstarted = Greenlet::new(move |()| drop(held));
        assert!(unstarted.try_throw::<Received>(GreenletExit).is_ok());
        assert!(refused.get());

        // The end goes to a greenlet that throws back: at a `try_throw`, which takes it.
        let held = Switches(Greenlet::new(|()| ()), true);
        let parent = Greenlet::new(|_: Received| {
            let thrown = root().try_throw::<()>(2_i32);
            unreachable!("nobody comes back: {}", thrown.is_ok());
        });
        let unstarted = Greenlet::builder().parent(&parent).create(move |()| drop(held)).unwrap();
        let answer = unstarted.try_throw::<Received>(GreenletExit);
        let thrown = matches!(answer, Err(SwitchError::Thrown(payload)) if payload.is::<i32>());
        assert!(thrown);
        std::mem::forget(parent);
    }
}
