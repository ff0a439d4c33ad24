//! How tasks of tokio wait for one another. What is nearest to a pool's map is a `JoinSet` of as many
//! tasks as the pool has members; to an event that is set and cleared, `Notify`.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use greenlet_benches::measure::Stopwatch;
use tokio::sync::{Mutex, Notify, Semaphore, mpsc};
use tokio::task::{JoinSet, yield_now};

use super::tokio_tasks::join;
use super::{MEMBERS, permits};

/// Runs the loop of a question about this.
pub(super) async fn measured(what: &'static str, size: usize, laps: u64) -> Duration {
    let began = Stopwatch::start();
    match (what, size) {
        ("queue", capacity) => hand_off(capacity, laps).await,
        ("mutex", 1) => free_mutex(laps).await,
        ("mutex", size) => contended_mutex(size, laps).await,
        ("semaphore", 1) => free_semaphore(laps).await,
        ("semaphore", size) => contended_semaphore(size, laps).await,
        ("event", size) => broadcast(size, laps).await,
        ("pool", size) => mapped(size, laps).await,
        _ => unreachable!("{what} is not among the questions of this file"),
    }
    began.elapsed()
}

async fn hand_off(capacity: usize, laps: u64) {
    let (items, mut taken) = mpsc::channel(capacity);
    let getter = tokio::spawn(async move {
        let mut sum = 0;
        for _ in 0..laps {
            sum += taken.recv().await.expect("not closed");
        }
        sum
    });
    let putter = tokio::spawn(async move {
        for lap in 0..laps {
            items.send(lap).await.expect("not closed");
        }
        laps
    });
    join(&mut vec![getter, putter]).await;
}

async fn free_mutex(laps: u64) {
    let mutex = black_box(Mutex::new(0));
    for lap in 0..laps {
        *mutex.lock().await += lap;
    }
    black_box(mutex.into_inner());
}

async fn contended_mutex(size: usize, laps: u64) {
    let mutex = Arc::new(Mutex::new(0));
    let task = |_| {
        let mutex = mutex.clone();
        tokio::spawn(async move {
            for lap in 0..laps {
                let mut locked = mutex.lock().await;
                *locked += lap;
                yield_now().await;
            }
            laps
        })
    };
    join(&mut (0..size).map(task).collect()).await;
}

async fn free_semaphore(laps: u64) {
    let semaphore = black_box(Semaphore::new(permits(1)));
    for _ in 0..laps {
        drop(black_box(semaphore.acquire().await.expect("not closed")));
    }
}

async fn contended_semaphore(size: usize, laps: u64) {
    let semaphore = Arc::new(Semaphore::new(permits(size)));
    let task = |_| {
        let semaphore = semaphore.clone();
        tokio::spawn(async move {
            for _ in 0..laps {
                let _permit = semaphore.acquire().await.expect("not closed");
                yield_now().await;
            }
            laps
        })
    };
    join(&mut (0..size).map(task).collect()).await;
}

#[derive(Default)]
struct Hall {
    here: AtomicUsize,
    all_here: Notify,
    told: Notify,
}

async fn broadcast(size: usize, laps: u64) {
    let hall = Arc::new(Hall::default());
    let task = |_| {
        let hall = hall.clone();
        tokio::spawn(async move {
            for _ in 0..laps {
                // Made before the others can be told, so that it is told, too.
                let told = hall.told.notified();
                if hall.here.fetch_add(1, Ordering::Relaxed) + 1 == size {
                    hall.all_here.notify_one();
                }
                told.await;
            }
            laps
        })
    };
    let mut tasks = (0..size).map(task).collect();
    for _ in 0..laps {
        hall.all_here.notified().await;
        hall.here.store(0, Ordering::Relaxed);
        hall.told.notify_waiters();
    }
    join(&mut tasks).await;
}

async fn mapped(size: usize, laps: u64) {
    for _ in 0..laps {
        let mut results = vec![0; size];
        let mut members = JoinSet::new();
        for item in 0..size {
            if members.len() == MEMBERS {
                note(members.join_next().await, &mut results);
            }
            members.spawn(async move { (item, item) });
        }
        while !members.is_empty() {
            note(members.join_next().await, &mut results);
        }
        black_box(results);
    }
}

fn note<E: std::fmt::Debug>(ended: Option<Result<(usize, usize), E>>, results: &mut [usize]) {
    let (item, result) = ended.expect("one is there").expect("it does not panic");
    results[item] = result;
}
