//! Region: one mapping cut into slots, and the label at the top of each.
//!
//! ```text
//!  base                                                                   high addresses
//!   | guard 0 | stack 0 ........... top | guard 1 | stack 1 ......... top -64 | guard 2 | ...
//!   |<------------- stride ------------>|                  label: [top - 40, top)
//! ```
//!
//! The top of slot `i` lies `(i % 32) * 64` bytes below the slot's end: with equal tops all the hot lines
//! of a thousand stacks would share one set of the first-level cache (measured: a factor of five).
//!
//! Invariants:
//!
//! - **Mapped for ever**: a region is never unmapped and never freed, so a stale label can be read.
//! - **Guarded, then taken**: slots `0..guarded` have their guards; slots `0..next` have been handed out
//!   at least once; `next <= guarded <= slots`. No page of a slot is touched before it is taken.
//! - **One owner**: one cache carves a region and keeps its slots; the process-wide pool holds it between
//!   two owners. Only `base`, the sizes and `guarded` are read by others (the signal handler).

#![expect(unsafe_code, reason = "computes addresses in a mapping, and is read by a signal handler")]

use std::cell::Cell;
use std::io;
use std::mem::{align_of, size_of};
use std::ops::Range;
use std::panic::Location;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use super::advise::page_bytes;
use super::error::StackError;
use super::guard::{self, Fence, GuardKind};
use super::shape::Shape;

/// The fixed words at the very top of every stack.
///
/// The signal handler reads them when the slot's guard was hit, so `name` is null or valid whenever `id`
/// is not 0.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Label {
    /// Where the owner of the stack was created.
    pub(crate) created: Cell<Option<&'static Location<'static>>>,
    /// Its name, or null.
    pub(crate) name: Cell<*const Box<str>>,
    /// Its number; 0 = no greenlet lives here.
    pub(crate) id: Cell<u64>,
    /// The region that the slot is part of.
    pub(crate) region: Cell<*const Region>,
    /// The free slot below this one in its list.
    pub(crate) next: Cell<*mut Label>,
}

const _: () = assert!(size_of::<Label>() == 40 && align_of::<Label>() == 8);

impl Label {
    /// A slot that nobody uses.
    pub(crate) const fn unused(region: *const Region) -> Label {
        Label {
            created: Cell::new(None),
            name: Cell::new(ptr::null()),
            id: Cell::new(0),
            region: Cell::new(region),
            next: Cell::new(ptr::null_mut()),
        }
    }

    /// The name, if there is one.
    pub(crate) fn name(&self) -> Option<&str> {
        // SAFETY: null, or a box that `set_name` leaked and `clear_name` has not taken back.
        unsafe { self.name.get().as_ref() }.map(|name| &**name)
    }

    /// Names the owner of the stack.
    pub(crate) fn set_name(&self, name: Box<str>) {
        self.clear_name();
        self.name.set(Box::into_raw(Box::new(name)));
    }

    /// Takes the name away.
    #[inline(always)]
    pub(crate) fn clear_name(&self) {
        if !self.name.get().is_null() {
            self.free_name();
        }
    }

    #[cold]
    fn free_name(&self) {
        let name = self.name.replace(ptr::null());
        // SAFETY: made by `Box::into_raw` in `set_name`, and no longer to be found.
        drop(unsafe { Box::from_raw(name.cast_mut()) });
    }

    /// The usable addresses of the stack that carries this label.
    pub(crate) fn bounds(&self) -> Range<usize> {
        self.region().bounds(self)
    }

    /// The end of the stack, where it does not lie right above its owner's block.
    #[inline]
    pub(crate) fn stack_end(&self) -> *mut u8 {
        let base = self.region().base.get();
        base.wrapping_add(self.region().end(self) - base.addr())
    }

    fn region(&self) -> &'static Region {
        // SAFETY: the label of a taken slot names its region (**Mapped for ever**).
        unsafe { &*self.region.get() }
    }
}

/// The block of a greenlet, of which the label is the end.
pub(crate) const BLOCK_BYTES: usize = if cfg!(feature = "hub") { 192 } else { 128 };

/// Hot lines of many greenlets share fewer sets of the first-level cache, and all stay in one page: with 16
/// a yield among 100 took 12.4 ns, with 32 it takes 11.5, with 48 11.0 but often a second page.
const COLOURS: usize = 32;
const COLOUR_BYTES: usize = 64;

/// One mapping with its slots, or the memory of one caller (then `slots` is 0).
pub(crate) struct Region {
    /// Lowest address. Fixed, but for foreign regions, which are not in the registry.
    pub(super) base: Cell<*mut u8>,
    /// From one slot to the next; all of a foreign region.
    pub(super) stride_bytes: Cell<usize>,
    guard_bytes: usize,
    pub(super) slots: usize,
    /// Slots with a guard, counted from the lowest.
    guarded: AtomicUsize,
    /// The first slot that was never taken.
    pub(super) next: Cell<usize>,
    /// Slots that were taken, given back and trimmed: nothing in them, no label either.
    pub(super) bare: Cell<usize>,
    /// Set when the kernel did not take pages back: bare and untaken slots may then hold old bytes.
    pub(super) dirty: Cell<bool>,
    /// Number of the owner's shelf for this shape.
    pub(super) shelf: Cell<usize>,
    guard: Cell<GuardKind>,
    /// The region registered before this one.
    older: Cell<*const Region>,
}

// SAFETY: **One owner**: whoever is not the owner reads only what is fixed once the region is in the
// registry, and one atomic. Between two owners stands a mutex.
unsafe impl Sync for Region {}
// SAFETY: as above.
unsafe impl Send for Region {}

/// Head of the registry: every region with guards, newest first. Append-only, so the signal handler walks
/// it without a lock.
static NEWEST: AtomicPtr<Region> = AtomicPtr::new(ptr::null_mut());

impl Region {
    /// Are its slots of the default shape?
    #[inline(always)]
    pub(super) fn is_default(&self) -> bool {
        self.slots != 0 && self.shelf.get() == 0
    }

    /// Maps room for `slots` stacks; nothing of it is touched, and no guard stands yet.
    pub(super) fn map(shape: Shape, slots: usize) -> io::Result<&'static Region> {
        let stride_bytes = shape.stride_bytes();
        let bytes =
            slots.checked_mul(stride_bytes).ok_or(io::Error::from(io::ErrorKind::OutOfMemory))?;
        let mut mapping =
            memmap2::MmapOptions::new().len(bytes).stack().no_reserve_swap().map_anon()?;
        // Refused by kernels without huge pages, which is as good.
        let _ = mapping.advise(memmap2::Advice::NoHugePage);
        let base = mapping.as_mut_ptr();
        std::mem::forget(mapping); // **Mapped for ever**
        let region: &'static Region = Box::leak(Box::new(Region {
            base: Cell::new(base),
            stride_bytes: Cell::new(stride_bytes),
            slots,
            ..Region::without_memory(shape.guard_bytes)
        }));
        region.register();
        Ok(region)
    }

    /// A region of no slots, to be pointed at the memory of a caller.
    pub(super) fn without_memory(guard_bytes: usize) -> Region {
        Region {
            base: Cell::new(ptr::null_mut()),
            stride_bytes: Cell::new(0),
            guard_bytes,
            slots: 0,
            guarded: AtomicUsize::new(0),
            next: Cell::new(0),
            bare: Cell::new(0),
            dirty: Cell::new(false),
            shelf: Cell::new(0),
            guard: Cell::new(guard::forced().unwrap_or(GuardKind::Madvise)),
            older: Cell::new(ptr::null()),
        }
    }

    fn register(&'static self) {
        let mut newest = NEWEST.load(Ordering::Relaxed);
        loop {
            self.older.set(newest);
            let this = ptr::from_ref(self).cast_mut();
            match NEWEST.compare_exchange_weak(newest, this, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => newest = now,
            }
        }
    }

    /// All registered regions, newest first. Async-signal-safe.
    fn registered() -> impl Iterator<Item = &'static Region> {
        let follow = |region: *const Region| {
            // SAFETY: **Mapped for ever**: the registry holds leaked regions, or null at its end.
            unsafe { region.as_ref() }
        };
        std::iter::successors(follow(NEWEST.load(Ordering::Acquire)), move |region| {
            follow(region.older.get())
        })
    }

    /// The slot in whose guard `address` lies. Async-signal-safe.
    pub(super) fn guard_hit(address: usize) -> Option<(&'static Region, NonNull<Label>)> {
        Region::registered().find_map(|region| {
            let offset = address.checked_sub(region.base.get().addr())?;
            let index = offset.checked_div(region.stride_bytes.get())?;
            let hit = index < region.guarded.load(Ordering::Relaxed)
                && offset % region.stride_bytes.get() < region.guard_bytes;
            hit.then(|| (region, region.label(index)))
        })
    }

    /// The next slot that was never taken, with its guard; its label is not written yet.
    pub(super) fn carve(&self) -> Result<Option<NonNull<Label>>, StackError> {
        let index = self.next.get();
        if index == self.slots {
            return Ok(None);
        }
        if index == self.guarded.load(Ordering::Relaxed) {
            self.guard_more()?;
        }
        self.next.set(index + 1);
        Ok(Some(self.label(index)))
    }

    /// Whether the next `carve` calls the kernel.
    pub(super) fn at_the_fence(&self) -> bool {
        self.next.get() == self.guarded.load(Ordering::Relaxed)
    }

    fn guard_more(&self) -> Result<(), StackError> {
        // Small first, since many programs want two stacks; then as many as one call takes.
        const LEAST: usize = 16;
        let guarded = self.guarded.load(Ordering::Relaxed);
        let fence = Fence {
            first: self.base.get().wrapping_add(guarded * self.stride_bytes.get()),
            stride_bytes: self.stride_bytes.get(),
            guard_bytes: self.guard_bytes,
            count: guarded.clamp(LEAST, super::advise::BATCH).min(self.slots - guarded),
        };
        // SAFETY: the slots from `guarded` on are ours and were never taken (**Guarded, then taken**).
        let (built, kind) = unsafe { guard::build(&fence, self.guard.get(), guarded == 0)? };
        self.guard.set(kind);
        self.guarded.store(guarded + built, Ordering::Relaxed);
        Ok(())
    }

    /// The label of a slot.
    fn label(&self, index: usize) -> NonNull<Label> {
        let end = (index + 1) * self.stride_bytes.get();
        let offset = end - index % COLOURS * COLOUR_BYTES - size_of::<Label>();
        let label = self.base.get().wrapping_add(offset).cast::<Label>();
        // SAFETY: an address inside of a mapping is not null.
        unsafe { NonNull::new_unchecked(label) }
    }

    /// The stack of a label: from above its guard up to its top.
    pub(crate) fn bounds(&self, label: *const Label) -> Range<usize> {
        let bottom = match self.slots {
            0 => self.base.get().addr(),
            _ => self.slot_start(label).addr() + self.guard_bytes,
        };
        bottom..self.end(label)
    }

    #[inline]
    fn end(&self, label: *const Label) -> usize {
        match self.slots {
            0 => self.base.get().addr() + self.stride_bytes.get(),
            _ => label.addr() + size_of::<Label>(),
        }
    }

    /// The pages of a label's stack: from above its guard up to the end of the slot.
    pub(super) fn pages(&self, label: *const Label) -> (*mut u8, usize) {
        let bottom = self.slot_start(label).wrapping_add(self.guard_bytes);
        let bytes = self.stride_bytes.get() - self.guard_bytes;
        let region =
            self.base.get().addr()..self.base.get().addr() + self.slots * self.stride_bytes.get();
        assert!(
            region.start < bottom.addr()
                && bottom.addr() + bytes <= region.end
                && (bottom.addr() + bytes - label.addr()) < page_bytes(),
            "a stack lies inside of its region"
        );
        (bottom, bytes)
    }

    fn slot_start(&self, label: *const Label) -> *mut u8 {
        let offset = label.addr() - self.base.get().addr();
        self.base.get().wrapping_add(offset - offset % self.stride_bytes.get())
    }

    /// The length of each stack.
    pub(crate) fn stack_bytes(&self) -> usize {
        self.stride_bytes.get() - self.guard_bytes
    }

    /// Whether both hold stacks of one size.
    pub(super) fn fits(&self, shape: Shape) -> bool {
        self.guard_bytes == shape.guard_bytes && self.stack_bytes() == shape.stack_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tops_are_aligned_and_staggered() {
        let region = Region::map(Shape::DEFAULT, 40).unwrap();
        let stride = Shape::DEFAULT.stride_bytes();
        for index in 0..40 {
            let label = region.carve().unwrap().unwrap();
            let bounds = region.bounds(label.as_ptr());
            let end = region.base.get().addr() + (index + 1) * stride;
            assert_eq!(bounds.end, end - index % 32 * 64);
            assert_eq!(bounds.start, end - Shape::DEFAULT.stack_bytes);
            assert_eq!(bounds.end % 64, 0);
            assert_eq!(label.as_ptr().addr() + size_of::<Label>(), bounds.end);
            let (pages, bytes) = region.pages(label.as_ptr());
            assert_eq!((pages.addr(), bytes), (bounds.start, Shape::DEFAULT.stack_bytes));
        }
        assert!(region.carve().unwrap().is_none());
    }

    fn tests_are_code() {}

    #[test]
    fn guard_hits_are_found_and_nothing_else() {
        let region = Region::map(Shape::DEFAULT, 20).unwrap();
        let label = region.carve().unwrap().unwrap();
        let bottom = region.bounds(label.as_ptr()).start;
        let hit = |address| Region::guard_hit(address).map(|(_, label)| label);
        assert_eq!(hit(bottom - 1), Some(label));
        assert_eq!(hit(bottom - region.guard_bytes), Some(label));
        assert_eq!(hit(bottom), None);
        assert_eq!(hit(label.as_ptr().addr()), None);
        let no_guard_yet = region.base.get().addr() + 16 * Shape::DEFAULT.stride_bytes();
        assert_eq!(hit(no_guard_yet), None);
        for elsewhere in
            [0, 8, usize::MAX, &raw const bottom as usize, tests_are_code as *const () as usize]
        {
            assert_eq!(hit(elsewhere), None);
        }
    }

    #[test]
    fn untaken_slots_are_not_touched() {
        let region = Region::map(Shape::DEFAULT, 64).unwrap();
        let first = region.carve().unwrap().unwrap();
        // Stack by stack, since emulators refuse to look into guards.
        let resident: usize = (0..64)
            .map(|index| {
                let (bottom, bytes) = region.pages(region.label(index).as_ptr());
                let mut pages = vec![0u8; bytes / page_bytes()];
                // SAFETY: the stack is mapped and `pages` has a byte for each of its pages.
                let asked = unsafe { libc::mincore(bottom.cast(), bytes, pages.as_mut_ptr()) };
                assert_eq!(asked, 0);
                pages.iter().filter(|&&page| page & 1 != 0).count()
            })
            .sum();
        assert_eq!(resident, 0, "label at {first:?}");
    }
}
