//! Parents that are dead, have not started or have no body: a walk passes them.

use crate::look::{Look, look};
use greenlet::{Greenlet, suspend};
use std::hint::black_box;

#[inline(never)]
fn in_root<T: 'static>(greenlet: &Greenlet) -> T {
    let answer = greenlet.switch(());
    black_box(&answer);
    answer
}

#[inline(never)]
fn in_body() -> Look {
    let seen = look();
    black_box(&seen);
    seen
}

#[inline(never)]
fn in_dying_parent() -> Greenlet {
    let child = Greenlet::new(|()| {
        suspend::<(), ()>(());
        let first = in_body();
        suspend::<Look, ()>(first);
        in_body()
    });
    let () = child.switch(());
    black_box(child)
}

#[test]
fn a_dead_parent_is_passed() {
    let parent = Greenlet::new(|()| in_dying_parent());
    let child: Greenlet = parent.switch(());
    assert!(parent.is_dead());
    for _ in 0..2 {
        let seen: Look = in_root(&child);
        seen.shows(&["in_body", "in_root"]);
        seen.hides(&["in_dying_parent"]);
    }
    assert!(child.is_dead());
}

#[test]
fn a_row_of_dead_parents_is_passed() {
    #[inline(never)]
    fn generation(left: usize) -> Greenlet {
        match left {
            0 => in_dying_parent(),
            _ => Greenlet::new(move |()| generation(left - 1)).switch(()),
        }
    }
    let child = generation(20);
    // The stacks of the dead are in use again.
    let others: Vec<_> = (0..20).map(|_| Greenlet::new(|()| suspend::<(), ()>(()))).collect();
    for other in &others {
        let () = other.switch(());
    }
    let seen: Look = in_root(&child);
    seen.shows(&["in_body", "in_root"]);
    seen.hides(&["in_dying_parent", "generation"]);
}

#[test]
fn an_unstarted_parent_is_passed() {
    let unstarted = Greenlet::new(|_: Look| ());
    let child = Greenlet::new(|()| {
        greenlet::root().switch::<Look, ()>(in_body());
        in_body()
    });
    child.set_parent(&unstarted).unwrap();
    in_root::<Look>(&child).shows(&["in_body", "in_root"]);
    let () = in_root(&child); // its end starts the parent
    assert!(unstarted.is_dead());
}

#[test]
fn a_parent_without_body_is_passed() {
    let unbound = Greenlet::unbound();
    let child = Greenlet::new(|()| {
        loop {
            greenlet::root().switch::<Look, ()>(in_body());
        }
    });
    child.set_parent(&unbound).unwrap();
    for _ in 0..2 {
        in_root::<Look>(&child).shows(&["in_body", "in_root"]);
    }
    unbound.bind(|()| ());
    in_root::<Look>(&child).shows(&["in_body", "in_root"]);
}

/// A walk follows the parents, not those who happened to switch here.
#[test]
fn a_new_parent_shows_instead_of_the_old_one() {
    #[inline(never)]
    fn waits() {
        suspend::<(), ()>(());
        black_box(());
    }
    let parent = Greenlet::new(|()| waits());
    let () = parent.switch(());
    let child = Greenlet::new(|()| {
        loop {
            greenlet::root().switch::<Look, ()>(in_body());
        }
    });
    in_root::<Look>(&child).hides(&["waits"]);
    child.set_parent(&parent).unwrap();
    in_root::<Look>(&child).shows(&["in_body", "waits", "in_root"]);
}

#[test]
fn a_sibling_that_switched_here_does_not_show() {
    #[inline(never)]
    fn in_sibling(greenlet: &Greenlet) -> Look {
        let seen = greenlet.switch(());
        black_box(&seen);
        seen
    }
    let looks = Greenlet::new(|()| {
        loop {
            let seen = in_body();
            greenlet::root().switch::<Look, ()>(seen);
        }
    });
    let sibling = {
        let looks = looks.clone();
        Greenlet::new(move |()| in_sibling(&looks))
    };
    // The one that looks is a child of the root: its answer goes there, past its sibling.
    let seen: Look = in_root(&sibling);
    seen.shows(&["in_body", "in_root"]);
    seen.hides(&["in_sibling"]);
}
