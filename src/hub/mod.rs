//! One event loop per thread: the only scheduler. Level 2.
//!
//! Uses `greenlet` (the seam in `park.rs`, tasks), `driver`, `list` and `stack` (shapes); everything
//! that waits uses it. The hub is itself a greenlet below the root, made when a thread first needs it.
//!
//! ```text
//!   a greenlet that waits:  park ──▶ the next ready greenlet ──▶ ... ──▶ none ready, or a full round
//!                            ▲                                               │ hand over
//!   wake: ready list         │            ┌──────── hub greenlet (run.rs) ◀──┘
//!     ▲   ▲   ▲              └────────────┤ 1. deadlines that have passed ──▶ wake
//!     │   │   └ other greenlets           │ 2. driver: submit, wait, reap ──▶ wake
//!     │   └ deadlines                     │ 3. hand over to the first ready one
//!     └ completions                       └─────────────────────────────────────────
//! ```
//!
//! Files, lowest first: `config` (what is wanted), `refused` (what cannot be had), `ready` (the ready list and a greenlet's marks),
//! `interrupt` (what is to be raised in a greenlet), `waiter` (park and wake), `deadline`, `coming` (the
//! memory of those that pass next), `completion` (operations), `wait_list`, `remote` (other threads), `rest`
//! (who waits until nothing can happen), `report`, `watched` (what other threads see of a hub), `run` (the
//! loop), `monitor/`, `life` (how a hub begins and ends), `memory`, `stats`, `turn` (for the loops of others).
//!
//! - **One door**: a greenlet blocks only by [`Hub::park`], and only the hand-over in `waiter.rs` and
//!   `run.rs` resumes a parked one.
//! - **Queue, then run**: a completion, a deadline or a wake marks greenlets ready; none runs one on
//!   the spot. No user code runs in the hub's greenlet.
//! - **Parked memory stays**: what a list, the wheel or the driver knows of a parked greenlet lies in
//!   its own frames, and is taken out again before that frame is left; no park unwinds.
//! - **Kernel holds until completion**: `completion.rs`.

mod coming;
mod completion;
mod config;
mod deadline;
mod interrupt;
mod life;
mod memory;
pub mod monitor;
mod ready;
mod refused;
mod remote;
mod report;
mod rest;
mod run;
#[cfg(feature = "sim")]
mod simulated;
mod stats;
mod turn;
mod wait_list;
mod waiter;
mod watched;

pub(crate) use completion::{LentBuffer, Operation, Stream};
pub use config::{Config, ConfigError, HubKind};
pub(crate) use deadline::{Deadline, Interrupting};
pub(crate) use interrupt::Interrupted;
pub use interrupt::{Elapsed, is_interrupted, shield};
pub(crate) use interrupt::{interrupted, vacate};
#[cfg(feature = "sim")]
pub(crate) use life::make_simulated;
pub use life::{config, reinit};
pub(crate) use life::{has_hub, hub, hub_at_hand, hub_if_any, hub_is_of_parent, hub_of, is_frozen};
pub(crate) use memory::give_back_memory;
pub use remote::HubHandle;
pub(crate) use remote::{Errand, Key, Mailbox, RemoteWaker};
pub use report::Deadlock;
pub(crate) use report::{WaitsFor, set_waits_for};
pub use stats::{Stats, stats};
pub use turn::{next_turn, turn, turn_fd};
pub(crate) use wait_list::{Arrivals, OneOfSeveral, WaitList, WaitNode};

use crate::driver::{Driver, TimeStampCounter};
use crate::greenlet::{Block, Scheduler};
use crate::list::Wheel;
use coming::Coming;
use config::InForce;
use memory::Pieces;
use ready::Ready;
use remote::Places;
use rest::Resting;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use watched::Pulse;

/// The event loop of one thread.
#[repr(C)]
pub(crate) struct Hub {
    /// What the tree knows of us; the first field, so that its address is ours.
    seam: Scheduler,
    ready: Ready,
    /// The address of this thread's `errno`.
    errno: *mut i32,
    /// The hub's own greenlet.
    greenlet: Cell<*const Block>,
    /// What others see of us.
    pulse: Pulse,
    /// How many there are in a round.
    round: Cell<u32>,
    /// How many operations may still end at once before their greenlet yields.
    inline_left: Cell<u32>,
    /// Unlike any other hub's in this process.
    number: u64,
    /// Operations were under way when the thread was seen to end.
    has_left_some: Cell<bool>,
    /// The thread's hub before that, if this is one for the destructors of thread-locals.
    before: Cell<*const Hub>,
    /// A stream that has brought more than anybody takes.
    full: Cell<*const Stream>,
    /// Operations whose last completion has not come, and greenlets that wait for streams.
    in_flight: Cell<usize>,
    /// Numbers for deadlines that interrupt.
    next_number: Cell<u64>,
    /// The process has forked this often when the hub was made.
    forks: u32,
    /// Buffers of the pool that are in use.
    lent: Cell<usize>,
    wheel: Wheel,
    /// What short waits are measured from.
    counter: TimeStampCounter,
    /// Waits of this length and above are measured from the clock's last tick.
    coarse_from_ns: u64,
    /// When the world was looked at, more alarms were due than have rung since; 0: none were.
    due_until: Cell<u64>,
    /// So many have.
    rung: Cell<usize>,
    coming: Coming,
    /// No wait ends for a deadline before this moment.
    alarms_gathered_until: Cell<u64>,
    driver: RefCell<Driver>,
    mailbox: Arc<Mailbox>,
    places: Places,
    resting: Resting,
    memory: Pieces,
    in_force: InForce,
}

const _: () = assert!(std::mem::offset_of!(Hub, seam) == 0); // a `*const Scheduler` is a `*const Hub`
