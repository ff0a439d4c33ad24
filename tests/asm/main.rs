//! The assembly: what a switch keeps, how a new stack begins, what the object code looks like.
//!
//! In the manner of dav1d's checkasm: a call through [`harness::call_with`] enters with a pattern in
//! every preserved register and dirt in all others, and gives back what is in the preserved ones
//! after the return. Both sides of a switch do that, so each finds what the other one left.
#![allow(unsafe_code, reason = "registers are looked at from assembly")]

#[cfg(target_arch = "aarch64")]
#[path = "harness_aarch64.rs"]
mod harness;
#[cfg(target_arch = "x86_64")]
#[path = "harness_x86_64.rs"]
mod harness;

mod alignment;
mod control_words;
mod disassembly;
mod entry;
mod operands;
mod pair;
#[path = "../support/random.rs"]
mod random;
mod registers;
