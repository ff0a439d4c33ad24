//! A suspended greenlet seen from outside: its own calls and nothing else.

use crate::look::{Look, look};
use greenlet::{Greenlet, current, root, suspend};
use std::cell::RefCell;
use std::hint::black_box;
use std::rc::Rc;

#[inline(never)]
fn waits_here() {
    suspend::<(), ()>(());
    black_box(());
}

#[inline(never)]
fn own_body() {
    loop {
        waits_here();
    }
}

#[inline(never)]
fn asks(greenlet: &Greenlet) -> Look {
    let trace = greenlet.backtrace().unwrap();
    Look::of(&trace)
}

#[inline(never)]
fn switches_to(greenlet: &Greenlet) {
    let () = greenlet.switch(());
    black_box(());
}

const FOREIGN: [&str; 3] = ["asks", "switches_to", "main"];

#[track_caller]
fn shows_only_itself(greenlet: &Greenlet) {
    let seen = asks(greenlet);
    seen.shows(&["waits_here", "own_body"]);
    seen.hides(&FOREIGN);
    let foreign = |name: &&str| name.contains("test::") || name.contains("thread_start");
    assert_eq!(seen.names().find(foreign), None, "{seen}");
}

#[test]
fn a_suspended_greenlet_shows_its_own_calls() {
    let greenlet = Greenlet::new(|()| own_body());
    assert!(greenlet.backtrace().is_none(), "not started");
    for _ in 0..3 {
        switches_to(&greenlet);
        shows_only_itself(&greenlet);
    }
}

#[test]
fn it_shows_the_same_whoever_resumed_it() {
    let greenlet = Greenlet::new(|()| own_body());
    switches_to(&greenlet);
    let resumer = |greenlet: Greenlet| {
        Greenlet::new(move |()| {
            switches_to(&greenlet);
        })
    };
    for _ in 0..3 {
        let other = resumer(greenlet.clone());
        greenlet.set_parent(&other).unwrap();
        switches_to(&other);
        shows_only_itself(&greenlet);
        assert!(other.is_dead());
    }
}

/// A walk from outside leaves the way upwards as it was.
#[test]
fn it_still_shows_its_ancestors_when_it_runs_again() {
    #[inline(never)]
    fn runs_again() -> Look {
        suspend::<(), ()>(());
        let seen = look();
        black_box(&seen);
        seen
    }
    #[inline(never)]
    fn resumes(greenlet: &Greenlet) -> Look {
        let seen = greenlet.switch(());
        black_box(&seen);
        seen
    }
    let greenlet = Greenlet::new(|()| runs_again());
    switches_to(&greenlet);
    asks(&greenlet).hides(&["switches_to"]);
    resumes(&greenlet).shows(&["runs_again", "resumes"]);
}

macro_rules! levels {
    ($($name:ident)*) => {
        const LEVELS: &[&str] = &[$(stringify!($name)),*];
        /// Functions that differ in their name and in what they leave behind.
        const CALLS: &[fn(&Greenlet)] = &[$({
            #[inline(never)]
            fn $name(greenlet: &Greenlet) {
                let () = greenlet.switch(());
                black_box(stringify!($name));
            }
            $name
        }),*];
    };
}

levels! { level_one level_two level_three level_four level_five }

#[test]
fn five_nested_ones_show_one_each() {
    // The innermost switches to the root, so that all of them wait.
    let all = Rc::new(RefCell::new(Vec::new()));
    fn nest(depth: usize, all: Rc<RefCell<Vec<Greenlet>>>) {
        all.borrow_mut().push(current());
        let next = match depth + 1 == CALLS.len() {
            true => root(),
            false => Greenlet::new(move |()| nest(depth + 1, all)),
        };
        CALLS[depth](&next);
    }
    let outermost = {
        let all = all.clone();
        Greenlet::new(move |()| nest(0, all))
    };
    switches_to(&outermost);
    let all = all.take();
    assert_eq!(all.len(), LEVELS.len());
    let ask_from_inside = {
        let all = all.clone();
        Greenlet::new(move |()| all.iter().map(asks).collect::<Vec<_>>())
    };
    let from_root: Vec<_> = all.iter().map(asks).collect();
    let from_inside: Vec<Look> = ask_from_inside.switch(());
    for looks in [from_root, from_inside] {
        for (depth, seen) in looks.iter().enumerate() {
            seen.shows(&[LEVELS[depth]]);
            seen.hides(&FOREIGN);
            for (_, other) in LEVELS.iter().enumerate().filter(|&(other, _)| other != depth) {
                seen.hides(&[other]);
            }
        }
    }
    // The end of the innermost ends them all.
    let () = all.last().unwrap().switch(());
    assert!(all.iter().all(Greenlet::is_dead));
}

#[test]
fn a_parked_ancestor_is_shown_alone_too() {
    let child = Greenlet::new(|()| own_body());
    let parent = {
        let child = child.clone();
        Greenlet::new(move |()| {
            child.set_parent(&current()).unwrap();
            switches_to(&child);
            waits_here();
        })
    };
    switches_to(&parent);
    shows_only_itself(&child);
    let seen = asks(&parent);
    seen.shows(&["waits_here"]);
    seen.hides(&["own_body", "asks", "switches_to"]);
}

#[test]
fn the_running_the_dead_and_the_root_show_nothing() {
    assert!(root().backtrace().is_none());
    let inside: bool = Greenlet::new(|()| current().backtrace().is_none()).switch(());
    assert!(inside);
    let dead = Greenlet::new(|()| ());
    let () = dead.switch(());
    assert!(dead.backtrace().is_none());
}
