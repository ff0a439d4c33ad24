//! Shelf: the free stacks of one shape and the regions they come from.
//!
//! A slot is in exactly one place: untaken (at or above its region's `next`), taken, in the list (warm, last
//! given back on top), or bare (trimmed: nothing in it, only its address is known here).

#![expect(unsafe_code, reason = "reads and writes labels in slots")]

use std::cell::{Cell, RefCell};
use std::ptr::{self, NonNull};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::advise::{self, BATCH, page_bytes};
use super::error::StackError;
use super::region::{Label, Region};
use super::shape::{Shape, StackReuse};

/// Regions whose owners have ended, all of their slots free and trimmed.
static POOL: Mutex<Vec<&'static Region>> = Mutex::new(Vec::new());

pub(super) type Pool = MutexGuard<'static, Vec<&'static Region>>;

pub(super) fn pool() -> Pool {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first region of a shelf, and the largest; each is four times as large as the one before, so that a
/// million stacks take eight regions.
const FIRST_REGION_BYTES: usize = 8 << 20;
const LARGEST_REGION_BYTES: usize = 128 << 30;
/// No region is smaller than this, however little memory there is: the last megabyte is not for stacks.
const LEAST_SLOTS: usize = 8;

/// `Zeroed` keeps this much at the top of a stack and clears it by hand.
const KEPT_BYTES: usize = 8 << 10;

pub(super) struct Shelf {
    shape: Shape,
    /// Number among the shelves of the cache; regions carry it.
    number: usize,
    /// Warm slots, linked by `Label::next`.
    head: Cell<*mut Label>,
    bare: RefCell<Vec<(&'static Region, NonNull<Label>)>>,
    regions: RefCell<Vec<&'static Region>>,
}

impl Shelf {
    /// The number in regions that no shelf owns any more.
    pub(super) const NONE: usize = usize::MAX;

    pub(super) const fn new(shape: Shape, number: usize) -> Shelf {
        Shelf {
            shape,
            number,
            head: Cell::new(ptr::null_mut()),
            bare: RefCell::new(Vec::new()),
            regions: RefCell::new(Vec::new()),
        }
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    /// The warmest slot, as it was left.
    #[inline(always)]
    pub(super) fn pop(&self) -> Option<NonNull<Label>> {
        let label = NonNull::new(self.head.get())?;
        // SAFETY: slots in the list belong to us and have their labels (**Mapped for ever**).
        self.head.set(unsafe { label.as_ref() }.next.get());
        #[cfg(feature = "valgrind")]
        super::valgrind::is_used_again(label);
        Some(label)
    }

    /// Takes a slot back. Of its stack only `next` is written.
    #[inline(always)]
    pub(super) fn push(&self, label: NonNull<Label>) {
        // SAFETY: the slot comes from this shelf, so its label is mapped.
        unsafe { label.as_ref() }.next.set(self.head.get());
        self.head.set(label.as_ptr());
    }

    /// A slot ready for use: a warm one, a bare one, or one carved now.
    pub(super) fn take(&self) -> Result<NonNull<Label>, StackError> {
        if let Some(label) = self.pop() {
            // SAFETY: slots in the list have their labels, and their regions live for ever.
            let region = unsafe { &*label.as_ref().region.get() };
            if self.shape.reuse != StackReuse::Fast {
                self.renew(region, label);
                self.write_label(region, label);
            }
            return Ok(label);
        }
        let (region, label) = match self.take_bare() {
            Some(bare) => bare,
            None => self.carve()?,
        };
        if region.dirty.get() && self.shape.reuse != StackReuse::Fast {
            self.renew(region, label);
        }
        self.write_label(region, label);
        Ok(label)
    }

    /// Whether the next `take` needs the kernel for a new guard or a new region.
    pub(super) fn is_empty(&self) -> bool {
        self.head.get().is_null()
            && self.bare.borrow().is_empty()
            && self.regions.borrow().last().is_none_or(|region| region.at_the_fence())
    }

    fn take_bare(&self) -> Option<(&'static Region, NonNull<Label>)> {
        let (region, label) = self.bare.borrow_mut().pop()?;
        region.bare.set(region.bare.get() - 1);
        Some((region, label))
    }

    fn write_label(&self, region: &'static Region, label: NonNull<Label>) {
        // SAFETY: the slot is ours and free, so its top page may be written.
        unsafe { label.write(Label::unused(region)) };
    }

    fn carve(&self) -> Result<(&'static Region, NonNull<Label>), StackError> {
        loop {
            let newest = self.regions.borrow().last().copied();
            if let Some(region) = newest
                && let Some(label) = region.carve()?
            {
                #[cfg(feature = "valgrind")]
                super::valgrind::announce(region.bounds(label.as_ptr()));
                return Ok((region, label));
            }
            let region = match adopt(self.shape) {
                Some(region) => region,
                None => self.map(newest)?,
            };
            region.shelf.set(self.number);
            self.regions.borrow_mut().push(region);
        }
    }

    fn map(&self, newest: Option<&Region>) -> Result<&'static Region, StackError> {
        let stride_bytes = self.shape.stride_bytes();
        let first = (FIRST_REGION_BYTES / stride_bytes).max(LEAST_SLOTS);
        let largest = (LARGEST_REGION_BYTES / stride_bytes).max(first);
        let mut slots = newest.map_or(first, |region| (region.slots * 4).clamp(first, largest));
        loop {
            match Region::map(self.shape, slots) {
                Ok(region) => return Ok(region),
                // Address space, memory or locked memory is limited: less of it may still be had.
                Err(_) if slots > LEAST_SLOTS => slots = (slots / 2).max(LEAST_SLOTS),
                Err(error) => return Err(StackError::Os(error)),
            }
        }
    }

    /// Clears a free slot as its reuse asks, its label included.
    fn renew(&self, region: &Region, label: NonNull<Label>) {
        let (bottom, bytes) = region.pages(label.as_ptr());
        let kept = match self.shape.reuse {
            StackReuse::Fast => return,
            StackReuse::Zeroed => KEPT_BYTES.next_multiple_of(page_bytes()).min(bytes),
            StackReuse::Fresh => 0,
        };
        let split = bytes - kept;
        // SAFETY: the pages are those of one free slot of ours (asserted by `pages`).
        let discarded =
            split == 0 || unsafe { advise::discard(&[advise::range(bottom, split)]) }.is_ok();
        let from = if discarded { split } else { 0 };
        // SAFETY: as above; `from..bytes` lies inside of the slot.
        unsafe { ptr::write_bytes(bottom.add(from), 0, bytes - from) };
    }

    /// Gives the memory of all but the `keep` warmest free slots back to the kernel; how many bytes of it
    /// were resident.
    pub(super) fn trim(&self, keep: usize) -> usize {
        let mut rest = self.cut(keep);
        let mut returned = 0;
        while !rest.is_null() {
            let mut ranges = [advise::range(ptr::null_mut(), 0); BATCH];
            let mut slots = [None; BATCH];
            let mut count = 0;
            while count < BATCH
                && let Some(label) = NonNull::new(rest)
            {
                // SAFETY: slots in the list have their labels, and their regions live for ever.
                let region: &'static Region = unsafe { &*label.as_ref().region.get() };
                let (bottom, bytes) = region.pages(label.as_ptr());
                ranges[count] = advise::range(bottom, bytes);
                slots[count] = Some((region, label));
                // SAFETY: as above; read before the label is gone.
                rest = unsafe { label.as_ref() }.next.get();
                count += 1;
            }
            returned += self.strip(&ranges[..count], &slots[..count]);
        }
        returned
    }

    fn strip(
        &self,
        ranges: &[libc::iovec],
        slots: &[Option<(&'static Region, NonNull<Label>)>],
    ) -> usize {
        let resident = ranges.iter().map(resident_bytes).sum();
        // SAFETY: each range is the pages of one free slot of ours (asserted by `pages`).
        let discarded = unsafe { advise::discard(ranges) }.is_ok();
        let mut bare = self.bare.borrow_mut();
        for &(region, label) in slots.iter().flatten() {
            if !discarded {
                region.dirty.set(true);
            }
            region.bare.set(region.bare.get() + 1);
            bare.push((region, label));
        }
        if discarded { resident } else { 0 }
    }

    /// Cuts the list after `keep` slots; what is left over. The end of the list is its coldest part.
    fn cut(&self, keep: usize) -> *mut Label {
        let mut link = &self.head;
        for _ in 0..keep {
            let Some(label) = NonNull::new(link.get()) else { break };
            // SAFETY: slots in the list belong to us and have their labels, which nobody frees.
            link = unsafe { &(*label.as_ptr()).next };
        }
        link.replace(ptr::null_mut())
    }

    /// Lets go of everything: regions that are wholly free go to other threads, the rest stays as it is.
    pub(super) fn release(&self) {
        self.trim(0);
        self.bare.borrow_mut().clear();
        let mut pool = pool();
        for region in self.regions.borrow_mut().drain(..) {
            if region.bare.get() == region.next.get() {
                region.bare.set(0);
                region.next.set(0); // its guards stand, so carving it again is cheap
                pool.push(region);
            } else {
                region.shelf.set(Shelf::NONE);
            }
        }
    }
}

/// A free region of a thread that has ended, the largest there is.
fn adopt(shape: Shape) -> Option<&'static Region> {
    let mut pool = pool();
    let fitting = pool.iter().enumerate().filter(|(_, region)| region.fits(shape));
    let (index, _) = fitting.max_by_key(|(_, region)| region.slots)?;
    Some(pool.swap_remove(index))
}

/// How much of a range is in memory.
fn resident_bytes(range: &libc::iovec) -> usize {
    const PAGES: usize = 512;
    let mut resident = 0;
    let mut done = 0;
    while done < range.iov_len {
        let mut pages = [0u8; PAGES];
        let bytes = (range.iov_len - done).min(PAGES * page_bytes());
        // SAFETY: the range is mapped, and `pages` has a byte for each page of this part.
        let asked = unsafe {
            libc::mincore(range.iov_base.wrapping_byte_add(done), bytes, pages.as_mut_ptr())
        };
        if asked == 0 {
            resident += pages.iter().filter(|&&page| page & 1 != 0).count() * page_bytes();
        }
        done += bytes;
    }
    resident
}
