//! Greenlets that are left when their thread ends.

use crate::in_child::{Case, Outcome, cases_in_children, in_child, tell, this_test};
use greenlet::{Greenlet, suspend};
use std::cell::RefCell;
use std::mem::forget;

struct TellsDrop(&'static str);

impl Drop for TellsDrop {
    fn drop(&mut self) {
        tell(self.0, &[]);
    }
}

fn suspended(name: &'static str) -> Greenlet {
    let g = Greenlet::new(move |()| {
        let _tells = TellsDrop(name);
        suspend::<(), ()>(());
    });
    let () = g.switch(());
    g
}

fn leave(count: usize) {
    (0..count).for_each(|_| forget(suspended("unwound")));
}

fn on_a_thread(body: impl FnOnce() + Send + 'static) {
    std::thread::spawn(body).join().unwrap();
}

fn unwound(outcome: &Outcome) -> usize {
    outcome.stdout.matches("tell unwound").count()
}

#[test]
fn thread_that_leaves_suspended_greenlets_says_so_and_leaks_them() {
    let cases: [Case<'_>; 3] = [
        ("1 unfinished greenlet", |_| on_a_thread(|| leave(1))),
        ("3 unfinished greenlets", |_| on_a_thread(|| leave(3))),
        ("2 unfinished greenlets", |_| {
            on_a_thread(|| {
                leave(1);
                forget(Greenlet::new(|()| ())); // it never ran, and is left all the same
            });
        }),
    ];
    cases_in_children(this_test!(), &cases, |count, outcome| {
        outcome.exited_with(0).says_only(&[&format!(
            "greenlet: a thread ended with {count}: never unwound, leaked with all that they own \
             (wrap the thread's work in greenlet::run)"
        )]);
        assert_eq!(unwound(&outcome), 0, "{outcome}");
        outcome.says(count); // `says_only` takes any number
    });
}

#[test]
fn thread_that_works_inside_run_leaves_nothing() {
    let outcome = in_child(this_test!(), || on_a_thread(|| greenlet::run(|| leave(3))));
    outcome.exited_with(0).says_only(&[]);
    assert_eq!(unwound(&outcome), 3, "{outcome}");
}

#[test]
fn thread_that_panics_inside_run_leaves_nothing() {
    let outcome = in_child(this_test!(), || {
        let body = || {
            greenlet::run(|| {
                leave(2);
                std::panic::resume_unwind(Box::new(7));
            })
        };
        let payload = std::thread::spawn(body).join().unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&7));
    });
    outcome.exited_with(0).says_only(&[]);
    assert_eq!(unwound(&outcome), 2, "{outcome}");
}

#[test]
fn process_that_ends_with_suspended_greenlets_says_nothing() {
    let outcome = in_child(this_test!(), || leave(3));
    outcome.exited_with(0).says_only(&[]);
    assert_eq!(unwound(&outcome), 0, "{outcome}");
}

/// Which thread-local is destroyed first is std's affair. Either the greenlet is still unwound, or
/// it is leaked and reported; it never runs among locals that are gone.
#[test]
fn handle_kept_in_a_thread_local_is_unwound_or_reported() {
    thread_local! {
        static BEFORE: RefCell<Option<Greenlet>> = const { RefCell::new(None) };
        static AFTER: RefCell<Option<Greenlet>> = const { RefCell::new(None) };
    }
    let outcome = in_child(this_test!(), || {
        on_a_thread(|| {
            BEFORE.with(|_| ()); // known to std before anything of ours
            let g = suspended("first ended");
            AFTER.set(Some(suspended("second ended")));
            BEFORE.set(Some(g));
        });
    });
    outcome.exited_with(0);
    let ended = ["first ended", "second ended"].iter().filter(|name| outcome.told(name)).count();
    let reported = outcome.stderr.matches("is leaked with all that it owns").count();
    assert_eq!(ended + reported, 2, "{outcome}");
    assert_eq!(outcome.stderr.contains("a thread ended with"), reported > 0, "{outcome}");
}

/// H12: the destructor of a left greenlet would recurse, when the thread's own guard is gone.
#[test]
fn left_greenlet_with_a_deep_destructor_is_not_run_at_thread_end() {
    struct Deep;
    impl Drop for Deep {
        fn drop(&mut self) {
            crate::recursion::recurse::<100>(0);
        }
    }
    let outcome = in_child(this_test!(), || {
        on_a_thread(|| {
            let g = Greenlet::new(|()| {
                let _deep = Deep;
                suspend::<(), ()>(());
            });
            let () = g.switch(());
            forget(g);
        });
    });
    outcome.exited_with(0).says("a thread ended with 1 unfinished greenlet:");
}
