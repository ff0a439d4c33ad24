//! Which driver is wanted, how large, and what it must do without.

use std::fmt;

/// The kinds of driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Uring,
    Epoll,
    Poll,
    Select,
    #[cfg(feature = "sim")]
    Sim,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Uring => "io_uring",
            Kind::Epoll => "epoll",
            Kind::Poll => "poll",
            Kind::Select => "select",
            #[cfg(feature = "sim")]
            Kind::Sim => "sim",
        })
    }
}

/// How a driver is to be made.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// `None`: the first of these that is allowed: io_uring, epoll, poll, select.
    pub(crate) kind: Option<Kind>,
    /// Submission entries of the ring; a power of two.
    pub(crate) ring_entries: u32,
    /// Buffers for `RecvPooled`: how many (a power of two), and how long each.
    pub(crate) pool_buffers: u16,
    pub(crate) pool_buffer_bytes: u32,
    /// What is treated as if the kernel did not offer it.
    pub(crate) disabled: Capabilities,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            kind: None,
            ring_entries: 256,
            pool_buffers: 256,
            pool_buffer_bytes: 4096,
            disabled: Capabilities::NONE,
        }
    }
}

/// A set of things that some kernels offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capabilities(u32);

macro_rules! capabilities {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Number { $($name,)* }
        impl Capabilities {
            $($(#[$doc])* pub(crate) const $name: Capabilities = Capabilities(1 << Number::$name as u32);)*
            /// Every capability with its name in `GREENLET_DISABLE`.
            pub(crate) const NAMES: &[(&str, Capabilities)] = &[$(($text, Capabilities::$name),)*];
        }
    };
}

capabilities! {
    /// io_uring as a whole.
    URING = "uring",
    /// The pollers of the driver without io_uring; without both it is select.
    EPOLL = "epoll",
    POLL = "poll",
    /// Flags of io_uring_setup(2).
    SINGLE_ISSUER = "single_issuer",
    DEFER_TASKRUN = "defer_taskrun",
    COOP_TASKRUN = "coop_taskrun",
    SUBMIT_ALL = "submit_all",
    NO_SQARRAY = "no_sqarray",
    /// The ring's own descriptor is registered, so that entering needs no look-up.
    REGISTERED_RING = "registered_ring",
    /// An idle ring does not count as waiting for I/O (6.15).
    NO_IOWAIT = "no_iowait",
    /// A time-out as an argument of entering (5.11).
    EXT_ARG = "ext_arg",
    MULTISHOT_ACCEPT = "multishot_accept",
    BUFFER_RING = "buffer_ring",
    POLL_FIRST = "poll_first",
    /// Messages to a ring from threads that have none (6.13).
    SYNC_MSG_RING = "sync_msg_ring",
    /// Operations; without one, its descriptor is polled and the system call made.
    ACCEPT = "accept",
    CONNECT = "connect",
    RECV = "recv",
    SEND = "send",
    RECVMSG = "recvmsg",
    SENDMSG = "sendmsg",
    READ = "read",
    WRITE = "write",
}

impl Capabilities {
    pub(crate) const NONE: Capabilities = Capabilities(0);

    /// Does this set hold all of `other`?
    #[inline]
    pub(crate) const fn has(self, other: Capabilities) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) const fn with(self, other: Capabilities) -> Capabilities {
        Capabilities(self.0 | other.0)
    }

    pub(crate) const fn without(self, other: Capabilities) -> Capabilities {
        Capabilities(self.0 & !other.0)
    }

    /// Reads a list of names that are separated by commas; the first unknown name is the error.
    pub(crate) fn parse(list: &str) -> Result<Capabilities, &str> {
        let mut set = Capabilities::NONE;
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match Capabilities::NAMES.iter().find(|(known, _)| *known == name) {
                Some((_, capability)) => set = set.with(*capability),
                None => return Err(name),
            }
        }
        Ok(set)
    }
}

impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = Capabilities::NAMES.iter().filter(|(_, one)| self.has(*one)).map(|n| n.0);
        match names.next() {
            None => return f.write_str("none"),
            Some(first) => f.write_str(first)?,
        }
        names.try_for_each(|name| write!(f, " {name}"))
    }
}
