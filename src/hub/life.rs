//! How a hub begins, at its thread's first need, and how it ends.
#![expect(unsafe_code, reason = "the tree leads to the hub by address")]

use super::Hub;
use super::coming::Coming;
use super::config::{Config, ConfigError, InForce, Source, Wanted};
use super::deadline::Deadline;
use super::memory::Pieces;
use super::monitor;
use super::ready::{FROZEN, INTERRUPTED, READY, Ready, has, set};
use super::refused::refused;
use super::remote::{Mailbox, Places};
use super::report::text_of_ours;
use super::rest::Resting;
use super::watched::{self, Pulse};
use crate::driver::{Driver, Kind, Settings, TimeStampCounter};
use crate::greenlet::{
    Block, GreenletExit, Payload, Plain, Scheduler, TaskStack, block_of, current_block, dismiss,
    fatal, for_each_alive, is_parked, leave_untraced, let_end_unseen, root, root_is_parked,
    scheduler, set_name, set_scheduler, set_text_of_others, thread_ends,
};
use crate::list::Wheel;
use crate::stack::Shape;
use crate::worker::{self, forks, watch_forks};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::Location;
use std::ptr::null;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// This thread's hub, made if there is none.
///
/// # Panics
/// When no hub can be made (`Waiting` in `lib.rs`), and in the child of a fork.
#[inline(always)]
pub(crate) fn hub<'a>() -> &'a Hub {
    // SAFETY: null, or a hub (no other scheduler exists) that lives until its thread's locals are
    // destroyed and no code of the thread runs any more; the reference does not leave the thread.
    match unsafe { scheduler().cast::<Hub>().as_ref() } {
        Some(hub) if hub.forks == forks() => hub.unless_thread_ends().unwrap_or_else(|| {
            fatal(format_args!(
                "a destructor of a thread-local cannot wait: no other hub can be made"
            ))
        }),
        other => hub_slowly(other),
    }
}

/// The hub of a thread where all is plain; `None` in the child of a fork, until it has a new one.
#[inline(always)]
pub(crate) fn hub_of<'a>(plain: Plain<'a>) -> Option<&'a Hub> {
    // SAFETY: as in `hub`.
    unsafe { plain.scheduler().cast::<Hub>().as_ref() }.filter(|hub| hub.forks == forks())
}

/// This thread's hub, if it has one that is of any use.
#[inline(always)]
pub(crate) fn hub_if_any<'a>() -> Option<&'a Hub> {
    // SAFETY: as in `hub`.
    let hub = unsafe { scheduler().cast::<Hub>().as_ref() }.filter(|hub| hub.forks == forks())?;
    hub.unless_thread_ends()
}

/// As [`hub`], for what waits for nothing, and only leaves marks: at the end of a thread it is the hub that was there
/// before, because another one may not be had.
pub(crate) fn hub_at_hand<'a>() -> &'a Hub {
    match hub_as_it_is() {
        Some(hub) if hub.forks == forks() => hub,
        other => hub_slowly(other),
    }
}

/// Was a hub made in this process, on this thread? Where it has none that is [of any use](hub_if_any) all the same, the
/// thread ends, nobody in that one runs any more, and no other one can be had.
pub(crate) fn has_hub() -> bool {
    hub_as_it_is().is_some_and(|hub| hub.forks == forks())
}

/// This thread's hub, also in the child of a fork and at the thread's end, where it runs nobody. Something can be taken
/// out of its lists there; a greenlet that is made ready stays where it is.
#[inline(always)]
pub(super) fn hub_as_it_is<'a>() -> Option<&'a Hub> {
    // SAFETY: as in `hub`.
    unsafe { scheduler().cast::<Hub>().as_ref() }
}

/// How many hubs there have been.
static HUBS: AtomicU64 = AtomicU64::new(0);

#[cold]
#[inline(never)]
fn hub_slowly<'a>(existing: Option<&Hub>) -> &'a Hub {
    if existing.is_some() {
        panic!(
            "this hub belongs to the process that called fork: its kernel queues are shared with \
             that process. In the child, use new threads, or call greenlet::reinit first"
        );
    }
    make(&Config::new()).unwrap_or_else(|error| panic!("{error}"))
}

/// Gives this thread a new hub in the child of a fork; elsewhere does nothing.
///
/// Call it in the child before anything that waits, or that wakes others (a drop of a lock guard, say). The old
/// hub is forgotten; its kernel queues are not touched, because the parent uses them.
///
/// ```
/// # use std::time::Duration;
/// // SAFETY: no other thread runs, and the child ends by `_exit`.
/// match unsafe { libc::fork() } {
///     0 => {
///         greenlet::reinit();
///         greenlet::sleep(Duration::from_millis(1));
///         unsafe { libc::_exit(7) }
///     }
///     child => {
///         let mut status = 0;
///         unsafe { libc::waitpid(child, &mut status, 0) };
///         assert_eq!(libc::WEXITSTATUS(status), 7);
///     }
/// }
/// ```
///
/// - Greenlets that were parked in the old hub stay parked for ever in the child: they neither run nor unwind. If
///   a task has forked, the root greenlet is one of them, and the child must end by `exit` in that task.
/// - What they hold (a lock, a permit), they hold for ever. What is released later goes to greenlets that wait in
///   the child. Their sockets and servers may be closed; the parent does not notice.
/// - The current greenlet, and greenlets that wait for a switch, go on. Time limits that were set before the fork
///   never pass.
#[doc(alias = "gevent.reinit")]
pub fn reinit() {
    if let Some(old) = hub_as_it_is().filter(|old| old.forks != forks()) {
        old.leave(); // leaked, because frames of its time may still refer to it
    }
}

/// Is this thread's hub that of the process that has forked?
pub(crate) fn hub_is_of_parent() -> bool {
    hub_as_it_is().is_some_and(|hub| hub.forks != forks())
}

/// Does it wait in a hub that [`reinit`] has forgotten?
#[inline]
pub(crate) fn is_frozen(block: &Block) -> bool {
    has(block, FROZEN)
}

/// Makes this thread's hub.
pub(super) fn make<'a>(config: &Config) -> Result<&'a Hub, ConfigError> {
    if !scheduler().is_null() {
        return Err(ConfigError::TooLate);
    }
    watch_forks();
    let wanted = Wanted::gather(config)?;
    if wanted.offload_threads.source != Source::Code {
        worker::set_most_otherwise(wanted.offload_threads.value);
    }
    let (mut settings, refused) = (wanted.settings(), refused(wanted.disabled.value));
    if settings.kind.is_none() {
        settings.kind = refused.get().map(|known| known.kind);
    }
    let (driver, why) = Driver::new(&settings).map_err(ConfigError::Refused)?;
    if let Some(why) = why {
        refused.note(&why, driver.kind());
    }
    let refused = refused.get().filter(|_| wanted.kind.value.is_none());
    let refused = refused.map(|known| known.why.clone());
    if let Some(limit) = wanted.monitor {
        monitor::start_by_environment(limit);
    }
    Ok(establish(stack()?, driver, InForce { wanted, refused }))
}

/// For the hub's own greenlet.
fn stack() -> Result<TaskStack, ConfigError> {
    TaskStack::take(None).map_err(|error| ConfigError::Value(error.to_string()))
}

impl Hub {
    /// This hub; or another one, if the thread is found to end while operations are under way in this
    /// one: their buffers may lie in thread-locals that are gone, so that nobody may enter its driver
    /// any more. `None` if that one cannot be had.
    ///
    /// A thread ends in its root greenlet, or in one that it has switched to; or in any that calls `exit`, and then
    /// the root is not parked any more when the end is known.
    #[inline(always)]
    fn unless_thread_ends(&self) -> Option<&Hub> {
        if root_is_parked() { Some(self) } else { self.while_root_runs() }
    }

    #[inline(never)]
    fn while_root_runs(&self) -> Option<&Hub> {
        if !thread_ends() || !self.has_left_some.get() || self.is_simulated() {
            return Some(self);
        }
        // A second ring may be refused, for the limit of lockable memory, as the first is still there.
        let kind = Some(self.driver.borrow().kind()).filter(|kind| *kind != Kind::Uring);
        let settings = Settings { kind, ..self.in_force.wanted.settings() };
        let (driver, _) = Driver::new(&settings).ok()?;
        let stack = stack().ok()?;
        let old = scheduler().cast::<Hub>();
        self.leave(); // it stays until the new one is closed
        self.close_mail();
        let new = establish(stack, driver, self.in_force.clone());
        new.before.set(old);
        Some(new)
    }

    /// The thread ends.
    fn note_end(&self) {
        // Nobody but who runs at the end begins an operation after this.
        self.has_left_some.set(self.in_flight.get() > 0);
        self.freeze();
    }

    /// Whoever is parked stays so for ever.
    fn freeze(&self) {
        // Marked as ready, and in no list: no wake reaches them.
        let freeze = |block: &Block| {
            if is_parked(block) || has(block, READY) {
                set(block, READY | FROZEN);
            }
        };
        for_each_alive(freeze);
        block_of(&root()).into_iter().for_each(freeze);
        self.ready.forget_all();
    }

    /// The thread has no hub any more. Whoever is parked in this one stays so for ever.
    fn leave(&self) {
        self.freeze();
        // SAFETY: there is none.
        unsafe { set_scheduler(null()) };
        // Time limits of whoever goes on lie in this wheel; a new one must not be asked to take them out.
        self.wheel.clear();
    }
}

/// Makes this thread's hub in a simulated world.
#[cfg(feature = "sim")]
pub(crate) fn make_simulated(
    config: &Config,
    world: crate::driver::sim::WorldSettings,
) -> Result<(), ConfigError> {
    if !scheduler().is_null() {
        return Err(ConfigError::TooLate);
    }
    watch_forks();
    let wanted = Wanted::gather(config)?;
    let sim = Box::new(crate::driver::sim::Sim::new(world));
    establish(stack()?, Driver::Sim(sim), InForce { wanted, refused: None });
    Ok(())
}

fn establish<'a>(stack: TaskStack, driver: Driver, in_force: InForce) -> &'a Hub {
    set_text_of_others(text_of_ours);
    let hub = Box::into_raw(Box::new(Hub {
        seam: Scheduler {
            deliver: |seam, block, payload| of(seam).deliver(block, payload),
            wind_up: |seam| of(seam).wind_up(),
            ends: |seam| of(seam).note_end(),
            close,
            fallback: Cell::new(null()),
        },
        ready: Ready::new(),
        // SAFETY: always valid.
        errno: unsafe { libc::__errno_location() },
        greenlet: Cell::new(null()),
        pulse: Pulse::new(),
        round: Cell::new(in_force.wanted.round.value),
        inline_left: Cell::new(0),
        number: HUBS.fetch_add(1, Ordering::Relaxed),
        has_left_some: Cell::new(false),
        before: Cell::new(null()),
        full: Cell::new(null()),
        in_flight: Cell::new(0),
        lent: Cell::new(0),
        next_number: Cell::new(0),
        forks: forks(),
        wheel: Wheel::new(driver.now()),
        counter: TimeStampCounter::new(),
        coarse_from_ns: driver.slack_ns().saturating_mul(100),
        due_until: Cell::new(0),
        coming: Coming::new(),
        rung: Cell::new(0),
        alarms_gathered_until: Cell::new(0),
        mailbox: Mailbox::new(driver.waker()),
        places: Places::new(),
        resting: Resting::new(),
        driver: RefCell::new(driver),
        memory: Pieces::new(),
        in_force,
    }));
    // SAFETY: just made; it lives until `close`, after which nobody asks for it.
    let shared: &'static Hub = unsafe { &*hub };
    let root = root();
    let Some(root) = block_of(&root) else { unreachable!("the root lives") };
    let here = Location::caller();
    // SAFETY: the body neither unwinds nor ends; the hub outlives its greenlet (`close`).
    let greenlet = unsafe { stack.occupy(root, here, move || shared.run(), null::<Block>) };
    set_name(greenlet, "hub".into());
    leave_untraced(greenlet);
    shared.greenlet.set(greenlet);
    shared.seam.fallback.set(greenlet);
    // SAFETY: it stays until the tree calls its `close`.
    unsafe { set_scheduler(hub.cast()) };
    watched::enter(shared);
    shared
}

/// The settings of this thread's hub, which is made if there is none: a line for each, with its value and where
/// that comes from.
///
/// ```
/// let text = greenlet::config().to_string();
/// assert!(text.starts_with("hub "));
/// ```
pub fn config() -> impl fmt::Display {
    struct InForce;
    impl fmt::Display for InForce {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let hub = hub();
            // Whoever writes the text may wait meanwhile, or do anything else with the hub.
            let driver = hub.driver.borrow().to_string();
            hub.in_force.describe(&driver, f)
        }
    }
    hub();
    InForce
}

/// The hub whose first field this is.
fn of(seam: &Scheduler) -> &Hub {
    // SAFETY: the only scheduler there is is the first field of a hub.
    unsafe { &*(&raw const *seam).cast::<Hub>() }
}

impl Hub {
    /// What the tree throws at a parked greenlet.
    fn deliver(&self, block: &Block, payload: Payload) {
        if std::ptr::eq(block, self.greenlet.get()) {
            // A child of the hub's greenlet that is no task: nobody else is told of its end.
            if !payload.is::<GreenletExit>() {
                self.unraisable(block, payload);
            }
            return;
        }
        self.interrupt(block, payload);
    }

    /// Ends all tasks and whoever else is parked, for `greenlet::run`. The root greenlet runs.
    fn wind_up(&self) {
        const PATIENCE: Duration = Duration::from_secs(1); // exits are held back, or swallowed
        let until = self.moment(PATIENCE);
        while self.others_can_run() && self.now() < until {
            let mut left = Vec::new();
            for_each_alive(|block| {
                let is_own = std::ptr::eq(block, self.greenlet.get());
                if is_parked(block) && !is_own && !is_frozen(block) {
                    left.push(block as *const Block);
                }
            });
            if left.is_empty() {
                return;
            }
            let mut told = false;
            for block in left {
                // SAFETY: nothing has run since it was found.
                let block = unsafe { &*block };
                if !has(block, INTERRUPTED) {
                    let_end_unseen(block); // its parent is told to exit itself, and of nothing else
                    self.interrupt(block, Box::new(GreenletExit));
                    told = true;
                }
            }
            if told { self.yield_now() } else { self.doze() }
        }
    }

    /// Parks the current greenlet for a millisecond.
    fn doze(&self) {
        let deadline = Deadline::new(current_block());
        // SAFETY: taken back below; no park unwinds.
        unsafe { self.set_deadline(&deadline, self.moment(Duration::from_millis(1))) };
        while !deadline.has_passed() {
            self.park();
        }
        self.take_back(&deadline);
    }

    /// Which hub this is: an address may be another one's later.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The hub's own greenlet: the parent of its tasks.
    #[inline(always)]
    pub(crate) fn greenlet(&self) -> &Block {
        // SAFETY: it lives as long as the hub.
        unsafe { &*self.greenlet.get() }
    }

    /// The stacks of tasks; `None` for the shape that is fastest to be had.
    #[inline(always)]
    pub(crate) fn task_shape(&self) -> Option<Shape> {
        let shape = self.in_force.wanted.stack.value;
        (shape != Shape::DEFAULT).then_some(shape)
    }
}

/// Gives everything up that the thread's end leaves: the ring is closed, which ends what is in
/// flight; stacks of greenlets that are still parked are never freed, nor are the buffers that such
/// operations choose from, so that the kernel may write there until then.
///
/// # Safety
/// - `seam` is that of the thread's hub, which nobody uses again; the root greenlet runs.
unsafe fn close(seam: *const Scheduler) {
    // SAFETY: made by `Box::into_raw`; the tree has forgotten it, and its greenlet is parked.
    let hub = unsafe { Box::from_raw(seam.cast::<Hub>().cast_mut()) };
    watched::leave(&hub);
    if !hub.before.get().is_null() {
        // SAFETY: the hub that this one has followed at the thread's end; nobody uses it any more.
        unsafe { close(hub.before.get().cast()) };
    }
    // SAFETY: the hub's greenlet owns nothing, nobody has a handle to it.
    unsafe { dismiss(&*hub.greenlet.get()) };
    // Somebody still looks at a buffer of the pool; or the ring is the parent's, and a thread that is not
    // in this process may hold its locks.
    let must_stay = hub.lent.get() > 0 || hub.forks != forks();
    if hub.forks == forks() {
        hub.close_mail();
    }
    if must_stay {
        std::mem::forget(hub);
    } else if hub.in_flight.get() > 0 {
        hub.driver.borrow_mut().leave_in_flight();
    }
}
