//! Values under a trace callback: it switches, panics, kills; nothing is lost.

use crate::payload::{Carried, Payload, alive, balanced, each_size, roomy};
use greenlet::{
    Greenlet, SwitchError, TraceEvent, TraceKind, current, get_trace, set_trace, suspend,
};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Sets a callback for the life of the value.
struct Traced;

impl Traced {
    fn by(callback: impl Fn(&TraceEvent<'_>) + 'static) -> Traced {
        set_trace(Some(Rc::new(callback)));
        Traced
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        set_trace(None);
    }
}

fn echo<T: Carried>() -> Greenlet {
    roomy(|mut value: T| {
        loop {
            value = suspend(value);
        }
    })
}

each_size! {
    fn a_callback_that_switches_does_not_disturb_the_transfer<T: Payload>() {
        let side = echo::<T>();
        let calls = Rc::new(Cell::new(0));
        let g = roomy(|first: T| {
            let second: T = suspend(first);
            T::make(second.tag() + 1)
        });
        // The side greenlet answers its parent, so let that be whoever is current.
        let traced = Traced::by({
            let (side, calls) = (side.clone(), calls.clone());
            move |_| {
                calls.set(calls.get() + 1);
                side.set_parent(&current()).unwrap();
                let back: T = side.switch(T::make(99));
                assert_eq!(back.tag(), 99);
            }
        });
        let value: T = g.switch(T::make(1));
        assert_eq!(value.tag(), 1);
        let value: T = g.switch(value);
        assert_eq!(value.tag(), 2);
        assert_eq!(calls.get(), 4, "out of and into a running callback is not traced");
        drop(traced);
    }

    fn a_callback_that_panics_drops_the_value_and_is_removed<T: Payload>() {
        let g = echo::<T>();
        let traced = Traced::by(|event| {
            if event.target.is_root() {
                std::panic::resume_unwind(Box::new(7_u8));
            }
        });
        let answer = g.try_switch::<T, T>(T::make(1));
        let Err(SwitchError::Thrown(payload)) = answer else { panic!("no panic") };
        assert_eq!(*payload.downcast::<u8>().unwrap(), 7);
        assert_eq!(alive(), 0, "what was transferred is dropped");
        assert!(get_trace().is_none());
        assert_eq!(g.switch::<T, T>(T::make(2)).tag(), 2);
        drop(traced);
    }

    fn a_callback_that_panics_at_the_start_ends_the_unstarted<T: Payload>() {
        let captured = T::make(3);
        let g = roomy(move |_: T| drop(captured));
        let traced = Traced::by(|_| std::panic::resume_unwind(Box::new(8_u8)));
        let answer = g.try_switch::<T, ()>(T::make(1));
        let Err(SwitchError::Thrown(payload)) = answer else { panic!("no panic") };
        assert_eq!(*payload.downcast::<u8>().unwrap(), 8);
        assert!(g.is_dead());
        assert_eq!(alive(), 0, "argument and closure are dropped");
        drop(traced);
    }

    fn a_callback_that_panics_replaces_a_throw<T: Shot>() {
        let g = roomy(|()| {
            match greenlet::try_suspend::<(), ()>(()) {
                Err(SwitchError::Thrown(payload)) => *payload.downcast::<u8>().unwrap(),
                _ => 0,
            }
        });
        g.switch::<(), ()>(());
        let traced = Traced::by(|_| std::panic::resume_unwind(Box::new(9_u8)));
        assert_eq!(g.throw::<u8>(T::make(1)), 9);
        assert_eq!(alive(), 0);
        drop(traced);
    }

    fn a_callback_that_panics_for_a_transfer_to_oneself_drops_the_value<T: Payload>() {
        let traced = Traced::by(|_| std::panic::resume_unwind(Box::new(9_u8)));
        let answer = current().try_switch::<T, T>(T::make(1));
        assert!(matches!(answer, Err(SwitchError::Thrown(_))));
        assert_eq!(alive(), 0);
        drop(traced);
    }

    fn a_callback_that_drops_the_senders_last_handle<T: Payload>() {
        let slot: Rc<RefCell<Option<Greenlet>>> = Rc::default();
        let g = roomy(|first: T| {
            let _held = T::make(50);
            suspend::<T, ()>(first);
        });
        let weak = g.downgrade();
        let started = g.clone();
        *slot.borrow_mut() = Some(g);
        let traced = Traced::by({
            let slot = slot.clone();
            move |event| {
                if event.target.is_root() {
                    drop(slot.take()); // the event still holds one
                    assert!(!event.origin.is_dead());
                }
            }
        });
        let helper = roomy(move |value: T| {
            started.set_parent(&greenlet::root()).unwrap();
            let started = started;
            let _: T = started.switch(value);
        });
        let value: T = helper.switch(T::make(4));
        drop(traced);
        assert_eq!(value.tag(), 4);
        drop(helper); // holds the last handle of `g`
        assert!(weak.upgrade().is_none());
        assert_eq!(alive(), 1);
    }

    fn a_callback_that_kills_the_sender<T: Payload>() {
        let g = roomy(|first: T| {
            let _held = T::make(50);
            suspend::<T, ()>(first);
        });
        let traced = Traced::by(|event| {
            let (kind, origin) = (event.kind, event.origin);
            if kind == TraceKind::Switch && !origin.is_root() && !origin.is_dead() {
                assert!(origin.kill().is::<greenlet::GreenletExit>());
            }
        });
        let value: T = g.switch(T::make(4));
        drop(traced);
        assert!(g.is_dead());
        assert_eq!((value.tag(), alive()), (4, 1));
    }
}

#[test]
fn one_that_left_for_a_running_callback_is_still_killed_by_drop() {
    // The transfer back into the root's callback is not traced; the greenlet that made it must not
    // be left with a handle of itself.
    balanced(|| {
        let g = Greenlet::new(|()| {
            let _held = Payload::<24>::make(1);
            suspend::<(), ()>(());
        });
        let slot = Rc::new(RefCell::new(Some(g)));
        let once = Rc::new(Cell::new(true));
        let traced = Traced::by({
            let (slot, once) = (slot.clone(), once.clone());
            move |event| {
                if event.target.is_root() && once.replace(false) {
                    let g = slot.borrow().clone().unwrap();
                    g.switch::<(), ()>(());
                }
            }
        });
        Greenlet::new(|()| ()).switch::<(), ()>(());
        drop(traced);
        let weak = slot.borrow().as_ref().unwrap().downgrade();
        assert_eq!(alive(), 1);
        drop(slot.take());
        assert!(weak.upgrade().is_none(), "its own frame holds it");
    });
}

#[test]
fn one_that_waits_in_its_own_callback_is_still_killed_by_drop() {
    balanced(|| {
        let traced = Traced::by(|event| {
            if !event.target.is_root() {
                suspend::<(), ()>(());
            }
        });
        let g = Greenlet::new(|value: Payload<24>| drop(value));
        g.switch::<Payload<24>, ()>(Payload::make(1));
        drop(traced);
        let weak = g.downgrade();
        assert_eq!(alive(), 1);
        drop(g);
        assert!(weak.upgrade().is_none(), "its own event holds it");
    });
}

#[test]
fn one_that_dies_into_a_running_callback_leaves_nothing_behind() {
    let weak = Rc::new(RefCell::new(None));
    let once = Rc::new(Cell::new(true));
    let traced = Traced::by({
        let weak = weak.clone();
        move |event| {
            if event.target.is_root() && once.replace(false) {
                let g = Greenlet::new(|()| 5_u8);
                *weak.borrow_mut() = Some(g.downgrade());
                assert_eq!(g.switch::<(), u8>(()), 5);
            }
        }
    });
    Greenlet::new(|()| ()).switch::<(), ()>(());
    drop(traced);
    let weak = weak.take().unwrap();
    assert!(weak.upgrade().is_none(), "the dead one still has a handle that nobody holds");
}

#[test]
fn a_callback_whose_drop_panics_loses_no_value() {
    struct Loud;
    impl Drop for Loud {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("drop of the callback"));
        }
    }
    balanced(|| {
        let loud = Loud;
        let traced = Traced::by(move |event| {
            let _captured = &loud;
            if !event.target.is_root() {
                std::panic::resume_unwind(Box::new(3_u8));
            }
        });
        let g = Greenlet::new(|value: Payload<100>| drop(value));
        let answer = g.try_switch::<Payload<100>, ()>(Payload::make(1));
        let Err(SwitchError::Thrown(payload)) = answer else { panic!("no panic") };
        assert_eq!(*payload.downcast::<u8>().unwrap(), 3);
        drop(traced);
    });
}

#[test]
fn a_closure_whose_drop_panics_when_its_start_is_refused_by_the_callback() {
    struct Loud;
    impl Drop for Loud {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("drop of the closure"));
        }
    }
    let loud = Loud;
    let g = Greenlet::new(move |()| drop(loud));
    let traced = Traced::by(|_| std::panic::resume_unwind(Box::new(3_u8)));
    let answer = g.try_switch::<(), ()>(());
    let Err(SwitchError::Thrown(payload)) = answer else { panic!("no panic") };
    assert_eq!(*payload.downcast::<u8>().unwrap(), 3);
    drop(traced);
}
