//! Chains thousands deep: of starts, of parents, of panics, of drops.

use crate::raised::{boom, raised};
use crate::trace::{Defer, Trace};
use greenlet::{Greenlet, GreenletExit, State, all, root, suspend};
use std::cell::Cell;
use std::rc::Rc;

const DEEP: u32 = 5_000;

#[test]
fn each_greenlet_starts_the_next_five_thousand_deep() {
    fn next(depth: u32) -> u32 {
        if depth == 0 {
            return 0;
        }
        Greenlet::new(next).switch::<u32, u32>(depth - 1) + 1
    }
    assert_eq!(next(DEEP), DEEP);
    assert_eq!(all(), [root()]);
}

#[test]
fn a_panic_passes_five_thousand_greenlets() {
    let unwound = Rc::new(Cell::new(0));
    fn next(depth: u32, unwound: Rc<Cell<u32>>) {
        let counted = unwound.clone();
        let _on_unwind = Defer(|| counted.set(counted.get() + 1));
        if depth == 0 {
            boom("from below");
        }
        let g = Greenlet::new(move |()| next(depth - 1, unwound));
        let () = g.switch(());
    }
    assert_eq!(raised(|| next(DEEP, unwound.clone())), "boom from below");
    assert_eq!(unwound.get(), DEEP + 1);
    assert_eq!(all(), [root()]);
}

#[test]
fn a_result_climbs_five_thousand_unstarted_parents() {
    let mut chain = vec![Greenlet::new(|n: u32| n + 1)];
    for _ in 1..DEEP {
        let parent = chain.last().unwrap();
        chain.push(Greenlet::builder().parent(parent).create(|n: u32| n + 1).unwrap());
    }
    assert_eq!(chain.last().unwrap().switch::<u32, u32>(0), DEEP);
    assert!(chain.iter().all(Greenlet::is_dead));
}

#[test]
fn a_throw_ends_five_thousand_unstarted_parents() {
    let mut chain = vec![Greenlet::new(|()| ())];
    for _ in 1..DEEP {
        let parent = chain.last().unwrap();
        chain.push(Greenlet::builder().parent(parent).create(|()| ()).unwrap());
    }
    let last = chain.last().unwrap();
    assert_eq!(raised(|| last.throw::<()>("down the line")), "down the line");
    assert!(chain.iter().all(Greenlet::is_dead));
    // A chain of the dead, as long, is climbed too.
    assert!(last.kill().is::<GreenletExit>());
}

#[test]
fn five_thousand_dead_parents_are_given_back() {
    let mut last = Greenlet::new(|()| ());
    let () = last.switch(());
    for _ in 0..DEEP {
        let g = Greenlet::builder().parent(&last).create(|()| ()).unwrap();
        let () = g.switch(());
        last = g;
    }
    drop(last);
    assert_eq!(all(), [root()]);
}

#[test]
fn dropping_one_ends_five_thousand_that_hold_each_other() {
    let trace = Trace::default();
    let unwound = Rc::new(Cell::new(0));
    let mut holder = None::<Greenlet>;
    for _ in 0..DEEP {
        let (held, unwound) = (holder.take(), unwound.clone());
        let g = Greenlet::new(move |()| {
            let _held = held;
            let _on_unwind = Defer(|| unwound.set(unwound.get() + 1));
            suspend::<(), ()>(());
        });
        let () = g.switch(());
        holder = Some(g);
    }
    trace.say("drop");
    drop(holder);
    assert_eq!(unwound.get(), DEEP);
    assert_eq!(all(), [root()]);
    trace.is(&["drop"]);
}

/// Fewer: these closures drop each other on one stack, as boxes in a list would.
#[test]
fn dropping_one_ends_five_hundred_unstarted_that_hold_each_other() {
    let mut holder = Greenlet::new(|()| ());
    for _ in 0..500 {
        let held = holder;
        holder = Greenlet::new(move |()| drop(held));
    }
    assert_eq!(holder.state(), State::Unstarted);
    drop(holder);
    assert_eq!(all(), [root()]);
}
