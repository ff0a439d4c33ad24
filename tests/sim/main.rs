//! Programs in simulated worlds: what worlds are like, a user's test, the checker, and the traces.
//!
//! The checker: `plan` makes a random program out of a seed, `play` runs it and says what was wrong, with
//! the parts in `talk`, `serve`, `post`, `naps`, `goods`, `locks`, `crew`, `reuse` and `errands`. `seeds` runs many of
//! them, those first that have failed before, and makes what fails smaller. `traces` compares each primitive
//! with a plain model. `drift` compares with real hubs.

#![cfg_attr(planted, expect(unsafe_code, reason = "a child without a core file"))]

mod checker;
mod crew;
mod drift;
mod errands;
mod goods;
#[cfg(planted)]
#[path = "../support/in_child.rs"]
mod in_child;
mod ledger;
mod locks;
mod naps;
mod plan;
#[cfg(planted)]
mod planted;
mod play;
mod post;
#[path = "../support/random.rs"]
mod random;
mod regressions;
mod rest;
mod reuse;
mod seeds;
mod serve;
mod servers;
mod talk;
mod ticks;
mod traces;
mod users;
mod worlds;
