//! Lists: what waits for a moment (`wheel.rs`), what waits for its turn (`fifo.rs`), and what comes
//! from other threads (`inbox.rs`).
//!
//! Level 0. Uses nothing; used by `hub`. Knows nothing of greenlets, and reads no clock:
//! it is told what time it is, and says whose time has come.
//!
//! ```text
//!  a parked frame                     Wheel (one per hub)
//!  ┌────────────┐  insert, remove    ┌─────────────────────────────────────────────────┐
//!  │ Timer      │ ─────────────────▶ │ level 0   64 slots of  1 ms   bitmap  ▓░░▓░░░░… │ ─▶ fire
//!  │  deadline  │                    │ level 1   64 slots of 67 ms   bitmap  ░▓░░░░▓░… │
//!  │  link      │ ◀─── slot list ─── │   …                                             │ ─▶ next_deadline
//!  └────────────┘                    │ level 5   64 slots of 13 days bitmap  ░░░░▓░░░… │
//!                                    │ far: beyond 2.3 years    never: u64::MAX        │
//!                                    └─────────────────────────────────────────────────┘
//! ```
//!
//! `ring.rs` has the slots' lists, `wheel.rs` what is in which; `model.rs` compares with an ordered map.
//!
//! - **Linked where it says**: a linked timer is in the list that its `list` field names, in the one
//!   wheel it was inserted in, and does not move.
//! - **Ahead of now**: a timer of level L agrees with the wheel's time in all digits above L and is
//!   greater in digit L (at level 0: not less). So the lists, in the order of their numbers, are in
//!   the order of time.
//! - **In order of arrival**: timers of one deadline are in one list, in the order of insertion.

mod fifo;
mod inbox;
pub(crate) mod parts;
mod ring;
mod wheel;

#[cfg(test)]
mod measure;
#[cfg(test)]
mod model;

pub(crate) use fifo::{Fifo, Linked};
pub(crate) use inbox::Inbox;
pub(crate) use wheel::{Timer, Wheel};
