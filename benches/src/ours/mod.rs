//! Our own rows: which of them answer which question.
//!
//! `bare.rs` holds those of the bare switch, `tree.rs` those of the greenlets, `hub.rs` those that wait for
//! one another.

mod bare;
mod hub;
mod tree;

use crate::measure::Case;
use crate::work;
use crate::work::Endless;

/// The row that the checks are counted from.
pub const BARE: &str = "greenlet::context";
/// Switches through handles, both ways.
pub const SWITCH: &str = "Greenlet::switch";
/// `suspend` as the way back.
pub const SUSPEND: &str = "greenlet::suspend";
/// The same, each asked for by `prefetch` a few switches before.
pub const AHEAD: &str = "suspend, prefetched";
/// Tasks of the hub.
pub const HUB: &str = "greenlet::sync";

pub fn round_trip(body: impl Endless) -> Vec<Case> {
    vec![
        work::round_trip::<bare::Bare>(body),
        work::round_trip::<tree::Switch>(body),
        work::round_trip::<tree::Suspend>(body),
    ]
}

pub fn resumer_two_deep(body: impl Endless) -> Vec<Case> {
    vec![
        work::round_trip_from_two_calls::<bare::Bare>(body),
        work::round_trip_from_two_calls::<tree::Switch>(body),
        work::round_trip_from_two_calls::<tree::Suspend>(body),
    ]
}

pub fn two_chains(count: usize) -> Vec<Case> {
    vec![
        work::two_chains::<bare::Bare>(count),
        work::two_chains::<tree::Switch>(count),
        work::two_chains::<tree::Suspend>(count),
    ]
}

pub fn ring(count: usize) -> Vec<Case> {
    vec![
        work::ring::<bare::Bare>(count),
        work::ring::<tree::Switch>(count),
        work::ring::<tree::Suspend>(count),
        tree::ring_looking_ahead(count),
    ]
}

pub fn direct(count: usize) -> Vec<Case> {
    vec![bare::direct(count), tree::direct(count)]
}

pub fn create_finish() -> Vec<Case> {
    vec![work::create_finish::<bare::Bare>(), work::create_finish::<tree::Suspend>().named(SWITCH)]
}

pub fn create_finish_in_two_calls() -> Vec<Case> {
    vec![
        work::create_finish_in_two_calls::<bare::Bare>(),
        work::create_finish_in_two_calls::<tree::Suspend>().named(SWITCH),
    ]
}

pub fn create_kill() -> Vec<Case> {
    vec![work::create_kill::<tree::Suspend>()]
}

pub fn create_unstarted() -> Vec<Case> {
    vec![
        work::create_unstarted::<bare::Bare>(),
        work::create_unstarted::<tree::Suspend>().named(SWITCH),
    ]
}

pub fn throw_caught() -> Vec<Case> {
    vec![tree::throw_caught()]
}

pub fn throw_unwinding() -> Vec<Case> {
    vec![tree::throw_unwinding()]
}

/// The bare switch first, then one row per layer.
pub fn checks(body: impl Endless) -> Vec<Case> {
    vec![
        work::round_trip::<bare::Bare>(body),
        work::round_trip::<tree::Switch>(body),
        work::round_trip::<tree::Suspend>(body),
        work::round_trip::<tree::TrySwitch>(body),
        work::round_trip::<tree::SwitchAny>(body),
        work::round_trip::<tree::Wide>(body),
        tree::traced(body),
    ]
}

pub fn hand_off(capacity: usize) -> Vec<Case> {
    vec![hub::hand_off(capacity)]
}

pub fn contended_mutex(tasks: usize) -> Vec<Case> {
    vec![hub::contended_mutex(tasks)]
}

/// Panics unless our rows carry values as the measured loops expect.
pub fn check() {
    work::check::<bare::Bare>();
    tree::check();
}
