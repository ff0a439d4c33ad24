//! The same questions under criterion, which draws them.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion};

use crate::machine;
use crate::questions::{self, Outside};

/// Runs every question whose `what` is listed, one group each, cases named `peer/size`.
pub fn run(whats: &[&str]) {
    machine::pin_to_last();
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1500))
        .configure_from_args();
    let outside = Outside::start();
    for &what in whats {
        let mut group = criterion.benchmark_group(what);
        for question in questions::all().iter().filter(|question| question.what == what) {
            for mut case in question.cases(&outside) {
                let id = BenchmarkId::new(case.peer.clone(), question.size);
                group.bench_function(id, |bencher| {
                    // Criterion counts operations, a case counts laps: run enough whole laps.
                    bencher.iter_custom(|operations| {
                        let laps = operations.div_ceil(case.per_lap);
                        let done = laps * case.per_lap;
                        case.run(laps).mul_f64(operations as f64 / done as f64)
                    });
                });
            }
        }
        group.finish();
    }
    criterion.final_summary();
}
