//! What can be seen of a greenlet from outside.

use crate::raised::raised;
use greenlet::{Greenlet, State, current, greenlet_local, root, suspend};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

#[test]
fn active_means_begun_and_not_ended() {
    let g = Greenlet::new(|()| {
        let inside = current().is_active();
        suspend::<bool, ()>(inside);
    });
    assert!(!g.is_active());
    assert!(g.switch::<(), bool>(()));
    assert!(g.is_active());
    let () = g.switch(());
    assert!(!g.is_active());
}

#[test]
fn dead_means_ended() {
    let g = Greenlet::new(|()| suspend::<bool, ()>(current().is_dead()));
    assert!(!g.is_dead());
    assert!(!g.switch::<(), bool>(()));
    assert!(!g.is_dead());
    let () = g.switch(());
    assert!(g.is_dead());
    let dropped_unrun = Greenlet::new(|()| ());
    assert!(dropped_unrun.kill().is::<greenlet::GreenletExit>());
    assert!(dropped_unrun.is_dead());
}

#[test]
fn the_states_follow_the_life_of_a_greenlet() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let g = Greenlet::unbound();
    let look = {
        let (seen, g) = (seen.clone(), g.downgrade());
        move || seen.borrow_mut().push(g.upgrade().map(|g| g.state()))
    };
    look();
    g.bind({
        let look = look.clone();
        move |()| {
            look();
            suspend::<(), ()>(());
            let stranger = Greenlet::new({
                let look = look.clone();
                move |()| look()
            });
            let () = stranger.switch(());
        }
    });
    look();
    let () = g.switch(());
    look();
    let () = g.switch(());
    look();
    drop(g);
    look();
    use State::{Dead, Running, Suspended, Unbound, Unstarted};
    assert_eq!(
        *seen.borrow(),
        [
            Some(Unbound),
            Some(Unstarted),
            Some(Running),
            Some(Suspended),
            Some(Suspended),
            Some(Dead),
            None
        ]
    );
}

#[inline(never)]
fn descends(depth: u32, to: u32) -> u64 {
    if depth == to {
        return std::hint::black_box(suspend::<(), u64>(()));
    }
    std::hint::black_box(descends(depth + 1, to)) * u64::from(depth + 1)
}

#[inline(never)]
fn switches_to(g: &Greenlet) {
    std::hint::black_box(g.switch_any(()));
}

#[test]
fn only_the_suspended_have_a_backtrace_and_it_ends_at_their_body() {
    #[inline(never)]
    fn waits_here() {
        suspend::<bool, ()>(current().backtrace().is_none());
        std::hint::black_box(0); // no tail call
    }
    #[inline(never)]
    fn the_switcher(g: &Greenlet) -> bool {
        std::hint::black_box(g.switch::<(), bool>(()))
    }
    let g = Greenlet::new(|()| {
        waits_here();
        std::hint::black_box(0); // no tail call
    });
    assert!(g.backtrace().is_none());
    assert!(std::hint::black_box(the_switcher(&g)), "the running one has none");
    let frames = g.backtrace().unwrap().to_string();
    assert!(frames.contains("waits_here"), "{frames}");
    assert!(!frames.contains("the_switcher"), "{frames}");
    let () = g.switch(());
    assert!(g.backtrace().is_none());
    assert!(root().backtrace().is_none());
}

#[test]
fn a_backtrace_walks_nested_calls_and_does_not_disturb_them() {
    let g = Greenlet::new(|()| descends(0, 5));
    switches_to(&g);
    for _ in 0..3 {
        let frames = g.backtrace().unwrap().to_string();
        assert_eq!(frames.matches("descends").count(), 6, "{frames}");
    }
    assert_eq!(g.switch::<u64, u64>(10), 1200);
}

#[test]
fn a_backtrace_stays_right_after_others_used_their_stacks() {
    let g = Greenlet::new(|()| descends(0, 2));
    switches_to(&g);
    let before = g.backtrace().unwrap().to_string();
    for _ in 0..10 {
        let other = Greenlet::new(|()| descends(0, 20));
        switches_to(&other);
        assert!(other.kill().is::<greenlet::GreenletExit>());
    }
    assert_eq!(g.backtrace().unwrap().to_string(), before);
    let frame = g.suspended_frame().unwrap();
    let bounds = g.stack_bounds().unwrap();
    assert!(bounds.start < frame.live.start && frame.live.end == bounds.end);
    assert_eq!(g.switch::<u64, u64>(10), 20);
}

#[test]
fn a_body_is_bound_once() {
    let g = Greenlet::unbound();
    g.bind(|()| suspend::<(), ()>(()));
    assert!(raised(|| g.bind(|()| ())).contains("has a body already"));
    let () = g.switch(());
    assert!(raised(|| g.bind(|()| ())).contains("has a body already"));
    let () = g.switch(());
    assert!(raised(|| g.bind(|()| ())).contains("is dead"));
    assert!(raised(|| root().bind(|()| ())).contains("has a body already"));
}

#[test]
fn each_greenlet_has_its_own_values_and_a_word() {
    greenlet_local! {
        static NUMBER: Cell<i32> = Cell::new(-1);
    }
    let bump = || NUMBER.with(|n| n.replace(n.get() + 1));
    let make = || {
        Greenlet::new(move |()| {
            for _ in 0..3 {
                suspend::<i32, ()>(bump());
            }
        })
    };
    let (a, b) = (make(), make());
    let seen: Vec<i32> = [&a, &a, &b, &a, &b].map(|g| g.switch(())).into();
    assert_eq!(seen, [-1, 0, -1, 1, 0]);
    assert_eq!(bump(), -1);
    // From outside: one word, the user's.
    assert!(a.user_word().is_null());
    let mut mine = 5_i32;
    a.set_user_word((&raw mut mine).cast());
    assert_eq!(a.user_word(), (&raw mut mine).cast());
    assert!(b.user_word().is_null());
    let () = a.switch(());
    assert!(a.is_dead() && a.user_word().is_null());
}

#[test]
fn greenlet_local_values_are_dropped_at_the_end_in_their_greenlet() {
    struct Notes(Rc<RefCell<Vec<Greenlet>>>);
    impl Drop for Notes {
        fn drop(&mut self) {
            self.0.borrow_mut().push(current());
        }
    }
    greenlet_local! {
        static NOTES: RefCell<Option<Notes>> = RefCell::new(None);
    }
    let seen = Rc::new(RefCell::new(Vec::new()));
    let g = Greenlet::new({
        let seen = seen.clone();
        move |()| {
            NOTES.with(|notes| *notes.borrow_mut() = Some(Notes(seen)));
            suspend::<(), ()>(());
        }
    });
    let () = g.switch(());
    assert_eq!(*seen.borrow(), []);
    let () = g.switch(());
    assert_eq!(*seen.borrow(), [g]);
}

#[test]
fn a_clone_is_another_handle_of_the_same_greenlet() {
    let g = Greenlet::new(|()| 1);
    let clone = g.clone();
    assert_eq!(clone, g);
    assert_eq!(clone.switch::<(), i32>(()), 1);
    assert!(g.is_dead());
    let other = Greenlet::new(|()| 1);
    assert_ne!(other, g);
    assert_ne!(other.id(), g.id());
}

#[test]
fn debug_says_the_state_in_a_word() {
    let words = |g: &Greenlet| {
        let text = format!("{g:?}");
        let words = ["Unbound", "Unstarted", "Suspended", "Running", "Dead", "root"];
        words.into_iter().filter(|word| text.contains(word)).collect::<Vec<_>>()
    };
    let g = Greenlet::unbound();
    assert_eq!(words(&g), ["Unbound"]);
    g.bind(move |()| suspend::<Vec<&str>, ()>(words(&current())));
    assert_eq!(words(&g), ["Unstarted"]);
    assert_eq!(g.switch::<(), Vec<&str>>(()), ["Running"]);
    assert_eq!(words(&g), ["Suspended"]);
    let () = g.switch(());
    assert_eq!(words(&g), ["Dead"]);
    assert_eq!(words(&root()), ["Running", "root"]);
    let seen: Vec<&str> = Greenlet::new(move |()| words(&root())).switch(());
    assert_eq!(seen, ["Suspended", "root"]);
    let named = Greenlet::builder().name("worker").create(|()| ()).unwrap();
    assert!(format!("{named:?}").contains("'worker'"));
    assert!(named.to_string().contains(&named.id().get().to_string()));
}

/// All that a switch touches of a stack: with one line of the block, three lines of a cache. What a compiler makes of
/// it, so only where it does its best.
#[test]
#[cfg(all(
    target_arch = "x86_64",
    not(debug_assertions),
    panic = "unwind",
    not(feature = "fpenv")
))]
fn frames_that_every_switch_touches_lie_in_two_lines() {
    #[inline(never)]
    fn one(value: usize) -> usize {
        suspend::<usize, usize>(value + 1) + 1
    }
    #[inline(never)]
    fn two(value: usize) -> usize {
        one(value + 1) + 1
    }
    let g = Greenlet::new(|mut value: usize| -> usize {
        loop {
            value = two(value);
        }
    });
    assert_eq!(g.switch::<usize, usize>(1), 3);
    let block_bytes = if cfg!(feature = "hub") { 192 } else { 128 };
    assert_eq!(
        g.stack_used().map(|bytes| bytes <= block_bytes + 128),
        Some(true),
        "{:?}",
        g.stack_used()
    );
}

#[test]
fn stack_used_is_more_the_deeper_it_waits_and_none_without_a_stack() {
    let shallow = Greenlet::new(|()| descends(0, 0));
    let deep = Greenlet::new(|()| descends(0, 50));
    assert_eq!(shallow.stack_used(), None);
    switches_to(&shallow);
    switches_to(&deep);
    let (few, many) = (shallow.stack_used().unwrap(), deep.stack_used().unwrap());
    assert!(0 < few && few < many, "{few} {many}");
    assert!(many < deep.stack_bounds().unwrap().len());
    assert_eq!(shallow.switch::<u64, u64>(3), 3);
    assert_eq!(shallow.stack_used(), None);
    assert_eq!(root().stack_used(), None);
    let running: Option<usize> = Greenlet::new(|()| current().stack_used()).switch(());
    assert!(running.unwrap() > 0);
    drop(deep);
}

#[test]
fn a_closure_carries_the_state_that_a_subclass_would() {
    struct Counter {
        n: i32,
    }
    impl Counter {
        fn run(mut self, step: i32) -> i32 {
            let mut step = step;
            loop {
                self.n += step;
                step = suspend(self.n);
            }
        }
    }
    let g = Greenlet::new(move |step: i32| Counter { n: 10 }.run(step));
    assert_eq!([1, 2, 3].map(|step| g.switch::<i32, i32>(step)), [11, 13, 16]);
}
