//! For those who come from elsewhere: what a name or an idea of theirs is called here. Level 8.
//!
//! Documentation only; uses the names of every level, used by nobody.
//!
//! | coming from | there is |
//! |---|---|
//! | Python | [`from_greenlet`], [`from_gevent`], [`from_eventlet`]: how a program is carried over, and a row for every public name |
//! | other Rust | [`from_tokio`], [`from_may`]: their ideas and ours, with code, and when not to come |
//! | Go | [`from_go`]: the same |
//!
//! A test (`tests/porting`) compares the names with those that Python itself lists, and rustdoc checks
//! the links.

#[doc = include_str!("greenlet_guide.md")]
#[doc = include_str!("greenlet_names.md")]
pub mod from_greenlet {}

#[doc = include_str!("gevent_guide.md")]
#[doc = include_str!("gevent_names.md")]
#[doc = include_str!("gevent_loop_names.md")]
pub mod from_gevent {}

#[doc = include_str!("eventlet_guide.md")]
#[doc = include_str!("eventlet_names.md")]
#[doc = include_str!("eventlet_green_names.md")]
pub mod from_eventlet {}

#[doc = include_str!("tokio_guide.md")]
pub mod from_tokio {}

#[doc = include_str!("may_guide.md")]
pub mod from_may {}

#[doc = include_str!("go_guide.md")]
pub mod from_go {}
