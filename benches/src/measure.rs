//! One timed loop, and how the loops of one question take turns.

use std::time::Duration;

/// The processor time of this thread since it was started.
///
/// Not the time of day: what else runs on the machine takes turns on the CPU, and its turns are not ours.
/// (What it does to the caches remains.)
#[derive(Clone, Copy)]
pub struct Stopwatch(Duration);

impl Stopwatch {
    /// Starts now.
    pub fn start() -> Stopwatch {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the kernel writes one timespec; the clock exists on every Linux.
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut now) };
        Stopwatch(Duration::new(now.tv_sec as u64, now.tv_nsec as u32))
    }

    /// The processor time since then.
    pub fn elapsed(self) -> Duration {
        Stopwatch::start().0 - self.0
    }
}

/// One peer's answer to one question.
pub struct Case {
    /// The peer, as the table names it.
    pub peer: String,
    /// Operations in one lap of the loop (the length of a ring).
    pub per_lap: u64,
    run: Box<dyn FnMut(u64) -> Duration>,
}

impl Case {
    /// `run` does that many laps and says how long they took.
    pub fn new(
        peer: impl Into<String>,
        per_lap: usize,
        run: impl FnMut(u64) -> Duration + 'static,
    ) -> Case {
        Case { peer: peer.into(), per_lap: per_lap as u64, run: Box::new(run) }
    }

    /// The same loop under another name.
    pub fn named(mut self, peer: &str) -> Case {
        self.peer = peer.to_owned();
        self
    }

    /// Runs `laps` laps.
    pub fn run(&mut self, laps: u64) -> Duration {
        (self.run)(laps)
    }

    /// Nanoseconds per operation over `laps` laps.
    pub fn ns(&mut self, laps: u64) -> f64 {
        self.run(laps).as_nanos() as f64 / (laps * self.per_lap) as f64
    }

    /// How many laps take about `slice`; warms the loop up by the way.
    ///
    /// One run decides nothing: the first one may map a slab, and any may be disturbed.
    pub fn laps_in(&mut self, slice: Duration) -> u64 {
        self.run(1);
        let mut laps = 1;
        for _ in 0..40 {
            let took = self.run(laps).max(Duration::from_nanos(1));
            let scale = slice.as_secs_f64() / took.as_secs_f64();
            if (0.7..1.4).contains(&scale) {
                break;
            }
            laps = ((laps as f64 * scale.clamp(0.1, 10.0)) as u64).max(1);
        }
        laps
    }
}

/// Nanoseconds per operation, by case and by round.
pub type Samples = Vec<Vec<f64>>;

/// Measures `cases` in `rounds` rounds, each case once per round for about `slice`, starting with
/// another case in every round; `tick` is called after each measurement.
pub fn interleaved(
    cases: &mut [Case],
    rounds: usize,
    slice: Duration,
    mut tick: impl FnMut(),
) -> Samples {
    let laps: Vec<u64> = cases.iter_mut().map(|case| case.laps_in(slice)).collect();
    let mut samples = vec![Vec::with_capacity(rounds); cases.len()];
    for round in 0..rounds {
        for step in 0..cases.len() {
            let index = (round + step) % cases.len();
            samples[index].push(cases[index].ns(laps[index]));
            tick();
        }
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laps_fill_the_slice_and_operations_are_divided_out() {
        let mut case = Case::new("clock", 10, |laps| Duration::from_nanos(laps * 100));
        assert_eq!(case.laps_in(Duration::from_micros(1000)), 10_000);
        assert_eq!(case.ns(5), 10.0);
    }

    #[test]
    fn every_case_is_measured_once_per_round() {
        let cheap = Case::new("cheap", 1, |laps| Duration::from_nanos(laps * 2));
        let dear = Case::new("dear", 1, |laps| Duration::from_nanos(laps * 6));
        let mut ticks = 0;
        let slice = Duration::from_micros(10);
        let samples = interleaved(&mut [cheap, dear], 5, slice, || ticks += 1);
        assert_eq!(samples, vec![vec![2.0; 5], vec![6.0; 5]]);
        assert_eq!(ticks, 10);
    }
}
