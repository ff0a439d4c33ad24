//! The tree: greenlets, their parents, and how values and throws cross between them. Level 1.
//!
//! Uses `arch` and `stack`; everything above uses it. Files, lowest first:
//!
//! ```text
//!  error payload state value       what crosses, and what can go wrong
//!  control seat current scheduler outermost report   the blocks, this thread's state, lines on
//!                          standard error
//!  switch cross            the one place that crosses stacks, and the plain way over
//!  park trace local        seams: schedulers, callbacks, values per greenlet
//!  death kill throw        how greenlets end, and to whom their end goes
//!  entry task              how they begin
//!  handle parent builder suspend weak inspect winding_up coroutine    the public face
//! ```
//!
//! One knot is in the nature of the thing: dropping a handle kills, and a kill switches.
//!
//! - **One thread**: a greenlet lives and dies on the thread that created it.
//! - **Identity**, **Expectation**, **Clean slot**: `control.rs`.
//! - **Arrive, then act**: `switch.rs`.
//! - **Parents reach the root**: parent links have no cycle and end at the thread's root.
//! - **No unwinding through assembly**: a panic is caught in `entry.rs` and crosses as a value.

mod builder;
mod control;
mod coroutine;
mod cross;
mod current;
mod death;
mod entry;
mod error;
mod handle;
#[cfg(feature = "hub")]
mod inherited;
mod inspect;
mod kill;
mod local;
mod outermost;
mod parent;
#[cfg(feature = "hub")]
mod park;
mod payload;
mod report;
#[cfg(feature = "hub")]
mod running;
mod scheduler;
#[cfg(feature = "hub")]
mod seat;
mod state;
mod suspend;
mod switch;
#[cfg(feature = "hub")]
mod task;
mod throw;
mod trace;
mod value;
mod weak;
mod winding_up;

pub use builder::Builder;
pub use coroutine::{Coroutine, Generator, Step, Yielder, generator};
pub use current::trim_stacks;
pub use error::{ChildExit, GreenletExit, ParentError, SwitchError, Why};
pub use handle::{Greenlet, all, current, root};
#[cfg(feature = "hub")]
pub use inherited::InheritedKey;
pub use inspect::{SuspendedFrame, stack_remaining};
pub use local::LocalKey;
pub use payload::RaisedPayload;
pub use state::{GreenletId, State};
pub use suspend::{suspend, suspend_any, try_suspend};
pub use trace::{TraceEvent, TraceKind, Tracer, get_trace, set_trace};
pub use value::Received;
pub use weak::WeakGreenlet;
pub use winding_up::run;

#[cfg(feature = "hub")]
pub(crate) use {
    control::Block,
    entry::LARGEST_IN_PLACE,
    error::Payload,
    inherited::inherit,
    kill::{give_up_current, note_orphan},
    park::{
        Plain, block_of, current_block, current_scheduled, for_each_alive, hand_over, handle_of,
        id_of, leave_untraced, let_end_unseen, may_hand_over, note_end_of_thread,
        raise_in_suspended, root_is_parked, set_scheduler, thread_ends,
    },
    payload::{describe, set_text_of_others, text_of},
    report::{Called, contain, drop_noted, fatal, line},
    running::{Running, running},
    scheduler::{Scheduler, is_parked, scheduler},
    task::{TaskStack, dismiss, set_name},
};
