//! One CPU for everything that is measured, and what the table says about the machine.

use std::fs;
use std::io;

use crate::peers;

/// The CPUs that this process may use.
pub fn allowed_cpus() -> Vec<usize> {
    // SAFETY: a zeroed set is an empty one, and the kernel writes no more than its size.
    let set = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set);
        set
    };
    // SAFETY: every index is below the size of the set.
    (0..libc::CPU_SETSIZE as usize).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) }).collect()
}

/// Keeps this thread, and the processes it starts, on one CPU.
///
/// # Errors
/// When the CPU does not exist or is not allowed.
pub fn pin(cpu: usize) -> io::Result<()> {
    if cpu >= libc::CPU_SETSIZE as usize {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: a zeroed set is an empty one, the index was checked, and the kernel only reads it.
    let refused = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set)
    };
    if refused == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Pins to the last allowed CPU (the first one serves most interrupts) and says which it is.
pub fn pin_to_last() -> usize {
    let cpu = allowed_cpus().last().copied().unwrap_or(0);
    if let Err(error) = pin(cpu) {
        eprintln!("not pinned to CPU {cpu}: {error}");
    }
    cpu
}

/// Name and value of everything that a reader needs to judge the figures.
pub fn environment(cpu: usize) -> Vec<(&'static str, String)> {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split_whitespace().take(3).collect();
    let online = fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_default();
    let mut lines = vec![
        ("kernel", format!("{} {}", kernel.trim(), std::env::consts::ARCH)),
        ("cpu", format!("{}, CPUs {} online, measured on CPU {cpu}", cpu_model(), online.trim())),
        (
            "load",
            format!("{} (anything above 0.3 before the start blurs the figures)", load.join(" ")),
        ),
        ("rustc", env!("BENCH_RUSTC").to_owned()),
    ];
    lines.extend(peers::versions());
    lines
}

fn cpu_model() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let model = field("model name").or_else(|| field("CPU part")).unwrap_or("unknown CPU".into());
    match (field("cpu family"), field("model\t")) {
        (Some(family), Some(number)) => format!("{model} (family {family} model {number})"),
        _ => model,
    }
}
