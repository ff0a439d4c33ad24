//! A hundred thousand greenlets that wait: what each weighs, and how they are ended.

use super::Size;
use super::machine::{available_bytes, guards_install, own_bytes};
use super::screen::{Progress, whole};
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// What one is taken to need when it is asked whether memory suffices.
const EXPECTED_BYTES: u64 = 6000;
/// Where guards split mappings: a process may have 65,530 of them.
const MOST_SPLIT: usize = 20_000;

struct Counted(Rc<Cell<usize>>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

pub(crate) fn tour(size: Size) {
    let count = affordable(size.count(100_000).max(1000));
    let dropped = Rc::new(Cell::new(0));
    let progress = Progress::new("greenlets parked");
    let (before, began) = (own_bytes(), Instant::now());
    let mut tasks = Vec::with_capacity(count);
    for made in 0..count {
        let counted = Counted(dropped.clone());
        let spawned = greenlet::try_spawn(move || {
            let _counted = counted;
            greenlet::sleep(Duration::from_secs(3600));
        });
        match spawned {
            Ok(task) => tasks.push(task),
            Err(why) => {
                println!("  no more than {}: {why}", whole(made));
                break;
            }
        }
        if made % 256 == 0 {
            greenlet::yield_now(); // they run until they sleep
            progress.show(made as f64 / count as f64);
        }
    }
    greenlet::idle();
    let (took, bytes) = (began.elapsed(), own_bytes().saturating_sub(before));
    drop(progress);
    let made = tasks.len().max(1);
    println!(
        "  {} parked in {:.2} s; {} deadlines wait in the hub",
        whole(tasks.len()),
        took.as_secs_f64(),
        whole(greenlet::stats().deadlines)
    );
    println!(
        "  {} bytes each: resident memory and page tables, handle included ({} MiB in all)",
        whole(bytes / made as u64),
        whole(bytes >> 20)
    );

    let began = Instant::now();
    tasks.iter().for_each(greenlet::JoinHandle::kill_soon);
    let killed = tasks.into_iter().filter_map(|task| task.join().err()).count();
    println!(
        "  {} killed in {:.2} s; {} destructors have run",
        whole(killed),
        began.elapsed().as_secs_f64(),
        whole(dropped.get())
    );
}

/// As many as memory and kernel allow, with a word why if those are fewer.
fn affordable(wanted: usize) -> usize {
    let memory = available_bytes();
    let room = (memory.saturating_sub(256 << 20) / EXPECTED_BYTES) as usize;
    if wanted > room && memory > 0 {
        println!("  fewer than {}: {} MiB are available", whole(wanted), whole(memory >> 20));
        return room;
    }
    if wanted > MOST_SPLIT && !guards_install() {
        println!(
            "  fewer than {}: guards split mappings here (Linux 6.13 can do better)",
            whole(wanted)
        );
        return MOST_SPLIT;
    }
    wanted
}
