//! Many calls, many of them left: nothing is lost, and nothing is there twice.

use crate::random::Random;
use greenlet::{offload, spawn, timeout, yield_now};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[derive(Default)]
struct Counts {
    made: AtomicUsize,
    dropped: AtomicUsize,
}

/// One closure, then one result.
struct Counted(Arc<Counts>);

impl Counted {
    fn new(counts: &Arc<Counts>) -> Counted {
        counts.made.fetch_add(1, Ordering::SeqCst);
        Counted(counts.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn every_closure_and_every_result_is_dropped_once() {
    let counts = Arc::new(Counts::default());
    let random = Random::new(11);
    let mut tasks = Vec::new();
    for _ in 0..400 {
        let (counts, limit, work) = (counts.clone(), random.below(300), random.below(200));
        tasks.push(spawn(move || {
            let own = Counted::new(&counts);
            let body = move || {
                std::thread::sleep(Duration::from_micros(work));
                let result = Counted::new(&own.0);
                drop(own);
                result
            };
            timeout(Duration::from_micros(limit), || offload(body)).is_ok()
        }));
        match random.below(8) {
            0 => yield_now(),
            1 => {
                let victim = random.below(tasks.len() as u64) as usize;
                tasks[victim].kill_soon();
            }
            _ => {}
        }
    }
    let came =
        tasks.into_iter().map(|task| task.join()).filter(|end| matches!(end, Ok(true))).count();
    println!("{came} of 400 came back");
    // What was left may still be under way.
    while counts.made.load(Ordering::SeqCst) != counts.dropped.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
    assert_eq!(offload(|| 1), 1);
}
