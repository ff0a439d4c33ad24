//! Greenlets for Rust.

mod arch;
mod stack;

pub mod context;
mod greenlet;

pub use greenlet::*;
pub use stack::{StackError, StackReuse};
