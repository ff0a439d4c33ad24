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
//!  │  deadline  │ ◀────── near ───── │ level 1   64 slots of 67 ms   bitmap  ░▓░░░░▓░… │
//!  │  place     │                    │ level 2   64 slots of 4.3 s   bitmap  ░▓░░░░░░… │ ─▶ next_deadline
//!  │  link      │ ◀─── slot list ─── │   …                                             │
//!  └────────────┘                    │ level 5   64 slots of 13 days bitmap  ░░░░▓░░░… │
//!                                    │ far: beyond 2.3 years    never: u64::MAX        │
//!                                    └─────────────────────────────────────────────────┘
//! ```
//!
//! `near.rs` has the lists of levels 0 and 1, `ring.rs` the others, `wheel.rs` knows what is in which, and
//! looks ahead (`wheel/ahead.rs`);
//! `model.rs` compares with an ordered map.
//!
//! - **Linked where it says**: a linked timer is in the list that its `list` field names, or, if that is
//!   near, at its `place` of any near one, in the one wheel it was inserted in, and does not move.
//! - **Ahead of now**: a timer of level L agrees with the wheel's time in all digits above L and is
//!   greater in digit L (at level 0: not less). So the lists, in the order of their numbers, are in
//!   the order of time.
//! - **In order of arrival**: timers of one deadline are in one list, in the order of insertion.
//! - **Places are numbers**: `near.rs`.

mod fifo;
mod inbox;
mod near;
pub(crate) mod parts;
mod ring;
mod timer;
mod wheel;

#[cfg(test)]
mod measure;
#[cfg(test)]
mod model;

pub(crate) use fifo::{Fifo, Linked};
pub(crate) use inbox::Inbox;
pub(crate) use timer::Timer;
pub(crate) use wheel::Wheel;
