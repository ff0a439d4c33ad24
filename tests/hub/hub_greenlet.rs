//! The hub's own greenlet can be had by `parent()`; nothing can be done to it.

use crate::in_child::{in_child, tell, this_test};
use crate::log::{Log, OnDrop};
use crate::ms;
use greenlet::{
    Greenlet, GreenletExit, ParentError, State, SwitchError, Why, all, current, root, sleep, spawn,
    yield_now,
};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

fn hub() -> Greenlet {
    spawn(|| current().parent().unwrap()).join().unwrap()
}

/// The hub still does its work.
fn works() {
    let log = Log::default();
    let inner = log.clone();
    let task = spawn(move || {
        sleep(ms(1));
        inner.say("ran");
    });
    sleep(ms(1));
    task.join().unwrap();
    assert_eq!(log.lines(), ["ran"]);
}

#[test]
fn it_is_the_parent_of_tasks_and_the_child_of_the_root() {
    let hub = hub();
    assert_eq!(hub.name().as_deref(), Some("hub"));
    assert_eq!(hub.parent().unwrap(), root());
    let task = spawn(yield_now);
    assert_eq!(task.greenlet().unwrap().parent().unwrap(), hub);
    assert!(hub.children().contains(&task.greenlet().unwrap()));
    assert!(all().contains(&hub));
    assert_eq!(hub.state(), State::Suspended);
    assert!(hub.backtrace().is_some() && hub.suspended_frame().is_some());
    task.join().unwrap();
}

#[test]
fn it_takes_no_value_and_no_throw() {
    let hub = hub();
    assert!(matches!(
        hub.try_switch::<i32, ()>(1),
        Err(SwitchError::Refused { why: Why::Parked, value: 1 })
    ));
    assert!(hub.try_switch_any(()).is_err());
    assert!(hub.try_throw::<i32>(1_i32).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| hub.kill())).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| hub.switch_any(()))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| hub.bind(|()| ()))).is_err());
    let () = hub.throw(GreenletExit);
    let () = hub.throw("noted, and dropped");
    works();
    spawn(move || {
        assert!(hub.try_switch_any(()).is_err());
        let () = hub.throw(GreenletExit);
        assert!(greenlet::try_suspend::<(), ()>(()).is_err());
    })
    .join()
    .unwrap();
    works();
}

#[test]
fn its_handles_come_and_go() {
    for _ in 0..10 {
        let hub = hub();
        drop((hub.clone(), hub.downgrade().upgrade(), all()));
        drop(hub);
        works();
    }
    let one = hub();
    std::mem::forget(one);
    works();
    let raw = hub().into_raw();
    works();
    let _ = raw;
}

#[test]
fn its_parent_may_be_another() {
    let hub = hub();
    let g = Greenlet::new(|()| sleep(ms(1)));
    hub.set_parent(&g).unwrap();
    assert!(matches!(g.set_parent(&hub), Err(ParentError::Cycle)));
    works();
    let () = g.switch(());
    works();
    // The root is told of a deadlock all the same.
    assert!(catch_unwind(|| sleep(Duration::MAX)).is_err());
    works();
}

#[test]
fn raw_greenlets_below_it_end_there() {
    let outcome = in_child(this_test!(), || {
        let hub = hub();
        let below =
            |body: fn() -> i32| Greenlet::builder().parent(&hub).create(move |()| body()).unwrap();
        let ends: [fn() -> i32; 4] = [
            || 5,
            || resume_unwind(Box::new("ended loudly")),
            || resume_unwind(Box::new(GreenletExit)),
            || {
                sleep(ms(1));
                6
            },
        ];
        for end in ends {
            let g = below(end);
            let task = spawn(move || {
                g.switch_any(());
            });
            sleep(ms(3));
            assert!(!task.is_finished(), "it waits for a switch");
        }
        // Unstarted ones, thrown at, killed and dropped.
        let () = below(|| 1).throw(GreenletExit);
        let () = below(|| 1).throw("thrown at what never ran");
        below(|| 1).kill();
        drop(below(|| 1));
        works();
        tell("works", &[]);
    });
    outcome
        .exited_with(0)
        .says("was raised in nobody's name: ended loudly")
        .says("was raised in nobody's name: thrown at what never ran");
    assert!(outcome.told("works"));
}

#[test]
fn payloads_that_nobody_takes_may_panic_and_wait_when_they_are_dropped() {
    let outcome = in_child(this_test!(), || {
        struct Bad(u64);
        impl Drop for Bad {
            fn drop(&mut self) {
                sleep(ms(self.0));
                panic!("dropped badly");
            }
        }
        let hub = hub();
        let () = hub.throw(Bad(0));
        let () = hub.throw(Bad(2));
        let g =
            Greenlet::builder().parent(&hub).create(|()| resume_unwind(Box::new(Bad(1)))).unwrap();
        let task = spawn(move || {
            g.switch_any(());
        });
        sleep(ms(5));
        drop(task);
        works();
        tell("works", &[]);
    });
    outcome.exited_with(0);
    assert!(outcome.told("works"));
}

#[test]
fn it_has_a_word_and_no_more() {
    let hub = hub();
    hub.set_user_word(std::ptr::without_provenance_mut(8));
    assert_eq!(hub.user_word().addr(), 8);
    works();
    let children = hub.children().len();
    let g = Greenlet::builder().parent(&hub).create(|()| ()).unwrap();
    assert_eq!(hub.children().len(), children + 1);
    drop(g);
}

#[test]
fn handles_to_it_outlive_its_thread_s_work() {
    thread_local! {
        static KEPT: std::cell::RefCell<Option<Greenlet>> = const { std::cell::RefCell::new(None) };
    }
    std::thread::spawn(|| {
        KEPT.with(|kept| *kept.borrow_mut() = Some(hub()));
        let _end = OnDrop(|| ());
    })
    .join()
    .unwrap();
    std::thread::spawn(|| {
        let kept = greenlet::run(hub);
        works();
        drop(kept);
        works();
    })
    .join()
    .unwrap();
}
