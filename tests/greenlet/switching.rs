//! What a switch takes along, and what it brings back.

use crate::counted::{Counted, live};
use crate::raised::raised;
use crate::trace::Trace;
use greenlet::{Greenlet, State, SwitchError, Why, current, root, suspend};
use std::rc::Rc;
use std::thread;

#[test]
fn the_first_value_is_the_argument_of_the_body() {
    let g = Greenlet::new(|(a, b): (i32, &str)| format!("{a} {b}"));
    assert_eq!(g.switch::<(i32, &str), String>((1, "x")), "1 x");
}

#[test]
fn named_arguments_are_the_fields_of_a_struct() {
    struct Arguments {
        x: i32,
        y: Option<i32>,
    }
    let g = Greenlet::new(|Arguments { x, y }| x + y.unwrap_or(10));
    assert_eq!(g.switch::<Arguments, i32>(Arguments { x: 1, y: None }), 11);
}

#[test]
fn a_switch_returns_what_a_later_transfer_brings() {
    let trace = Trace::default();
    let g = Greenlet::new({
        let trace = trace.clone();
        move |first: &'static str| {
            trace.say(format!("body got {first}"));
            let second: i32 = suspend("from the body");
            trace.say(format!("body got {second}"));
            'e'
        }
    });
    let back: &str = g.switch("hello");
    trace.say(format!("root got {back}"));
    // Another greenlet wakes it: what it sent before has no bearing on what it gets.
    let end: char = Greenlet::new({
        let g = g.clone();
        move |()| {
            g.switch_any(7);
        }
    })
    .switch(());
    trace.say(format!("root got {end}"));
    trace.is(&["body got hello", "root got from the body", "body got 7", "root got e"]);
}

#[test]
fn a_value_arrives_as_itself() {
    let echo = || {
        Greenlet::new(|()| {
            let x: Option<i32> = suspend(());
            let y: (i32,) = suspend(x);
            suspend::<(i32,), ()>(y);
        })
    };
    let g = echo();
    let () = g.switch(());
    assert_eq!(g.switch::<Option<i32>, Option<i32>>(None), None);
    assert_eq!(g.switch::<(i32,), (i32,)>((4,)), (4,));
    let () = g.switch(());
}

#[test]
fn sending_nothing_is_sending_unit() {
    let g = Greenlet::new(|()| suspend::<(), ()>(()));
    assert!(g.switch_any(()).is::<()>());
    assert!(g.switch_any(()).is::<()>());
    assert!(g.is_dead());
}

#[test]
fn several_values_arrive_as_one_tuple() {
    let g = Greenlet::new(|(a, b, c): (u8, String, Vec<i32>)| (c, b, a));
    let back: (Vec<i32>, String, u8) = g.switch((1_u8, "two".to_owned(), vec![3]));
    assert_eq!(back, (vec![3], "two".to_owned(), 1));
}

#[test]
fn switching_to_oneself_returns_the_value_at_once() {
    assert_eq!(current().switch::<i32, i32>(5), 5);
    let () = current().switch(());
    assert_eq!(current().switch_any("x").get::<&str>(), "x");
    let inside: (i32, i32) =
        Greenlet::new(|()| current().switch::<(i32, i32), (i32, i32)>((1, 2))).switch(());
    assert_eq!(inside, (1, 2));
    // Asking oneself for another type than one sends is a mistake, and the value comes back.
    match current().try_switch::<String, i32>("kept".to_owned()) {
        Err(SwitchError::Refused { why: Why::WrongType { sent, awaited }, value }) => {
            assert_eq!((sent, awaited, &*value), ("alloc::string::String", "i32", "kept"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_wrong_argument_is_refused_and_the_target_stays_as_it_is() {
    let g = Greenlet::new(|n: i64| n + 1);
    let refused = g.try_switch::<i32, i64>(1);
    assert!(
        matches!(
            refused,
            Err(SwitchError::Refused {
                why: Why::WrongType { sent: "i32", awaited: "i64" },
                value: 1
            })
        ),
        "{refused:?}"
    );
    assert_eq!(g.state(), State::Unstarted);
    let text = raised(|| g.switch::<i32, i64>(1));
    assert!(
        text.contains("i32") && text.contains("i64") && text.contains(&g.to_string()),
        "{text}"
    );
    assert_eq!(g.switch::<i64, i64>(1), 2);
}

#[test]
fn a_wrong_value_leaves_a_suspended_target_resumable() {
    let g = Greenlet::new(|()| suspend::<(), u8>(()));
    let () = g.switch(());
    assert!(g.try_switch::<&str, u8>("no").is_err());
    assert_eq!(g.state(), State::Suspended);
    assert_eq!(g.switch::<u8, u8>(9), 9);
}

#[test]
fn siblings_switch_to_each_other_without_their_parent() {
    let trace = Trace::default();
    let (a, b) = (Greenlet::unbound(), Greenlet::unbound());
    a.bind({
        let (b, trace) = (b.clone(), trace.clone());
        move |mut n: i32| {
            while n < 5 {
                trace.say(format!("a {n}"));
                n = b.switch(n + 1);
            }
            "a ends"
        }
    });
    b.bind({
        let (a, trace) = (a.clone(), trace.clone());
        move |mut n: i32| -> &'static str {
            loop {
                trace.say(format!("b {n}"));
                n = a.switch(n + 1);
            }
        }
    });
    assert_eq!(a.switch::<i32, &str>(0), "a ends");
    trace.is(&["a 0", "b 1", "a 2", "b 3", "a 4", "b 5"]);
    assert_eq!(b.state(), State::Suspended);
    assert!(b.kill().is::<greenlet::GreenletExit>());
}

#[test]
fn two_greenlets_of_one_function_have_stacks_of_their_own() {
    let trace = Trace::default();
    let make = || {
        let trace = trace.clone();
        Greenlet::new(move |()| {
            trace.say("one");
            suspend::<(), ()>(());
            trace.say("two");
            trace.say("three");
        })
    };
    let (g, h) = (make(), make());
    let mut lengths = Vec::new();
    for one in [&g, &h, &h, &g] {
        let () = one.switch(());
        lengths.push((trace.len(), g.is_dead(), h.is_dead()));
    }
    assert_eq!(lengths, [(1, false, false), (2, false, false), (4, false, true), (6, true, true)]);
}

fn in_two_steps() -> Vec<i32> {
    let list = Rc::new(std::cell::RefCell::new(Vec::new()));
    let push = {
        let list = list.clone();
        move |n| list.borrow_mut().push(n)
    };
    let g = Greenlet::new({
        let push = push.clone();
        move |()| {
            push(1);
            suspend::<(), ()>(());
            push(3);
        }
    });
    push(0);
    let () = g.switch(());
    push(2);
    let () = g.switch(());
    push(4);
    list.take()
}

#[test]
fn a_body_in_two_steps_runs_between_the_steps_of_its_switcher() {
    assert_eq!(in_two_steps(), [0, 1, 2, 3, 4]);
}

#[test]
fn ten_threads_switch_without_disturbing_each_other() {
    let threads: Vec<_> = (0..10)
        .map(|_| {
            thread::spawn(|| {
                for _ in 0..200 {
                    assert_eq!(in_two_steps(), [0, 1, 2, 3, 4]);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn values_are_handed_over_not_kept() {
    let shared = Rc::new(());
    let g = Greenlet::new(|first: (Rc<()>, i32)| {
        drop(first);
        loop {
            let (value, _): (Rc<()>, i32) = suspend(());
            drop(value);
        }
    });
    for n in 0..100 {
        g.switch_any((shared.clone(), n));
        assert_eq!(Rc::strong_count(&shared), 1);
    }
}

#[test]
fn a_refused_value_comes_back_once_and_disturbs_nobody() {
    let g = Greenlet::new(|()| {
        let kept: Counted<24> = suspend(());
        assert!(kept.is(1));
    });
    let () = g.switch(());
    match g.try_switch::<Counted<100>, ()>(Counted::new(2)) {
        Err(SwitchError::Refused { value, .. }) => assert!(value.is(2)),
        other => panic!("{other:?}"),
    }
    assert_eq!(live(), 0);
    drop(raised(|| g.switch::<Counted<8>, ()>(Counted::new(3))));
    assert_eq!(live(), 0);
    let () = g.switch(Counted::<24>::new(1));
    assert_eq!(live(), 0);
}

/// The first thing that a thread does, so that it knows of no greenlets yet.
#[test]
fn a_new_thread_has_no_parent_to_suspend_to() {
    let first = |act: fn() -> String| std::thread::spawn(act).join().unwrap();
    let none = "the root greenlet has no parent to switch to";
    assert_eq!(first(|| raised(|| suspend::<(), ()>(()))), none);
    assert_eq!(first(|| raised(|| drop(greenlet::try_suspend::<(), ()>(())))), none);
}

#[test]
fn suspend_in_the_root_names_the_mistake() {
    assert_eq!(raised(|| suspend::<(), ()>(())), "the root greenlet has no parent to switch to");
    assert_eq!(current(), root());
}
