//! Shape: what stacks that can stand in for one another have in common.

use super::advise::page_bytes;
use super::error::StackError;
use super::guard;

/// What happens to the old contents of a stack when it is used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StackReuse {
    /// Nothing: the next greenlet may find bytes of the one before. The fastest, and the default.
    #[default]
    Fast,
    /// Every byte is zero; the most used pages stay with the process.
    Zeroed,
    /// All pages go back to the kernel, so the stack is as good as newly mapped.
    Fresh,
}

/// Size, guard and way of reuse of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) stack_bytes: usize,
    pub(crate) guard_bytes: usize,
    pub(crate) reuse: StackReuse,
}

impl Shape {
    /// 64 KiB of stack over 64 KiB of guard (a multiple of every page size on both architectures).
    pub(crate) const DEFAULT: Shape =
        Shape { stack_bytes: 64 << 10, guard_bytes: 64 << 10, reuse: StackReuse::Fast };

    /// One signal frame takes 12 KB where the vector registers are largest, so less is not offered.
    pub(crate) const LEAST_STACK_BYTES: usize = 32 << 10;
    pub(crate) const MOST_STACK_BYTES: usize = 8 << 20;
    const MOST_GUARD_BYTES: usize = 1 << 30;

    /// Rounds the stack up to a power of two and the guard up to whole pages, at least one.
    pub(crate) fn new(
        stack_bytes: usize,
        guard_bytes: usize,
        reuse: StackReuse,
    ) -> Result<Shape, StackError> {
        if !(Self::LEAST_STACK_BYTES..=Self::MOST_STACK_BYTES).contains(&stack_bytes) {
            return Err(StackError::Size {
                what: "a stack",
                asked_bytes: stack_bytes,
                least_bytes: Self::LEAST_STACK_BYTES,
                most_bytes: Self::MOST_STACK_BYTES,
            });
        }
        let rounded = guard::round_up(guard_bytes).filter(|&bytes| bytes <= Self::MOST_GUARD_BYTES);
        let Some(guard_bytes) = rounded else {
            return Err(StackError::Size {
                what: "a guard",
                asked_bytes: guard_bytes,
                least_bytes: 0,
                most_bytes: Self::MOST_GUARD_BYTES,
            });
        };
        // Slots begin on page boundaries, also where a page is larger than the smallest stack.
        let stack_bytes = stack_bytes.next_power_of_two().max(page_bytes());
        Ok(Shape { stack_bytes, guard_bytes, reuse })
    }

    /// From one slot to the next.
    pub(crate) fn stride_bytes(self) -> usize {
        self.guard_bytes + self.stack_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_up_or_refused() {
        let shape = |stack, guard| Shape::new(stack, guard, StackReuse::Fast);
        assert_eq!(shape(64 << 10, 64 << 10).unwrap(), Shape::DEFAULT);
        assert_eq!(shape((64 << 10) + 1, 1).unwrap().stack_bytes, 128 << 10);
        assert_eq!(shape(32 << 10, 0).unwrap().guard_bytes, page_bytes());
        for (stack, guard) in
            [(0, 0), ((32 << 10) - 1, 0), ((8 << 20) + 1, 0), (32 << 10, usize::MAX)]
        {
            let error = shape(stack, guard).unwrap_err();
            assert!(matches!(error, StackError::Size { .. }));
            assert!(error.to_string().contains("is outside"), "{error}");
        }
    }
}
