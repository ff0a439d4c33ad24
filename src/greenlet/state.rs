//! Which states a greenlet goes through, and how it is numbered.

use std::fmt;
use std::num::NonZeroU64;

/// The state of a greenlet.
///
/// ```text
///  Unbound ──bind──▶ Unstarted ──switch──▶ Running ⇄ Suspended
///                        │                    │          │
///                        └── throw, drop ──▶ Dead ◀──────┘ (returned, raised, killed)
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Made without a body; nothing can be sent to it yet.
    Unbound,
    /// Waits for its first value.
    Unstarted,
    /// Left by a switch, waits to be resumed.
    Suspended,
    /// The one greenlet of its thread that runs.
    Running,
    /// Ended. What is sent to it from now on arrives at its parent.
    Dead,
}

/// The number of a greenlet: unique in the process, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GreenletId(pub(super) NonZeroU64);

impl GreenletId {
    /// The number.
    pub fn get(self) -> u64 {
        self.0.get()
    }

    /// The id with this number, which is that of a greenlet.
    #[cfg(feature = "hub")]
    pub(crate) fn from_number(number: u64) -> GreenletId {
        GreenletId::new(number)
    }

    pub(super) fn new(number: u64) -> GreenletId {
        let Some(number) = NonZeroU64::new(number) else { unreachable!("a node in use has an id") };
        GreenletId(number)
    }
}

impl fmt::Display for GreenletId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "greenlet {}", self.0)
    }
}
