//! Greenlets for Rust.

mod arch;
