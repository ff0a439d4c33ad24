//! The public stack: what `context` runs on.

#![expect(unsafe_code, reason = "hands out raw memory as a stack")]

use std::cell::Cell;
use std::fmt;
use std::ops::Range;
use std::panic::Location;
use std::ptr::NonNull;

use super::error::StackError;
use super::forks::stacks;
use super::region::Label;
use super::shape::{Shape, StackReuse};

/// One that is not at hand.
#[cold]
fn taken(bytes: usize) -> Result<NonNull<Label>, StackError> {
    stacks().take(Shape::new(bytes, Shape::DEFAULT.guard_bytes, StackReuse::Fast)?)
}

/// One that is not kept at hand; the next one is.
///
/// # Safety
///
/// - The label was taken from [`stacks`], and nobody uses its stack.
#[cold]
unsafe fn give_back(label: NonNull<Label>) {
    if END.try_with(|_| ()).is_ok() {
        AT_HAND.with(|at_hand| at_hand.keeps.set(true));
    }
    // SAFETY: forwarded.
    unsafe { stacks().put(label) };
}

/// A few free stacks of the default shape that this thread gave back last. No lock is taken for them: the
/// locked instructions would cost more than all else that a new context needs.
///
/// It has no destructor, which each use would have to ask for: [`End`] has it.
struct AtHand {
    /// The one that was given back last.
    last: Cell<Option<NonNull<Label>>>,
    /// Those given back before it, of which there are `count`.
    older: [Cell<Option<NonNull<Label>>>; AtHand::MOST - 1],
    count: Cell<usize>,
    /// Are any kept? Not before the first one was given back, nor once the thread ends.
    keeps: Cell<bool>,
}

thread_local! {
    static AT_HAND: AtHand = const { AtHand::new() };
    static END: End = const { End };
}

impl AtHand {
    const MOST: usize = 16;

    const fn new() -> AtHand {
        AtHand {
            last: Cell::new(None),
            older: [const { Cell::new(None) }; AtHand::MOST - 1],
            count: Cell::new(0),
            keeps: Cell::new(false),
        }
    }

    #[inline(always)]
    fn take(&self) -> Option<NonNull<Label>> {
        let label = self.last.take().or_else(|| self.take_older())?;
        #[cfg(feature = "valgrind")]
        super::valgrind::is_used_again(label);
        Some(label)
    }

    #[cold]
    fn take_older(&self) -> Option<NonNull<Label>> {
        let left = self.count.get().checked_sub(1)?;
        self.count.set(left);
        self.older[left].get()
    }

    /// Takes a stack back; false if there are enough.
    ///
    /// # Safety
    ///
    /// - The label was taken from [`stacks`] or from here, is of the default shape, and nobody uses its stack.
    #[inline(always)]
    unsafe fn put(&self, label: NonNull<Label>) -> bool {
        if self.keeps.get() && self.last.get().is_none() {
            self.last.set(Some(label));
            return true;
        }
        // SAFETY: forwarded.
        unsafe { self.put_before_older(label) }
    }

    /// # Safety
    ///
    /// As [`AtHand::put`].
    #[cold]
    unsafe fn put_before_older(&self, label: NonNull<Label>) -> bool {
        let count = self.count.get();
        if !self.keeps.get() || count == self.older.len() {
            return false;
        }
        self.older[count].set(self.last.replace(Some(label)));
        self.count.set(count + 1);
        true
    }
}

/// Gives all that is at hand back when the thread ends.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        AT_HAND.with(|at_hand| {
            at_hand.keeps.set(false);
            while let Some(label) = at_hand.take() {
                // SAFETY: taken from this cache, and given back once.
                unsafe { stacks().put(label) };
            }
        })
    }
}

/// A stack with a guard below it: memory to run on, for the [`context`](crate) door.
///
/// It is taken from a process-wide cache and goes back there when dropped, with its contents: the next
/// user may see the bytes of this one. Each thread keeps the few that it dropped last for itself. A thread that
/// runs on it needs an alternate signal stack for an overflow to be reported by name; otherwise the process just
/// dies by `SIGSEGV`.
pub struct Stack {
    /// The label's address, and [`OTHER`] for one of another than the default shape, which is never kept at hand.
    tagged: NonNull<Label>,
}

const OTHER: usize = 1;
const _: () = assert!(align_of::<Label>() > OTHER);

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
        if bytes == Shape::DEFAULT.stack_bytes
            && let Some(label) = AT_HAND.with(AtHand::take)
        {
            return Ok(Stack::created_at(location, label, 0));
        }
        Stack::not_at_hand(location, taken(bytes)?)
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
        Stack::not_at_hand(Location::caller(), label)
    }

    /// A result, as its callers return one: what they make of a plain stack costs those that are at hand.
    #[cold]
    fn not_at_hand(
        created: &'static Location<'static>,
        label: NonNull<Label>,
    ) -> Result<Stack, StackError> {
        // SAFETY: the label of a taken slot names its region, and regions stay for ever.
        let is_default = unsafe { &*label.as_ref().region.get() }.is_default();
        Ok(Stack::created_at(created, label, if is_default { 0 } else { OTHER }))
    }

    #[inline]
    fn created_at(created: &'static Location<'static>, label: NonNull<Label>, tag: usize) -> Stack {
        // SAFETY: labels are mapped for ever.
        unsafe { label.as_ref() }.created.set(Some(created));
        Stack { tagged: label.map_addr(|address| address | tag) }
    }

    /// The label, if the stack is of the default shape.
    #[inline]
    fn default_label(&self) -> Option<NonNull<Label>> {
        (self.tagged.addr().get() & OTHER == 0).then_some(self.tagged)
    }

    fn label(&self) -> NonNull<Label> {
        // SAFETY: takes away what was added.
        self.default_label().unwrap_or_else(|| unsafe { self.tagged.byte_sub(OTHER) })
    }

    #[cold]
    fn in_slot(&self) -> &Label {
        // SAFETY: the slot is ours, and labels are mapped for ever.
        unsafe { self.label().as_ref() }
    }

    /// The highest address, aligned to 64 bytes; everything from the bottom up to here may be used.
    #[inline]
    pub fn top(&self) -> *mut u8 {
        let end = match self.default_label() {
            Some(label) => label.as_ptr().wrapping_add(1).cast(),
            None => self.in_slot().stack_end(),
        };
        end.wrapping_sub(Stack::LABEL_BYTES)
    }

    /// From the bottom (lowest usable address) to [`top`](Stack::top).
    pub fn bounds(&self) -> Range<usize> {
        let whole = self.in_slot().bounds();
        whole.start..whole.end - Stack::LABEL_BYTES
    }
}

impl Drop for Stack {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: `self` was the only one to know the stack, which was taken from there.
        let kept = self
            .default_label()
            .is_some_and(|label| AT_HAND.with(|at_hand| unsafe { at_hand.put(label) }));
        if !kept {
            // SAFETY: as above.
            unsafe { give_back(self.label()) };
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

    fn place(stack: &Stack) -> usize {
        stack.label().as_ptr().addr()
    }

    #[test]
    fn all_of_it_can_be_written() {
        for bytes in [32 << 10, 64 << 10, 8 << 20] {
            let stack = Stack::new(bytes).unwrap();
            let Range { start, end } = stack.bounds();
            // The lowest top of all, and below it the label's line.
            let least = bytes - 31 * 64 - Stack::LABEL_BYTES;
            assert!((least..=bytes).contains(&(end - start)), "{} of {bytes}", end - start);
            assert_eq!(stack.top().addr() % 64, 0);
            // SAFETY: the bytes below the top are the stack's.
            unsafe { stack.top().sub(end - start).write_bytes(7, end - start) };
            assert!(stack.in_slot().created.get().is_some());
        }
    }

    #[test]
    fn a_thread_takes_the_stack_that_it_dropped_last_and_its_end_gives_all_back() {
        let labels = std::thread::spawn(|| {
            let stacks: Vec<Stack> = (0..40).map(|_| Stack::new(64 << 10).unwrap()).collect();
            let labels: Vec<usize> = stacks.iter().map(place).collect();
            stacks.into_iter().for_each(drop);
            let again: Vec<Stack> =
                (0..AtHand::MOST).map(|_| Stack::new(64 << 10).unwrap()).collect();
            // The first one, given back before any was kept, went to the others.
            let kept = labels[1..=AtHand::MOST].iter().rev();
            assert!(again.iter().map(place).eq(kept.copied()));
            let other = Stack::new(128 << 10).unwrap();
            assert!(!labels.contains(&place(&other)));
            labels
        })
        .join()
        .unwrap();
        // Tests that run meanwhile take some of them.
        let taken: Vec<Stack> = (0..400).map(|_| Stack::new(64 << 10).unwrap()).collect();
        let back = taken.iter().filter(|s| labels.contains(&place(s))).count();
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
        assert!(!around.contains(&stack.label().as_ptr().cast_const().cast()));
        drop(memory);
        let label = stack.label();
        drop(stack);
        // SAFETY: labels stay readable for ever.
        assert_eq!(unsafe { label.as_ref() }.id.get(), 0);
        // SAFETY: refused before the memory is looked at.
        assert!(unsafe { Stack::from_memory(NonNull::dangling(), 100) }.is_err());
    }
}
