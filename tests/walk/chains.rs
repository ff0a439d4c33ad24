//! From a grandchild through the child to the root, wherever their stacks lie.

use crate::look::{Look, count, look};
use greenlet::{Greenlet, set_trace, suspend};
use std::cell::RefCell;
use std::hint::black_box;
use std::rc::Rc;

/// Two greenlets without bodies, the one with the higher stack first if `above`.
pub(crate) fn two(above: bool) -> (Greenlet, Greenlet) {
    let (one, other) = (Greenlet::unbound(), Greenlet::unbound());
    let start = |greenlet: &Greenlet| greenlet.stack_bounds().unwrap().start;
    if (start(&one) > start(&other)) == above { (one, other) } else { (other, one) }
}

/// The root calls a child, that calls a grandchild, that calls `innermost`; answers what it answered.
fn three<T: 'static>(above: bool, innermost: impl FnOnce() -> T + 'static) -> T {
    let (child, grandchild) = two(above);
    grandchild.bind(move |()| in_grandchild(innermost));
    grandchild.set_parent(&child).unwrap();
    let (high, low) = if above { (&child, &grandchild) } else { (&grandchild, &child) };
    assert!(high.stack_bounds().unwrap().start >= low.stack_bounds().unwrap().end);
    child.bind(move |()| in_child::<T>(&grandchild));
    in_root(&child)
}

#[inline(never)]
fn in_root<T: 'static>(child: &Greenlet) -> T {
    let answer = child.switch(());
    black_box(&answer);
    answer
}

#[inline(never)]
fn in_child<T: 'static>(grandchild: &Greenlet) -> T {
    let answer = grandchild.switch(());
    black_box(&answer);
    answer
}

#[inline(never)]
fn in_grandchild<T>(innermost: impl FnOnce() -> T) -> T {
    let answer = innermost();
    black_box(&answer);
    answer
}

const ALL: [&str; 3] = ["in_grandchild", "in_child", "in_root"];

#[test]
fn a_grandchild_shows_all_its_ancestors() {
    for above in [true, false] {
        three(above, look).shows(&ALL);
    }
}

#[test]
fn ancestors_show_after_switches_to_and_fro() {
    for above in [true, false] {
        let innermost = || {
            let sibling = Greenlet::new(|()| {
                loop {
                    suspend::<usize, ()>(count());
                }
            });
            for _ in 0..3 {
                assert!(sibling.switch::<(), usize>(()) > 3);
            }
            look()
        };
        three(above, innermost).shows(&ALL);
    }
}

/// The child lies on memory of the root's own stack, then on memory of the heap: below and above, in
/// every way that a stack can lie to another one.
#[test]
fn ancestors_show_from_stacks_of_the_callers_memory() {
    let mut own = [0_u128; 8 * 1024];
    let mut heap = vec![0_u128; 8 * 1024];
    for memory in [&mut own[..], &mut heap[..]] {
        let bytes = size_of_val(memory);
        let memory = std::ptr::NonNull::from(&mut memory[0]).cast();
        // SAFETY: the memory outlives the greenlet, which is dead at the end of the round.
        let builder = unsafe { Greenlet::builder().stack_memory(memory, bytes) };
        let child = builder
            .create(|()| {
                let grandchild = Greenlet::new(|()| in_grandchild(look));
                in_child::<Look>(&grandchild)
            })
            .unwrap();
        in_root::<Look>(&child).shows(&ALL);
        assert!(child.is_dead());
    }
}

#[test]
fn a_destructor_shows_its_ancestors_while_it_unwinds() {
    struct Looks(Rc<RefCell<Option<Look>>>);
    impl Drop for Looks {
        fn drop(&mut self) {
            assert!(std::thread::panicking());
            *self.0.borrow_mut() = Some(look());
        }
    }
    #[inline(never)]
    fn unwinds(looks: Looks) {
        let _looks = looks;
        std::panic::resume_unwind(Box::new(7_u8));
    }
    for above in [true, false] {
        let seen = Rc::new(RefCell::new(None));
        let looks = Looks(seen.clone());
        let thrown = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            three(above, move || unwinds(looks));
        }));
        assert!(thrown.unwrap_err().is::<u8>());
        let seen = seen.take().unwrap();
        seen.shows(&["unwinds", "in_grandchild", "in_child", "in_root"]);
    }
}

/// The same when the exit of a kill unwinds it: the killer is the parent, and shows.
#[test]
fn a_destructor_shows_its_ancestors_while_it_is_killed() {
    struct Looks(Rc<RefCell<Option<Look>>>);
    impl Drop for Looks {
        fn drop(&mut self) {
            *self.0.borrow_mut() = Some(look());
        }
    }
    #[inline(never)]
    fn waits(looks: Looks) {
        let _looks = looks;
        suspend::<(), ()>(());
    }
    #[inline(never)]
    fn drops(greenlet: Greenlet) {
        drop(greenlet);
        black_box(());
    }
    let seen = Rc::new(RefCell::new(None));
    let looks = Looks(seen.clone());
    let victim = Greenlet::new(move |()| waits(looks));
    let () = victim.switch(());
    drops(victim);
    seen.take().unwrap().shows(&["waits", "drops"]);
}

#[test]
fn a_panic_hook_shows_the_ancestors() {
    let seen = Rc::new(RefCell::new(None));
    let innermost = {
        let seen = seen.clone();
        move || {
            // As a hook does: a walk from below the code that raises.
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                *seen.borrow_mut() = Some(look());
                std::panic::resume_unwind(Box::new(()));
            }));
            assert!(caught.is_err());
        }
    };
    three(true, innermost);
    seen.take().unwrap().shows(&ALL);
}

#[test]
fn a_trace_callback_can_walk() {
    #[inline(never)]
    fn callback(looks: &RefCell<Vec<Look>>) {
        looks.borrow_mut().push(look());
    }
    for above in [true, false] {
        let looks = Rc::new(RefCell::new(Vec::new()));
        let seen = looks.clone();
        set_trace(Some(Rc::new(move |_| callback(&seen))));
        three(above, || black_box(count()));
        set_trace(None);
        let looks = looks.take();
        assert_eq!(looks.len(), 4, "two starts, two ends");
        // Into the child and the grandchild, which have not begun; back into the child, the root.
        looks[0].shows(&["callback", "in_root"]);
        looks[1].shows(&["callback", "in_child", "in_root"]);
        looks[2].shows(&["callback", "in_child", "in_root"]);
        looks[3].shows(&["callback", "in_root"]);
        looks[3].hides(&["in_child", "in_grandchild"]);
    }
}

#[test]
fn a_hundred_ancestors_show() {
    #[inline(never)]
    fn level(depth: usize) -> Look {
        let answer = match depth {
            0 => look(),
            _ => Greenlet::new(move |()| level(depth - 1)).switch(()),
        };
        black_box(&answer);
        answer
    }
    let seen = level(100);
    let levels = seen.names().filter(|name| name.ends_with("::level")).count();
    assert_eq!(levels, 101, "{seen}");
}

#[test]
fn another_threads_greenlets_show_its_root() {
    let thread = || three(false, look).shows(&ALL);
    std::thread::spawn(move || greenlet::run(thread)).join().unwrap();
}
