//! The frame of a suspended context and the door to the assembly, for x86_64 (System V).

use super::{Arrival, Header, Run, Word};
use std::arch::{asm, global_asm};
use std::cell::Cell;
use std::mem::offset_of;
#[cfg(feature = "hub")]
use std::ops::Range;
use std::ptr::{null, null_mut};

global_asm!(include_str!("../../asm/x86_64/entry.s"), options(raw));

unsafe extern "C" {
    #[cfg(feature = "hub")]
    fn greenlet_entry();
    fn greenlet_entered();
    #[cfg(feature = "hub")]
    fn greenlet_interrupted();
    pub(super) fn greenlet_walk(frame: *const Frame, visit: extern "C" fn(*mut ()), data: *mut ());
}

/// What `switch.s` leaves on a suspended stack.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    resume: *const (),
    rbx: *const (),
    rbp: *const (),
}

/// What a new stack begins with: see `entry.s`.
#[repr(C, align(16))]
pub(super) struct FirstFrame {
    frame: Frame,
    returns_to: *const (),
}

const _: () = assert!(size_of::<FirstFrame>() == 32);
const _: () = assert!(offset_of!(FirstFrame, frame) == 0);
const _: () = assert!(size_of::<Frame>() == 24); // FRAME_SIZE
const _: () = assert!(offset_of!(Frame, resume) == 0); // FRAME_RESUME
const _: () = assert!(offset_of!(Frame, rbx) == 8); // FRAME_RBX
const _: () = assert!(offset_of!(Frame, rbp) == 16); // FRAME_RBP

/// A place in the chain that stack walks follow; see [`super`].
///
/// The words are placed so that a retired link is the header and the frame of a stack without calls.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Link {
    /// As [`Header::saved_sp`]: the address of `resume`, once retired.
    pub(super) saved_sp: Cell<*mut Frame>,
    /// As [`Header::up`].
    pub(crate) up: Cell<*const Link>,
    resume: *const (),
    /// Also the frame's `rbx`: this link itself, once retired.
    pub(super) header: Cell<*const Header>,
    /// The owner's; walks take it for a frame pointer that they do not follow.
    pub(crate) counts: [Cell<u32>; 2],
}

const _: () = assert!(offset_of!(Link, saved_sp) == offset_of!(Header, saved_sp));
const _: () = assert!(offset_of!(Link, up) == offset_of!(Header, up));
const _: () = assert!(offset_of!(Link, header) == 24); // LINK_HEADER
const _: () = assert!(offset_of!(Link, header) - offset_of!(Link, resume) == 8); // FRAME_RBX

impl Link {
    /// A link that is not in use.
    pub(crate) const fn new() -> Link {
        Link {
            saved_sp: Cell::new(null_mut()),
            up: Cell::new(super::END_OF_WALK),
            resume: greenlet_entered as *const (),
            header: Cell::new(null()),
            counts: [const { Cell::new(0) }; 2],
        }
    }

    /// The last link of all chains, which lies at `this`.
    pub(super) const fn end(this: *const Link) -> Link {
        Link {
            saved_sp: Cell::new(this.wrapping_byte_add(offset_of!(Link, resume)).cast_mut().cast()),
            up: Cell::new(this),
            resume: null(),
            header: Cell::new(this.cast()),
            counts: [const { Cell::new(0) }; 2],
        }
    }

    /// The frame that a retired link is.
    pub(super) fn own_frame(&self) -> *mut Frame {
        (&raw const *self).wrapping_byte_add(offset_of!(Link, resume)).cast_mut().cast()
    }
}

impl FirstFrame {
    /// Resumes `run`, called by `greenlet_entry` as it seems, with its header at hand and the chain of frame
    /// pointers ended.
    #[inline(always)]
    pub(super) fn new(header: *const Header, run: Run) -> FirstFrame {
        let frame = Frame { resume: run as *const (), rbx: header.cast(), rbp: null() };
        FirstFrame { frame, returns_to: greenlet_entered as *const () }
    }
}

impl Frame {
    /// Right below a signal frame: a walk goes on in the registers of that.
    #[cfg(feature = "hub")]
    pub(super) const fn below_signal_frame() -> Frame {
        let resume = (greenlet_interrupted as *const ()).wrapping_byte_add(1); // behind the nop
        Frame { resume, rbx: null(), rbp: null() }
    }

    /// The registers that are saved here and nowhere else on the suspended stack.
    pub(crate) fn registers(&self) -> [usize; 2] {
        [self.rbx.addr(), self.rbp.addr()]
    }
}

/// What the kernel leaves for a handler to return to, as far as walks read it.
#[cfg(feature = "hub")]
pub(super) type SignalFrame = libc::ucontext_t;

/// The general registers, in the kernel's order.
#[cfg(feature = "hub")]
pub(super) type Registers = [usize; 17];
#[cfg(feature = "hub")]
pub(super) const SP: usize = libc::REG_RSP as usize;
#[cfg(feature = "hub")]
pub(super) const PC: usize = libc::REG_RIP as usize;

/// The registers that a handler was given.
#[cfg(feature = "hub")]
pub(super) fn registers(context: &libc::ucontext_t) -> Registers {
    std::array::from_fn(|i| context.uc_mcontext.gregs[i] as usize)
}

/// The code of `greenlet_entry`.
#[cfg(feature = "hub")]
pub(super) fn first_call() -> Range<usize> {
    (greenlet_entry as *const ()).addr()..(greenlet_walk as *const ()).addr()
}

/// Does a context that runs with this stack pointer, `above` so many bytes the last saved frame, execute
/// one of the last instructions of switch.s or leave.s? They belong to the side that was left.
///
/// # Safety
/// - `pc` is where it runs.
#[cfg(feature = "hub")]
pub(super) unsafe fn is_arriving(pc: *const u8, above: usize) -> bool {
    // SAFETY: an instruction stands there, and what begins with 0xff is longer than one byte.
    let bytes = unsafe { [*pc, if *pc == 0xff { *pc.add(1) } else { 0 }] };
    match above {
        0 => bytes[0] == 0x58,       // pop rax
        8 => bytes[0] == 0x5b,       // pop rbx
        16 => bytes[0] == 0x5d,      // pop rbp
        24 => bytes == [0xff, 0xe0], // jmp rax
        _ => false,
    }
}

/// Does a call stand right before this address? Code that only looks like one is taken for one.
///
/// # Safety
/// - The eight bytes before it are mapped.
#[cfg(feature = "hub")]
pub(super) unsafe fn follows_a_call(address: *const u8) -> bool {
    // SAFETY: the caller's promise.
    let before = |bytes: usize| unsafe { *address.sub(bytes) };
    // Direct, or by a register or memory, with displacements of several lengths.
    before(5) == 0xe8
        || [2, 3, 4, 6, 7].iter().any(|&at| before(at) == 0xff && before(at - 1) >> 3 & 7 == 2)
}

/// As if the kernel had interrupted somebody with these.
#[cfg(feature = "hub")]
pub(super) fn set_registers(frame: &mut SignalFrame, registers: &Registers) {
    for (place, register) in frame.uc_mcontext.gregs.iter_mut().zip(registers) {
        *place = *register as i64;
    }
}

/// See `asm/x86_64/this_thread.s`.
#[inline(always)]
pub(super) fn this_thread() -> *const () {
    let word;
    // SAFETY: reads a thread-local of this crate; the clobbers are those of the table in this_thread.s.
    unsafe {
        asm!(
            include_str!("../../asm/x86_64/this_thread.s"),
            out("rax") word,
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
            out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
            out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
            out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
            out("xmm16") _, out("xmm17") _, out("xmm18") _, out("xmm19") _,
            out("xmm20") _, out("xmm21") _, out("xmm22") _, out("xmm23") _,
            out("xmm24") _, out("xmm25") _, out("xmm26") _, out("xmm27") _,
            out("xmm28") _, out("xmm29") _, out("xmm30") _, out("xmm31") _,
            out("k0") _, out("k1") _, out("k2") _, out("k3") _, out("k4") _, out("k5") _, out("k6") _, out("k7") _,
            options(pure, readonly, raw),
        );
    }
    word
}

/// See `asm/x86_64/switch.s`.
///
/// # Safety
/// As [`super::switch`].
#[inline(always)]
pub(super) unsafe fn switch(
    from: *const Header,
    to: *const Header,
    mut payload: Word,
    mut tag: usize,
) -> Arrival {
    let mut who = from;
    // SAFETY: the operands and clobbers are those of the register table in switch.s; the routine
    // comes back here with this stack as it was left (**Saved frame**).
    unsafe {
        asm!(
            include_str!("../../asm/x86_64/switch.s"),
            inout("rdi") payload,
            inout("rsi") tag,
            inout("rdx") who,
            inout("rcx") to => _,
            out("r12") _, out("r13") _, out("r14") _, out("r15") _,
            clobber_abi("sysv64"),
            options(raw),
        );
    }
    Arrival { payload, tag, from: who }
}

/// See `asm/x86_64/leave.s`.
///
/// # Safety
/// As [`super::leave`].
#[inline(always)]
pub(super) unsafe fn leave(from: *const Header, to: *const Header, payload: Word, tag: usize) -> ! {
    // SAFETY: the operands are those of the register table in leave.s; nobody comes back.
    unsafe {
        asm!(
            include_str!("../../asm/x86_64/leave.s"),
            in("rdi") payload,
            in("rsi") tag,
            in("rdx") from,
            in("rcx") to,
            options(noreturn, raw),
        );
    }
}
