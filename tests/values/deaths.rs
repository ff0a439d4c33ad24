//! Deaths: whom the last value reaches, and what becomes of one that nobody takes.

use crate::payload::{
    Carried, OnDrop, Payload, alias_of, alive, balanced, each_size, roomy, roomy_under,
};
use greenlet::{
    ChildExit, Greenlet, GreenletExit, Received, SwitchError, current, suspend, suspend_any,
    try_suspend,
};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

#[track_caller]
fn exited<A, B>(answer: Result<B, SwitchError<A>>) -> ChildExit {
    match answer {
        Err(SwitchError::ChildExited(exit)) => exit,
        Err(other) => panic!("no exit: {other}"),
        Ok(_) => panic!("a value"),
    }
}

each_size! {
    fn the_parent_takes_the_result<T: Payload>() {
        let g = roomy(|x: u8| T::make(x));
        let back: T = g.switch(3_u8);
        assert_eq!(back.tag(), 3);
        let g = roomy(|x: u8| T::make(x));
        assert_eq!(g.switch_any(4_u8).get::<T>().tag(), 4);
    }

    fn result_of_another_type_is_dropped_and_told<T: Payload>() {
        let g = Greenlet::builder().name("worker").stack_size(512 << 10);
        let g = g.create(|()| T::make(1)).unwrap();
        let exit = exited(g.try_switch::<(), String>(()));
        assert_eq!(exit.id(), g.id());
        assert_eq!(exit.name(), Some("worker"));
        assert_eq!(exit.type_name(), Some(std::any::type_name::<T>()));
        assert_eq!(alive(), 0);
    }

    fn result_of_a_dead_child_for_a_grandparent_that_awaits_another_type<T: Payload>() {
        let outer = roomy(|()| exited(try_suspend::<(), String>(())));
        let middle = roomy_under(&outer, |()| ());
        let inner = roomy_under(&middle, |()| T::make(2));
        outer.switch::<(), ()>(());
        middle.set_parent(&current()).unwrap();
        middle.switch::<(), ()>(()); // dead: the grandparent is next
        middle.set_parent(&outer).unwrap();
        let exit: ChildExit = inner.switch(());
        assert_eq!(exit.id(), inner.id());
        assert_eq!(exit.type_name(), Some(std::any::type_name::<T>()));
        assert!(inner.is_dead() && outer.is_dead());
    }

    fn result_starts_an_unstarted_parent<T: Payload>() {
        let parent = roomy(|x: T| T::make(x.tag() + 1));
        let child = roomy_under(&parent, |()| T::make(1));
        let back: T = child.switch(());
        assert_eq!(back.tag(), 2);
        assert!(parent.is_dead() && child.is_dead());
    }

    fn unstarted_parent_of_another_type_dies_unrun<T: Payload>() {
        let captured = T::make(77);
        let parent = roomy(move |_: String| -> u8 { unreachable!("{}", captured.tag()) });
        let child = roomy_under(&parent, |()| T::make(1));
        let exit = exited(child.try_switch::<(), T>(()));
        assert_eq!(exit.id(), child.id());
        assert_eq!(exit.type_name(), Some(std::any::type_name::<T>()));
        assert!(parent.is_dead() && child.is_dead());
        assert_eq!(alive(), 0, "both the result and the captured value are gone");
    }

    fn a_dead_parent_stands_for_the_next<T: Payload>() {
        let middle = Greenlet::new(|()| ());
        let inner = roomy_under(&middle, |()| T::make(5));
        middle.switch::<(), ()>(());
        let back: T = inner.switch(());
        assert_eq!(back.tag(), 5);
    }

    fn the_parent_at_the_time_of_death_counts<T: Payload>() {
        let other = roomy(|()| suspend::<(), T>(()).tag());
        other.switch::<(), ()>(());
        let child = roomy(|()| {
            suspend::<(), ()>(());
            T::make(6)
        });
        child.switch::<(), ()>(());
        child.set_parent(&other).unwrap();
        assert_eq!(child.switch::<(), u8>(()), 6);
    }

    fn a_kill_two_levels_down_while_the_grandparent_waits<T: Payload>() {
        let outer = roomy(|()| {
            let held = T::make(1);
            // Waits for another type than the killed child could bring.
            let exit = exited(try_suspend::<(), String>(()));
            (held, exit)
        });
        let middle = roomy_under(&outer, |()| unreachable!());
        let inner = roomy_under(&middle, |x: T| {
            let _held = x;
            suspend_any(()).get::<u8>();
        });
        outer.switch::<(), ()>(());
        inner.set_parent(&current()).unwrap();
        inner.switch::<T, ()>(T::make(2));
        inner.set_parent(&middle).unwrap();
        // The unstarted middle takes no exit and dies unrun; the grandparent is told.
        let (held, exit): (T, ChildExit) = inner.throw(GreenletExit);
        assert_eq!(held.tag(), 1);
        assert_eq!((exit.id(), exit.type_name()), (inner.id(), None));
        assert!(inner.is_dead() && middle.is_dead() && outer.is_dead());
        assert_eq!(alive(), 1);
    }

    fn a_kill_two_levels_down_with_all_suspended<T: Payload>() {
        let outer = roomy(|()| {
            let inner: Greenlet = {
                let middle = roomy(|()| {
                    let inner = roomy(|x: T| {
                        let _held = x;
                        suspend::<(), T>(())
                    });
                    inner.switch::<T, ()>(T::make(1));
                    suspend::<Greenlet, GreenletExit>(inner);
                    T::make(2)
                });
                let inner = middle.switch(());
                std::mem::forget(middle);
                inner
            };
            let from_middle: T = suspend(inner);
            from_middle
        });
        let inner: Greenlet = outer.switch(());
        let back: T = inner.throw(GreenletExit);
        assert_eq!(back.tag(), 2, "exit to the middle, its result to the outer, its to the root");
        assert_eq!(alive(), 1);
    }

    fn value_whose_drop_kills_the_chosen_ancestor<T: Payload>() {
        struct Killer<T: Carried>(Rc<RefCell<Option<Greenlet>>>, Option<T>);
        impl<T: Carried> Drop for Killer<T> {
            fn drop(&mut self) {
                assert_eq!(self.1.take().map(|held| held.tag()), Some(2));
                drop(self.0.take());
            }
        }
        let slot = Rc::new(RefCell::new(None));
        let parent = roomy(|()| {
            let _held = T::make(1);
            suspend::<(), String>(());
        });
        parent.switch::<(), ()>(());
        let child = roomy_under(&parent, {
            let slot = slot.clone();
            move |()| Killer(slot, Some(T::make(2)))
        });
        let weak = parent.downgrade();
        *slot.borrow_mut() = Some(parent);
        let exit = exited(child.try_switch::<(), u8>(()));
        assert_eq!(exit.id(), child.id());
        assert!(weak.upgrade().is_none(), "killed before it could be told");
    }

    fn value_whose_drop_reparents_the_dying<T: Payload>() {
        struct Mover<T: Carried>(Greenlet, Greenlet, Option<T>);
        impl<T: Carried> Drop for Mover<T> {
            fn drop(&mut self) {
                assert_eq!(self.2.take().map(|held| held.tag()), Some(2));
                self.0.set_parent(&self.1).unwrap();
            }
        }
        let first = roomy(|()| suspend::<(), String>(()));
        let second = roomy(|()| exited(try_suspend::<(), String>(())));
        first.switch::<(), ()>(());
        second.switch::<(), ()>(());
        let child = roomy_under(&first, {
            let second = second.clone();
            move |()| Mover(current(), second, Some(T::make(2)))
        });
        let exit: ChildExit = child.switch(());
        assert_eq!(exit.id(), child.id());
        assert!(!first.is_dead() && second.is_dead(), "chosen again after the drop");
    }

    fn value_whose_drop_switches_away_and_back<T: Payload>() {
        struct Visitor<T: 'static>(Option<T>);
        impl<T: 'static> Drop for Visitor<T> {
            fn drop(&mut self) {
                let value = self.0.take().unwrap();
                self.0 = Some(suspend::<T, T>(value));
            }
        }
        let child = roomy(|()| Visitor(Some(T::make(4))));
        // Awaits a T: not the Visitor, so that is dropped, and its drop sends a T.
        let value: T = child.switch(());
        assert_eq!(value.tag(), 4);
        assert!(!child.is_dead(), "still in its last drop");
        let exit = exited(child.try_switch::<T, u8>(value));
        assert_eq!(exit.id(), child.id());
    }

    fn value_whose_drop_switches_away_and_is_killed_there<T: Payload>() {
        struct Visitor<T: 'static>(Option<T>);
        impl<T: 'static> Drop for Visitor<T> {
            fn drop(&mut self) {
                let value = self.0.take().unwrap();
                self.0 = Some(suspend::<T, T>(value));
            }
        }
        let child = roomy(|()| Visitor(Some(T::make(4))));
        let value: T = child.switch(());
        let weak = child.downgrade();
        drop(child);
        assert!(weak.upgrade().is_none());
        assert_eq!(value.tag(), 4);
        assert_eq!(Greenlet::new(|x: u8| x).switch::<u8, u8>(1), 1, "the kill is over");
    }

    fn panic_payload_of_a_body_reaches_the_parent_whole<T: Shot>() {
        let g = roomy(|()| -> () { std::panic::resume_unwind(Box::new(T::make(9))) });
        let Err(SwitchError::Thrown(payload)) = g.try_switch::<(), ()>(()) else { panic!("?") };
        assert_eq!(payload.downcast::<T>().unwrap().tag(), 9);
        assert!(g.is_dead());
    }

    fn panic_payload_passes_mismatched_and_unstarted_ancestors<T: Shot>() {
        let top = roomy(|()| match try_suspend::<(), String>(()) {
            Err(SwitchError::Thrown(payload)) => payload.into_inner(),
            _ => panic!("not thrown"),
        });
        top.switch::<(), ()>(());
        let middle = roomy_under(&top, |_: T| -> u8 { unreachable!() });
        let panics = |()| -> () { std::panic::resume_unwind(Box::new(T::make(9))) };
        let g = roomy_under(&middle, panics);
        let payload: Box<dyn std::any::Any + Send> = g.switch(());
        assert_eq!(payload.downcast::<T>().unwrap().tag(), 9);
        assert!(g.is_dead() && middle.is_dead() && top.is_dead());
    }
}

#[test]
fn a_notice_of_exit_starts_an_unstarted_ancestor_that_awaits_received() {
    // As a value to one that waits for `Received`; an unstarted one is one that waits.
    let top = Greenlet::new(|what: Received| what.exit().is_some());
    let middle = Greenlet::builder().parent(&top).create(|_: String| ()).unwrap();
    let child = Greenlet::builder().parent(&middle).create(|()| 5_u8).unwrap();
    let top_was_told = child.try_switch::<(), bool>(()).ok();
    assert_eq!(top_was_told, Some(true));
    assert!(middle.is_dead());
}

#[test]
fn exit_is_a_value_for_those_who_await_it() {
    let g = Greenlet::new(|()| -> () { std::panic::resume_unwind(Box::new(GreenletExit)) });
    let _: GreenletExit = g.switch(());
    let g = Greenlet::new(|()| -> () { std::panic::resume_unwind(Box::new(GreenletExit)) });
    assert!(g.switch_any(()).is::<GreenletExit>());
    let g = Greenlet::new(|()| -> () { std::panic::resume_unwind(Box::new(GreenletExit)) });
    let exit = exited(g.try_switch::<(), u8>(()));
    assert_eq!(exit.type_name(), None);
    let text = exit.to_string();
    assert_eq!(text, format!("{g} was killed"));
}

#[test]
fn one_kill_does_not_take_the_parents_down() {
    let outer = Greenlet::new(|()| {
        let inner = Greenlet::new(|()| suspend::<(), ()>(()));
        inner.switch::<(), ()>(());
        let exit = exited(inner.try_throw::<u8>(GreenletExit));
        assert_eq!(exit.id(), inner.id());
        "alive"
    });
    assert_eq!(outer.switch::<(), &str>(()), "alive");
}

#[test]
fn mismatched_end_panics_with_both_types_in_the_text() {
    let outer = Greenlet::new(|()| Greenlet::new(|()| 1_u8).switch::<(), String>(()));
    std::panic::set_hook(Box::new(|_| ()));
    let answer = outer.try_switch::<(), ()>(());
    let _ = std::panic::take_hook();
    let Err(SwitchError::Thrown(payload)) = answer else { panic!("no panic") };
    let text = payload.downcast::<String>().unwrap();
    assert!(text.contains("u8") && text.contains("String"), "{text}");
}

#[test]
fn result_whose_drop_panics_is_noted_and_the_exit_still_told() {
    let child = Greenlet::new(|()| OnDrop(|| std::panic::resume_unwind(Box::new("in drop"))));
    let exit = exited(child.try_switch::<(), u8>(()));
    assert_eq!(exit.id(), child.id());
}

#[test]
fn result_whose_drop_drops_the_last_handle_of_the_dying() {
    balanced(|| {
        let slot: Rc<RefCell<Option<Greenlet>>> = Rc::default();
        let value = OnDrop({
            let slot = slot.clone();
            let held = Payload::<100>::make(3);
            move || {
                assert_eq!(held.tag(), 3);
                assert!(slot.take().is_some());
            }
        });
        let g = roomy(move |()| value);
        let (alias, weak) = (alias_of(&g), g.downgrade());
        *slot.borrow_mut() = Some(g);
        let exit = exited(alias.try_switch::<(), u8>(()));
        assert_eq!(exit.id(), weak.id());
        assert!(weak.upgrade().is_none());
    });
}

#[test]
fn a_long_chain_of_mismatches_ends_at_the_root() {
    let drops = Rc::new(Cell::new(0));
    let mut parents: Vec<Greenlet> = Vec::new();
    for _ in 0..200 {
        let guard = OnDrop({
            let drops = drops.clone();
            move || drops.set(drops.get() + 1)
        });
        let body = move |_: String| drop(guard);
        let greenlet = match parents.last() {
            Some(parent) => roomy_under(parent, body),
            None => roomy(body),
        };
        parents.push(greenlet);
    }
    let child = roomy_under(parents.last().unwrap(), |()| 5_u8);
    let exit = exited(child.try_switch::<(), u8>(()));
    assert_eq!(exit.id(), child.id());
    assert_eq!(drops.get(), 200);
    assert!(parents.iter().all(Greenlet::is_dead));
}
