//! Groups: who is a member, joining and killing.

use super::{LONG, ms};
use crate::trace::Trace;
use greenlet::pool::{Group, Pool};
use greenlet::sync::Event;
use greenlet::{idle, shield, sleep, spawn, timeout, yield_now};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

#[test]
fn members_are_forgotten_when_they_end() {
    let (group, go) = (Group::new(), Rc::new(Event::new()));
    let first = group.spawn(|| 1);
    let second = group.spawn({
        let go = go.clone();
        move || go.wait()
    });
    assert_eq!((group.len(), group.contains(&first)), (2, true));
    let ids: Vec<_> = group.tasks().iter().map(|task| task.id()).collect();
    assert_eq!(ids, [first.id(), second.id()]);
    idle();
    assert_eq!((group.len(), group.contains(&first)), (1, false));
    go.set();
    group.join();
    assert!(group.is_empty() && second.is_finished());
    assert_eq!(first.join().unwrap(), 1);
    group.join(); // empty: at once
}

#[test]
fn tasks_from_elsewhere_can_be_added_and_discarded() {
    let group = Group::new();
    let go = Rc::new(Event::new());
    let wait = {
        let go = go.clone();
        move || go.wait()
    };
    let (kept, left, done) = (spawn(wait), spawn(|| sleep(LONG)), spawn(|| ()));
    idle();
    group.add(&kept);
    group.add(&kept);
    group.add(&left);
    group.add(&done);
    assert_eq!(group.len(), 2);
    assert!(group.discard(&left) && !group.discard(&left));
    go.set();
    group.join();
    assert!(kept.is_finished() && !left.is_finished());
    left.kill();
    assert!(group.is_empty());
}

#[test]
fn join_gives_up_in_time() {
    let group = Group::new();
    let task = group.spawn(|| sleep(LONG));
    assert!(!group.join_timeout(ms(2)));
    task.kill();
    assert!(group.join_timeout(ms(0)));
}

#[test]
fn a_joiner_that_is_killed_leaves_the_others() {
    let group = Group::new();
    let task = group.spawn(|| sleep(ms(3)));
    let joiners: Vec<_> = (0..2)
        .map(|_| {
            let group = group.clone();
            spawn(move || group.join())
        })
        .collect();
    idle();
    joiners[0].kill();
    task.wait();
    idle();
    assert!(joiners[1].is_success());
}

#[test]
fn kill_ends_all_also_those_that_come_meanwhile() {
    let (group, trace) = (Group::new(), Trace::default());
    for name in 0..2 {
        let (inner, log) = (group.clone(), trace.clone());
        group.spawn_detached(move || {
            struct Last<F: FnMut()>(F);
            impl<F: FnMut()> Drop for Last<F> {
                fn drop(&mut self) {
                    (self.0)();
                }
            }
            let _last = Last(move || {
                let other = log.clone();
                log.add(format!("end {name}"));
                drop(inner.apply_async(move || {
                    sleep(LONG);
                    other.add("never");
                }));
            });
            sleep(LONG);
        });
    }
    idle();
    group.kill();
    assert_eq!((trace.take().as_str(), group.len()), ("end 0, end 1", 0));
}

#[test]
fn a_member_that_kills_its_group_goes_last() {
    let (group, trace) = (Group::new(), Trace::default());
    let other = group.spawn(|| sleep(LONG));
    let (inner, log) = (group.clone(), trace.clone());
    let killer = group.spawn(move || {
        inner.kill();
        log.add("never");
    });
    idle();
    assert!(other.join().unwrap_err().is_killed() && killer.join().unwrap_err().is_killed());
    assert_eq!((trace.take().as_str(), group.len()), ("", 0));
}

#[test]
fn one_that_does_not_die_is_waited_for_until_the_limit() {
    let group = Group::new();
    let stubborn = group.spawn(|| {
        let _ = catch_unwind(|| sleep(LONG));
        sleep(ms(5));
    });
    idle();
    assert!(!group.kill_timeout(ms(1)));
    assert_eq!(group.len(), 1);
    group.join();
    assert!(stubborn.is_finished());
}

/// A member from elsewhere that ends at once, and is one until its link has seen the event.
fn member_with_a_link(group: &Group, go: &Rc<Event>, trace: &Trace) {
    let (task, go, log) = (spawn(|| ()), go.clone(), trace.clone());
    task.on_done_inline(move |_| {
        go.wait();
        log.add("link");
    });
    group.add(&task);
}

#[test]
fn kill_parks_until_the_links_of_those_who_have_ended_have_run() {
    let (group, go, trace) = (Group::new(), Rc::new(Event::new()), Trace::default());
    member_with_a_link(&group, &go, &trace);
    let task = spawn(|| sleep(LONG));
    task.on_done_inline(move |_| {
        sleep(ms(2));
        go.set();
    });
    group.add(&task);
    group.kill();
    assert_eq!((trace.take().as_str(), group.len()), ("link", 0));
}

#[test]
fn a_link_that_does_not_end_is_waited_for_until_the_limit() {
    let (group, go, trace) = (Group::new(), Rc::new(Event::new()), Trace::default());
    member_with_a_link(&group, &go, &trace);
    assert!(!group.kill_timeout(ms(2)));
    go.set();
    assert!(group.kill_timeout(LONG));
    assert_eq!(trace.take(), "link");
}

#[test]
fn a_member_that_kills_its_group_waits_for_links_and_goes_last() {
    let (group, go, trace) = (Group::new(), Rc::new(Event::new()), Trace::default());
    member_with_a_link(&group, &go, &trace);
    let (inner, log) = (group.clone(), trace.clone());
    let killer = group.spawn(move || {
        let killed = catch_unwind(AssertUnwindSafe(|| inner.kill()));
        log.add(format!("killed {}", killed.is_err()));
    });
    idle();
    go.set();
    killer.join().unwrap();
    assert_eq!((trace.take().as_str(), group.len()), ("link, killed true", 0));
}

/// Its own end is not waited for, nor that of another one that does the same.
/// In a shield, until the event.
fn stubborn_member(group: &Group, go: &Rc<Event>) {
    let go = go.clone();
    let _ = group.spawn(move || shield(|| go.wait()));
}

#[test]
fn a_member_that_kills_its_group_ends_also_if_its_wait_for_the_others_is_cut_short() {
    let (group, go) = (Group::new(), Rc::new(Event::new()));
    stubborn_member(&group, &go);
    let inner = group.clone();
    let killer = group.spawn(move || {
        assert!(timeout(ms(1), || inner.kill()).is_err());
        sleep(LONG);
    });
    assert!(killer.join().unwrap_err().is_killed());
    let inner = group.clone();
    let killer = group.spawn(move || inner.kill_timeout(ms(1)));
    assert!(killer.join().unwrap_err().is_killed());
    go.set();
    group.join();
}

#[test]
fn links_of_members_may_kill_their_group() {
    let (group, trace) = (Group::new(), Trace::default());
    let other = group.spawn(|| sleep(LONG));
    for name in 0..2 {
        let (task, inner, log) = (spawn(|| ()), group.clone(), trace.clone());
        task.on_done_inline(move |_| {
            log.add(format!("{name} begins"));
            let are_gone = inner.kill_timeout(LONG);
            log.add(format!("{name} {are_gone}"));
        });
        group.add(&task);
    }
    group.join();
    assert!(other.join().unwrap_err().is_killed());
    assert_eq!(trace.take(), "0 begins, 1 begins, 0 false, 1 false");
}

/// Each that is killed is replaced by one that is killed at once.
#[test]
fn the_limit_of_a_kill_is_one_for_all_that_come_meanwhile() {
    fn replaced(group: &Group, ends: &Rc<Cell<bool>>) {
        let task = group.spawn(|| sleep(LONG));
        let (group, ends) = (group.clone(), ends.clone());
        task.on_done_inline(move |_| {
            if !ends.get() {
                replaced(&group, &ends);
            }
        });
    }
    let (group, ends) = (Group::new(), Rc::new(Cell::new(false)));
    replaced(&group, &ends);
    assert!(!group.kill_timeout(ms(2)));
    ends.set(true);
    group.kill();
    assert!(group.is_empty());
}

#[test]
fn a_member_that_never_began_is_forgotten_too() {
    let pool = Pool::new(1);
    let task = pool.spawn(|| unreachable!());
    assert!(task.cancel());
    pool.join();
    assert_eq!((pool.running(), pool.len(), pool.free()), (0, 0, 1));
}

#[test]
fn waiting_for_ones_own_end_is_an_error() {
    let pool = Pool::new(2);
    let inner = pool.clone();
    let task = pool.spawn(move || {
        let payload = catch_unwind(AssertUnwindSafe(|| inner.join())).unwrap_err();
        payload.downcast_ref::<&str>().unwrap().to_string()
    });
    let text = task.join().unwrap();
    assert!(text.starts_with("a member cannot wait for the end of its own pool"), "{text}");
}

#[test]
fn a_panic_of_a_member_is_its_own() {
    let group = Group::new();
    let failed = group.spawn(|| std::panic::resume_unwind(Box::new("no")));
    let good = group.spawn(yield_now);
    group.join();
    assert!(failed.join().is_err() && good.is_success());
}
