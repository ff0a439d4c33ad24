//! What this process holds of the system's, and whether that grows.

use crate::Outcome;
use std::fs;

/// Memory, mappings and descriptors of this process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holds {
    pub(crate) resident_kib: u64,
    mappings: u64,
    descriptors: u64,
}

impl Holds {
    pub(crate) fn now() -> Holds {
        let statm = fs::read_to_string("/proc/self/statm").expect("procfs is mounted");
        let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
        Holds {
            // SAFETY: only reads a constant of the system.
            resident_kib: pages.expect("the second number")
                * unsafe { libc::sysconf(libc::_SC_PAGESIZE) as u64 / 1024 },
            mappings: fs::read_to_string("/proc/self/maps").expect("procfs").lines().count() as u64,
            descriptors: fs::read_dir("/proc/self/fd").expect("procfs").count() as u64,
        }
    }
}

/// What was held when a run had warmed up.
pub(crate) struct Growth(Option<Holds>);

impl Growth {
    pub(crate) fn new() -> Growth {
        Growth(None)
    }

    /// To be called at every step: from a fifth of the way on, all should be there that is needed.
    pub(crate) fn at(&mut self, step: u64, of: u64) {
        if self.0.is_none() && step >= of / 5 {
            self.0 = Some(Holds::now());
        }
    }

    /// The figures, unless more is held now: 4 MiB, a few mappings and descriptors are allowed, which
    /// come and go.
    pub(crate) fn checked(&self) -> Outcome {
        let (before, now) = (self.0.expect("the run has warmed up"), Holds::now());
        let text = format!(
            "{} to {} KiB, {} to {} mappings, {} to {} descriptors",
            before.resident_kib,
            now.resident_kib,
            before.mappings,
            now.mappings,
            before.descriptors,
            now.descriptors
        );
        let flat = now.resident_kib <= before.resident_kib + 4096
            && now.mappings <= before.mappings + 16
            && now.descriptors <= before.descriptors + 4;
        if flat { Ok(text) } else { Err(format!("it grows: {text}")) }
    }
}
