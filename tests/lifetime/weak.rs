//! Weak handles: rules 121, 130.

use crate::log::OnDrop;
use greenlet::{Greenlet, current, suspend};
use std::cell::Cell;
use std::rc::Rc;

#[test]
fn it_is_empty_once_the_last_handle_is_gone() {
    let states: [fn() -> Greenlet; 4] = [
        || Greenlet::new(|()| ()),
        Greenlet::unbound,
        || {
            let g = Greenlet::new(|()| suspend::<(), ()>(()));
            g.switch::<(), ()>(());
            g
        },
        || {
            let g = Greenlet::new(|()| ());
            g.switch::<(), ()>(());
            g
        },
    ];
    for make in states {
        let g = make();
        let weak = g.downgrade();
        assert_eq!(weak.upgrade().as_ref(), Some(&g));
        assert_eq!(weak.id(), g.id());
        drop(g);
        assert!(weak.upgrade().is_none());
    }
}

#[test]
fn it_does_not_name_a_successor_of_the_record() {
    let g = Greenlet::new(|()| ());
    let weak = g.downgrade();
    drop(g);
    let successors: Vec<_> = (0..200).map(|_| Greenlet::new(|()| ())).collect();
    assert!(weak.upgrade().is_none());
    assert!(successors.iter().all(|g| g.id() != weak.id()));
}

#[test]
fn it_is_empty_in_the_cleanup_of_another() {
    let first = Greenlet::new(|()| ());
    let weak = first.downgrade();
    let seen = Rc::new(Cell::new(None));
    let g = Greenlet::new({
        let (weak, seen) = (weak.clone(), seen.clone());
        move |()| {
            let _cleanup = OnDrop(|| seen.set(Some(weak.upgrade().is_none())));
            let _first = first; // dropped before
            suspend::<(), ()>(());
        }
    });
    g.switch::<(), ()>(());
    drop(g);
    assert_eq!(seen.get(), Some(true));
}

#[test]
fn a_victim_can_find_itself_only_while_it_runs() {
    let seen = Rc::new(Cell::new(None));
    let g = Greenlet::unbound();
    let weak = g.downgrade();
    g.bind({
        let (weak, seen) = (weak.clone(), seen.clone());
        move |()| {
            let _cleanup = OnDrop(|| {
                let me = weak.upgrade();
                seen.set(Some(me.as_ref() == Some(&current())));
                drop(me);
            });
            suspend::<(), ()>(());
        }
    });
    g.switch::<(), ()>(());
    drop(g);
    assert_eq!(seen.get(), Some(true));
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_dead_one_with_children_is_gone_for_weak_handles() {
    let parent = Greenlet::new(|()| ());
    let weak = parent.downgrade();
    let child = Greenlet::builder().parent(&parent).create(|()| ()).unwrap();
    drop(parent);
    assert!(weak.upgrade().is_none());
    let again = child.parent().unwrap();
    assert!(again.is_dead());
    assert_eq!(weak.upgrade(), Some(again), "held again, by way of the child");
    assert!(weak.upgrade().is_none());
}

#[test]
fn siblings_that_hold_each_other_weakly_die_by_drop() {
    let ends = Rc::new(Cell::new(0));
    let (a, b) = (Greenlet::unbound(), Greenlet::unbound());
    for (g, other) in [(&a, &b), (&b, &a)] {
        let (other, ends) = (other.downgrade(), ends.clone());
        g.bind(move |()| {
            let _end = OnDrop(|| ends.set(ends.get() + 1));
            suspend::<(), ()>(());
            assert!(other.upgrade().is_none());
        });
        g.switch::<(), ()>(());
    }
    drop((a, b));
    assert_eq!(ends.get(), 2);
}
