//! Throws: at the suspended, the unstarted, the dead, oneself; who gets what, and nothing is lost.

use crate::payload::{Carried, OnDrop, Payload, balanced, each_size, roomy, roomy_under};
use greenlet::{Greenlet, GreenletExit, Received, SwitchError, Why, current, suspend, try_suspend};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// What was thrown here.
#[track_caller]
fn thrown<T: 'static, A, B>(answer: Result<B, SwitchError<A>>) -> T {
    match answer {
        Err(SwitchError::Thrown(payload)) => *payload.downcast::<T>().expect("what was thrown"),
        Err(other) => panic!("not thrown: {other}"),
        Ok(_) => panic!("a value"),
    }
}

each_size! {
    fn a_suspended_one_takes_it_where_it_waits<T: Shot>() {
        let g = roomy(|()| {
            let shot: T = thrown(try_suspend::<(), ()>(()));
            suspend::<u8, ()>(shot.tag());
            drop(shot);
            let shot: T = thrown(try_suspend::<(), ()>(()));
            shot
        });
        g.switch::<(), ()>(());
        assert_eq!(g.throw::<u8>(T::make(1)), 1);
        g.switch::<(), ()>(());
        let back: T = g.throw(T::make(2));
        assert_eq!(back.tag(), 2);
    }

    fn uncaught_it_unwinds_into_the_parent<T: Shot>() {
        let g = roomy(|()| suspend::<(), ()>(()));
        g.switch::<(), ()>(());
        let shot: T = thrown(g.try_throw::<()>(T::make(3)));
        assert_eq!(shot.tag(), 3);
        assert!(g.is_dead());
    }

    fn at_the_current_it_is_raised_here<T: Shot>() {
        let shot: T = thrown(current().try_throw::<()>(T::make(4)));
        assert_eq!(shot.tag(), 4);
        let caught = std::panic::catch_unwind(|| current().throw::<()>(T::make(5)));
        assert_eq!(caught.unwrap_err().downcast::<T>().unwrap().tag(), 5);
    }

    fn at_the_dead_it_is_raised_in_the_nearest_living<T: Shot>() {
        let dead = Greenlet::new(|()| ());
        dead.switch::<(), ()>(());
        let shot: T = thrown(dead.try_throw::<()>(T::make(4)));
        let outer = roomy(move |()| {
            let shot: T = thrown(try_suspend::<(), ()>(()));
            shot
        });
        outer.switch::<(), ()>(());
        dead.set_parent(&outer).unwrap();
        let back: T = dead.throw(shot);
        assert_eq!(back.tag(), 4);
    }

    fn at_an_unstarted_one_it_ends_it_unrun<T: Shot>() {
        let captured = T::make(9);
        let g = roomy(move |()| drop(captured));
        let shot: T = thrown(g.try_throw::<()>(T::make(6)));
        assert_eq!(shot.tag(), 6);
        assert!(g.is_dead());
        assert_eq!(crate::payload::alive(), 1, "the closure is gone, the shot is here");
    }

    fn unstarted_ancestors_die_with_it_unrun<T: Shot>() {
        let top = roomy(|_: T| -> T { unreachable!("a throw starts nobody") });
        let middle = roomy_under(&top, |()| unreachable!());
        let bottom = roomy_under(&middle, |()| unreachable!());
        let shot: T = thrown(bottom.try_throw::<()>(T::make(7)));
        assert_eq!(shot.tag(), 7);
        assert!(bottom.is_dead() && middle.is_dead() && top.is_dead());
    }

    fn refused_it_comes_back<T: Shot>() {
        let g = Greenlet::unbound();
        let answer = g.try_throw::<()>(T::make(1));
        let Err(SwitchError::Refused { why: Why::NoBody, value }) = answer else { panic!("taken") };
        assert_eq!(value.downcast::<T>().unwrap().tag(), 1);
    }

    fn nobody_catches_it_and_the_frames_go_with_it<T: Shot>() {
        fn nest<T: Carried + Send>(depth: u8) -> Greenlet {
            let _guard = T::make(depth);
            if depth == 0 {
                return suspend::<Greenlet, Greenlet>(current());
            }
            let inner = roomy(move |()| nest::<T>(depth - 1));
            let innermost: Greenlet = inner.switch(());
            suspend::<Greenlet, Greenlet>(innermost)
        }
        let outer = roomy(|()| nest::<T>(3));
        let inner: Greenlet = outer.switch(());
        let shot: T = thrown(inner.try_throw::<()>(T::make(99)));
        assert_eq!(shot.tag(), 99);
        assert!(inner.is_dead() && outer.is_dead());
    }
}

#[test]
fn exit_at_unstarted_and_dead_is_a_value_for_the_ancestor() {
    let exact = roomy(|()| suspend::<(), GreenletExit>(()));
    exact.switch::<(), ()>(());
    let child = roomy_under(&exact, |()| ());
    let _: GreenletExit = child.throw(GreenletExit);
    assert!(child.is_dead() && exact.is_dead());
    assert!(child.kill().is::<GreenletExit>(), "the dead: straight back");
    let any = roomy(|()| suspend::<(), Received>(()).is::<GreenletExit>());
    any.switch::<(), ()>(());
    child.set_parent(&any).unwrap();
    assert!(child.throw::<bool>(GreenletExit));
    let other = roomy(|()| match try_suspend::<(), u8>(()) {
        Err(SwitchError::ChildExited(exit)) => exit.type_name().is_none(),
        _ => false,
    });
    other.switch::<(), ()>(());
    child.set_parent(&other).unwrap();
    assert!(child.throw::<bool>(GreenletExit), "told as ChildExited, without a type");
}

#[test]
fn closure_of_an_unstarted_target_may_switch_when_it_drops() {
    balanced(|| {
        let log = Rc::new(RefCell::new(Vec::new()));
        let other = roomy(|first: Payload<24>| {
            let mut value = first;
            loop {
                value = suspend(value);
            }
        });
        let on_drop = OnDrop({
            let (log, other) = (log.clone(), other.clone());
            move || {
                let back: Payload<24> = other.switch(Payload::<24>::make(8));
                log.borrow_mut().push(back.tag());
            }
        });
        let g = roomy(move |()| drop(on_drop));
        let answer = g.try_throw::<()>(17_u8);
        assert_eq!(thrown::<u8, _, _>(answer), 17);
        assert_eq!(*log.borrow(), [8]);
        assert!(g.is_dead());
    });
}

#[test]
fn closure_of_an_unstarted_target_may_change_who_receives_the_throw() {
    let chosen = roomy(|()| thrown::<u8, _, _>(try_suspend::<(), ()>(())));
    chosen.switch::<(), ()>(());
    let target = Greenlet::unbound();
    let on_drop = OnDrop({
        let (weak, chosen) = (target.downgrade(), chosen.clone());
        move || weak.upgrade().unwrap().set_parent(&chosen).unwrap()
    });
    target.bind(move |()| drop(on_drop));
    let got: u8 = target.throw(33_u8);
    assert_eq!(got, 33, "by way of the new parent");
    assert!(chosen.is_dead());
}

#[test]
fn closure_of_an_unstarted_target_may_kill_who_would_receive_the_throw() {
    let outer = Rc::new(RefCell::new(Some(roomy(|()| suspend::<(), ()>(())))));
    outer.borrow().as_ref().unwrap().switch::<(), ()>(());
    let on_drop = OnDrop({
        let outer = outer.clone();
        move || drop(outer.take())
    });
    let parent = outer.borrow().clone().unwrap();
    let target = roomy_under(&parent, move |()| drop(on_drop));
    drop(parent);
    assert_eq!(thrown::<u8, _, _>(target.try_throw::<()>(34_u8)), 34, "the root is next");
}

#[test]
fn closure_drop_that_panics_does_not_replace_the_throw() {
    let on_drop = OnDrop(|| std::panic::resume_unwind(Box::new("in drop")));
    let g = roomy(move |()| drop(on_drop));
    assert_eq!(thrown::<u8, _, _>(g.try_throw::<()>(35_u8)), 35);
}

#[test]
fn a_thrower_that_is_killed_while_the_closure_drops_goes_to_its_killer() {
    // The closure's drop suspends the thrower; its last handle is dropped meanwhile. What it was
    // about to throw at the root must not be taken for the end of the kill.
    let dropped = Rc::new(Cell::new(0));
    let on_drop = OnDrop(|| suspend::<(), ()>(()));
    let unstarted = roomy(move |()| drop(on_drop)); // parent: the root
    let thrower = roomy({
        let guard = OnDrop({
            let dropped = dropped.clone();
            move || dropped.set(dropped.get() + 1)
        });
        move |()| {
            let _guard = guard;
            let _ = unstarted.try_throw::<()>(36_u8);
        }
    });
    thrower.switch::<(), ()>(());
    let weak = thrower.downgrade();
    drop(thrower);
    assert_eq!(dropped.get(), 1, "dead when the drop returns");
    assert!(weak.upgrade().is_none());
    // The thread is not left in the middle of a kill.
    assert_eq!(Greenlet::new(|x: u8| x + 1).switch::<u8, u8>(1), 2);
}

#[test]
fn a_thrower_that_is_thrown_at_while_the_closure_drops_goes_on() {
    let on_drop = OnDrop(|| suspend::<(), ()>(()));
    let unstarted = roomy(move |()| drop(on_drop));
    let thrower = roomy(move |()| {
        let _ = unstarted.try_throw::<()>(36_u8);
    });
    thrower.switch::<(), ()>(());
    // The closure's drop is cleanup: what is raised in it is noted and ignored.
    assert_eq!(thrown::<u8, _, _>(thrower.try_throw::<()>("into the drop")), 36);
}
