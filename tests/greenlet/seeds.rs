//! The programs of the pages that the crate was founded on, as short as they are there.

use crate::trace::Trace;
use greenlet::{Greenlet, State, current};

/// `test1(x, y)` hands `x + y` to `test2`, which hands 42 back.
#[test]
fn hello_world_then_forty_two() {
    let print = Trace::default();
    let (gr1, gr2) = (Greenlet::unbound(), Greenlet::unbound());
    gr1.bind({
        let (gr2, print) = (gr2.clone(), print.clone());
        move |(x, y): (&str, &str)| {
            let z: i32 = gr2.switch(format!("{x}{y}"));
            print.say(z);
        }
    });
    gr2.bind({
        let (gr1, print) = (gr1.downgrade(), print.clone());
        move |u: String| {
            print.say(u);
            gr1.upgrade().unwrap().switch_any(42);
            print.say("never");
        }
    });
    gr1.switch_any(("hello", "world"));
    print.is(&["helloworld", "42"]);
    // gr1 is dead; gr2 waits for ever, and is unwound when it is dropped.
    assert_eq!((gr1.state(), gr2.state()), (State::Dead, State::Suspended));
    drop(gr2);
    print.is(&["helloworld", "42"]);
}

/// The page on eventlet: both greenlets are made with the current one as their parent.
#[test]
fn test_one_and_test_two() {
    let print = Trace::default();
    let (gr1, gr2) = (Greenlet::unbound(), Greenlet::unbound());
    for g in [&gr1, &gr2] {
        assert_eq!(g.parent(), Some(current()));
    }
    gr1.bind({
        let (gr2, print) = (gr2.clone(), print.clone());
        move |n: i32| {
            print.say(format!("test1: {n}"));
            gr2.switch_any(32);
            print.say("test1: over");
        }
    });
    gr2.bind({
        let (gr1, print) = (gr1.downgrade(), print.clone());
        move |n: i32| {
            print.say(format!("test2: {n}"));
            gr1.upgrade().unwrap().switch_any(23);
            print.say("test2: over");
        }
    });
    gr1.switch_any(2);
    print.is(&["test1: 2", "test2: 32", "test1: over"]);
    assert_eq!((gr1.state(), gr2.state()), (State::Dead, State::Suspended));
}

/// The example of the original's documentation: 12, 56, 34, and never 78.
#[test]
fn one_two_five_six_three_four() {
    let print = Trace::default();
    let (gr1, gr2) = (Greenlet::unbound(), Greenlet::unbound());
    gr1.bind({
        let (gr2, print) = (gr2.clone(), print.clone());
        move |()| {
            print.say(12);
            gr2.switch_any(());
            print.say(34);
        }
    });
    gr2.bind({
        let (gr1, print) = (gr1.downgrade(), print.clone());
        move |()| {
            print.say(56);
            gr1.upgrade().unwrap().switch_any(());
            print.say(78);
        }
    });
    gr1.switch_any(());
    print.is(&["12", "56", "34"]);
    assert!(gr1.is_dead() && !gr2.is_dead());
}
