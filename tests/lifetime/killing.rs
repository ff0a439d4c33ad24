//! Kills that meet: nested, repeated, refused; rules 127, 128, 134, and hazards 25 to 28, 35.

use crate::child::in_child;
use crate::log::{Log, OnDrop};
use greenlet::{Greenlet, GreenletExit, SwitchError, suspend, try_suspend};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

/// A suspended greenlet that owns another, and so on.
fn nested(depth: u32, ends: &Rc<Cell<u32>>) -> Greenlet {
    let ends = ends.clone();
    let g = Greenlet::new(move |()| {
        let _end = OnDrop(|| ends.set(ends.get() + 1));
        let _inner = (depth > 1).then(|| nested(depth - 1, &ends));
        suspend::<(), ()>(());
    });
    g.switch::<(), ()>(());
    g
}

#[test]
fn three_hundred_kills_nest() {
    let ends = Rc::new(Cell::new(0));
    let g = nested(300, &ends);
    assert_eq!(greenlet::all().len(), 301);
    drop(g);
    assert_eq!(ends.get(), 300);
    assert_eq!(greenlet::all().len(), 1);
    assert_eq!(Greenlet::new(|x: u8| x).switch::<u8, u8>(1), 1);
}

#[test]
fn kills_nest_in_the_cleanup_of_a_panic() {
    let ends = Rc::new(Cell::new(0));
    let g = nested(100, &ends);
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _g = g;
        resume_unwind(Box::new(1_u8));
    }));
    assert!(caught.is_err() && ends.get() == 100);
}

#[test]
fn a_chain_of_a_million_parents_is_dropped_one_by_one() {
    const LENGTH: u32 = 1_000_000;
    // On a small thread: a recursion would overflow it.
    let thread = std::thread::Builder::new().stack_size(128 << 10);
    let test = || {
        let mut last = Greenlet::new(|()| ());
        for _ in 1..LENGTH {
            let next = Greenlet::unbound();
            next.set_parent(&last).unwrap();
            last = next; // the one before dies, its record is kept by the link
        }
        let first = last.parent().unwrap();
        assert!(first.is_dead());
        drop(first);
        drop(last);
        assert_eq!(greenlet::all().len(), 1);
    };
    thread.spawn(test).unwrap().join().unwrap();
}

#[test]
fn a_value_finds_its_way_up_a_long_chain_of_the_dead() {
    let mut last = Greenlet::unbound();
    for _ in 0..100_000 {
        let next = Greenlet::unbound();
        next.set_parent(&last).unwrap();
        last = next;
    }
    let g = Greenlet::builder().parent(&last).create(|x: u8| x + 1).unwrap();
    drop(last);
    assert_eq!(g.switch::<u8, u8>(1), 2);
}

#[test]
fn a_panic_passes_fifty_parents_from_a_depth_of_a_thousand() {
    fn deep(depth: u32) {
        if depth == 0 {
            resume_unwind(Box::new(17_u8));
        }
        deep(depth - 1);
        std::hint::black_box(depth);
    }
    for parents in [1, 50] {
        for depth in [1, 30, 300, 1_000] {
            let mut g = Greenlet::builder().stack_size(1 << 20).create(move |()| deep(depth));
            for _ in 1..parents {
                let inner = g.unwrap();
                g = Greenlet::builder().create(move |()| {
                    inner.set_parent(&greenlet::current()).unwrap();
                    inner.switch::<(), ()>(());
                });
            }
            let answer = g.unwrap().try_switch::<(), ()>(());
            let Err(SwitchError::Thrown(payload)) = answer else { panic!("no panic") };
            assert_eq!(*payload.downcast::<u8>().unwrap(), 17);
        }
    }
    assert_eq!(greenlet::all().len(), 1);
}

#[test]
fn killed_twice_it_dies_once() {
    let log = Log::default();
    let g = Greenlet::new({
        let log = log.clone();
        move |()| {
            let _end = log.at_end("unwound");
            suspend::<(), ()>(());
        }
    });
    g.switch::<(), ()>(());
    assert!(g.kill().is::<GreenletExit>());
    assert!(g.kill().is::<GreenletExit>());
    drop(g);
    assert_eq!(log.lines(), ["unwound"]);
}

#[test]
fn a_thrown_exit_may_be_caught_and_life_goes_on() {
    // In contrast to a kill by drop, which nobody survives.
    let g = Greenlet::new(|()| {
        let caught = catch_unwind(|| suspend::<(), ()>(()));
        assert!(caught.unwrap_err().is::<GreenletExit>());
        suspend::<u8, ()>(1);
        2_u8
    });
    g.switch::<(), ()>(());
    assert_eq!(g.throw::<u8>(GreenletExit), 1);
    assert_eq!(g.switch::<(), u8>(()), 2);
}

#[test]
fn a_body_that_swallows_its_exit_is_given_up_and_reported() {
    let case = || {
        let survivors = Rc::new(Cell::new(0));
        let g = Greenlet::builder().name("clinging").create({
            let survivors = survivors.clone();
            move |()| {
                loop {
                    if try_suspend::<(), ()>(()).is_ok() {
                        survivors.set(survivors.get() + 1);
                    }
                }
            }
        });
        let g = g.unwrap();
        let raw = Rc::new(RefCell::new(g.downgrade()));
        g.switch::<(), ()>(());
        drop(g);
        assert!(raw.borrow().upgrade().is_none());
        assert_eq!(survivors.get(), 0);
        // Its stack is never handed out again.
        for _ in 0..1_000 {
            Greenlet::new(|()| ()).switch::<(), ()>(());
        }
        assert_eq!(greenlet::trim_stacks(0) % 4096, 0);
    };
    let name = "killing::a_body_that_swallows_its_exit_is_given_up_and_reported";
    let report = in_child(name, case).done();
    let line = "'clinging' is leaked with all that it owns: it swallows its exit";
    assert!(report.contains(line), "{report}");
}

#[test]
fn a_nested_victim_that_swallows_leaves_the_outer_kill_going() {
    let case = || {
        let log = Log::default();
        let swallower = Greenlet::new(|()| {
            loop {
                let _ = try_suspend::<(), ()>(());
            }
        });
        swallower.switch::<(), ()>(());
        let outer = Greenlet::new({
            let log = log.clone();
            move |()| {
                let caught = catch_unwind(|| suspend::<(), ()>(()));
                assert!(caught.is_err());
                let _end = log.at_end("outer ends");
                drop(swallower);
                log.say("the inner one is given up");
                let refused = try_suspend::<(), ()>(());
                assert!(refused.is_err(), "the outer kill still goes on");
            }
        });
        outer.switch::<(), ()>(());
        drop(outer);
        assert_eq!(log.lines(), ["the inner one is given up", "outer ends"]);
        assert_eq!(greenlet::all().len(), 1);
        assert_eq!(Greenlet::new(|x: u8| x).switch::<u8, u8>(1), 1);
    };
    in_child("killing::a_nested_victim_that_swallows_leaves_the_outer_kill_going", case).done();
}

#[test]
fn a_drop_that_panics_during_a_kill_says_so_before_the_abort() {
    let case = || {
        let g = Greenlet::new(|()| {
            let _bad = OnDrop(|| panic!("from the drop"));
            suspend::<(), ()>(());
        });
        g.switch::<(), ()>(());
        drop(g);
    };
    let name = "killing::a_drop_that_panics_during_a_kill_says_so_before_the_abort";
    let report = in_child(name, case).aborted();
    assert!(report.contains("from the drop"), "{report}");
}

#[test]
fn two_thousand_objects_die_with_destructors_that_kill() {
    // Destructors that end greenlets, which own more of them.
    thread_local!(static LEFT: Cell<i32> = const { Cell::new(0) });
    struct Node(#[expect(dead_code, reason = "kept for its drop")] Option<Greenlet>);
    impl Node {
        fn new(inner: Option<Greenlet>) -> Node {
            LEFT.set(LEFT.get() + 1);
            Node(inner)
        }
    }
    impl Drop for Node {
        fn drop(&mut self) {
            LEFT.set(LEFT.get() - 1);
        }
    }
    for _ in 0..2 {
        let mut last = None;
        for _ in 0..1_000 {
            let node = Node::new(last.take());
            let g = Greenlet::new(move |()| {
                let _node = node;
                suspend::<(), ()>(());
            });
            g.switch::<(), ()>(());
            last = Some(g);
        }
        assert_eq!(LEFT.get(), 1_000);
        drop(last);
        assert_eq!(LEFT.get(), 0);
    }
}
