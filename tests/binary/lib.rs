//! What a C program links in scripts/check-binary.sh: one function over the crate.

use greenlet as _;

/// Returns 42 after the crate did its work, with its stacks still mapped.
#[unsafe(no_mangle)]
pub extern "C" fn greenlet_answer() -> i32 {
    42
}
