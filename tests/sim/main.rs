//! Programs in simulated worlds: what worlds are like, a user's test, and the checker.
//!
//! The checker: `plan` makes a random program out of a seed, `play` runs it and says what was wrong, with
//! the parts in `talk`, `serve`, `post`, `naps`, `goods`, `locks` and `crew`. `seeds` runs many of
//! them, those first that have failed before, and makes what fails smaller.

mod checker;
mod crew;
mod goods;
mod ledger;
mod locks;
mod naps;
mod plan;
mod play;
mod post;
#[path = "../support/random.rs"]
mod random;
mod rest;
mod seeds;
mod serve;
mod servers;
mod talk;
mod users;
mod worlds;
