//! More calls than threads.

use crate::in_child::{in_child, in_child_with, tell, this_test};
use greenlet::{Config, offload, spawn, try_offload, yield_now};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

#[test]
fn calls_beyond_the_threads_wait_in_their_order() {
    let outcome = in_child_with(this_test!(), &[("GREENLET_OFFLOAD_THREADS", "1")], || {
        let (gate, wait) = channel::<()>();
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut tasks = vec![spawn(move || offload(move || assert!(wait.recv().is_err())))];
        for n in 0..20 {
            let order = order.clone();
            tasks.push(spawn(move || offload(move || order.lock().unwrap().push(n))));
        }
        yield_now();
        let busy = try_offload(|| 1).unwrap_err();
        assert_eq!(busy.to_string(), "all threads for offloaded calls are busy");
        assert_eq!((busy.0)(), 1, "the closure comes back");
        drop(gate);
        greenlet::join_all(tasks).join();
        assert!(order.lock().unwrap().iter().copied().eq(0..20));
        // It is free as soon as it has noticed that there is nothing more to do.
        while try_offload(|| ()).is_err() {}
    });
    outcome.exited_with(0);
}

#[test]
fn never_more_threads_than_were_asked_for() {
    let outcome = in_child(this_test!(), || {
        Config::new().offload_threads(3).apply().unwrap();
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let seen = Rc::new(RefCell::new(std::collections::HashSet::new()));
        let all = |count: usize| {
            let tasks = (0..count).map(|_| {
                let (now, most, seen) = (now.clone(), most.clone(), seen.clone());
                spawn(move || {
                    let id = offload(move || {
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::sleep(Duration::from_micros(100));
                        now.fetch_sub(1, Ordering::SeqCst);
                        std::thread::current().id()
                    });
                    seen.borrow_mut().insert(id);
                })
            });
            greenlet::join_all(tasks.collect::<Vec<_>>()).join();
        };
        all(50);
        tell("three", &[most.swap(0, Ordering::SeqCst), seen.take().len()]);
        // Later, from any thread, for all.
        std::thread::spawn(|| Config::new().offload_threads(5).apply_to_all().unwrap())
            .join()
            .unwrap();
        assert!(greenlet::config().to_string().contains("5 threads (set by the program)"));
        all(50);
        tell("five", &[most.load(Ordering::SeqCst)]);
    });
    outcome.exited_with(0);
    let three = outcome.numbers("three");
    assert!(three.iter().all(|count| (1..=3).contains(count)), "{outcome}");
    assert!((1..=5).contains(&outcome.numbers("five")[0]), "{outcome}");
}
