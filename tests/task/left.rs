//! Tasks that outlive their hub.

use super::in_child::{Case, cases_in_children, this_test};
use super::{LONG, SHORT};
use greenlet::{JoinHandle, TaskState, shield, sleep, spawn, yield_now};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

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
fn one_that_is_left_parked_never_runs_again() {
    const CASES: &[Case<'_>] = &[
        ("stubborn", |_| {
            let task = greenlet::run(stubborn);
            assert_eq!(task.state(), TaskState::Running);
            task.kill_soon();
            assert!(!task.wait_timeout(SHORT));
            assert!(catch_unwind(AssertUnwindSafe(|| task.join())).is_err(), "a deadlock");
        }),
        ("shielded", |_| {
            let task = greenlet::run(|| {
                let task = spawn(|| shield(|| sleep(LONG)));
                yield_now();
                task
            });
            assert_eq!(task.state(), TaskState::Running);
            if let Some(greenlet) = task.greenlet() {
                greenlet.kill();
            }
            task.kill_soon();
            yield_now();
            // A new hub, with tasks of its own.
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
