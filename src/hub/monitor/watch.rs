//! The monitor's thread, and its settings.

use super::super::watched::{Beat, hubs};
use super::capture::{self, End};
use super::report::Stall;
use super::walk::Room;
use crate::greenlet::{contain, line};
use crate::worker::{PerProcess, without_signals};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

type Report = Arc<dyn Fn(&Stall) + Send + Sync>;

/// How long a greenlet may keep its thread to itself, if nobody says otherwise: as gevent's.
const LIMIT: Duration = Duration::from_millis(100);

/// A shorter limit makes no sense: the machine itself takes as long now and then.
const SHORTEST: Duration = Duration::from_millis(1);

/// Settings of the monitor; see the [module](crate::monitor).
#[derive(Clone)]
#[must_use = "nobody watches before `start`"]
#[doc(alias("PeriodicMonitoringThread", "hub_blocking_detection"))]
pub struct Monitor {
    limit: Duration,
    report: Option<Report>,
}

impl Default for Monitor {
    fn default() -> Monitor {
        Monitor::new()
    }
}

impl Monitor {
    /// A limit of 100 ms, and reports to standard error.
    pub const fn new() -> Monitor {
        Monitor { limit: LIMIT, report: None }
    }

    /// For how long a greenlet may run without letting others run; one millisecond at least. What
    /// takes longer is noticed within five quarters of it.
    #[doc(alias = "max_blocking_time")]
    pub fn limit(mut self, limit: Duration) -> Monitor {
        self.limit = limit.max(SHORTEST);
        self
    }

    /// Calls `report`, on the monitor's thread, instead of writing to standard error. While it runs
    /// nothing is watched; if it panics, that is noted on standard error.
    #[doc(alias = "EventLoopBlocked")]
    pub fn on_stall(mut self, report: impl Fn(&Stall) + Send + Sync + 'static) -> Monitor {
        self.report = Some(Arc::new(report));
        self
    }

    /// Watches all hubs of this process from now on, including those that are made later. If a monitor runs
    /// already, these settings replace its own. Returns at once.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(self) -> io::Result<()> {
        let shared = shared();
        let _former; // dropped when the lock is released: with it goes what its report owns
        let mut state = shared.lock();
        _former = state.settings.replace(self);
        if !state.has_thread {
            let builder = thread::Builder::new().name("greenlet-monitor".into());
            without_signals(|| builder.spawn(watch))?;
            state.has_thread = true;
        }
        drop(state);
        shared.changed.notify_all();
        Ok(())
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// Watches all hubs of the process, with reports to standard error; see [`Monitor`].
///
/// # Errors
/// As [`Monitor::start`].
#[doc(alias = "start_periodic_monitoring_thread")]
pub fn start(limit: Duration) -> io::Result<()> {
    Monitor::new().limit(limit).start()
}

/// Stops the monitor. Returns at once; a report that has begun is completed.
pub fn stop() {
    if let Some(shared) = SHARED.get_if_made() {
        let former = shared.lock().settings.take();
        shared.changed.notify_all();
        drop(former); // no lock is held while the report's own is dropped
    }
}

/// As [`start`], for the environment: unless it has done so in this process already.
pub(crate) fn start_by_environment(limit: Duration) {
    let mut state = shared().lock();
    if state.asked_by_environment || state.settings.is_some() {
        return;
    }
    state.asked_by_environment = true;
    drop(state);
    if let Err(error) = start(limit) {
        line(format_args!("nobody watches the hubs (GREENLET_MONITOR): {error}"));
    }
}

/// What the monitor's thread and those who start and stop it share.
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// `None` when nobody shall watch.
    settings: Option<Monitor>,
    has_thread: bool,
    asked_by_environment: bool,
}

static SHARED: PerProcess<Shared> = PerProcess::new();

fn shared() -> &'static Shared {
    SHARED.get(|| Shared {
        state: Mutex::new(State { settings: None, has_thread: false, asked_by_environment: false }),
        changed: Condvar::new(),
    })
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a hub was seen.
struct Seen {
    beat: Beat,
    since: Instant,
    is_reported: bool,
}

/// The life of the monitor's thread.
fn watch() {
    capture::forget_questions();
    let shared = shared();
    let mut seen = BTreeMap::new();
    let mut state = shared.lock();
    loop {
        let Some(settings) = state.settings.clone() else {
            state.has_thread = false;
            return;
        };
        let waited = shared.changed.wait_timeout(state, (settings.limit / 4).max(SHORTEST));
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        for stall in look(&settings, &mut seen) {
            match &settings.report {
                Some(report) => contain(|| report(&stall)),
                None => line(format_args!("{stall}")),
            }
        }
        drop(settings); // perhaps the last to have the report, and no lock is held
        state = shared.lock();
    }
}

/// One look at all hubs.
fn look(settings: &Monitor, seen: &mut BTreeMap<u64, Seen>) -> Vec<Stall> {
    let now = Instant::now();
    let mut stuck = Vec::new();
    let hubs = hubs();
    seen.retain(|number, _| hubs.iter().any(|watched| watched.number == *number));
    for watched in hubs.iter() {
        let Some(beat) = watched.beat() else {
            seen.remove(&watched.number);
            continue;
        };
        let fresh = Seen { beat, since: now, is_reported: false };
        let known = seen.entry(watched.number).or_insert(fresh);
        if known.beat != beat {
            *known = Seen { beat, since: now, is_reported: false };
        } else if !known.is_reported && now - known.since >= settings.limit {
            stuck.push((watched.to_ask(), beat, now - known.since));
        }
    }
    drop(hubs);
    let mut stalls = Vec::new();
    for (whom, beat, lasted) in stuck {
        let stall = Stall::silent(whom.thread_name(), lasted);
        let Ok(mut room) = Room::new() else { continue }; // perhaps next time
        let stall = match capture::ask(&whom, beat, &mut room) {
            End::GoneOn => {
                seen.remove(&whom.number);
                continue;
            }
            End::Answered(answer) => stall.answered(answer, &mut room),
            End::Silent => stall,
        };
        if let Some(known) = seen.get_mut(&whom.number) {
            known.is_reported = true;
        }
        stalls.push(stall);
    }
    stalls
}
