//! The floor: the least that a switch with a payload can do, inline, leaving by a jump.
//!
//! Two registers that the compiler cannot list as clobbered, the stack pointer, one payload word: no
//! unwinding, no panic boundary, no drop of what is suspended. What a library pays above this row is
//! what its safety costs. It can be below only where stacks are taken and given back: this has those of corosensei.

use std::arch::{asm, naked_asm};
use std::cell::Cell;
use std::hint::black_box;
use std::mem::{align_of, size_of};

use crate::measure::{Case, Stopwatch};
use crate::slab::Slot;
use crate::work::{Body, Out, Peer, Two};

/// A coroutine of two saved stack pointers.
pub struct InlineJump;

/// Lies at the top of the coroutine's own stack.
#[repr(C, align(64))]
struct Block {
    /// Its stack pointer while it is suspended.
    own: usize,
    /// The first function on the stack, instantiated for the body.
    run: unsafe extern "C" fn(usize, *const usize, *mut Block) -> !,
    closure: *mut u8,
}

/// Saves here, continues there, and returns when somebody continues what was saved.
///
/// # Safety
/// - `load` is what another call stored in `*save`, or a first frame, and is used once.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn jump(save: *mut usize, load: usize, payload: usize) -> usize {
    let arrived;
    // SAFETY: every register is saved or listed; the frame at `load` is complete (caller's duty).
    unsafe {
        asm!(
            "push rbp", "push rbx", "lea rax, [rip + 2f]", "push rax",
            "mov [rsi], rsp", "mov rsp, rdx", "pop rax", "jmp rax",
            "2:", "pop rbx", "pop rbp",
            inout("rdi") payload => arrived,
            inout("rsi") save => _,
            inout("rdx") load => _,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            clobber_abi("sysv64"),
        );
    }
    arrived
}

#[cfg(target_arch = "aarch64")]
#[inline(always)]
unsafe fn jump(save: *mut usize, load: usize, payload: usize) -> usize {
    let arrived;
    // SAFETY: every register is saved or listed; the frame at `load` is complete (caller's duty).
    unsafe {
        asm!(
            "stp x29, x19, [sp, #-32]!", "adr x16, 2f", "str x16, [sp, #16]",
            "mov x17, sp", "str x17, [x1]", "mov sp, x2", "ldr x16, [sp, #16]", "br x16",
            "2:", "hint #36", "ldp x29, x19, [sp], #32",
            inout("x0") payload => arrived,
            inout("x1") save => _,
            inout("x2") load => _,
            out("x20") _, out("x21") _, out("x22") _, out("x23") _, out("x24") _,
            out("x25") _, out("x26") _, out("x27") _, out("x28") _,
            clobber_abi("C"),
        );
    }
    arrived
}

/// As [`jump`] for the last time: saves nothing.
///
/// # Safety
/// - `load` is what a call of [`jump`] stored, and is used once; nothing on this stack is used any more.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn leave(load: usize, payload: usize) -> ! {
    // SAFETY: the frame at `load` is complete (caller's duty), and nobody comes back.
    unsafe {
        asm!(
            "mov rsp, rdx", "pop rax", "jmp rax",
            in("rdi") payload, in("rdx") load, options(noreturn),
        );
    }
}

#[cfg(target_arch = "aarch64")]
#[inline(always)]
unsafe fn leave(load: usize, payload: usize) -> ! {
    // SAFETY: the frame at `load` is complete (caller's duty), and nobody comes back.
    unsafe {
        asm!(
            "mov sp, x2", "ldr x16, [sp, #16]", "br x16",
            in("x0") payload, in("x2") load, options(noreturn),
        );
    }
}

/// Arrives with the payload in its register, where the resumer was saved in the next one, and the block in a saved
/// word. Goes on in `Block::run` with these three.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn entry() {
    naked_asm!("pop rdx", "jmp [rdx + 8]")
}

#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn entry() {
    naked_asm!("hint #36", "ldp x29, x2, [sp], #32", "ldr x16, [x2, #8]", "mov x30, xzr", "br x16")
}

/// Two words are popped before the body begins, as if called from nowhere by a third one.
#[cfg(target_arch = "x86_64")]
const FRAME_BELOW_CLOSURE: usize = 40;
#[cfg(target_arch = "aarch64")]
const FRAME_BELOW_CLOSURE: usize = 32;

/// The first frame, from its lowest address: what `jump` pops, then what `entry` pops.
#[cfg(target_arch = "x86_64")]
fn first_frame(block: *mut Block) -> [usize; 4] {
    [entry as *const () as usize, block as usize, 0, 0]
}

#[cfg(target_arch = "aarch64")]
fn first_frame(block: *mut Block) -> [usize; 4] {
    [0, block as usize, entry as *const () as usize, 0]
}

/// A stack whose first frame calls `closure` with the first payload.
fn prepare<F: FnOnce(usize, *mut Block) -> usize>(closure: F) -> *mut Block {
    unsafe extern "C" fn run<F: FnOnce(usize, *mut Block) -> usize>(
        first: usize,
        home: *const usize,
        block: *mut Block,
    ) -> ! {
        // SAFETY: `prepare` wrote a closure of this type there, and this function runs once.
        let closure = unsafe { (*block).closure.cast::<F>().read() };
        let last = closure(first, block);
        // SAFETY: a body that ends is always resumed by the same one, which is suspended in `jump`.
        unsafe { leave(*home, last) }
    }
    let block = (Slot::take().into_top() - size_of::<Block>()) as *mut Block;
    let place = (block as usize - size_of::<F>()) & !(align_of::<F>().max(16) - 1);
    let frame = place - FRAME_BELOW_CLOSURE;
    let place = place as *mut F;
    // SAFETY: all three lie in the fresh slot, disjoint and aligned.
    unsafe {
        place.write(closure);
        (frame as *mut [usize; 4]).write(first_frame(block));
        block.write(Block { own: frame, run: run::<F>, closure: place.cast() });
    }
    block
}

thread_local! {
    /// The resumer's stack pointer while a coroutine runs. Not in the coroutine's own memory: that is
    /// cold in a large ring, and the way back would wait for it.
    static HOME: Cell<usize> = const { Cell::new(0) };
}

struct Back(*mut Block);

impl Out for Back {
    #[inline(always)]
    fn suspend(&self, value: usize) -> usize {
        // SAFETY: this coroutine runs, so its resumer is suspended in `jump` with its frame at home.
        unsafe { jump(&raw mut (*self.0).own, HOME.get(), value) }
    }
}

/// Gives the stack back; what stands on it is forgotten.
pub struct Handle(*mut Block);

impl Drop for Handle {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the block lies at the top of the slot that `prepare` gave up.
        drop(unsafe { Slot::from_top(self.0 as usize + size_of::<Block>()) });
    }
}

impl Peer for InlineJump {
    const NAME: &'static str = "floor: inline jmp";
    type Handle = Handle;

    #[inline(always)]
    fn start(body: impl Body) -> Handle {
        Handle(prepare(move |first, block| body.run(&Back(block), first)))
    }

    #[inline(always)]
    fn resume(handle: &mut Handle, value: usize) -> usize {
        // SAFETY: the coroutine is suspended, so its frame is at `own`.
        unsafe { HOME.with(|home| jump(home.as_ptr(), (*handle.0).own, value)) }
    }
}

/// [`Two`] adds this between two suspensions: one on each of two levels, down and up.
const CHAIN_ADDS: usize = 4;
const CHAIN_ADDS_GOING_UP: usize = 2;

/// On to the next sibling, or home when the value has counted down to zero.
struct Onward {
    own: *mut Block,
    next: *mut Block,
}

impl Out for Onward {
    #[inline(always)]
    fn suspend(&self, value: usize) -> usize {
        let left = value - CHAIN_ADDS - 1;
        // SAFETY: the sibling is suspended (one coroutine of the ring runs), and so is the loop that measures.
        unsafe {
            let load = if left == 0 { HOME.get() } else { (*self.next).own };
            jump(&raw mut (*self.own).own, load, left)
        }
    }
}

/// Siblings that switch straight to one another.
pub fn direct(count: usize) -> Case {
    let blocks =
        Box::leak(vec![std::ptr::null_mut::<Block>(); count].into_boxed_slice()).as_mut_ptr();
    for index in 0..count {
        // SAFETY: both indices are below the length of the table.
        let (next, place) = unsafe { (blocks.add((index + 1) % count), blocks.add(index)) };
        let block = prepare(move |first, own| {
            // SAFETY: filled before any of them runs. Each knows the next one by itself, as ours do: a table that
            // is read at each hop would be read ahead by some processors, down to what its addresses lead to.
            let next = unsafe { *next };
            Two.run(&Onward { own, next }, first + CHAIN_ADDS_GOING_UP)
        });
        // SAFETY: as above.
        unsafe { place.write(block) };
    }
    Case::new(InlineJump::NAME, count, move |laps| {
        let start = Stopwatch::start();
        let hops = laps * count as u64;
        // SAFETY: no sibling runs; the first one's frame is at `own`.
        black_box(unsafe { HOME.with(|home| jump(home.as_ptr(), (**blocks).own, hops as usize)) });
        start.elapsed()
    })
}
