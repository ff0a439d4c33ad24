//! Processor time of this and of other processes, and their memory.

use std::time::Duration;
use std::{fs, io};

/// The processor time of a process with all its threads, also those that ended; read from its CPU
/// clock, which counts what is running right now (the files of /proc lag by up to a tick).
pub struct ProcessClock(libc::clockid_t);

impl ProcessClock {
    /// The clock of a process of the same user.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn of(pid: u32) -> io::Result<ProcessClock> {
        let mut clock = 0;
        // SAFETY: the kernel's answer is written to a local variable.
        match unsafe { libc::clock_getcpuclockid(pid as libc::pid_t, &mut clock) } {
            0 => Ok(ProcessClock(clock)),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }

    /// The clock of this process.
    pub fn own() -> ProcessClock {
        ProcessClock(libc::CLOCK_PROCESS_CPUTIME_ID)
    }

    /// The time since the process began.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn now(&self) -> io::Result<Duration> {
        let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the kernel writes one timespec.
        match unsafe { libc::clock_gettime(self.0, &mut now) } {
            0 => Ok(Duration::new(now.tv_sec as u64, now.tv_nsec as u32)),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Resident bytes of a process, summed by the kernel over its mappings.
///
/// # Errors
/// When the process is gone or the kernel has no such file.
pub fn resident_bytes(pid: u32) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    kilobytes(&text, "Rss:").ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The most resident bytes that this process ever had (or since the last [`forget_peak`]).
///
/// # Errors
/// When the kernel has no such file.
pub fn peak_bytes() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/self/status")?;
    kilobytes(&text, "VmHWM:").ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// Lets the peak begin anew at what is resident now.
///
/// # Errors
/// When the kernel does not allow it.
pub fn forget_peak() -> io::Result<()> {
    fs::write("/proc/self/clear_refs", "5")
}

fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Raises the soft limit of open files to the hard one; returns what holds now.
pub fn raise_file_limit() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls read or write one rlimit.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
    }
    limit.rlim_cur
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_and_memory_of_this_process_can_be_read() {
        let clock = ProcessClock::of(std::process::id()).expect("this process has a clock");
        let before = clock.now().expect("and it can be read");
        assert!(ProcessClock::own().now().expect("under its short name too") >= before);
        assert!(resident_bytes(std::process::id()).expect("smaps_rollup is there") > 100_000);
        assert!(peak_bytes().expect("status is there") > 100_000);
    }
}
