//! The calls that a thread was in, found on the copy of its stack.
//!
//! An unwinder finds on the copy what it would have found on the stack itself, return addresses and saved
//! frame pointers, if those that lead into the stack are made to lead into the copy. Where it was
//! interrupted in the middle of something that its unwind information does not describe (another
//! unwinder, a context switch of somebody else's), it takes one word for another. So that it then ends
//! instead of reading from anywhere, no word is left that leads elsewhere:
//!
//! - **Nothing leads out**: a word of the copy, or a register, leads upwards to a word of the copy, behind a
//!   call in the program's code, or to the zeroes above the copy, at which all walks end. To a word, and not
//!   between two: what is read there is made of halves of both, and could lead anywhere.
#![expect(unsafe_code, reason = "copies a stack, and walks the copy")]

use crate::arch::{Registers, follows_a_call, is_first_call, walk_interrupted};
use crate::greenlet::Running;
use memmap2::{MmapMut, MmapOptions};
use std::backtrace::Backtrace;
use std::io;
use std::ops::Range;
use std::ptr::with_exposed_provenance;

/// So much of a stack is copied; what lies further up is not walked.
const MOST_BYTES: usize = 1 << 20;

/// Zeroes above the copy, at which a walk ends that runs out of it; more than any frame is long.
const BEYOND_BYTES: usize = 16 << 20;

/// What lies below the copy leads to the zeroes: where a frame has just been left, its frame pointer is
/// looked for there.
const BELOW_BYTES: usize = 64 << 10;

/// So much below its stack pointer may a function use on x86_64; there stands also the frame pointer of
/// a frame that is just left.
const RED_ZONE_BYTES: usize = 128;

/// Room for the copy of a stack, full of zeroes.
pub(super) struct Room(MmapMut);

impl Room {
    pub(super) fn new() -> io::Result<Room> {
        let bytes = BELOW_BYTES + MOST_BYTES + BEYOND_BYTES;
        MmapOptions::new().len(bytes).no_reserve_swap().map_anon().map(Room)
    }

    /// Where the copy begins.
    pub(super) fn copy(&mut self) -> *mut u8 {
        self.0.as_mut_ptr().wrapping_add(BELOW_BYTES)
    }
}

/// What was copied of a thread.
#[derive(Clone, Copy)]
pub(super) struct Copied {
    registers: Registers,
    /// From where the stack was copied, and how much; nothing if it could not be walked.
    from: usize,
    bytes: usize,
}

impl Copied {
    pub(super) const fn nothing() -> Copied {
        Copied { registers: Registers::unknown(), from: 0, bytes: 0 }
    }

    /// Copies the stack of this thread; nothing, if what the thread does could not be found there.
    /// Async-signal-safe.
    ///
    /// # Safety
    /// - `context` is that of a handler of this thread, `stack` and `running` are of who runs on it.
    /// - `to` is the beginning of the [copy](Room::copy) in a room that is nobody else's.
    pub(super) unsafe fn take(
        &mut self,
        context: &libc::ucontext_t,
        stack: Range<usize>,
        running: &Running<'_>,
        to: *mut u8,
    ) {
        self.registers = Registers::of(context);
        let sp = self.registers.sp();
        // It may run elsewhere than on its stack: on one of its own, or not quite yet.
        // SAFETY: the registers are those of the greenlet that runs.
        let is_arriving = unsafe { self.registers.is_arriving(running.header) };
        if is_arriving || !stack.contains(&sp) || !sp.is_multiple_of(WORD) {
            return;
        }
        self.from = sp.saturating_sub(RED_ZONE_BYTES).max(stack.start);
        self.bytes = (stack.end - self.from).min(MOST_BYTES) / WORD * WORD;
        let from = with_exposed_provenance::<u8>(self.from);
        // SAFETY: what lies between the stack pointer and the end of the stack is mapped, and so is a bit
        // below, short of the guard; nobody else writes there while its thread is in this handler. The
        // room is long enough.
        unsafe { from.copy_to_nonoverlapping(to, self.bytes) };
    }

    /// The calls, the innermost first; `room` holds the copy.
    pub(super) fn backtrace(self, room: &mut Room) -> Option<Backtrace> {
        if self.bytes == 0 {
            return None;
        }
        let copy = room.copy().expose_provenance();
        let zeroes = copy + MOST_BYTES + BEYOND_BYTES / 2;
        let code = code();
        let end = self.from + self.bytes;
        // What becomes of a word that stood, or could have stood, at this address of the stack.
        let led = |word: usize, place: usize, may_be_code: bool| {
            if (place + 1..end).contains(&word) && word.is_multiple_of(WORD) {
                word - self.from + copy
            } else if may_be_code && code.iter().any(|code| is_return_address(word, code)) {
                word
            } else {
                zeroes
            }
        };
        let mut registers = self.registers;
        // A register that has an address of code is where a frame begins only by mistake, but on aarch64 it
        // may be the one with the return address.
        registers.lead(|word| led(word, self.from - 1, cfg!(target_arch = "aarch64")));
        let (below, above) = room.0.split_at_mut(BELOW_BYTES);
        below.as_chunks_mut::<WORD>().0.fill(zeroes.to_ne_bytes());
        let (words, _) = above[..self.bytes].as_chunks_mut::<WORD>();
        for (place, word) in (self.from..).step_by(WORD).zip(words) {
            *word = led(usize::from_ne_bytes(*word), place, true).to_ne_bytes();
        }
        let mut captured: Option<Backtrace> = None;
        // SAFETY: what the walk reads is the copy and the zeroes around it (**Nothing leads out**);
        // `capture` neither unwinds nor switches.
        unsafe { walk_interrupted(&registers, capture, (&raw mut captured).cast()) };
        captured
    }
}

const WORD: usize = size_of::<usize>();

/// Does a call stand before this address, and is it none that ends a greenlet's own calls?
fn is_return_address(word: usize, code: &Range<usize>) -> bool {
    // SAFETY: the longest call before it lies in code that is mapped, and was not unloaded since.
    code.contains(&word)
        && word - code.start > 8
        && !is_first_call(word)
        && unsafe { follows_a_call(with_exposed_provenance(word)) }
}

/// Where the program and its libraries have code.
fn code() -> Vec<Range<usize>> {
    unsafe extern "C" fn note(
        info: *mut libc::dl_phdr_info,
        _bytes: libc::size_t,
        ranges: *mut libc::c_void,
    ) -> libc::c_int {
        // SAFETY: the loader passes a valid description, and what `code` gave it.
        let (info, ranges) = unsafe { (&*info, &mut *ranges.cast::<Vec<Range<usize>>>()) };
        for i in 0..usize::from(info.dlpi_phnum) {
            // SAFETY: there are so many.
            let segment = unsafe { &*info.dlpi_phdr.add(i) };
            if segment.p_type == libc::PT_LOAD && segment.p_flags & libc::PF_X != 0 {
                let start = info.dlpi_addr as usize + segment.p_vaddr as usize;
                ranges.push(start..start + segment.p_memsz as usize);
            }
        }
        0
    }
    let mut ranges: Vec<Range<usize>> = Vec::new();
    // SAFETY: `note` has the signature asked for, and gets our vector.
    unsafe { libc::dl_iterate_phdr(Some(note), (&raw mut ranges).cast()) };
    ranges
}

extern "C" fn capture(data: *mut ()) {
    // SAFETY: `backtrace` passes this.
    unsafe { *data.cast::<Option<Backtrace>>() = Some(Backtrace::force_capture()) }
}

/// The text of a backtrace without the calls that walked: from the one that was interrupted, to the last
/// that has a name.
pub(super) fn text_of(backtrace: &Backtrace) -> String {
    let text = backtrace.to_string();
    let mut lines: Vec<&str> = text.lines().collect();
    while lines.last().is_some_and(|line| line.ends_with(": <unknown>")) {
        lines.pop(); // where the walk has run out of the copy
    }
    let ours =
        |line: &&str| line.ends_with("greenlet_interrupted") || line.ends_with("greenlet_walk");
    let first = lines.iter().rposition(ours).map_or(0, |last| last + 1);
    let (mut number, mut out) = (0, String::new());
    for line in &lines[first..] {
        // `  12: name`, and below it `             at file:line`.
        match line.trim_start().split_once(": ") {
            Some((digits, name)) if digits.parse::<u32>().is_ok() => {
                out += &format!("{number:>4}: {name}\n");
                number += 1;
            }
            _ if number > 0 => out += &format!("{line}\n"),
            _ => {} // belongs to one that was left out
        }
    }
    out
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use std::hint::black_box;

    #[repr(align(64))]
    struct Wide([u8; 256]);

    /// Its frame is found by the frame pointer, because its stack pointer is aligned by hand.
    #[inline(never)]
    fn wide(byte: u8) -> u8 {
        let wide = Wide([byte; 256]);
        black_box(&wide).0.iter().fold(0, |sum, byte| sum ^ black_box(*byte))
    }

    /// What stands in a frame pointer may be any number.
    #[test]
    fn a_frame_that_would_begin_between_two_words_ends_the_walk() {
        assert_eq!(wide(7), 0);
        let mut room = Room::new().unwrap();
        let stack: Vec<usize> = (0..512).map(|n| (n << 32) | 0x7ffa_f1e0).collect();
        let from = stack.as_ptr().expose_provenance();
        for place in 0..16 {
            for at in 0..64 {
                // SAFETY: zeroes are a valid context.
                let mut context: libc::ucontext_t = unsafe { std::mem::zeroed() };
                let registers = &mut context.uc_mcontext.gregs;
                registers[libc::REG_RIP as usize] = (wide as *const () as usize + at) as i64;
                registers[libc::REG_RSP as usize] = from as i64;
                registers[libc::REG_RBP as usize] = (from + 1024 + place) as i64;
                // SAFETY: both are long enough.
                unsafe { stack.as_ptr().copy_to_nonoverlapping(room.copy().cast(), stack.len()) };
                let bytes = size_of_val(&*stack);
                let copied = Copied { registers: Registers::of(&context), from, bytes };
                assert!(copied.backtrace(&mut room).is_some());
            }
        }
    }
}
