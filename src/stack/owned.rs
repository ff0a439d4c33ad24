//! The public stack: what `context` runs on.

#![expect(unsafe_code, reason = "hands out raw memory as a stack")]

use std::fmt;
use std::ops::Range;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::cache::Cache;
use super::error::StackError;
use super::region::{Label, Region};
use super::shape::{Shape, StackReuse};

/// The free stacks of the whole process. Greenlets have a cache per thread; these stacks are for runtimes
/// that keep their own, so a lock is cheap enough.
static STACKS: Mutex<Cache> = Mutex::new(Cache::new());

fn stacks() -> MutexGuard<'static, Cache> {
    // A panic in there (out of memory) leaves lists that are whole.
    STACKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A stack with a guard below it: memory to run on, for the [`context`](crate) door.
///
/// It is taken from a process-wide cache and goes back there when dropped, contents and all: the next
/// stack may show the bytes of this one. A thread that runs on it needs an alternate signal stack if an
/// overflow is to be reported by name; otherwise the process just dies by `SIGSEGV`.
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
    /// [`StackError::Size`] outside of 32 KiB to 8 MiB; [`StackError::Limit`] and [`StackError::Os`] when
    /// no more can be had.
    #[track_caller]
    pub fn new(bytes: usize) -> Result<Stack, StackError> {
        let location = Location::caller();
        if bytes == Shape::DEFAULT.stack_bytes
            && let Some(label) = stacks().take_default()
        {
            return Ok(Stack::created_at(label, location));
        }
        let shape = Shape::new(bytes, Shape::DEFAULT.guard_bytes, StackReuse::Fast)?;
        let label = stacks().take(shape)?;
        Ok(Stack::created_at(label, location))
    }

    /// A stack in memory of the caller's: `bytes` from `memory` upwards. It has no guard.
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
    pub unsafe fn from_memory(memory: *mut u8, bytes: usize) -> Result<Stack, StackError> {
        let label = stacks().take_foreign(memory, bytes)?;
        Ok(Stack::created_at(label, Location::caller()))
    }

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
    pub fn top(&self) -> *mut u8 {
        let bottom = self.region().base.get();
        bottom.wrapping_add(self.bounds().end - bottom.addr())
    }

    /// From the bottom (lowest usable address) to [`top`](Stack::top).
    pub fn bounds(&self) -> Range<usize> {
        let whole = self.region().bounds(self.label.as_ptr());
        whole.start..whole.end - Stack::LABEL_BYTES
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: taken from this very cache, and `self` was the only one to know.
        unsafe { stacks().put(self.label) };
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
    fn memory_of_the_caller_is_kept_to() {
        let mut memory = vec![0u8; 20_000];
        let around = memory.as_ptr_range();
        // SAFETY: `memory` outlives the stack, and nothing runs on it.
        let stack = unsafe { Stack::from_memory(memory.as_mut_ptr(), memory.len()) }.unwrap();
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
        assert!(unsafe { Stack::from_memory(std::ptr::null_mut(), 100) }.is_err());
    }
}
