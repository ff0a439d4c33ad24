//! The loops without any library above them: what the kernel alone costs.
//!
//! [`floor`] is the base of all ratios: multishot receive into a ring of provided buffers. [`oneshot`] is
//! what a hub issues whose operations fill their caller's buffer. [`epoll`] tries, and waits when it must.
//! [`wake`] wakes one thread from another.

pub mod epoll;
pub mod floor;
pub mod oneshot;
pub mod ring;
pub mod wake;
