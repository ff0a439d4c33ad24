//! Handles that go while something is on its way: a suspended victim, an orphan, a sender.

use crate::child::in_child;
use crate::payload::{
    Carried, OnDrop, Payload, alias_of, alive, balanced, broken, each_size, roomy,
};
use greenlet::{Greenlet, SwitchError, Why, current, suspend, suspend_any, try_suspend};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

each_size! {
    fn a_victims_frames_are_unwound_and_its_result_dropped<T: Payload>() {
        let g = roomy(|first: T| {
            let _held = (first, T::make(2));
            let caught = std::panic::catch_unwind(|| suspend::<(), ()>(()));
            assert!(caught.unwrap_err().is::<greenlet::GreenletExit>());
            T::make(3) // a result that nobody takes
        });
        g.switch::<T, ()>(T::make(1));
        assert_eq!(alive(), 2);
        drop(g);
        assert_eq!(alive(), 0);
    }

    fn an_unstarted_victims_closure_is_dropped<T: Payload>() {
        let captured = T::make(1);
        let g = roomy(move |()| captured);
        assert_eq!(alive(), 1);
        drop(g);
        assert_eq!(alive(), 0);
    }

    fn a_bound_but_unstarted_victims_closure_is_dropped<T: Payload>() {
        let captured = T::make(1);
        let g = Greenlet::unbound();
        g.bind(move |()| captured);
        drop(g);
        assert_eq!(alive(), 0);
    }

    fn last_handle_lost_while_running_dies_after_its_value_has_arrived<T: Payload>() {
        let slot: Rc<RefCell<Option<Greenlet>>> = Rc::default();
        let g = roomy({
            let slot = slot.clone();
            move |first: T| {
                assert!(slot.take().is_some());
                assert_eq!(alive(), 1, "it goes on until it switches away");
                suspend::<T, ()>(T::make(2));
                drop(first);
            }
        });
        let (alias, weak) = (alias_of(&g), g.downgrade());
        *slot.borrow_mut() = Some(g);
        let value: T = alias.switch(T::make(1));
        assert_eq!(value.tag(), 2, "not lost");
        assert_eq!(alive(), 1, "the sender is dead, its frames unwound");
        assert!(weak.upgrade().is_none());
    }

    fn last_handle_lost_while_running_and_then_thrown_from<T: Shot>() {
        let slot: Rc<RefCell<Option<Greenlet>>> = Rc::default();
        let other = roomy(|()| match try_suspend::<(), ()>(()) {
            Err(SwitchError::Thrown(payload)) => *payload.downcast::<T>().unwrap(),
            _ => panic!("not thrown"),
        });
        other.switch::<(), ()>(());
        let g = roomy({
            let slot = slot.clone();
            move |first: T| {
                assert!(slot.take().is_some());
                other.throw::<()>(T::make(2));
                drop(first);
            }
        });
        let (alias, weak) = (alias_of(&g), g.downgrade());
        *slot.borrow_mut() = Some(g);
        let value: T = alias.switch(T::make(1));
        assert_eq!((value.tag(), alive()), (2, 1));
        assert!(weak.upgrade().is_none());
    }

    fn last_handle_lost_while_running_and_then_it_starts_another<T: Payload>() {
        let slot: Rc<RefCell<Option<Greenlet>>> = Rc::default();
        let g = roomy({
            let slot = slot.clone();
            move |first: T| {
                assert!(slot.take().is_some());
                // The started one is held by this frame alone: killing the orphan at its arrival
                // takes its own last handle, so it dies when it switches away, value delivered.
                let started = roomy(|value: T| suspend::<T, ()>(value));
                started.set_parent(&greenlet::root()).unwrap();
                started.switch::<T, ()>(T::make(2));
                drop(first);
            }
        });
        let (alias, weak) = (alias_of(&g), g.downgrade());
        *slot.borrow_mut() = Some(g);
        let value: T = alias.switch(T::make(1));
        assert_eq!((value.tag(), alive()), (2, 1));
        assert!(weak.upgrade().is_none());
        assert_eq!(greenlet::all().len(), 1);
    }

    fn a_sender_killed_by_the_receiver_drops_nothing_twice<T: Payload>() {
        let g = roomy(|first: T| {
            let second: T = suspend(first);
            drop(second);
        });
        let value: T = g.switch(T::make(9));
        drop(g); // the value came from a frame that is now unwound
        assert_eq!(value.tag(), 9);
        assert_eq!(alive(), 1);
    }

    fn dropped_inside_another_greenlet<T: Payload>() {
        let victim = roomy(|first: T| {
            let _held = first;
            suspend::<(), ()>(());
        });
        victim.switch::<T, ()>(T::make(1));
        let other = roomy(move |value: T| {
            drop(victim);
            value
        });
        let value: T = other.switch(T::make(2));
        assert_eq!((value.tag(), alive()), (2, 1));
    }

    fn dropped_inside_a_drop_while_unwinding<T: Payload>() {
        let victim = roomy(|first: T| {
            let _held = first;
            suspend::<(), ()>(());
        });
        victim.switch::<T, ()>(T::make(1));
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _drops_in_unwinding = OnDrop({
                let mut victim = Some(victim);
                move || {
                    assert!(std::thread::panicking());
                    drop(victim.take());
                    assert_eq!(alive(), 0, "killed then and there");
                }
            });
            std::panic::resume_unwind(Box::new(5_u8));
        }));
        assert_eq!(*caught.unwrap_err().downcast::<u8>().unwrap(), 5, "the panic goes on");
        assert!(!std::thread::panicking());
    }

    fn switch_in_a_drop_while_unwinding_gives_the_value_back<T: Payload>() {
        let other = roomy(|value: T| value);
        let in_drop = OnDrop({
            let other = other.clone();
            move || {
                let answer = other.try_switch::<T, T>(T::make(3));
                let Err(SwitchError::Refused { why, value }) = answer else { panic!("taken") };
                assert_eq!((why, value.tag()), (Why::Unwinding, 3));
                let answer = other.try_throw::<()>(5_u8);
                assert_eq!(answer.unwrap_err().why(), Some(Why::Unwinding));
                let answer = current().try_switch::<T, T>(value);
                assert_eq!(answer.err().unwrap().why(), Some(Why::Unwinding));
            }
        });
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _in_drop = in_drop;
            std::panic::resume_unwind(Box::new(1_u8));
        }));
        assert!(caught.is_err());
        assert_eq!(other.switch::<T, T>(T::make(4)).tag(), 4, "untouched");
    }

    fn switch_in_the_cleanup_of_a_victim_gives_the_value_back<T: Payload>() {
        let other = roomy(|value: T| value);
        let tries = Rc::new(Cell::new(0));
        let g = roomy({
            let (other, tries) = (other.clone(), tries.clone());
            move |()| {
                let caught = std::panic::catch_unwind(|| suspend::<(), ()>(()));
                assert!(caught.is_err() && !std::thread::panicking());
                let answer = other.try_switch::<T, T>(T::make(3));
                let Err(SwitchError::Refused { why, value }) = answer else { panic!("taken") };
                assert_eq!((why, value.tag()), (Why::Dying, 3));
                tries.set(1);
            }
        });
        g.switch::<(), ()>(());
        drop(g);
        assert_eq!(tries.get(), 1);
        assert_eq!(other.switch::<T, T>(T::make(4)).tag(), 4);
    }

    fn a_panic_in_the_cleanup_of_a_victim_keeps_the_books<T: Payload>() {
        let g = roomy(|()| {
            let _held = T::make(1);
            let caught = std::panic::catch_unwind(|| suspend::<(), ()>(()));
            assert!(caught.is_err());
            let _more = T::make(2);
            std::panic::resume_unwind(Box::new("instead of the exit"));
        });
        g.switch::<(), ()>(());
        drop(g);
        assert_eq!(alive(), 0);
    }

    fn what_a_dead_holder_held_goes_with_it<T: Payload>() {
        fn nest<T: Carried>(depth: u8) -> Greenlet {
            roomy(move |()| {
                let _held = T::make(depth);
                let _inner = (depth > 0).then(|| {
                    let inner = nest::<T>(depth - 1);
                    inner.switch::<(), ()>(());
                    inner
                });
                suspend::<(), ()>(());
            })
        }
        let g = nest::<T>(20);
        g.switch::<(), ()>(());
        assert_eq!(alive(), 21);
        drop(g);
        assert_eq!(alive(), 0);
    }
}

#[test]
fn an_orphan_that_takes_a_handle_of_itself_again_lives() {
    type Find = fn() -> Greenlet;
    let ways: [(&str, Find); 4] = [
        ("current", current),
        ("a child's parent", || Greenlet::new(|()| ()).parent().unwrap()),
        ("all", || greenlet::all().pop().unwrap()),
        ("children of the root", || greenlet::root().children().pop().unwrap()),
    ];
    for (way, find) in ways {
        let slot: Rc<RefCell<Option<Greenlet>>> = Rc::default();
        let g = Greenlet::new({
            let slot = slot.clone();
            move |()| {
                drop(slot.take()); // the last
                *slot.borrow_mut() = Some(find());
                greenlet::root().switch::<u8, ()>(1);
                2_u8
            }
        });
        let alias = alias_of(&g);
        *slot.borrow_mut() = Some(g);
        assert_eq!(alias.switch::<(), u8>(()), 1, "{way}");
        let g = slot.take().unwrap();
        assert_eq!(g.id(), alias.parent().unwrap().id(), "{way} finds it");
        assert!(!g.is_dead(), "{way}: a greenlet that is held was killed as an orphan");
        assert_eq!(g.switch::<(), u8>(()), 2, "{way}");
    }
}

#[test]
fn a_child_that_suspends_holds_no_handle_of_its_parent() {
    // Whatever its parent waits for, and whichever way it suspends: else parent and child would
    // hold each other for ever.
    type Give = fn();
    type Take = fn(&Greenlet);
    let gives: [(&str, Give); 3] = [
        ("suspend", || suspend::<u8, ()>(1)),
        ("suspend_any", || drop(suspend_any(1_u8))),
        ("try_suspend", || drop(try_suspend::<u8, ()>(1))),
    ];
    let takes: [(&str, Take); 3] = [
        ("switch", |g| assert_eq!(g.switch::<(), u8>(()), 1)),
        ("switch_any", |g| drop(g.switch_any(()))),
        ("try_switch", |g| drop(g.try_switch::<(), u8>(()))),
    ];
    for (give_name, give) in gives {
        for (take_name, take) in takes {
            balanced(|| {
                let outer = Greenlet::new(move |()| {
                    let _held = Payload::<8>::make(1);
                    let inner = Greenlet::new(move |()| {
                        let _held = Payload::<8>::make(2);
                        give();
                    });
                    take(&inner);
                    suspend::<(), ()>(());
                });
                outer.switch::<(), ()>(());
                let weak = outer.downgrade();
                drop(outer);
                let left = weak.upgrade();
                let how = format!("{give_name} to a parent in {take_name}");
                assert!(left.is_none(), "{how}: the parent lives on, held by its suspended child");
            });
        }
    }
}

/// Holds a greenlet for the destructors of thread-locals.
struct Holder(RefCell<Option<Greenlet>>);

impl Drop for Holder {
    fn drop(&mut self) {
        let Some(g) = self.0.take() else { return };
        let before = alive();
        drop(g);
        // Unwound, or leaked with all that it owns; nothing in between.
        assert!(alive() == before - 1 || alive() == before);
        assert_eq!(broken(), 0);
    }
}

thread_local!(static HOLDER: Holder = const { Holder(RefCell::new(None)) });

fn held_at_thread_exit<T: Carried>(holder_first: bool) {
    let thread = std::thread::spawn(move || {
        if holder_first {
            HOLDER.with(|_| ());
        }
        let g = roomy(|first: T| {
            let _held = first;
            suspend::<(), ()>(());
        });
        g.switch::<T, ()>(T::make(1));
        HOLDER.with(|holder| *holder.0.borrow_mut() = Some(g));
    });
    thread.join().unwrap();
}

#[test]
fn dropped_by_the_destructor_of_a_thread_local() {
    let case = || {
        for holder_first in [false, true] {
            held_at_thread_exit::<Payload<1>>(holder_first);
            held_at_thread_exit::<Payload<8>>(holder_first);
            held_at_thread_exit::<Payload<24>>(holder_first);
            held_at_thread_exit::<Payload<4096>>(holder_first);
        }
    };
    in_child("drops::dropped_by_the_destructor_of_a_thread_local", case).done();
}
