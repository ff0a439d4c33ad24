//! Who is current, who is root, and whose child a new greenlet is.

use crate::trace::Defer;
use greenlet::{Greenlet, State, all, current, root, suspend};
use std::collections::HashSet;
use std::thread;

#[test]
fn plain_code_runs_in_a_root_without_a_parent() {
    let me = current();
    assert_eq!(me.parent(), None);
    assert_eq!(me, root());
}

#[test]
fn the_root_is_active_from_the_first_look_and_never_dead() {
    thread::spawn(|| {
        let me = current();
        assert!(me.is_active() && !me.is_dead() && me.state() == State::Running);
        let seen: (bool, bool, State) = Greenlet::new(move |()| {
            let root = root();
            (root.is_active(), root.is_dead(), root.state())
        })
        .switch(());
        assert_eq!(seen, (true, false, State::Suspended));
    })
    .join()
    .unwrap();
}

#[test]
fn the_root_is_a_greenlet_like_others_but_for_its_parent_and_its_word() {
    let root: Greenlet = root();
    let other: Greenlet = Greenlet::new(|()| ());
    assert!(root.is_root() && !other.is_root());
    assert!(format!("{root:?}").contains("root"));
    assert!(!format!("{other:?}").contains("root"));
}

#[test]
fn only_the_root_has_no_parent() {
    fn am_i_root() -> bool {
        current().parent().is_none()
    }
    assert!(am_i_root());
    assert!(!Greenlet::new(|()| am_i_root()).switch::<(), bool>(()));
    let nested: bool = Greenlet::new(|()| Greenlet::new(|()| am_i_root()).switch::<(), bool>(()))
        .switch::<(), bool>(());
    assert!(!nested);
}

#[test]
fn each_thread_has_a_root_of_its_own() {
    const THREADS: usize = 8;
    let barrier = std::sync::Arc::new(std::sync::Barrier::new(THREADS));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let barrier = barrier.clone();
            thread::spawn(move || {
                barrier.wait();
                let id = root().id();
                assert_eq!(id, current().id());
                barrier.wait();
                id
            })
        })
        .collect();
    let ids: HashSet<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(ids.len(), THREADS);
}

#[test]
fn current_in_a_body_is_the_handle_of_its_creator() {
    let g = Greenlet::new(|()| current());
    let inside: Greenlet = g.switch(());
    assert_eq!(inside, g);
    assert_ne!(inside, current());
}

#[test]
fn one_greenlet_runs_at_a_time() {
    fn running() -> Vec<Greenlet> {
        all().into_iter().filter(|g| g.state() == State::Running).collect()
    }
    let a = Greenlet::new(|()| {
        assert_eq!(running(), [current()]);
        suspend::<(), ()>(());
        assert_eq!(running(), [current()]);
    });
    let b = Greenlet::new({
        let a = a.clone();
        move |()| {
            a.switch_any(());
            assert_eq!(running(), [current()]);
        }
    });
    // `a` suspends to its parent, the root, so `b` stays behind.
    b.switch_any(());
    assert_eq!(running(), [root()]);
    assert_eq!((a.state(), b.state()), (State::Suspended, State::Suspended));
    a.switch_any(());
    assert_eq!(running(), [root()]);
}

#[test]
fn the_parent_is_the_greenlet_that_made_it() {
    let maker = Greenlet::new(|()| {
        let child = Greenlet::new(|()| current().parent().unwrap());
        let result: Greenlet = suspend(child);
        ("maker got", result)
    });
    let child: Greenlet = maker.switch(());
    assert_eq!(child.parent(), Some(maker.clone()));
    // The root starts it first, which changes nothing: its result goes to `maker`.
    assert_eq!(child.switch::<(), (&str, Greenlet)>(()), ("maker got", maker));
}

#[test]
fn a_builder_without_a_parent_takes_the_current_greenlet() {
    let g = Greenlet::new(|()| {
        let child = Greenlet::builder().create(|()| ()).unwrap();
        assert_eq!(child.parent(), Some(current()));
        let adopted = Greenlet::builder().parent(&root()).create(|()| ()).unwrap();
        assert_eq!(adopted.parent(), Some(root()));
    });
    let () = g.switch(());
}

#[test]
fn creating_runs_nothing() {
    let g = Greenlet::new(|()| -> () { unreachable!("nobody switches to it") });
    assert!(!g.is_active() && !g.is_dead());
    assert_eq!(g.state(), State::Unstarted);
    assert!(format!("{g:?}").contains("Unstarted"));
}

#[test]
fn the_implicit_parent_is_right_while_other_threads_create() {
    let threads: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(|| {
                let outer = Greenlet::new(|()| {
                    for _ in 0..2_000 {
                        let child = Greenlet::new(|()| ());
                        assert_eq!(child.parent(), Some(current()));
                        let dropped = Defer(|| drop(Greenlet::new(|()| ())));
                        let child = Greenlet::new(move |()| drop(dropped));
                        assert_eq!(child.parent(), Some(current()));
                        let () = child.switch(());
                    }
                });
                let () = outer.switch(());
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn current_stays_right_when_a_destructor_lets_another_thread_use_greenlets() {
    let g = Greenlet::new(|()| {
        let me = current();
        drop(Defer(|| {
            let elsewhere = thread::spawn(|| {
                let g = Greenlet::new(|()| current().id());
                assert_eq!(g.switch::<(), greenlet::GreenletId>(()), g.id());
                root().id()
            });
            assert_ne!(elsewhere.join().unwrap(), root().id());
            assert_eq!(current(), me);
        }));
        current()
    });
    assert_eq!(g.switch::<(), Greenlet>(()), g);
    assert_eq!(current(), root());
}
