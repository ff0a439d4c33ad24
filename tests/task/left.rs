//! Tasks that `run` could not end, or that nobody ended.

use super::in_child::{Case, cases_in_children, this_test};
use super::{LONG, SHORT};
use greenlet::{GreenletExit, JoinHandle, TaskState, shield, sleep, spawn, yield_now};
use std::cell::RefCell;
use std::panic::catch_unwind;

fn stubborn() -> JoinHandle<()> {
    let task = spawn(|| {
        loop {
            let _ = catch_unwind(|| sleep(LONG));
        }
    });
    yield_now();
    task
}

#[test]
fn one_that_would_not_end_is_left_as_it_was() {
    const CASES: &[Case<'_>] = &[
        ("stubborn", |_| {
            let task = greenlet::run(stubborn);
            assert_eq!(task.state(), TaskState::Running);
            task.kill_soon();
            assert!(!task.wait_timeout(SHORT));
            assert!(task.join_timeout(SHORT).is_err(), "as stubborn as before");
        }),
        ("shielded", |_| {
            let task = greenlet::run(|| {
                let task = spawn(|| shield(|| sleep(LONG)));
                yield_now();
                task
            });
            assert_eq!(task.state(), TaskState::Running);
            if let Some(greenlet) = task.greenlet() {
                let () = greenlet.throw(GreenletExit);
            }
            task.kill_soon();
            yield_now();
            // Others are not disturbed.
            assert_eq!(spawn(|| 7).join().unwrap(), 7);
        }),
        ("by a thread-local", |_| {
            struct AtEnd(RefCell<Vec<JoinHandle<()>>>);
            impl Drop for AtEnd {
                fn drop(&mut self) {
                    for task in self.0.take() {
                        task.kill_soon();
                        yield_now();
                        assert_eq!(task.state(), TaskState::Running);
                    }
                }
            }
            thread_local!(static AT_END: AtEnd = const { AtEnd(RefCell::new(Vec::new())) });
            std::thread::spawn(|| {
                AT_END.with(|tasks| tasks.0.borrow_mut().push(stubborn()));
            })
            .join()
            .unwrap();
        }),
    ];
    cases_in_children(this_test!(), CASES, |_, outcome| {
        outcome.exited_with(0);
    });
}
