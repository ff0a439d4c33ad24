//! A million suspended greenlets: what one costs in memory and in time.
//!
//! ```text
//! cargo run --release --example million -- [COUNT]
//! ```
//!
//! Each greenlet is created, started, and suspends in its body; the handles are kept in a vector and
//! count too. Beside it the least that any stack with a guard costs: a loop that maps the same area,
//! installs the same guards and touches one page per stack. Each runs in a child process of its own, so
//! that neither inherits memory from the other; the loop runs once before as a warm-up (a page that
//! the machine's host has never backed costs several times more), then before and after the greenlets.
#![expect(unsafe_code, reason = "fork, mmap and madvise of the baseline")]

use std::fmt;
use std::fs;
use std::fs::File;
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::os::fd::FromRawFd;

use greenlet::Greenlet;

/// Bytes between two stacks: 64 KiB and a guard of the same size, the crate's defaults.
const STRIDE: usize = 128 * 1024;
const GUARD: usize = 64 * 1024;
const PAGE: usize = 4096;
/// Linux 6.13; not named by libc yet.
const MADV_GUARD_INSTALL: libc::c_int = 102;
/// Without guard regions every guard splits a mapping, and a process may have 65,530 of them.
const MOST_SPLIT: usize = 20_000;
/// What one greenlet is taken to need when it is asked whether the memory suffices.
const EXPECTED: usize = 4_600;

fn main() {
    let argument = std::env::args().nth(1);
    let count = argument.map_or(Ok(1_000_000), |text| text.replace('_', "").parse());
    let Ok(asked) = count else {
        eprintln!("usage: million [COUNT]");
        std::process::exit(2);
    };
    let (count, why) = affordable(asked);
    if let Some(why) = why {
        println!("{count} instead of {asked}: {why}");
    }
    match measure(count) {
        Ok(report) => println!("{report}"),
        Err(why) => {
            eprintln!("million: {why}");
            std::process::exit(1);
        }
    }
}

/// What was measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report {
    /// How many greenlets.
    pub(crate) count: usize,
    /// Of the greenlets.
    pub(crate) own: Cost,
    /// Of the loop, before and after.
    pub(crate) base: [Cost; 2],
}

/// What one child process needed in all.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// Nanoseconds of processor time until everything was created and suspended.
    pub(crate) ns: u64,
    /// Resident bytes added.
    pub(crate) resident: u64,
    /// Bytes of page tables added.
    pub(crate) tables: u64,
    /// Mappings added.
    pub(crate) mappings: u64,
}

impl Report {
    /// Resident bytes and page tables of one greenlet, its handle included.
    pub(crate) fn bytes_each(&self) -> f64 {
        (self.own.resident + self.own.tables) as f64 / self.count as f64
    }

    /// Creation time over that of the loop.
    pub(crate) fn creation_ratio(&self) -> f64 {
        2.0 * self.own.ns as f64 / (self.base[0].ns + self.base[1].ns) as f64
    }

    /// What it must cost: name, figure, limit.
    pub(crate) fn bars(&self) -> [(&'static str, f64, f64); 3] {
        [
            ("bytes each", self.bytes_each(), 4500.0),
            ("mappings added", self.own.mappings as f64, 16.0),
            ("creation / loop", self.creation_ratio(), 1.6),
        ]
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each = |cost: &Cost| cost.ns as f64 / self.count as f64;
        let mib = |bytes: u64| bytes as f64 / (1 << 20) as f64;
        let Cost { ns, resident, tables, .. } = self.own;
        let [before, after] = &self.base;
        writeln!(f, "{} greenlets, each suspended", self.count)?;
        writeln!(f, "  resident {:.1} MiB, page tables {:.1} MiB", mib(resident), mib(tables))?;
        writeln!(f, "  created in {:.2} s: {:.0} ns each", ns as f64 / 1e9, each(&self.own))?;
        write!(f, "  the loop: {:.0} ns each before, {:.0} after", each(before), each(after))?;
        for (name, figure, limit) in self.bars() {
            let verdict = if figure <= limit { "holds" } else { "MISSED" };
            // Bytes and mappings are whole numbers.
            let digits = if limit < 10.0 { 2 } else { 0 };
            write!(f, "\n  {name:16} {figure:>8.digits$}  {verdict:10}  ≤ {limit:.digits$}")?;
        }
        Ok(())
    }
}

/// The count that memory and kernel allow, and why it is smaller than what was asked for.
pub(crate) fn affordable(asked: usize) -> (usize, Option<String>) {
    let memory = available_memory();
    let room = memory.saturating_sub(256 << 20) / EXPECTED;
    if asked > room {
        return (room, Some(format!("{} MiB of memory are available", memory >> 20)));
    }
    if asked > MOST_SPLIT && !guards_install() {
        return (MOST_SPLIT, Some("this kernel has no guard regions (Linux 6.13)".into()));
    }
    (asked, None)
}

/// Runs the loop, the greenlets and the loop again, each in a child process.
///
/// # Errors
/// What failed, in words.
pub(crate) fn measure(count: usize) -> Result<Report, String> {
    in_child(|| baseline(count))?;
    let before = in_child(|| baseline(count))?;
    let own = in_child(|| greenlets(count))?;
    let after = in_child(|| baseline(count))?;
    Ok(Report { count, own, base: [before, after] })
}

fn greenlets(count: usize) -> Result<Cost, String> {
    let start = Usage::now().map_err(|error| error.to_string())?;
    let clock = processor_time();
    let mut handles = Vec::with_capacity(count);
    for made in 0..count {
        let body = |(): ()| greenlet::suspend::<(), ()>(());
        let handle = Greenlet::try_new(body).map_err(|why| format!("after {made}: {why}"))?;
        handle.switch::<(), ()>(());
        handles.push(handle);
    }
    let ns = processor_time() - clock;
    let cost = start.since(ns).map_err(|error| error.to_string())?;
    // The child process ends here; a million unwindings would only take time.
    std::mem::forget(black_box(handles));
    Ok(cost)
}

/// What any implementation must do at least.
fn baseline(count: usize) -> Result<Cost, String> {
    let start = Usage::now().map_err(|error| error.to_string())?;
    let clock = processor_time();
    let area = map(count * STRIDE).map_err(|error| format!("mmap: {error}"))?;
    for index in 0..count {
        let slot = area.wrapping_add(index * STRIDE);
        guard(slot).map_err(|error| format!("guard {index}: {error}"))?;
        // SAFETY: the last byte of the slot, writable and known to nobody else.
        unsafe { slot.add(STRIDE - 1).write_volatile(1) };
    }
    let ns = processor_time() - clock;
    start.since(ns).map_err(|error| error.to_string())
}

/// Of this process, in nanoseconds: what else runs on the machine is not counted.
fn processor_time() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec; the clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn map(bytes: usize) -> io::Result<*mut u8> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a fresh anonymous mapping touches no memory that anybody else knows.
    let area = unsafe { libc::mmap(std::ptr::null_mut(), bytes, access, flags, -1, 0) };
    if area == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the range is the mapping made above; the advice changes no content.
    unsafe { libc::madvise(area, bytes, libc::MADV_NOHUGEPAGE) };
    Ok(area.cast())
}

fn guard(slot: *mut u8) -> io::Result<()> {
    // SAFETY: the low half of a slot that nobody uses.
    if unsafe { libc::madvise(slot.cast(), GUARD, MADV_GUARD_INSTALL) } == 0 {
        return Ok(());
    }
    // SAFETY: as above.
    match unsafe { libc::mprotect(slot.cast(), GUARD, libc::PROT_NONE) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn guards_install() -> bool {
    let Ok(page) = map(PAGE) else { return false };
    // SAFETY: the page was mapped for this.
    unsafe {
        let installed = libc::madvise(page.cast(), PAGE, MADV_GUARD_INSTALL) == 0;
        libc::munmap(page.cast(), PAGE);
        installed
    }
}

/// What the kernel says about this process.
struct Usage {
    resident: u64,
    tables: u64,
    mappings: u64,
}

impl Usage {
    fn now() -> io::Result<Usage> {
        let mappings = fs::read_to_string("/proc/self/maps")?.lines().count() as u64;
        let tables = field(&fs::read_to_string("/proc/self/status")?, "VmPTE:");
        // Not VmRSS, which is gathered from per-CPU counters and may be off by a few hundred KiB.
        let resident = field(&fs::read_to_string("/proc/self/smaps_rollup")?, "Rss:");
        Ok(Usage { resident, tables, mappings })
    }

    fn since(&self, ns: u64) -> io::Result<Cost> {
        let now = Usage::now()?;
        Ok(Cost {
            ns,
            resident: now.resident.saturating_sub(self.resident),
            tables: now.tables.saturating_sub(self.tables),
            mappings: now.mappings.saturating_sub(self.mappings),
        })
    }
}

/// A figure in kB as bytes.
fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|kb| kb.parse().ok()).map_or(0, |kb: u64| kb * 1024)
}

fn available_memory() -> usize {
    let machine = field(&fs::read_to_string("/proc/meminfo").unwrap_or_default(), "MemAvailable:");
    let group = |name: &str| -> Option<u64> {
        fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok()?.trim().parse().ok()
    };
    let group = group("memory.max").zip(group("memory.current"));
    let left = group.map_or(u64::MAX, |(most, used)| most.saturating_sub(used));
    machine.min(left) as usize
}

/// Runs `work` in a forked child and brings its result back through a pipe.
fn in_child(work: impl FnOnce() -> Result<Cost, String>) -> Result<Cost, String> {
    let mut ends = [0; 2];
    // SAFETY: the kernel writes two descriptors into the array.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return Err(format!("pipe: {}", io::Error::last_os_error()));
    }
    // SAFETY: both were just opened, and each gets exactly one owner.
    let (mut reader, mut writer) =
        unsafe { (File::from_raw_fd(ends[0]), File::from_raw_fd(ends[1])) };
    // SAFETY: this program has one thread, so the child may do anything.
    match unsafe { libc::fork() } {
        -1 => Err(format!("fork: {}", io::Error::last_os_error())),
        0 => {
            let answer = match work() {
                Ok(Cost { ns, resident, tables, mappings }) => {
                    format!("{ns} {resident} {tables} {mappings}")
                }
                Err(why) => format!("failed: {why}"),
            };
            let written = writer.write_all(answer.as_bytes());
            // SAFETY: always sound; the parent's buffers and exit handlers are not ours to run.
            unsafe { libc::_exit(written.is_err().into()) }
        }
        child => {
            drop(writer);
            let mut answer = String::new();
            let read = reader.read_to_string(&mut answer);
            let mut status = 0;
            // SAFETY: a child of this process that nobody else waits for.
            unsafe { libc::waitpid(child, &mut status, 0) };
            read.map_err(|error| error.to_string())?;
            parse(&answer).ok_or_else(|| match answer.as_str() {
                "" if libc::WIFSIGNALED(status) => {
                    format!("the child was killed by signal {}", libc::WTERMSIG(status))
                }
                "" => "the child ended without an answer".into(),
                why => why.to_owned(),
            })
        }
    }
}

fn parse(answer: &str) -> Option<Cost> {
    let figures: Option<Vec<u64>> = answer.split(' ').map(|figure| figure.parse().ok()).collect();
    let [ns, resident, tables, mappings] = figures?[..] else { return None };
    Some(Cost { ns, resident, tables, mappings })
}
