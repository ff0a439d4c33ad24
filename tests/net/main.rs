//! Sockets, on the kernel's loopback. All of it also runs with `GREENLET_HUB=epoll`.
#![cfg(feature = "hub")]

#[allow(unsafe_code, reason = "limits the child")]
#[path = "../support/in_child.rs"]
mod in_child;
#[allow(unsafe_code, reason = "limits this process")]
#[path = "../support/open_files.rs"]
mod open_files;

mod datagrams;
mod elsewhere;
mod incoming;
mod interrupts;
mod limits;
mod looking;
mod masked;
mod pair;
mod parity;
#[path = "../support/random.rs"]
mod random;
mod raw;
mod select;
mod sharing;
mod storm;
mod streams;
mod waiting;
mod want;
