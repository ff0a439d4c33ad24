//! The frame of a suspended context and the door to the assembly, for aarch64 (AAPCS64).

use super::{Arrival, Header, Run, Word};
use std::arch::{asm, global_asm};
use std::cell::Cell;
use std::mem::offset_of;
#[cfg(feature = "hub")]
use std::ops::Range;
use std::ptr::{null, null_mut};

global_asm!(include_str!("../../asm/aarch64/entry.s"), options(raw));

unsafe extern "C" {
    #[cfg(feature = "hub")]
    fn greenlet_entry();
    fn greenlet_entered();
    #[cfg(feature = "hub")]
    fn greenlet_interrupted();
    pub(super) fn greenlet_walk(frame: *const Frame, visit: extern "C" fn(*mut ()), data: *mut ());
}

/// What `switch.s` leaves on a suspended stack.
#[repr(C, align(16))]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    x19: *const (),
    x29: *const (),
    resume: *const (),
    /// Of a first frame: the body.
    body: *const (),
}

/// What a new stack begins with: see `entry.s`.
#[repr(transparent)]
pub(super) struct FirstFrame(Frame);

const _: () = assert!(size_of::<Frame>() == 32); // FRAME_SIZE, .Lframe_size
const _: () = assert!(offset_of!(Frame, x19) == 0); // FRAME_X19
const _: () = assert!(offset_of!(Frame, x29) == 8); // FRAME_X29
const _: () = assert!(offset_of!(Frame, resume) == 16); // FRAME_RESUME, .Lframe_resume

/// A place in the chain that stack walks follow; see [`super`].
///
/// The words are placed so that a retired link is the header and the frame of a stack without calls.
#[repr(C, align(16))]
#[derive(Debug)]
pub(crate) struct Link {
    /// As [`Header::saved_sp`]: the address of `header`, once retired.
    pub(super) saved_sp: Cell<*mut Frame>,
    /// As [`Header::up`].
    pub(crate) up: Cell<*const Link>,
    /// Also the frame's `x19`: this link itself, once retired.
    pub(super) header: Cell<*const Header>,
    /// The owner's; walks take it for a frame pointer that they do not follow.
    pub(crate) counts: [Cell<u32>; 2],
    resume: *const (),
}

const _: () = assert!(offset_of!(Link, saved_sp) == offset_of!(Header, saved_sp));
const _: () = assert!(offset_of!(Link, up) == offset_of!(Header, up));
const _: () = assert!(offset_of!(Link, header) == 16); // LINK_HEADER
const _: () = assert!(offset_of!(Link, resume) - offset_of!(Link, header) == 16); // FRAME_RESUME

impl Link {
    /// A link that is not in use.
    pub(crate) const fn new() -> Link {
        Link {
            saved_sp: Cell::new(null_mut()),
            up: Cell::new(super::END_OF_WALK),
            header: Cell::new(null()),
            counts: [const { Cell::new(0) }; 2],
            resume: greenlet_entered as *const (),
        }
    }

    /// The last link of all chains, which lies at `this`.
    pub(super) const fn end(this: *const Link) -> Link {
        Link {
            saved_sp: Cell::new(this.wrapping_byte_add(offset_of!(Link, header)).cast_mut().cast()),
            up: Cell::new(this),
            header: Cell::new(this.cast()),
            counts: [const { Cell::new(0) }; 2],
            resume: null(),
        }
    }

    /// The frame that a retired link is.
    pub(super) fn own_frame(&self) -> *mut Frame {
        (&raw const *self).wrapping_byte_add(offset_of!(Link, header)).cast_mut().cast()
    }
}

impl FirstFrame {
    /// Resumes `greenlet_entered`, which leads into `run`, with its header at hand and the chain of frame pointers
    /// ended.
    #[inline(always)]
    pub(super) fn new(header: *const Header, run: Run) -> FirstFrame {
        let (resume, body) = (greenlet_entered as *const (), run as *const ());
        FirstFrame(Frame { x19: header.cast(), x29: null(), resume, body })
    }
}

impl Frame {
    /// Right below a signal frame: a walk goes on in the registers of that.
    #[cfg(feature = "hub")]
    pub(super) const fn below_signal_frame() -> Frame {
        let resume = (greenlet_interrupted as *const ()).wrapping_byte_add(4); // behind the nop
        Frame { x19: null(), x29: null(), resume, body: null() }
    }

    /// The registers that are saved here and nowhere else on the suspended stack.
    pub(crate) fn registers(&self) -> [usize; 2] {
        [self.x19.addr(), self.x29.addr()]
    }
}

/// What the kernel leaves for a handler to return to, as far as walks read it.
#[cfg(feature = "hub")]
#[repr(C)]
pub(super) struct SignalFrame {
    info: libc::siginfo_t,
    context: libc::ucontext_t,
}

#[cfg(feature = "hub")]
const _: () = assert!(offset_of!(SignalFrame, context) == 128);

/// x0 to x30, sp, pc.
#[cfg(feature = "hub")]
pub(super) type Registers = [usize; 33];
#[cfg(feature = "hub")]
pub(super) const SP: usize = 31;
#[cfg(feature = "hub")]
pub(super) const PC: usize = 32;

/// The registers that a handler was given.
#[cfg(feature = "hub")]
pub(super) fn registers(context: &libc::ucontext_t) -> Registers {
    let machine = &context.uc_mcontext;
    std::array::from_fn(|i| match i {
        0..SP => machine.regs[i] as usize,
        SP => machine.sp as usize,
        _ => machine.pc as usize,
    })
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
    // SAFETY: an instruction stands there.
    match (above, unsafe { pc.cast::<u32>().read() }) {
        (0, 0xa941_47f0) => true,  // ldp x16, x17, [sp, #16]
        (0, 0xa8c2_77f3) => true,  // ldp x19, x29, [sp], #32
        (32, 0xd61f_0200) => true, // br x16
        _ => false,
    }
}

/// Does a call stand right before this address?
///
/// # Safety
/// - The eight bytes before it are mapped.
#[cfg(feature = "hub")]
pub(super) unsafe fn follows_a_call(address: *const u8) -> bool {
    if !address.addr().is_multiple_of(4) {
        return false;
    }
    // SAFETY: the caller's promise, and aligned.
    let before = unsafe { address.cast::<u32>().sub(1).read() };
    before >> 26 == 0b10_0101 || before & 0xffff_fc1f == 0xd63f_0000 // bl, blr
}

/// As if the kernel had interrupted somebody with these.
#[cfg(feature = "hub")]
pub(super) fn set_registers(frame: &mut SignalFrame, registers: &Registers) {
    let machine = &mut frame.context.uc_mcontext;
    for (i, register) in registers.iter().enumerate() {
        match i {
            0..SP => machine.regs[i] = *register as u64,
            SP => machine.sp = *register as u64,
            _ => machine.pc = *register as u64,
        }
    }
}

/// See `asm/aarch64/this_thread.s`.
#[inline(always)]
pub(super) fn this_thread() -> *const () {
    let word;
    // SAFETY: reads a thread-local of this crate; the clobbers are those of the table in this_thread.s.
    unsafe {
        asm!(
            include_str!("../../asm/aarch64/this_thread.s"),
            out("x0") word, out("x1") _, out("x30") _,
            options(pure, readonly, raw),
        );
    }
    word
}

/// See `asm/aarch64/switch.s`.
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
            include_str!("../../asm/aarch64/switch.s"),
            inout("x0") payload,
            inout("x1") tag,
            inout("x2") who,
            inout("x3") to => _,
            out("x20") _, out("x21") _, out("x22") _, out("x23") _, out("x24") _,
            out("x25") _, out("x26") _, out("x27") _, out("x28") _,
            clobber_abi("C"),
            options(raw),
        );
    }
    Arrival { payload, tag, from: who }
}

/// See `asm/aarch64/leave.s`.
///
/// # Safety
/// As [`super::leave`].
#[inline(always)]
pub(super) unsafe fn leave(from: *const Header, to: *const Header, payload: Word, tag: usize) -> ! {
    // SAFETY: the operands are those of the register table in leave.s; nobody comes back.
    unsafe {
        asm!(
            include_str!("../../asm/aarch64/leave.s"),
            in("x0") payload,
            in("x1") tag,
            in("x2") from,
            in("x3") to,
            options(noreturn, raw),
        );
    }
}
