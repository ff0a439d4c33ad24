//! Cache: one thread's stacks, free ones ready to be taken.
//!
//! The default shape has its own list, which is all that creating a greenlet touches when a stack is free.
//! Everything else is cold: other shapes, new slots, clearing, trimming.

#![expect(unsafe_code, reason = "reads labels of slots, and may move between threads")]

use std::cell::RefCell;
use std::ptr::NonNull;
use std::rc::Rc;

use super::error::StackError;
use super::foreign::ForeignBlocks;
use super::overflow;
use super::region::Label;
use super::shape::Shape;
use super::shelf::Shelf;

/// Free slots that stay warm on a shelf when another shelf needs new memory.
const WARM_SLOTS: usize = 64;

/// The stacks of one thread.
pub(crate) struct Cache {
    default: Shelf,
    /// The other shapes; their numbers begin at 1.
    others: RefCell<Vec<Rc<Shelf>>>,
    foreign: ForeignBlocks,
}

// SAFETY: a cache owns all that it points to (its shelves, and the free slots of its regions: **One
// owner**), and is not `Sync`; the counted pointers inside never leave it.
unsafe impl Send for Cache {}

impl Cache {
    pub(crate) const fn new() -> Cache {
        Cache {
            default: Shelf::new(Shape::DEFAULT, 0),
            others: RefCell::new(Vec::new()),
            foreign: ForeignBlocks::new(),
        }
    }

    /// A free stack of the default shape, if there is one: two loads and a store.
    #[inline(always)]
    pub(crate) fn take_default(&self) -> Option<NonNull<Label>> {
        self.default.pop()
    }

    /// A stack of any shape, its label unused. Slow: maps memory and installs guards where needed.
    #[cold]
    pub(crate) fn take(&self, shape: Shape) -> Result<NonNull<Label>, StackError> {
        if shape == Shape::DEFAULT {
            self.make_room(&self.default);
            return self.default.take();
        }
        let shelf = self.shelf(shape);
        self.make_room(&shelf);
        shelf.take()
    }

    /// A label for memory of the caller's. That memory is not touched; it has no guard.
    #[cold]
    pub(crate) fn take_foreign(
        &self,
        memory: *mut u8,
        bytes: usize,
    ) -> Result<NonNull<Label>, StackError> {
        self.foreign.take(memory, bytes)
    }

    /// Takes a stack back. Writes `id` and `next` of its label and nothing else of it, so its last owner may
    /// still stand on it, and its last value may still be read, until the next `take` or `trim`.
    ///
    /// # Safety
    ///
    /// - `label` was taken from this cache and not put back since.
    /// - After the next `take`, `trim` or `release` of this cache nobody uses the stack any more.
    #[inline(always)]
    pub(crate) unsafe fn put(&self, label: NonNull<Label>) {
        // SAFETY: a label taken from a cache is mapped for ever.
        let in_slot = unsafe { label.as_ref() };
        // From here on the signal handler does not read the name any more, nor does a handle find itself.
        in_slot.id.set(0);
        // SAFETY: the label of a taken slot names its region, which is never freed.
        let region = unsafe { &*in_slot.region.get() };
        if region.slots != 0 && region.shelf.get() == 0 {
            self.default.push(label);
        } else {
            self.put_elsewhere(label, region.slots == 0, region.shelf.get());
        }
    }

    #[cold]
    fn put_elsewhere(&self, label: NonNull<Label>, foreign: bool, shelf: usize) {
        if foreign {
            self.foreign.put(label);
        } else if let Some(shelf) = self.others.borrow().get(shelf - 1) {
            shelf.push(label);
        }
        // No such shelf: the cache was released under a stack in use, which stays what it is, a leak.
    }

    /// Gives memory of free stacks back to the kernel, the coldest first, `keep` of each shape staying as
    /// they are; how many bytes came back.
    #[cold]
    pub(crate) fn trim(&self, keep: usize) -> usize {
        let others: usize = self.others.borrow().iter().map(|shelf| shelf.trim(keep)).sum();
        self.default.trim(keep) + others
    }

    /// At the end of a thread: regions without a stack in use go to other threads, memory of free stacks to
    /// the kernel; stacks in use stay for ever.
    ///
    /// # Safety
    ///
    /// - Nobody runs on a stack that was put back.
    #[cold]
    pub(crate) unsafe fn release(&self) {
        self.default.release();
        for shelf in self.others.take() {
            shelf.release();
        }
        self.foreign.release();
    }

    fn shelf(&self, shape: Shape) -> Rc<Shelf> {
        let mut others = self.others.borrow_mut();
        if let Some(shelf) = others.iter().find(|shelf| shelf.shape() == shape) {
            return Rc::clone(shelf);
        }
        let shelf = Rc::new(Shelf::new(shape, others.len() + 1));
        others.push(Rc::clone(&shelf));
        shelf
    }

    /// Before a shelf asks for new memory, the others give back what they hardly use.
    fn make_room(&self, growing: &Shelf) {
        if !growing.is_empty() {
            return;
        }
        overflow::install_overflow_handler();
        if growing.shape() != Shape::DEFAULT {
            self.default.trim(WARM_SLOTS);
        }
        for shelf in self.others.borrow().iter().filter(|shelf| shelf.shape() != growing.shape()) {
            shelf.trim(WARM_SLOTS);
        }
    }
}
