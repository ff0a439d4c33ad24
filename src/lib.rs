//! Greenlets for Rust.
