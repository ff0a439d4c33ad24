//! Why no stack could be had.

use std::fmt;
use std::io;

/// Why no stack could be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum StackError {
    /// Stacks guarded by `mprotect` cost two kernel mappings each, and the budget for them is used up.
    ///
    /// Going on would run into `vm.max_map_count`, where the allocator of the whole process fails. On
    /// Linux 6.13 and later, with memory that is not locked, guards need no mappings and there is no limit.
    Limit {
        /// How many guarded stacks this process may have.
        budget: usize,
    },
    /// The size asked for is outside of what is possible.
    Size {
        /// What was measured: the stack, its guard, or the memory given for it.
        what: &'static str,
        /// The bytes asked for.
        asked_bytes: usize,
        /// The fewest bytes possible.
        least_bytes: usize,
        /// The most bytes possible.
        most_bytes: usize,
    },
    /// The kernel gave no memory, or no guard.
    Os(io::Error),
}

impl fmt::Display for StackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StackError::Limit { budget } => write!(
                f,
                "all {budget} stacks that may be guarded by mprotect are taken (each costs two mappings out of \
                 vm.max_map_count; Linux 6.13 and memory that is not locked lift this limit)"
            ),
            StackError::Size { what, asked_bytes, least_bytes, most_bytes } => {
                write!(
                    f,
                    "{what} of {asked_bytes} bytes is outside {least_bytes}..={most_bytes} bytes"
                )
            }
            StackError::Os(error) => write!(f, "no memory for a stack: {error}"),
        }
    }
}

impl std::error::Error for StackError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StackError::Os(error) => Some(error),
            StackError::Limit { .. } | StackError::Size { .. } => None,
        }
    }
}
