//! tokio on the current thread; the measuring loop is a task itself.

use std::time::Duration;

use greenlet_benches::measure::Stopwatch;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{sleep, timeout};

use super::{FAR, sleep_length, tokio_sync};

/// The loops of this peer.
pub fn loops(what: &str, size: usize, laps: u64) -> Option<Duration> {
    thread_local! {
        static RUNTIME: Runtime =
            Builder::new_current_thread().enable_time().build().expect("a runtime");
    }
    RUNTIME.with(|runtime| match (what, size) {
        ("spawn", 1) => run(runtime, one_at_a_time(laps)),
        ("spawn", size) => run(runtime, batches(size, laps)),
        ("yield", size) => run(runtime, yields(size, laps)),
        ("sleep", size) => run(runtime, sleeps(size, laps)),
        ("timeout", size) => run(runtime, timeouts(size, laps)),
        _ => {
            const SYNC: [&str; 5] = ["queue", "mutex", "semaphore", "event", "pool"];
            let what = SYNC.into_iter().find(|known| *known == what)?;
            run(runtime, tokio_sync::measured(what, size, laps))
        }
    })
}

fn run(
    runtime: &Runtime,
    measured: impl Future<Output = Duration> + Send + 'static,
) -> Option<Duration> {
    Some(runtime.block_on(async { tokio::spawn(measured).await.expect("it does not panic") }))
}

pub(super) async fn join(tasks: &mut Vec<JoinHandle<u64>>) {
    for task in tasks.drain(..) {
        std::hint::black_box(task.await.expect("it does not panic"));
    }
}

async fn one_at_a_time(laps: u64) -> Duration {
    let began = Stopwatch::start();
    for lap in 0..laps {
        std::hint::black_box(tokio::spawn(async move { lap }).await.expect("it does not panic"));
    }
    began.elapsed()
}

async fn batches(size: usize, laps: u64) -> Duration {
    let mut tasks = Vec::with_capacity(size);
    let began = Stopwatch::start();
    for lap in 0..laps {
        tasks.extend((0..size).map(|_| tokio::spawn(async move { lap })));
        join(&mut tasks).await;
    }
    began.elapsed()
}

async fn yields(size: usize, laps: u64) -> Duration {
    let began = Stopwatch::start();
    let task = |_| {
        tokio::spawn(async move {
            for _ in 0..laps {
                yield_now().await;
            }
            laps
        })
    };
    let mut tasks = (0..size).map(task).collect();
    join(&mut tasks).await;
    began.elapsed()
}

async fn sleeps(size: usize, laps: u64) -> Duration {
    let began = Stopwatch::start();
    let task = |task| {
        tokio::spawn(async move {
            for lap in 0..laps {
                sleep(sleep_length(task, lap)).await;
            }
            laps
        })
    };
    let mut tasks = (0..size).map(task).collect();
    join(&mut tasks).await;
    began.elapsed()
}

async fn timeouts(size: usize, laps: u64) -> Duration {
    let began = Stopwatch::start();
    let task = |_| {
        tokio::spawn(async move {
            for _ in 0..laps {
                timeout(FAR, yield_now()).await.expect("it does not fire");
            }
            laps
        })
    };
    let mut tasks = (0..size).map(task).collect();
    join(&mut tasks).await;
    began.elapsed()
}
