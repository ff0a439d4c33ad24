//! Which machine the figures come from, and what it allows.
#![expect(unsafe_code, reason = "setrlimit")]

use super::screen::whole;
use std::fs;

/// Says what machine this is; returns how many files may be open, as far as that could be raised.
pub(crate) fn introduce() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let model = read("/proc/cpuinfo");
    let model = model.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("");
    let model = model.trim_start_matches([' ', '\t', ':']);
    let model = if model.is_empty() { std::env::consts::ARCH } else { model };
    let plural = if cores == 1 { "" } else { "s" };
    println!(
        "{cores} core{plural} of {model}, Linux {}",
        read("/proc/sys/kernel/osrelease").trim()
    );
    let files = raise_open_files();
    let memory = available_bytes() >> 20;
    println!("{} MiB of memory available, {} files may be open", whole(memory), whole(files));
    if cfg!(debug_assertions) {
        println!("Built without optimizations: figures mean little. Use `cargo run --release`.");
    }
    files
}

/// The soft limit becomes the hard one, which needs no right.
fn raise_open_files() -> usize {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one rlimit.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return 256;
    }
    let raised = libc::rlimit { rlim_cur: limit.rlim_max, ..limit };
    // SAFETY: a valid limit; no descriptor of this process is above it.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raised) };
    let limit = if set == 0 { raised } else { limit };
    usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX).min(1 << 30)
}

pub(crate) fn available_bytes() -> u64 {
    field(&read("/proc/meminfo"), "MemAvailable:")
}

/// Resident memory and page tables of this process.
pub(crate) fn own_bytes() -> u64 {
    // Not VmRSS, which is gathered from per-CPU counters and may be off by a few hundred KiB.
    let (resident, tables) = (read("/proc/self/smaps_rollup"), read("/proc/self/status"));
    field(&resident, "Rss:") + field(&tables, "VmPTE:")
}

/// Processor time of this thread, where the kernel counts it.
pub(crate) fn thread_time_ns() -> Option<u64> {
    read("/proc/thread-self/schedstat").split(' ').next()?.parse().ok()
}

/// Can guards of stacks be built that do not split mappings?
pub(crate) fn guards_install() -> bool {
    let release = read("/proc/sys/kernel/osrelease");
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    version >= (6, 13) && std::env::var("GREENLET_GUARD").as_deref() != Ok("mprotect")
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// A figure in kB as bytes.
fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|kb| kb.parse().ok()).map_or(0, |kb: u64| kb * 1024)
}
