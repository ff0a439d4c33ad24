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
    pub(crate) unsafe fn put(&self, label: NonNull<Label>) {
        // SAFETY: a label taken from a cache is mapped for ever.
        let in_slot = unsafe { label.as_ref() };
        // From here on the signal handler does not read the name any more, nor does a handle find itself.
        in_slot.id.set(0);
        // SAFETY: the label of a taken slot names its region, which is never freed.
        let region = unsafe { &*in_slot.region.get() };
        if region.is_default() {
            self.default.push(label);
        } else {
            self.put_elsewhere(label, region.slots == 0, region.shelf.get());
        }
    }

    /// As [`Cache::put`], of a stack that is known to be of the default shape.
    ///
    /// # Safety
    ///
    /// - As for [`Cache::put`].
    #[inline(always)]
    pub(crate) unsafe fn put_default(&self, label: NonNull<Label>) {
        // SAFETY: a label taken from a cache is mapped for ever.
        unsafe { label.as_ref() }.id.set(0);
        self.default.push(label);
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

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::super::advise::page_bytes;
    use super::super::{StackReuse, child};
    use super::*;

    const HERE: &str = "stack::cache::tests::";

    /// A shape that no other test uses, since regions of ended threads change hands.
    fn shape(stack_bytes: usize, guard_pages: usize, reuse: StackReuse) -> Shape {
        Shape::new(stack_bytes, guard_pages * page_bytes(), reuse).unwrap()
    }

    fn bounds(label: NonNull<Label>) -> Range<usize> {
        // SAFETY: labels of taken slots are mapped for ever, and so are their regions.
        unsafe { &*label.as_ref().region.get() }.bounds(label.as_ptr())
    }

    /// The bytes of a stack below its label.
    fn bytes(label: NonNull<Label>) -> &'static mut [u8] {
        let Range { start, end } = bounds(label);
        let length = end - start - size_of::<Label>();
        // SAFETY: the tests use the slot of a label one at a time.
        unsafe { std::slice::from_raw_parts_mut(label.as_ptr().cast::<u8>().sub(length), length) }
    }

    fn put(cache: &Cache, label: NonNull<Label>) {
        // SAFETY: each test puts back what it took from the same cache, once.
        unsafe { cache.put(label) };
    }

    fn resident(label: NonNull<Label>) -> usize {
        let Range { start, end } = bounds(label);
        let mut pages = vec![0u8; (end - start).div_ceil(page_bytes())];
        // SAFETY: the stack is mapped; one byte for each page.
        let asked = unsafe {
            libc::mincore(bytes(label).as_mut_ptr().cast(), end - start, pages.as_mut_ptr())
        };
        assert_eq!(asked, 0);
        pages.iter().filter(|&&page| page & 1 != 0).count()
    }

    #[test]
    fn last_given_back_is_first_taken() {
        let cache = Cache::new();
        assert!(cache.take_default().is_none());
        let [a, b] = [(); 2].map(|()| cache.take(Shape::DEFAULT).unwrap());
        assert_ne!(a, b);
        put(&cache, a);
        put(&cache, b);
        assert_eq!(cache.take_default(), Some(b));
        assert_eq!(cache.take_default(), Some(a));
        assert!(cache.take_default().is_none());
    }

    #[test]
    fn give_back_writes_only_the_label() {
        let cache = Cache::new();
        let label = cache.take(Shape::DEFAULT).unwrap();
        bytes(label).fill(0xa5);
        // SAFETY: the slot was just taken.
        unsafe { label.as_ref() }.id.set(9);
        put(&cache, label);
        assert!(bytes(label).iter().all(|&byte| byte == 0xa5));
        // SAFETY: labels stay readable.
        assert_eq!(unsafe { label.as_ref() }.id.get(), 0);
    }

    #[test]
    fn shapes_do_not_mix() {
        let cache = Cache::new();
        let large = shape(256 << 10, 5, StackReuse::Fast);
        let (a, b) = (cache.take(large).unwrap(), cache.take(Shape::DEFAULT).unwrap());
        put(&cache, a);
        put(&cache, b);
        assert_eq!(cache.take_default(), Some(b));
        assert!(cache.take_default().is_none());
        assert_eq!(cache.take(large).unwrap(), a);
    }

    #[test]
    fn zeroed_and_fresh_leave_no_old_byte() {
        for reuse in [StackReuse::Zeroed, StackReuse::Fresh] {
            let cache = Cache::new();
            let shape = shape(64 << 10, 7, reuse);
            let label = cache.take(shape).unwrap();
            for _ in 0..3 {
                bytes(label).fill(0x5e);
                put(&cache, label);
                assert_eq!(cache.take(shape).unwrap(), label);
                assert!(bytes(label).iter().all(|&byte| byte == 0), "{reuse:?}");
            }
            put(&cache, label);
            cache.trim(0);
            assert_eq!(cache.take(shape).unwrap(), label);
            assert!(bytes(label).iter().all(|&byte| byte == 0), "{reuse:?} after a trim");
        }
    }

    #[test]
    fn trim_gives_back_the_coldest_and_nothing_else() {
        let cache = Cache::new();
        let shape = shape(128 << 10, 9, StackReuse::Fast);
        let labels: Vec<_> = (0..200).map(|_| cache.take(shape).unwrap()).collect();
        labels.iter().for_each(|&label| bytes(label).fill(0x77));
        let (used, free) = labels.split_at(50);
        free.iter().for_each(|&label| put(&cache, label));
        let (cold, warm) = free.split_at(140);
        let stack_pages = shape.stack_bytes / page_bytes();
        assert_eq!(cache.trim(10), 140 * shape.stack_bytes);
        for &label in warm.iter().chain(used) {
            assert_eq!(resident(label), stack_pages);
            assert!(bytes(label).iter().all(|&byte| byte == 0x77));
        }
        let mut again: Vec<_> = (0..150).map(|_| cache.take(shape).unwrap()).collect();
        assert!(again[..10].iter().eq(warm.iter().rev()), "warm ones first, in order");
        // Now bare ones have their labels again, on one page each, and nothing else.
        for &label in cold {
            assert_eq!(resident(label), 1);
            assert!(bytes(label).iter().all(|&byte| byte == 0));
        }
        again.sort();
        again.dedup();
        assert_eq!(again.len(), 150);
    }

    #[test]
    fn growth_trims_other_shapes() {
        let cache = Cache::new();
        let labels: Vec<_> = (0..100).map(|_| cache.take(Shape::DEFAULT).unwrap()).collect();
        labels.iter().for_each(|&label| put(&cache, label));
        cache.take(shape(64 << 10, 11, StackReuse::Fast)).unwrap();
        assert_eq!(cache.trim(0), WARM_SLOTS * page_bytes());
    }

    #[test]
    fn churn_leaves_every_free_stack_whole() {
        let cache = Cache::new();
        let shapes = [
            Shape::DEFAULT,
            shape(32 << 10, 1, StackReuse::Zeroed),
            shape(128 << 10, 3, StackReuse::Fresh),
            shape(64 << 10, 2, StackReuse::Fast),
        ];
        let mut taken: Vec<(NonNull<Label>, Shape)> = Vec::new();
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        for round in 0..20_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let random = (seed >> 33) as usize;
            if taken.len() < 40 || (random & 1 == 0 && taken.len() < 120) {
                let shape = shapes[random / 2 % 4];
                taken.push((cache.take(shape).unwrap(), shape));
            } else {
                put(&cache, taken.swap_remove(random / 2 % taken.len()).0);
            }
            if round % 1000 == 0 {
                cache.trim(random % 40);
            }
        }
        for &(label, _) in &taken {
            put(&cache, label);
        }
        let mut seen = Vec::new();
        for shape in shapes {
            for _ in 0..150 {
                let label = cache.take(shape).unwrap();
                assert_eq!(bounds(label).start % page_bytes(), 0);
                bytes(label).fill(0xff);
                seen.push(bounds(label));
                // SAFETY: a byte of the guard, whose contents nobody needs.
                assert!(unsafe { super::super::guard::holds(bytes(label).as_mut_ptr().sub(1)) });
            }
        }
        seen.sort_by_key(|bounds| bounds.start);
        assert!(seen.windows(2).all(|pair| pair[0].end < pair[1].start), "stacks overlap");
    }

    #[test]
    fn regions_of_an_ended_thread_are_adopted() {
        let shape = shape(64 << 10, 13, StackReuse::Fast);
        let life = move |leaks: bool| {
            std::thread::spawn(move || {
                let cache = Cache::new();
                let labels: Vec<_> = (0..40).map(|_| cache.take(shape).unwrap()).collect();
                labels.iter().for_each(|&label| bytes(label).fill(1));
                let back = if leaks { &labels[1..] } else { &labels[..] };
                back.iter().for_each(|&label| put(&cache, label));
                // SAFETY: nobody uses what was put back.
                unsafe { cache.release() };
                labels.iter().map(|&label| label.as_ptr().addr()).collect::<Vec<_>>()
            })
            .join()
            .unwrap()
        };
        let first = life(false);
        let second = life(true);
        let shared = second.iter().filter(|label| first.contains(label)).count();
        assert_eq!(shared, 40, "the second thread has the regions of the first");
        let third = life(false);
        let leaked = third.iter().filter(|&&label| label == second[0]).count();
        assert_eq!(leaked, 0, "a stack in use is never handed out");
    }

    #[test]
    fn mapping_is_not_executable_and_has_no_huge_pages() {
        let cache = Cache::new();
        let label = cache.take(Shape::DEFAULT).unwrap();
        let place = label.as_ptr().addr();
        // From `maps`, in which emulators hide what is theirs.
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        assert!(!maps.contains(" rwx"), "{maps}");
        let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut ours = false;
        let mut flags = None;
        for line in smaps.lines() {
            let range = line.split_whitespace().next().and_then(|word| word.split_once('-'));
            let hex = |text| usize::from_str_radix(text, 16).ok();
            if let Some((start, end)) = range.and_then(|(a, b)| Some((hex(a)?, hex(b)?))) {
                ours = (start..end).contains(&place);
                assert!(!ours || line.contains(" rw-p "), "{line}");
            } else if ours && let Some(found) = line.strip_prefix("VmFlags:") {
                flags = Some(found.to_string());
            }
        }
        // A kernel refuses advice that it does not know; an emulator agrees and does nothing, here as there.
        let page = bytes(label).as_mut_ptr();
        // SAFETY: the bottom page of a stack of ours; no such advice exists.
        let emulated = unsafe { libc::madvise(page.cast(), page_bytes(), 9999) } == 0;
        if !emulated {
            let flags = flags.unwrap();
            assert!(flags.split_whitespace().any(|flag| flag == "nh"), "{flags}");
        }
    }

    #[test]
    fn mprotect_budget_ends_in_an_error_not_in_a_broken_allocator() {
        let test = format!("{HERE}mprotect_budget_ends_in_an_error_not_in_a_broken_allocator");
        if let Some(output) = child::run(&test, &[("GREENLET_GUARD", "mprotect")]) {
            return child::assert_passed(&output);
        }
        let cache = Cache::new();
        let mut errors = 0;
        let mut taken = Vec::new();
        for _ in 0..40_000 {
            match cache.take(Shape::DEFAULT) {
                Ok(label) => taken.push(label),
                Err(error @ StackError::Limit { .. }) => {
                    errors += 1;
                    assert!(error.to_string().contains("max_map_count"));
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(errors > 0 && taken.len() + errors == 40_000);
        assert!((1_000..=25_000).contains(&taken.len()), "{}", taken.len());
        let blocks: Vec<Vec<u8>> = (0..50).map(|_| vec![1; 4 << 20]).collect();
        assert_eq!(blocks.iter().map(|block| block[1 << 20] as usize).sum::<usize>(), 50);
        std::thread::spawn(|| {}).join().unwrap();
        put(&cache, taken[0]);
        assert_eq!(cache.take(Shape::DEFAULT).unwrap(), taken[0], "those there are go round");
    }

    #[test]
    fn locked_memory_has_guards_and_is_cleared() {
        let test = format!("{HERE}locked_memory_has_guards_and_is_cleared");
        if let Some(output) = child::run(&test, &[]) {
            return child::assert_passed(&output);
        }
        // SAFETY: locks the memory of this child only.
        if unsafe { libc::mlockall(libc::MCL_FUTURE) } != 0 {
            return;
        }
        let cache = Cache::new();
        for reuse in [StackReuse::Fast, StackReuse::Zeroed, StackReuse::Fresh] {
            let shape = shape(64 << 10, 1, reuse);
            let labels: Vec<_> = (0..20).map(|_| cache.take(shape).unwrap()).collect();
            for &label in &labels {
                bytes(label).fill(0x5e);
                // SAFETY: a byte of the guard, whose contents nobody needs.
                assert!(unsafe { super::super::guard::holds(bytes(label).as_mut_ptr().sub(1)) });
            }
            labels.iter().for_each(|&label| put(&cache, label));
            cache.trim(5);
            for _ in 0..20 {
                let label = cache.take(shape).unwrap();
                assert!(reuse == StackReuse::Fast || bytes(label).iter().all(|&byte| byte == 0));
            }
        }
    }

    #[test]
    fn no_address_space_is_an_error() {
        let test = format!("{HERE}no_address_space_is_an_error");
        if let Some(output) = child::run(&test, &[]) {
            return child::assert_passed(&output);
        }
        let limit = libc::rlimit { rlim_cur: 400 << 20, rlim_max: 400 << 20 };
        // SAFETY: limits this child only.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
        let cache = Cache::new();
        let mut taken = 0;
        let error = loop {
            match cache.take(Shape::DEFAULT) {
                Ok(_) => taken += 1,
                Err(error) => break error,
            }
            // Emulators do not pass the limit on.
            if taken == 10_000 {
                return;
            }
        };
        assert!(matches!(error, StackError::Os(_)), "{error}");
        assert!(error.to_string().starts_with("no memory for a stack: "), "{error}");
        assert!(taken > 1_000, "{taken} stacks, though smaller regions would have fitted");
        assert!(cache.take(Shape::DEFAULT).is_err());
    }
}
