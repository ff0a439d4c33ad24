//! The tree, rule by rule: see the table in `src/rules/tree.md`.
//!
//! Each test runs on a thread of its own, in whose root greenlet it begins.

mod allocator;
mod counted;
mod dead_targets;
mod death;
mod depth;
mod exceptions;
mod exit;
mod identity;
mod orphans;
mod other_stack;
mod parent;
mod patterns;
mod raised;
mod seeds;
mod start_up;
mod state;
mod switching;
mod throwing;
mod trace;
mod values;
