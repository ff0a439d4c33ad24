//! What ends a process, or must not: overflows, faults, exits, limits, signals.
//!
//! Everything here happens in a child process (`support/in_child.rs`), whose exit status and
//! standard error are compared. One file per way to die.
#![expect(unsafe_code, reason = "faults, signals, and code in other languages")]

#[path = "../support/in_child.rs"]
mod in_child;
#[path = "../support/native.rs"]
mod native;
#[path = "../support/random.rs"]
mod random;

mod c_frames;
mod cleanup;
mod cpp;
mod faults;
mod limit;
mod overflow;
mod recursion;
mod signals;
mod thread_end;
mod uncaught;
mod walks_cut_short;
