//! Peer benches of `greenlet`: the same work on every peer.
//!
//! A *question* (`ring/100`) is asked of several *peers* (corosensei, boost.context, ours); one peer's
//! answer to it is a [`measure::Case`], a loop that is timed. [`questions`] lists them, [`bars`] says
//! what ours must reach, and three programs run them:
//!
//! - `cargo run --release -p greenlet-benches --bin compare` asks everything once, peers interleaved, and
//!   prints one table with ratios and verdicts;
//! - `cargo bench -p greenlet-benches` draws each question with criterion (`target/criterion/report`);
//! - `scripts/instructions.sh` counts the instructions of one switch, create and throw under callgrind.
//!
//! [`work`] holds the measured loops, written once for every Rust peer. Python, Go and C++ say the same
//! in their own languages (`python/peer.py`, `go/main.go`, `cpp/boost.cpp`).

pub mod bars;
pub mod machine;
pub mod measure;
pub mod ours;
pub mod peers;
pub mod plots;
pub mod questions;
pub mod report;
pub mod slab;
pub mod stats;
pub mod work;
