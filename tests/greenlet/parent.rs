//! Changing who receives a greenlet's end.

use crate::raised::raised;
use crate::trace::{OnDrop, Trace};
use greenlet::{Coroutine, Greenlet, ParentError, State, Step, current, root, suspend};
use std::cell::RefCell;
use std::rc::Rc;

#[test]
fn the_parent_can_be_set_at_any_time() {
    let (a, b) = (Greenlet::new(|()| ()), Greenlet::new(|()| suspend::<(), ()>(())));
    assert_eq!(a.parent(), Some(root()));
    a.set_parent(&b).unwrap(); // unstarted, under an unstarted one
    assert_eq!(a.parent(), Some(b.clone()));
    let () = b.switch(());
    b.set_parent(&root()).unwrap(); // suspended
    a.set_parent(&root()).unwrap();
    let () = a.switch(());
    a.set_parent(&b).unwrap(); // dead, under a suspended one
    assert_eq!(a.parent(), Some(b.clone()));
    let c = Greenlet::new(|()| suspend::<(), ()>(()));
    let () = c.switch(());
    c.set_parent(&a).unwrap(); // suspended, under a dead one
    assert_eq!(c.parent(), Some(a));
    // Running: a greenlet gives itself another parent.
    let d = Greenlet::new({
        let b = b.clone();
        move |()| {
            current().set_parent(&b).unwrap();
            suspend::<(), ()>(())
        }
    });
    let () = d.switch(());
    assert!(b.is_dead() && d.state() == State::Suspended);
}

#[test]
fn a_greenlet_cannot_be_its_own_parent() {
    let g = Greenlet::new(|()| ());
    assert_eq!(g.set_parent(&g), Err(ParentError::Cycle));
    assert_eq!(ParentError::Cycle.to_string(), "cyclic parent chain");
    assert_eq!(g.parent(), Some(root()));
}

#[test]
fn longer_cycles_are_refused_also_through_the_dead() {
    let [g1, g2, g3] = [(); 3].map(|()| Greenlet::new(|()| ()));
    g1.set_parent(&g2).unwrap();
    g2.set_parent(&g3).unwrap();
    assert_eq!(g3.set_parent(&g1), Err(ParentError::Cycle));
    assert_eq!(g3.parent(), Some(root()));
    let () = g3.switch(());
    assert_eq!(g3.set_parent(&g1), Err(ParentError::Cycle));
    g2.set_parent(&root()).unwrap();
    g3.set_parent(&g1).unwrap();
    assert_eq!(g2.set_parent(&g3), Err(ParentError::Cycle));
}

#[test]
fn the_roots_parent_cannot_be_set() {
    let g = Greenlet::new(|()| ());
    assert_eq!(root().set_parent(&g), Err(ParentError::Root));
    // Looked at before the cycle.
    assert_eq!(root().set_parent(&root()), Err(ParentError::Root));
    assert_eq!(ParentError::Root.to_string(), "cannot set the parent of a root greenlet");
    assert_eq!(root().parent(), None);
}

#[test]
fn a_refused_parent_leaves_the_old_one_in_charge() {
    let keeper = Greenlet::new(|()| suspend::<(), i32>(()) + 1);
    let () = keeper.switch(());
    let g = Greenlet::builder().parent(&keeper).create(|()| 1).unwrap();
    let below = Greenlet::builder().parent(&g).create(|()| ()).unwrap();
    assert_eq!(g.set_parent(&below), Err(ParentError::Cycle));
    assert_eq!(g.set_parent(&g), Err(ParentError::Cycle));
    assert_eq!(g.switch::<(), i32>(()), 2);
}

/// A chosen difference: in Python the parent's reference keeps it, and this program leaks.
#[test]
fn a_parent_edge_keeps_nobody_alive() {
    let trace = Trace::default();
    let outer = Greenlet::new({
        let trace = trace.clone();
        move |()| {
            let _finally = OnDrop(trace.clone(), "outer unwound");
            let child = Greenlet::new({
                let trace = trace.clone();
                move |()| {
                    let _finally = OnDrop(trace.clone(), "child unwound");
                    suspend::<(), ()>(())
                }
            });
            let () = child.switch(());
            suspend::<(), ()>(());
        }
    });
    let () = outer.switch(());
    trace.is(&[]);
    drop(outer);
    trace.is(&["child unwound", "outer unwound"]);
}

#[test]
fn a_child_of_a_dropped_parent_reports_to_the_next_ancestor() {
    let parent = Greenlet::new(|()| suspend::<(), ()>(()));
    let () = parent.switch(());
    let child = Greenlet::builder().parent(&parent).create(|()| 5).unwrap();
    let weak = parent.downgrade();
    drop(parent);
    assert!(weak.upgrade().is_none());
    let parent = child.parent().unwrap();
    assert!(parent.is_dead());
    assert_eq!(parent.parent(), Some(root()));
    assert_eq!(child.switch::<(), i32>(()), 5);
}

#[test]
fn children_are_the_living_whose_parent_it_is() {
    let parent = Greenlet::new(|()| ());
    assert_eq!(parent.children(), []);
    let children: Vec<_> =
        (0..3).map(|_| Greenlet::builder().parent(&parent).create(|()| ()).unwrap()).collect();
    assert_eq!(parent.children().len(), 3);
    let () = parent.switch(());
    let () = children[0].switch(());
    // The dead keep the living that were under them.
    assert_eq!(parent.children().len(), 2);
    assert!(!parent.children().contains(&children[0]));
}

#[test]
fn reparenting_many_times_leaves_nothing_behind() {
    let log = Rc::new(RefCell::new(0));
    let tree: Vec<_> = (0..100)
        .map(|_| {
            let log = log.clone();
            Greenlet::new(move |n: usize| {
                *log.borrow_mut() += 1;
                n
            })
        })
        .collect();
    let mut random = 1_u32;
    for _ in 0..20_000 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (a, b) = ((random >> 8) as usize % 100, (random >> 20) as usize % 100);
        let _ = tree[a].set_parent(&tree[b]);
    }
    // Every chain still reaches the root.
    for g in &tree {
        let mut up = g.clone();
        let mut steps = 0;
        while let Some(parent) = up.parent() {
            up = parent;
            steps += 1;
            assert!(steps <= 100, "a cycle");
        }
        assert_eq!(up, root());
    }
    // A result runs through all unstarted ancestors, up to the root.
    for (n, g) in tree.iter().enumerate() {
        assert_eq!(g.switch::<usize, usize>(n), n);
    }
    assert_eq!(*log.borrow(), 100);
}

#[test]
fn a_coroutine_cannot_be_resumed_by_its_own_descendant() {
    let own = Rc::new(RefCell::new(None::<Coroutine<(), (), String>>));
    let coroutine = Coroutine::new({
        let own = own.clone();
        move |_, ()| {
            let mut myself = own.borrow_mut().take().unwrap();
            let child = Greenlet::new(move |()| myself.resume(()));
            raised(|| child.switch::<(), ()>(()))
        }
    });
    let handle = coroutine.greenlet().clone();
    *own.borrow_mut() = Some(coroutine);
    match handle.switch::<(), Step<(), String>>(()) {
        Step::Returned(text) => assert!(text.contains("cyclic parent chain"), "{text}"),
        Step::Yielded(()) => panic!("it gave nothing"),
    }
}
