//! What is said of tasks on standard error.

use super::in_child::{Case, cases_in_children, this_test};
use super::{LONG, SHORT};
use greenlet::{TaskBuilder, Timeout, idle, sleep, spawn, spawn_detached, yield_now};

#[test]
fn a_panic_that_nobody_asks_for_is_reported_once() {
    const CASES: &[Case<'_>] = &[
        ("detached", |_| {
            spawn_detached(|| panic!("broken"));
            idle();
        }),
        ("named", |_| {
            drop(TaskBuilder::new().name("worker").spawn(|| panic!("broken")).unwrap());
            idle();
        }),
        ("waited for", |_| {
            let task = spawn(|| panic!("broken"));
            task.wait();
            drop(task);
        }),
    ];
    cases_in_children(this_test!(), CASES, |case, outcome| {
        let name = if case == "named" { " 'worker'" } else { "" };
        let told = format!(
            "greenlet: greenlet #{name}, spawned at tests/task/report.rs:#:#, failed: broken \
             (nobody asked for its result)"
        );
        outcome.exited_with(0).says_line(&told);
        assert_eq!(outcome.stderr.matches("nobody asked").count(), 1, "{outcome}");
        assert_eq!(
            outcome.stderr.matches("broken").count(),
            2,
            "the hook and the report: {outcome}"
        );
    });
}

/// A limit that was caught by nobody is no panic, and has a text.
#[test]
fn what_else_a_task_fails_with_is_told_in_its_words() {
    const CASES: &[Case<'_>] = &[("a limit", |_| {
        let task = spawn(|| {
            let _limit = Timeout::labelled(SHORT, "reading the head");
            sleep(LONG);
        });
        task.wait();
        let text = "the time limit of 2ms has passed: reading the head";
        let error = task.join().unwrap_err();
        assert!(error.to_string().ends_with(&format!(" failed: {text}")), "{error}");
        drop(spawn(move || error.resume()));
        idle();
    })];
    cases_in_children(this_test!(), CASES, |_, outcome| {
        outcome.exited_with(0).says_line(
            "greenlet: greenlet #, spawned at tests/task/report.rs:#:#, failed: the time limit of \
             #ms has passed: reading the head (nobody asked for its result)",
        );
    });
}

#[test]
fn nothing_is_said_of_what_was_asked_for_or_killed() {
    const CASES: &[Case<'_>] = &[
        ("joined", |_| assert!(spawn(|| std::panic::resume_unwind(Box::new(1))).join().is_err())),
        ("killed", |_| {
            let task = spawn(|| sleep(LONG));
            yield_now();
            task.kill_soon();
            task.kill();
            spawn_detached(|| std::panic::resume_unwind(Box::new(greenlet::GreenletExit)));
            sleep(SHORT);
        }),
        ("left", |_| {
            spawn_detached(|| sleep(LONG));
            yield_now();
        }),
        ("scoped and joined", |_| {
            greenlet::scope(|s| {
                assert!(s.spawn(|| std::panic::resume_unwind(Box::new(1))).join().is_err());
            });
        }),
    ];
    cases_in_children(this_test!(), CASES, |_, outcome| {
        outcome.exited_with(0).says_only(&[]);
    });
}

#[test]
fn panics_in_cleanup_are_noted() {
    const CASES: &[Case<'_>] = &[("links", |_| {
        let task = spawn(|| ());
        task.on_done_inline(|_| std::panic::resume_unwind(Box::new("in a link")));
        task.join().unwrap();
    })];
    cases_in_children(this_test!(), CASES, |_, outcome| {
        outcome.exited_with(0).says_only(&["greenlet: ignored in cleanup: in a link"]);
    });
}
