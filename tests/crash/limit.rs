//! Guards by `mprotect` cost mappings, and those run out: cleanly, long before the allocator's do.

use crate::in_child::{in_child_with, tell, this_test};
use greenlet::{Greenlet, StackError, suspend};
use std::panic::{AssertUnwindSafe, catch_unwind};

const MPROTECT: [(&str, &str); 1] = [("GREENLET_GUARD", "mprotect")];

/// Mappings, files, threads and small blocks: all that an exhausted `vm.max_map_count` would break.
fn the_process_works() {
    let large: Vec<Vec<u8>> = (0..250).map(|n| vec![n; 1 << 20]).collect();
    assert!(large.iter().zip(0..).all(|(block, n)| block[4096] == n));
    let small: Vec<Box<usize>> = (0..100_000).map(Box::new).collect();
    assert_eq!(*small[99_999], 99_999);
    let threads: Vec<_> = (0..20).map(|n| std::thread::spawn(move || n)).collect();
    assert_eq!(threads.into_iter().map(|thread| thread.join().unwrap()).sum::<i32>(), 190);
    assert!(std::fs::read_to_string("/proc/self/status").unwrap().contains("VmPeak"));
}

#[test]
fn forty_thousand_stacks_end_in_a_clean_error_and_a_working_allocator() {
    let outcome = in_child_with(this_test!(), &MPROTECT, || {
        let mut living = Vec::new();
        let error = loop {
            if living.len() == 40_000 {
                tell("no limit met", &[]);
                return;
            }
            match Greenlet::try_new(|x: usize| suspend::<usize, usize>(x)) {
                Ok(g) => living.push(g),
                Err(error) => break error,
            }
        };
        tell("made", &[living.len()]);
        assert!(matches!(error, StackError::Limit { .. }), "{error}");
        eprintln!("{error}");
        the_process_works();

        // The infallible form says the same, where it was called.
        let payload = catch_unwind(|| drop(Greenlet::new(|()| ()))).unwrap_err();
        let text = payload.downcast_ref::<String>().expect("a text");
        assert!(text.contains("cannot create a greenlet: all"), "{text}");
        assert!(text.contains("mprotect"), "{text}");
        let unbound = catch_unwind(AssertUnwindSafe(|| drop(Greenlet::unbound())));
        assert!(unbound.is_err());

        // Those that are there run, and what one gives back another gets.
        for (n, g) in living.iter().enumerate().step_by(97) {
            assert_eq!(g.switch::<usize, usize>(n), n);
        }
        living.truncate(living.len() - 1);
        let again = Greenlet::try_new(|x: i32| x + 1).unwrap();
        assert_eq!(again.switch::<i32, i32>(1), 2);
        the_process_works();
        tell("passed", &[]);
        std::mem::forget(living); // it is a long way to unwind them all
    });
    outcome.exited_with(0);
    if outcome.told("no limit met") {
        // A kernel or an emulator that ignores the variable would be a failure, a large budget not.
        panic!("40,000 stacks guarded by mprotect were given out\n{outcome}");
    }
    assert!(outcome.told("passed"), "{outcome}");
    let made = outcome.numbers("made")[0];
    assert!((1_000..=25_000).contains(&made), "{outcome}");
    outcome.says("stacks that may be guarded by mprotect are taken").says("limit.rs:");
}

/// The budget is the process's, not the thread's.
#[test]
fn threads_share_the_limit() {
    let outcome = in_child_with(this_test!(), &MPROTECT, || {
        let make = || {
            let made: Vec<_> = std::iter::from_fn(|| Greenlet::try_new(|()| ()).ok()).collect();
            let count = made.len();
            std::mem::forget(made);
            count
        };
        let threads: Vec<_> = (0..3).map(|_| std::thread::spawn(make)).collect();
        let made: Vec<usize> = threads.into_iter().map(|t| t.join().unwrap()).collect();
        tell("made", &made);
        the_process_works();
    });
    outcome.exited_with(0);
    assert!(outcome.numbers("made").iter().sum::<usize>() <= 25_000, "{outcome}");
}
