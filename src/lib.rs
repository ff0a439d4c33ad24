//! Greenlets for Rust.

// Its users (`greenlet`, `context`) arrive after it; take the line away with them.
#[allow(dead_code, unreachable_pub, unused_imports)]
mod stack;

pub use stack::{StackError, StackReuse};
