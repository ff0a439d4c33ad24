//! Walks that begin where a signal has interrupted a context.

use super::Header;
use super::native::{self, Frame, SignalFrame};
use std::mem::{offset_of, zeroed};
use std::ptr::with_exposed_provenance;

/// The general registers of a context that a signal has interrupted.
#[derive(Clone, Copy)]
pub(crate) struct Registers(native::Registers);

impl Registers {
    /// Of nobody.
    pub(crate) const fn unknown() -> Registers {
        Registers([0; size_of::<native::Registers>() / size_of::<usize>()])
    }

    /// Of whom the handler has interrupted that was given this. Async-signal-safe.
    pub(crate) fn of(context: &libc::ucontext_t) -> Registers {
        Registers(native::registers(context))
    }

    /// The stack pointer.
    pub(crate) fn sp(&self) -> usize {
        self.0[native::SP]
    }

    /// Is it just arriving by a switch: in instructions that belong to the side that was left, where no
    /// unwind information holds, or in those that lead into a body? Async-signal-safe.
    ///
    /// # Safety
    /// - They are those of the running context, whose header this is.
    pub(crate) unsafe fn is_arriving(&self, header: &Header) -> bool {
        if is_first_call(self.0[native::PC]) {
            return true;
        }
        let above = self.sp().wrapping_sub(header.saved_sp.get().addr());
        let pc = with_exposed_provenance(self.0[native::PC]);
        // SAFETY: the caller's promise.
        unsafe { native::is_arriving(pc, above) }
    }

    /// Replaces all of them but the address of the next instruction.
    pub(crate) fn lead(&mut self, led: impl Fn(usize) -> usize) {
        let pc = self.0[native::PC];
        self.0.iter_mut().for_each(|word| *word = led(*word));
        self.0[native::PC] = pc;
    }
}

/// Does this address lie in the first frame of a stack, from which walks go on to the parent's?
pub(crate) fn is_first_call(address: usize) -> bool {
    native::first_call().contains(&address)
}

/// Does a call stand right before this address?
///
/// # Safety
/// - The eight bytes before it are mapped.
pub(crate) unsafe fn follows_a_call(address: *const u8) -> bool {
    // SAFETY: the caller's promise.
    unsafe { native::follows_a_call(address) }
}

/// A frame of a suspended context, and above it what the kernel leaves behind a handler.
#[repr(C, align(16))]
struct Scene {
    padding: [u8; PADDING],
    frame: Frame,
    signal_frame: SignalFrame,
}

/// So that the signal frame is aligned, and the other one lies right below it.
const PADDING: usize = 32 - size_of::<Frame>() % 32;

const _: () = assert!(
    offset_of!(Scene, signal_frame) == offset_of!(Scene, frame) + size_of::<Frame>()
        && offset_of!(Scene, signal_frame) % 16 == 0
);

/// Calls `visit(data)` in such a way that a stack walk inside it goes on where a signal has interrupted
/// somebody, with these registers.
///
/// # Safety
/// - What the walk reads behind the stack pointer stays as it is: a copy of a stack, with registers that
///   lead there, or the stack of somebody who waits.
/// - `visit` neither unwinds nor switches.
pub(crate) unsafe fn walk_interrupted(
    registers: &Registers,
    visit: extern "C" fn(*mut ()),
    data: *mut (),
) {
    // SAFETY: zeroes are a valid signal frame.
    let mut signal_frame: SignalFrame = unsafe { zeroed() };
    native::set_registers(&mut signal_frame, &registers.0);
    let frame = Frame::below_signal_frame();
    let scene = Box::new(Scene { padding: [0; PADDING], frame, signal_frame });
    // SAFETY: the frame leads to the signal frame above it, and that to what the caller promises.
    unsafe { super::walk(&scene.frame, visit, data) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;
    use std::slice::from_raw_parts;

    #[test]
    fn the_last_instructions_of_a_switch_are_known() {
        knows_the_last_instructions(super::super::switch as *const ());
        knows_the_last_instructions(super::super::leave as *const ());
    }

    fn knows_the_last_instructions(routine: *const ()) {
        let routine: *const u8 = black_box(routine).cast();
        // SAFETY: the function and what follows it are code of this program.
        let code = unsafe { from_raw_parts(routine, 512) };
        let last: Vec<(usize, usize)> = if cfg!(target_arch = "x86_64") {
            let at = code.windows(5).position(|w| w == [0x58, 0x5b, 0x5d, 0xff, 0xe0]);
            let at = at.expect("pops and a jump");
            (0..4).map(|i| (at + i, i * 8)).collect()
        } else {
            let (code, _) = code.as_chunks::<4>();
            let at = code.windows(3).position(|w| {
                w.iter().map(|i| u32::from_le_bytes(*i)).eq([0xa941_47f0, 0xa8c2_77f3, 0xd61f_0200])
            });
            let at = at.expect("loads and a branch") * 4;
            vec![(at, 0), (at + 4, 0), (at + 8, 32)]
        };
        for (at, above) in last {
            // SAFETY: code.
            unsafe {
                assert!(native::is_arriving(routine.add(at), above), "{at} {above}");
                assert!(!native::is_arriving(routine.add(at), above + 8), "{at} {above}");
                assert!(!native::is_arriving(routine, above));
            }
        }
    }

    #[test]
    fn what_follows_a_call_is_known() {
        #[inline(never)]
        extern "C" fn caller(callee: extern "C" fn() -> usize) -> usize {
            black_box(callee()) + 1
        }
        extern "C" fn callee() -> usize {
            7
        }
        assert_eq!(caller(callee), 8);
        let caller: *const u8 = black_box(caller as *const ()).cast();
        // SAFETY: the function, and code before and behind it.
        let found = (8..64).any(|at| unsafe { follows_a_call(caller.add(at)) });
        assert!(found);
        assert!(is_first_call(native::first_call().start));
        assert!(!is_first_call(caller.addr()));
    }
}
