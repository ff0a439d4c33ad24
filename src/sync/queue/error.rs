//! Why nothing was put or gotten.

use std::fmt;

/// The queue is closed. A put gives its item back.
#[derive(Clone, Copy, PartialEq, Eq)]
#[doc(alias("ShutDown", "QueueShutDown"))]
pub struct Closed<T = ()>(pub T);

impl<T> fmt::Display for Closed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue is closed")
    }
}

/// Without the item, which may not be printable.
impl<T> fmt::Debug for Closed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Closed")
    }
}

impl<T> std::error::Error for Closed<T> {}

/// Why nothing was put; gives the item back.
#[derive(Clone, Copy, PartialEq, Eq)]
#[doc(alias = "queue.Full")]
pub enum PutError<T> {
    /// There was no room, or none in time.
    Full(T),
    /// The queue is closed.
    Closed(T),
}

impl<T> PutError<T> {
    /// The item that was not put.
    pub fn into_item(self) -> T {
        match self {
            PutError::Full(item) | PutError::Closed(item) => item,
        }
    }

    /// Whether there was no room.
    pub fn is_full(&self) -> bool {
        matches!(self, PutError::Full(_))
    }
}

impl<T> fmt::Display for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PutError::Full(_) => "the queue is full",
            PutError::Closed(_) => "the queue is closed",
        })
    }
}

/// Without the item, which may not be printable.
impl<T> fmt::Debug for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_full() { "Full" } else { "Closed" })
    }
}

impl<T> std::error::Error for PutError<T> {}

/// Why no item came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias = "queue.Empty")]
pub enum GetError {
    /// There was no item, or none in time.
    Empty,
    /// The queue is closed, and no item is left.
    Closed,
}

impl fmt::Display for GetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GetError::Empty => "the queue is empty",
            GetError::Closed => "the queue is closed",
        })
    }
}

impl std::error::Error for GetError {}
