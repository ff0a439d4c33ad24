//! Stacks: memory to run on, with a guard below it and a name on it.
//!
//! Level 0. Uses libc and memmap2; used by `greenlet` and `context`. Knows nothing of greenlets.
//!
//! ```text
//!  cache      one thread's free stacks; take, put, trim           owned     the public Stack
//!  shelf      those of one shape: warm list, bare slots, regions  foreign   memory of the caller's
//!  region     one mapping of many slots; the label of each        overflow  who hit which guard
//!  guard      the fence of each slot, two ways to build it        alternate where signal handlers run
//!  advise     one piece of advice for many ranges                 shape     size, guard, reuse
//!  forks      what threads share, whole in a child
//! ```
//!
//! Invariants: **Mapped for ever**, **Guarded, then taken**, **One owner** (all three in `region.rs`).
//!
//! Cost: a stack touches one page when it is first taken, and no page before. A million stacks of the
//! default shape take eight mappings, 4 KiB of memory and 256 bytes of page table each.

mod advise;
mod alternate;
mod cache;
mod error;
mod foreign;
mod forks;
mod guard;
mod overflow;
mod owned;
mod region;
mod shape;
mod shelf;
#[cfg(feature = "valgrind")]
mod valgrind;

#[cfg(test)]
mod child;
#[cfg(test)]
mod measure;

pub(crate) use alternate::AlternateStack;
pub(crate) use cache::Cache;
pub use error::StackError;
pub(crate) use forks::watch_forks;
pub(crate) use overflow::install_overflow_handler;
pub use owned::Stack;
pub(crate) use region::{BLOCK_BYTES, Label};
pub(crate) use shape::Shape;
pub use shape::StackReuse;
