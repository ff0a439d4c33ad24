//! Tasks are greenlets: what the tree does to them, and they to the tree.

use crate::log::Log;
use crate::ms;
use greenlet::{
    ChildExit, Greenlet, GreenletExit, Received, State, SwitchError, TaskState, Why, current,
    generator, root, sleep, spawn, suspend, yield_now,
};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::Duration;

#[test]
fn a_throw_at_a_parked_task_is_raised_in_its_wait() {
    let task = spawn(|| sleep(Duration::MAX));
    yield_now();
    let g = task.greenlet().unwrap();
    let () = g.throw(5_i32);
    assert!(!task.is_finished(), "only given");
    let error = task.join().unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&5));
    assert!(g.is_dead());
}

#[test]
fn a_throw_at_a_task_that_has_not_begun_ends_it() {
    let log = Log::default();
    let inner = log.clone();
    let task = spawn(move || inner.say("begun"));
    let () = task.greenlet().unwrap().throw(GreenletExit);
    task.wait();
    assert_eq!(task.state(), TaskState::Killed);
    assert!(log.lines().is_empty());
}

#[test]
fn nobody_switches_to_the_parked() {
    for begun in [false, true] {
        let task = spawn(|| sleep(Duration::MAX));
        if begun {
            yield_now();
        }
        let g = task.greenlet().unwrap();
        let refused = g.try_switch::<i32, ()>(4);
        assert!(matches!(refused, Err(SwitchError::Refused { why: Why::Parked, value: 4 })));
        let refused = g.try_switch_any(());
        assert!(matches!(refused, Err(SwitchError::Refused { why: Why::Parked, .. })));
        let refused = g.try_throw::<i32>(4_i32);
        assert!(matches!(refused, Err(SwitchError::Refused { why: Why::Parked, .. })));
        let text = catch_unwind(AssertUnwindSafe(|| g.switch::<(), ()>(()))).unwrap_err();
        assert!(text.downcast_ref::<String>().unwrap().starts_with("cannot switch to greenlet"));
        assert!(catch_unwind(AssertUnwindSafe(|| g.bind(|()| ()))).is_err());
        task.kill();
    }
}

#[test]
fn a_task_has_nobody_to_suspend_to() {
    let task = spawn(|| {
        assert!(matches!(
            greenlet::try_suspend::<i32, ()>(1),
            Err(SwitchError::Refused { why: Why::Parked, value: 1 })
        ));
        sleep(ms(1));
    });
    task.join().unwrap();
}

/// The dead stand for their nearest living ancestor; for a task that is the hub's greenlet, which
/// takes nothing. Whoever throws must not wait for it.
#[test]
fn the_greenlet_of_a_finished_task_can_be_thrown_at() {
    let task = spawn(|| ());
    let g = task.greenlet().unwrap();
    task.join().unwrap();
    let () = g.throw(GreenletExit);
    let () = g.throw(GreenletExit);
    let end: Received = g.kill();
    assert!(end.is::<GreenletExit>());
    let refused = g.try_switch::<i32, ()>(1);
    assert!(matches!(refused, Err(SwitchError::Refused { why: Why::Parked, value: 1 })));
    sleep(ms(1));
}

#[test]
fn a_throw_at_what_never_ran_reaches_a_parked_parent() {
    let slot: Rc<RefCell<Vec<Greenlet>>> = Rc::default();
    let children = slot.clone();
    let task = spawn(move || {
        for _ in 0..3 {
            children.borrow_mut().push(Greenlet::new(|()| ()));
        }
        sleep(Duration::MAX);
    });
    yield_now();
    let third = slot.borrow_mut().pop().unwrap();
    let second = slot.borrow_mut().pop().unwrap();
    let first = slot.borrow_mut().pop().unwrap();
    // A quiet exit is an end like any other, and nobody waits for it.
    assert!(first.kill().is::<GreenletExit>());
    assert!(first.is_dead() && !task.is_finished());
    let exit: ChildExit = match second.try_throw::<i32>(6_i32) {
        Err(SwitchError::ChildExited(exit)) => exit,
        other => panic!("{:?}", other.map_err(|e| e.to_string())),
    };
    assert_eq!(exit.id(), second.id());
    let () = third.throw(7_i32);
    assert!(third.is_dead() && second.is_dead());
    let error = task.join().unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&6));
}

#[test]
fn the_death_of_a_raw_child_under_a_parked_task() {
    let task = spawn(|| {
        let child = Greenlet::new(|()| {
            sleep(ms(2));
            resume_unwind(Box::new(4_i32))
        });
        // Somebody else starts it, so that its parent is parked when it ends.
        let starter = spawn(move || {
            child.switch_any(());
        });
        yield_now();
        let raised = catch_unwind(|| sleep(Duration::from_secs(60))).unwrap_err();
        assert_eq!(raised.downcast_ref(), Some(&4));
        starter // is suspended in a switch, for ever
    });
    let starter = task.join().unwrap();
    assert!(!starter.is_finished());
    let again = Greenlet::new(|()| 5_i32);
    let five: i32 = again.switch(());
    assert_eq!(five, 5);
    let g = starter.greenlet().unwrap();
    let resumer = spawn(move || g.try_switch_any(()).is_ok());
    starter.join().unwrap();
    drop(resumer);
}

#[test]
fn tasks_use_raw_greenlets_while_others_are_parked() {
    let parked: Vec<_> = (0..20_u64).map(|n| spawn(move || sleep(ms(n % 4)))).collect();
    let tasks: Vec<_> = (0..20_u32)
        .map(|n| {
            spawn(move || {
                let doubler = Greenlet::new(|mut x: u32| -> u32 {
                    loop {
                        sleep(Duration::from_micros(u64::from(x % 7) * 100));
                        x = suspend(2 * x);
                    }
                });
                let mut sum = 0;
                for i in 0..10 {
                    sum += doubler.switch::<u32, u32>(n + i);
                    if i % 3 == 0 {
                        yield_now();
                    }
                }
                let evens = generator(|it| {
                    for i in 0..5_u32 {
                        sleep(Duration::from_micros(50));
                        it.give(2 * i);
                    }
                });
                sum + evens.sum::<u32>()
            })
        })
        .collect();
    for (n, task) in tasks.into_iter().enumerate() {
        let n = n as u32;
        assert_eq!(task.join().unwrap(), 2 * (10 * n + 45) + 20);
    }
    parked.into_iter().for_each(|task| task.join().unwrap());
}

#[test]
fn the_root_and_a_task_hand_values_to_each_other() {
    let home = root();
    let task = spawn(move || {
        let mut sum = 0;
        for n in 0..3_i32 {
            sum += home.switch::<i32, i32>(n);
        }
        sum
    });
    let g = task.greenlet().unwrap();
    // The root waits for a value; the task begins because a raw greenlet parks.
    let nap = Greenlet::new(|()| {
        sleep(ms(1));
        -1_i32
    });
    let mut got = vec![nap.switch::<(), i32>(())];
    for n in 0..2 {
        got.push(g.switch::<i32, i32>(10 * n));
    }
    assert_eq!(got, [0, 1, 2]);
    // Its end goes to the hub, not to us, so somebody else has to resume it.
    let last = spawn(move || g.try_switch::<i32, ()>(5).is_ok());
    assert_eq!(task.join().unwrap(), 15);
    drop((last, nap));
}

#[test]
fn another_parent_does_not_change_how_a_task_ends() {
    let log = Log::default();
    let inner = log.clone();
    let parent = Greenlet::new(move |x: i32| inner.say(format!("got {x}")));
    let task = spawn(|| {
        sleep(ms(1));
        5_i32
    });
    task.greenlet().unwrap().set_parent(&parent).unwrap();
    assert_eq!(task.join().unwrap(), 5);
    assert!(log.lines().is_empty() && !parent.is_dead());
    let failing = spawn(|| {
        yield_now();
        resume_unwind(Box::new(1_i32))
    });
    failing.greenlet().unwrap().set_parent(&root()).unwrap();
    assert!(failing.join().is_err());
    // Rings are refused.
    let task = spawn(|| ());
    let g = task.greenlet().unwrap();
    let child = Greenlet::builder().parent(&g).create(|()| ()).unwrap();
    assert!(g.set_parent(&child).is_err());
    assert!(g.parent().unwrap().set_parent(&g).is_err());
    task.join().unwrap();
}

/// A raw child of a task that has not begun dies of a panic: the task is told as if it were thrown.
#[test]
fn the_death_of_a_child_of_a_task_that_has_not_begun() {
    let log = Log::default();
    let (inner, runs) = (log.clone(), log.clone());
    // The runner is first in the list; its child's parent comes after it.
    let child: Rc<RefCell<Option<Greenlet>>> = Rc::default();
    let given = child.clone();
    let runner = spawn(move || {
        let child = given.borrow_mut().take().unwrap();
        runs.say("runner");
        child.switch_any(());
    });
    let task = spawn(move || inner.say("begun"));
    let parent = task.greenlet().unwrap();
    let dies = Greenlet::builder().parent(&parent).create(|()| resume_unwind(Box::new(2_i32)));
    *child.borrow_mut() = Some(dies.unwrap());
    let error = task.join().unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&2));
    assert_eq!(log.lines(), ["runner"]);
    drop(runner); // it waits for a switch
}

#[test]
fn a_value_that_dies_under_a_parked_parent_is_dropped() {
    let log = Log::default();
    let end = log.at_end("value dropped");
    let child = Greenlet::new(move |()| end); // its parent is the root
    let task = spawn(move || {
        child.switch_any(());
    });
    sleep(ms(2));
    assert_eq!(log.lines(), ["value dropped"]);
    assert_eq!(task.state(), TaskState::Running, "it waits for a switch that nobody makes");
    assert_eq!(task.greenlet().unwrap().state(), State::Suspended);
    // A throw ends it; the thrower would wait for a switch itself, so it is a task.
    let g = task.greenlet().unwrap();
    let thrower = spawn(move || g.throw_any(3_i32));
    assert_eq!(task.join().unwrap_err().downcast_ref(), Some(&3));
    drop(thrower);
}

#[test]
fn a_parked_coroutine_is_resumed_by_nobody_else() {
    let log = Log::default();
    let inner = log.clone();
    let it = Rc::new(Greenlet::new(move |()| {
        sleep(ms(3));
        inner.say("slept");
    }));
    let (one, two) = (it.clone(), it.clone());
    let first = spawn(move || one.switch::<(), ()>(()));
    let second = spawn(move || two.try_switch::<(), ()>(()).is_err());
    assert!(second.join().unwrap());
    it.set_parent(&first.greenlet().unwrap()).unwrap();
    first.join().unwrap();
    assert_eq!(log.lines(), ["slept"]);
    assert_eq!(current(), root());
}
