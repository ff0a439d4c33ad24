//! The gevent tutorial, "Determinism": threads end in an order of their own, greenlets always in the
//! same one.

use std::error::Error;
use std::thread;
use std::time::Duration;

/// Blocks its whole thread, as `time.sleep` does.
fn echo(i: u32) -> u32 {
    thread::sleep(Duration::from_millis(1));
    i
}

fn main() -> Result<(), Box<dyn Error>> {
    // Non Deterministic Process Pool

    use multiprocessing::Pool as ProcessPool;

    let p = ProcessPool::new(10);
    let run1: Vec<_> = p.imap_unordered(0..10, echo).collect();
    let run2: Vec<_> = p.imap_unordered(0..10, echo).collect();
    let run3: Vec<_> = p.imap_unordered(0..10, echo).collect();
    let run4: Vec<_> = p.imap_unordered(0..10, echo).collect();

    println!("{}", run1 == run2 && run2 == run3 && run3 == run4);

    // Deterministic Gevent Pool

    use greenlet::pool::Pool;

    let p = Pool::new(10);
    let run1: Vec<_> = p.imap_unordered(0..10, echo).collect::<Result<_, _>>()?;
    let run2: Vec<_> = p.imap_unordered(0..10, echo).collect::<Result<_, _>>()?;
    let run3: Vec<_> = p.imap_unordered(0..10, echo).collect::<Result<_, _>>()?;
    let run4: Vec<_> = p.imap_unordered(0..10, echo).collect::<Result<_, _>>()?;

    println!("{}", run1 == run2 && run2 == run3 && run3 == run4);
    Ok(())
}

/// Threads in place of Python's processes: what matters here is that the kernel schedules them.
mod multiprocessing {
    use std::sync::{Mutex, PoisonError, mpsc};
    use std::thread;

    pub(super) struct Pool {
        threads: usize,
    }

    impl Pool {
        pub(super) fn new(threads: usize) -> Pool {
            Pool { threads }
        }

        pub(super) fn imap_unordered<T, R: Send + 'static>(
            &self,
            items: impl Iterator<Item = T> + Send,
            f: fn(T) -> R,
        ) -> impl Iterator<Item = R> {
            let (results, order) = mpsc::channel();
            let items = &Mutex::new(items);
            let next = || items.lock().unwrap_or_else(PoisonError::into_inner).next();
            thread::scope(|s| {
                for _ in 0..self.threads {
                    let results = results.clone();
                    s.spawn(move || {
                        while let Some(item) = next() {
                            // Both ends live until all threads have ended.
                            let _ = results.send(f(item));
                        }
                    });
                }
            });
            drop(results);
            order.into_iter()
        }
    }
}
