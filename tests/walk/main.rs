//! Stack walks: what a backtrace shows inside greenlets, of suspended ones, and in a debugger.
//!
//! A walk of a running greenlet goes on in the frames that its parent waits in, up to the root. A walk
//! of a suspended one from outside ends at its own body. Every walk ends: [`look::look`] counts the
//! frames with the unwinder itself.
#![allow(unsafe_code, reason = "asks the unwinder, and has functions that a debugger can name")]

mod chains;
mod debugger;
mod look;
mod parents;
mod scene;
mod suspended;
