//! The hubs of the process, to whoever watches them from another thread.
//!
//! - **Watched while it lives**: a hub is in the list from its making until just before it is freed; who
//!   holds the list's lock may read the atomics of each.
#![expect(unsafe_code, reason = "reads the counters of other threads' hubs by address")]

use super::Hub;
use crate::greenlet::scheduler;
use crate::worker::PerProcess;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a hub writes as it goes, and a monitor reads.
pub(crate) struct Pulse {
    /// How often the world was looked at.
    rounds: AtomicU64,
    /// How many hand-overs are left until the kernel is looked at.
    round_left: AtomicU32,
    /// The thread waits in the kernel; or in a loop of somebody else, who has asked when to come back.
    sleeps: AtomicBool,
}

/// How far a hub was at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beat {
    rounds: u64,
    round_left: u32,
}

// Only the hub's thread writes, so a load and a store are as good as one step, and cost as much as in
// plain memory.
impl Pulse {
    pub(super) const fn new() -> Pulse {
        Pulse {
            rounds: AtomicU64::new(0),
            round_left: AtomicU32::new(0),
            sleeps: AtomicBool::new(false),
        }
    }

    #[inline(always)]
    pub(super) fn rounds(&self) -> u64 {
        self.rounds.load(Relaxed)
    }

    pub(super) fn begin_round(&self) {
        self.rounds.store(self.rounds() + 1, Relaxed);
        self.set_sleeps(false); // while it waited for a turn it did
    }

    #[inline(always)]
    pub(super) fn round_left(&self) -> u32 {
        self.round_left.load(Relaxed)
    }

    #[inline(always)]
    pub(super) fn set_round_left(&self, hand_overs: u32) {
        self.round_left.store(hand_overs, Relaxed);
    }

    pub(super) fn set_sleeps(&self, sleeps: bool) {
        self.sleeps.store(sleeps, Relaxed);
    }

    /// How far it is, unless it sleeps.
    pub(super) fn beat(&self) -> Option<Beat> {
        let beat = Beat { rounds: self.rounds(), round_left: self.round_left() };
        (!self.sleeps.load(Relaxed)).then_some(beat)
    }
}

/// A hub, to those on other threads.
pub(super) struct Watched {
    hub: *const Hub,
    /// Unlike any other's.
    pub(super) number: u64,
    /// As `gettid` says.
    thread_id: libc::pid_t,
    thread: libc::pthread_t,
}

/// A hub that was watched, and may have ended since.
pub(super) struct Whom {
    pub(super) hub: usize,
    pub(super) number: u64,
    pub(super) thread_id: libc::pid_t,
    pub(super) root_stack: Range<usize>,
}

// SAFETY: of the hub only the pulse is read, by atomics (**Watched while it lives**).
unsafe impl Send for Watched {}

impl Watched {
    pub(super) fn beat(&self) -> Option<Beat> {
        // SAFETY: **Watched while it lives**; we are in the list, whose lock is held.
        unsafe { (*self.hub).pulse.beat() }
    }

    /// What it takes to ask its thread, which may be gone by then.
    pub(super) fn to_ask(&self) -> Whom {
        Whom {
            hub: self.hub.addr(),
            number: self.number,
            thread_id: self.thread_id,
            root_stack: self.root_stack(),
        }
    }

    /// The addresses of the thread's own stack; empty if that is not known.
    fn root_stack(&self) -> Range<usize> {
        let mut attributes = std::mem::MaybeUninit::uninit();
        // SAFETY: the thread lives, for its hub does (**Watched while it lives**).
        if unsafe { libc::pthread_getattr_np(self.thread, attributes.as_mut_ptr()) } != 0 {
            return 0..0;
        }
        let (mut bottom, mut bytes) = (std::ptr::null_mut(), 0);
        // SAFETY: filled in above; both are valid for writes.
        let failed = unsafe {
            libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut bottom, &raw mut bytes)
        };
        // SAFETY: filled in above, and not used again.
        unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
        if failed == 0 { bottom.addr()..bottom.addr() + bytes } else { 0..0 }
    }
}

impl Whom {
    /// The name of the thread, as the kernel knows it.
    pub(super) fn thread_name(&self) -> Option<String> {
        if self.thread_id.cast_unsigned() == std::process::id() {
            return Some("main".into()); // the kernel has the program's name there
        }
        let path = format!("/proc/self/task/{}/comm", self.thread_id);
        std::fs::read_to_string(path).ok().map(|name| name.trim_end().to_owned())
    }
}

static HUBS: PerProcess<Mutex<Vec<Watched>>> = PerProcess::new();

/// All hubs of the process.
pub(super) fn hubs() -> MutexGuard<'static, Vec<Watched>> {
    HUBS.get(|| Mutex::new(Vec::new())).lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets others watch this thread's hub, which was just made.
pub(super) fn enter(hub: &Hub) {
    let watched = Watched {
        hub,
        number: hub.number,
        // SAFETY: always succeeds.
        thread_id: unsafe { libc::gettid() },
        // SAFETY: as above.
        thread: unsafe { libc::pthread_self() },
    };
    hubs().push(watched);
}

/// Nobody watches this hub any more.
pub(super) fn leave(hub: &Hub) {
    hubs().retain(|watched| watched.number != hub.number);
}

impl Hub {
    /// Is this thread's hub still where it was at this beat, and does anybody care? The root greenlet may
    /// take all time it wants while there is nobody else. Async-signal-safe.
    pub(super) fn is_stuck_at(&self, beat: Beat, in_root: bool) -> bool {
        self.pulse.beat() == Some(beat) && (self.is_wanted() || !in_root)
    }

    /// Is anybody ready, or waiting for something?
    fn is_wanted(&self) -> bool {
        !self.ready.is_empty() || self.wheel.len() > 0 || self.awaits_anything()
    }
}

/// The hub of this thread, if it is the one at this address. Async-signal-safe.
pub(super) fn hub_in_handler<'a>(address: usize) -> Option<&'a Hub> {
    let ours = scheduler().cast::<Hub>();
    // SAFETY: null, or this thread's hub, which is not freed while the thread is in a handler; the
    // reference does not leave it.
    unsafe { ours.as_ref() }.filter(|_| ours.addr() == address)
}
