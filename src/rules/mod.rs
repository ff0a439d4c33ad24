//! What greenlets do, rule by rule, and the test that proves each.
//!
//! The rules are those of Python's `greenlet`, as its tests, documentation and source fix them.
//! Where the crate keeps a rule, its row names the tests that prove it: `greenlet::death::name` is
//! the test `name` in `tests/greenlet/death.rs`, and `doc: Item` an example in the documentation of
//! `Item`. Where Rust does it otherwise, the row says **differs** and why; a test beside it shows
//! what happens instead. A test (`tests/rules.rs`) sees to it that no rule is missing and that every
//! test exists.
//!
//! A Python programmer finds here what to expect. The differences in one paragraph: values are
//! typed, checked when they are sent, and come back when they are refused; bodies are closures, so
//! there is no body to look up, and no subclassing; handles stay on their thread, which the compiler
//! sees to; parents do not keep their children alive, nor children their parents; and a greenlet
//! that is killed by the drop of its last handle cannot switch away, nor be brought back.
//!
//! ```
//! use greenlet::{Greenlet, suspend};
//!
//! let g = Greenlet::new(|x: i32| -> &str { // rule 16: the first value is the argument
//!     let y: i32 = suspend(x + 1);         // rule 17: a switch returns what is sent back later
//!     if y == 10 { "ten" } else { "other" } // rule 34: the result goes to the parent
//! });
//! assert_eq!(g.switch::<i32, i32>(1), 2);
//! assert_eq!(g.switch::<i32, &str>(10), "ten");
//! assert!(g.is_dead());                     // rule 37
//! ```
#![doc = include_str!("tree.md")]
#![doc = include_str!("lifetime.md")]
