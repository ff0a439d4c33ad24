//! Sockets, on the kernel's loopback. All of it also runs with `GREENLET_HUB=epoll`.

mod interrupts;
mod pair;
mod raw;
mod streams;
mod waiting;
