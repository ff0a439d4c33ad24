//! The public stack: what `context` runs on.

#![expect(unsafe_code, reason = "hands out raw memory as a stack")]

use std::cell::Cell;
use std::fmt;
use std::ops::Range;
use std::panic::Location;
use std::ptr::NonNull;

use super::error::StackError;
use super::forks::stacks;
use super::region::{Label, Region};
use super::shape::{Shape, StackReuse};
use super::shelf::Shelf;

/// One that is not at hand.
#[cold]
fn taken(bytes: usize) -> Result<NonNull<Label>, StackError> {
    stacks().take(Shape::new(bytes, Shape::DEFAULT.guard_bytes, StackReuse::Fast)?)
}

/// A few free stacks of the default shape that this thread gave back last. No lock is taken for them: the
/// locked instructions would cost more than all else that a new context needs.
struct AtHand {
    shelf: Shelf,
    count: Cell<usize>,
}

thread_local! {
    static AT_HAND: AtHand =
        const { AtHand { shelf: Shelf::new(Shape::DEFAULT, 0), count: Cell::new(0) } };
}

impl AtHand {
    const MOST: usize = 16;

    #[inline]
    fn take() -> Option<NonNull<Label>> {
        let take = |at_hand: &AtHand| {
            let label = at_hand.shelf.pop()?;
            at_hand.count.set(at_hand.count.get() - 1);
            Some(label)
        };
        AT_HAND.try_with(take).ok().flatten()
    }

    /// Takes a stack back; false if there are enough, or the thread's locals are gone.
    ///
    /// # Safety
    ///
    /// - The label was taken from [`stacks`] or from here, is of the default shape, and nobody uses its stack.
    #[inline]
    unsafe fn put(label: NonNull<Label>) -> bool {
        let put = |at_hand: &AtHand| {
            let count = at_hand.count.get();
            if count < AtHand::MOST {
                at_hand.shelf.push(label);
                at_hand.count.set(count + 1);
            }
            count < AtHand::MOST
        };
        AT_HAND.try_with(put).unwrap_or(false)
    }
}

impl Drop for AtHand {
    fn drop(&mut self) {
        while let Some(label) = self.shelf.pop() {
            // SAFETY: taken from this cache, and given back once.
            unsafe { stacks().put(label) };
        }
    }
}

/// A stack with a guard below it: memory to run on, for the [`context`](crate) door.
///
/// It is taken from a process-wide cache and goes back there when dropped, with its contents: the next
/// user may see the bytes of this one. Each thread keeps the few that it dropped last for itself. A thread that
/// runs on it needs an alternate signal stack for an overflow to be reported by name; otherwise the process just
/// dies by `SIGSEGV`.
pub struct Stack {
    label: NonNull<Label>,
}

impl Stack {
    /// Bytes at the top that hold the stack's own label.
    const LABEL_BYTES: usize = 64;

    /// A stack of `bytes`, rounded up to a power of two, over a guard of 64 KiB.
    ///
    /// # Errors
    ///
    /// [`StackError::Size`] outside of 32 KiB to 8 MiB; [`StackError::Limit`] and [`StackError::Os`] if
    /// there is no memory for one more.
    #[inline]
    #[track_caller]
    pub fn new(bytes: usize) -> Result<Stack, StackError> {
        let location = Location::caller();
        let at_hand = if bytes == Shape::DEFAULT.stack_bytes { AtHand::take() } else { None };
        let label = match at_hand {
            Some(label) => label,
            None => taken(bytes)?,
        };
        Ok(Stack::created_at(label, location))
    }

    /// A stack in the caller's memory: `bytes` from `memory` upwards. It has no guard.
    ///
    /// # Errors
    ///
    /// [`StackError::Size`] below 4 KiB.
    ///
    /// # Safety
    ///
    /// - The memory is readable, writable and used by nobody else until the stack is dropped.
    /// - What runs on it stays inside of it; nothing stops an overflow.
    #[track_caller]
    pub unsafe fn from_memory(memory: NonNull<u8>, bytes: usize) -> Result<Stack, StackError> {
        let label = stacks().take_foreign(memory.as_ptr(), bytes)?;
        Ok(Stack::created_at(label, Location::caller()))
    }

    #[inline]
    fn created_at(label: NonNull<Label>, location: &'static Location<'static>) -> Stack {
        let stack = Stack { label };
        stack.label().created.set(Some(location));
        stack
    }

    fn label(&self) -> &Label {
        // SAFETY: the slot is ours, and labels are mapped for ever.
        unsafe { self.label.as_ref() }
    }

    fn region(&self) -> &Region {
        // SAFETY: the label of a taken slot names its region, which is never freed.
        unsafe { &*self.label().region.get() }
    }

    /// The highest address, aligned to 64 bytes; everything from the bottom up to here may be used.
    #[inline]
    pub fn top(&self) -> *mut u8 {
        self.label().stack_end().wrapping_sub(Stack::LABEL_BYTES)
    }

    /// From the bottom (lowest usable address) to [`top`](Stack::top).
    pub fn bounds(&self) -> Range<usize> {
        let whole = self.region().bounds(self.label.as_ptr());
        whole.start..whole.end - Stack::LABEL_BYTES
    }
}

impl Drop for Stack {
    #[inline]
    fn drop(&mut self) {
        // From here on the signal handler does not read the name any more.
        self.label().id.set(0);
        // SAFETY: `self` was the only one to know the stack, which was taken from there.
        let kept = self.region().is_default() && unsafe { AtHand::put(self.label) };
        if !kept {
            // SAFETY: as above.
            unsafe { stacks().put(self.label) };
        }
    }
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Range { start, end } = self.bounds();
        write!(f, "Stack({start:#x}..{end:#x})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_it_can_be_written() {
        for bytes in [32 << 10, 64 << 10, 8 << 20] {
            let stack = Stack::new(bytes).unwrap();
            let Range { start, end } = stack.bounds();
            assert!(end - start <= bytes && end - start > bytes - 1200);
            assert_eq!(stack.top().addr() % 64, 0);
            // SAFETY: the bytes below the top are the stack's.
            unsafe { stack.top().sub(end - start).write_bytes(7, end - start) };
            assert!(stack.label().created.get().is_some());
        }
    }

    #[test]
    fn a_thread_takes_the_stack_that_it_dropped_last_and_its_end_gives_all_back() {
        let labels = std::thread::spawn(|| {
            let stacks: Vec<Stack> = (0..40).map(|_| Stack::new(64 << 10).unwrap()).collect();
            let labels: Vec<usize> = stacks.iter().map(|s| s.label.as_ptr().addr()).collect();
            stacks.into_iter().for_each(drop);
            let again: Vec<Stack> =
                (0..AtHand::MOST).map(|_| Stack::new(64 << 10).unwrap()).collect();
            let kept = labels[..AtHand::MOST].iter().rev();
            assert!(again.iter().map(|s| s.label.as_ptr().addr()).eq(kept.copied()));
            let other = Stack::new(128 << 10).unwrap();
            assert!(!labels.contains(&other.label.as_ptr().addr()));
            labels
        })
        .join()
        .unwrap();
        // Tests that run meanwhile take some of them.
        let taken: Vec<Stack> = (0..400).map(|_| Stack::new(64 << 10).unwrap()).collect();
        let back = taken.iter().filter(|s| labels.contains(&s.label.as_ptr().addr())).count();
        assert!(back > AtHand::MOST, "{back} of {}", labels.len());
    }

    #[test]
    fn memory_of_the_caller_is_kept_to() {
        let mut memory = vec![0u8; 20_000];
        let around = memory.as_ptr_range();
        let start = NonNull::from(&mut memory[..]).cast();
        // SAFETY: `memory` outlives the stack, and nothing runs on it.
        let stack = unsafe { Stack::from_memory(start, memory.len()) }.unwrap();
        let bounds = stack.bounds();
        assert_eq!(bounds.start, around.start.addr());
        assert!(bounds.end <= around.end.addr() && bounds.end > around.end.addr() - 256);
        assert!(!around.contains(&stack.label.as_ptr().cast_const().cast()));
        drop(memory);
        let label = stack.label;
        drop(stack);
        // SAFETY: labels stay readable for ever.
        assert_eq!(unsafe { label.as_ref() }.id.get(), 0);
        // SAFETY: refused before the memory is looked at.
        assert!(unsafe { Stack::from_memory(NonNull::dangling(), 100) }.is_err());
    }
}
