//! Tasks and timers in one process per peer, so that helper threads and memory stay apart.
//!
//! Each peer is this program again, `tasks --peer <name>` (Go: a program of its own), and answers lines
//! `what size laps` with nanoseconds of processor time, or `no`. A lap is `size` operations.
//!
//! | question | a lap |
//! |---|---|
//! | `spawn 1` | spawn a task, join it |
//! | `spawn 1000` | spawn 1,000 tasks, then join them |
//! | `yield 100` | each of 100 tasks yields once |
//! | `sleep 10000` | each of 10,000 tasks sleeps once, 1 to 10 ms |
//! | `timeout 100` | each of 100 tasks yields once inside a timeout of 10 s |
//! | `queue 1` | an item goes from one task to another through a queue of one |
//! | `mutex 1` | one task takes a free mutex and gives it back |
//! | `mutex 10` | each of 10 tasks takes a mutex, yields, gives it back |
//! | `semaphore 1` | one task takes a free permit and gives it back |
//! | `semaphore 10` | each of 10 tasks takes one of 5 permits, yields, gives it back |
//! | `event 1000` | 1,000 tasks are told at once, and wait again |
//! | `pool 100000` | a pool of 100 members maps 100,000 items |
//! | `peak 0` | (no lap) bytes: the most resident memory since the last `sleep` began |

pub mod hub;
mod hub_sync;
mod may_sync;
pub mod may_tasks;
pub mod questions;
pub mod threads;
mod tokio_sync;
pub mod tokio_tasks;

use std::io::BufRead;
use std::time::Duration;

use crate::cpu;

/// How long a timeout is that must not fire.
pub const FAR: Duration = Duration::from_secs(10);

/// Members of a pool.
const MEMBERS: usize = 100;

/// How many permits so many tasks share.
fn permits(tasks: usize) -> usize {
    tasks.div_ceil(2)
}

/// One peer's loops: `None` when the question is not for it.
pub type Loops = fn(what: &str, size: usize, laps: u64) -> Option<Duration>;

/// The length of a task's next sleep: 1 to 10 ms, whole milliseconds (may keeps a list per length, and
/// 10,000 of them would be its own problem).
pub fn sleep_length(task: usize, lap: u64) -> Duration {
    let mixed = (task as u64 * 0x9e37_79b9 + lap * 0x85eb_ca6b) >> 3;
    Duration::from_millis(1 + mixed % 10)
}

/// Answers questions until the input ends.
pub fn answer(version: &str, loops: Loops) {
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words[..] {
            ["version"] => Some(version.to_owned()),
            ["peak", ..] => cpu::peak_bytes().ok().map(|bytes| bytes.to_string()),
            [what, size, laps] => ask(loops, what, size, laps),
            _ => None,
        };
        println!("{}", answer.unwrap_or_else(|| "no".into()));
    }
}

fn ask(loops: Loops, what: &str, size: &str, laps: &str) -> Option<String> {
    if what == "sleep" {
        // Where the kernel does not allow it, the peak is that of all questions.
        let _ = cpu::forget_peak();
    }
    let took = loops(what, size.parse().ok()?, laps.parse().ok()?)?;
    Some(took.as_nanos().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeps_take_one_to_ten_milliseconds() {
        let mut times = [0; 11];
        for task in 0..1000 {
            times[sleep_length(task, task as u64 % 7).as_millis() as usize] += 1;
        }
        assert_eq!(times[0], 0);
        assert!(times[1..].iter().all(|&times| times > 50), "{times:?}");
    }
}
