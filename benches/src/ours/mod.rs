//! Our own rows: which of them answer which question.
//!
//! The feature `context` compiles those of the bare switch (`bare.rs`), `tree` those of the greenlets
//! (`tree.rs`); without them every list is empty and the table shows the peers alone.

#[cfg(feature = "context")]
mod bare;
#[cfg(feature = "tree")]
mod tree;

use crate::measure::Case;
#[cfg(feature = "context")]
use crate::work;
use crate::work::Endless;

/// The row that the checks are counted from.
pub const BARE: &str = "greenlet::context";
/// Switches through handles, both ways.
pub const SWITCH: &str = "Greenlet::switch";
/// `suspend` as the way back.
pub const SUSPEND: &str = "switch + suspend";

/// Collects those rows whose feature is on.
macro_rules! rows {
    ($(#[$cfg:meta] $row:expr),* $(,)?) => {{
        #[allow(unused_mut)]
        let mut rows: Vec<Case> = Vec::new();
        $(#[$cfg] rows.push($row);)*
        rows
    }};
}

pub fn round_trip(body: impl Endless) -> Vec<Case> {
    let _ = body;
    rows![
        #[cfg(feature = "context")]
        work::round_trip::<bare::Bare>(body),
        #[cfg(feature = "tree")]
        work::round_trip::<tree::Switch>(body),
        #[cfg(feature = "tree")]
        work::round_trip::<tree::Suspend>(body),
    ]
}

pub fn resumer_two_deep(body: impl Endless) -> Vec<Case> {
    let _ = body;
    rows![
        #[cfg(feature = "context")]
        work::round_trip_from_two_calls::<bare::Bare>(body),
        #[cfg(feature = "tree")]
        work::round_trip_from_two_calls::<tree::Switch>(body),
        #[cfg(feature = "tree")]
        work::round_trip_from_two_calls::<tree::Suspend>(body),
    ]
}

pub fn two_chains(count: usize) -> Vec<Case> {
    let _ = count;
    rows![
        #[cfg(feature = "context")]
        work::two_chains::<bare::Bare>(count),
        #[cfg(feature = "tree")]
        work::two_chains::<tree::Switch>(count),
        #[cfg(feature = "tree")]
        work::two_chains::<tree::Suspend>(count),
    ]
}

pub fn ring(count: usize) -> Vec<Case> {
    let _ = count;
    rows![
        #[cfg(feature = "context")]
        work::ring::<bare::Bare>(count),
        #[cfg(feature = "tree")]
        work::ring::<tree::Switch>(count),
        #[cfg(feature = "tree")]
        work::ring::<tree::Suspend>(count),
    ]
}

pub fn direct(count: usize) -> Vec<Case> {
    let _ = count;
    rows![
        #[cfg(feature = "context")]
        bare::direct(count),
        #[cfg(feature = "tree")]
        tree::direct(count),
    ]
}

pub fn create_finish() -> Vec<Case> {
    rows![
        #[cfg(feature = "context")]
        work::create_finish::<bare::Bare>(),
        #[cfg(feature = "tree")]
        work::create_finish::<tree::Suspend>().named(SWITCH),
    ]
}

pub fn create_kill() -> Vec<Case> {
    rows![
        #[cfg(feature = "tree")]
        work::create_kill::<tree::Suspend>()
    ]
}

pub fn create_unstarted() -> Vec<Case> {
    rows![
        #[cfg(feature = "context")]
        work::create_unstarted::<bare::Bare>(),
        #[cfg(feature = "tree")]
        work::create_unstarted::<tree::Suspend>().named(SWITCH),
    ]
}

pub fn throw_caught() -> Vec<Case> {
    rows![
        #[cfg(feature = "tree")]
        tree::throw_caught()
    ]
}

pub fn throw_unwinding() -> Vec<Case> {
    rows![
        #[cfg(feature = "tree")]
        tree::throw_unwinding()
    ]
}

/// The bare switch first, then one row per layer.
pub fn checks(body: impl Endless) -> Vec<Case> {
    let _ = body;
    rows![
        #[cfg(feature = "tree")]
        work::round_trip::<bare::Bare>(body),
        #[cfg(feature = "tree")]
        work::round_trip::<tree::Switch>(body),
        #[cfg(feature = "tree")]
        work::round_trip::<tree::Suspend>(body),
        #[cfg(feature = "tree")]
        work::round_trip::<tree::TrySwitch>(body),
        #[cfg(feature = "tree")]
        work::round_trip::<tree::SwitchAny>(body),
        #[cfg(feature = "tree")]
        work::round_trip::<tree::Wide>(body),
        #[cfg(feature = "tree")]
        tree::traced(body),
    ]
}

/// Panics unless our rows carry values as the measured loops expect.
pub fn check() {
    #[cfg(feature = "context")]
    work::check::<bare::Bare>();
    #[cfg(feature = "tree")]
    tree::check();
}
