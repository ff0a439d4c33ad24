//! Overflow report: names the stack whose guard was hit, then lets the process die as it would have.
//!
//! A handler for `SIGSEGV` and `SIGBUS`, installed with the first region and never taken out. What is not
//! a guard of ours goes to the handler that was there before (that of std, or of the host), unchanged. All
//! here is async-signal-safe: no allocation, no lock, no panic, one `write`.
//!
//! The handler needs somewhere to run, since the stack at hand is full: see `alternate.rs`.

#![expect(unsafe_code, reason = "a signal handler")]

use std::cell::UnsafeCell;
use std::mem::{self, MaybeUninit};
use std::ptr;
use std::sync::Once;

use libc::{c_int, c_void, siginfo_t};

use super::region::{Label, Region};

/// The handlers that were there before ours, for `SIGSEGV` and `SIGBUS`.
static PREVIOUS: [Previous; 2] = [Previous::new(libc::SIGSEGV), Previous::new(libc::SIGBUS)];

struct Previous {
    signal: c_int,
    action: UnsafeCell<MaybeUninit<libc::sigaction>>,
}

// SAFETY: written once, before our handler is installed; only that handler reads it.
unsafe impl Sync for Previous {}

impl Previous {
    const fn new(signal: c_int) -> Previous {
        Previous { signal, action: UnsafeCell::new(MaybeUninit::zeroed()) }
    }
}

/// Installs the report, once per process.
pub(crate) fn install_overflow_handler() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for previous in &PREVIOUS {
            // SAFETY: only this closure writes the cell, and our handler, which reads it, is not there yet.
            let old = unsafe { (*previous.action.get()).as_mut_ptr() };
            // SAFETY: a null action only asks; `old` has room for the answer. If it fails, the zeroes that
            // stand there say SIG_DFL.
            unsafe { libc::sigaction(previous.signal, ptr::null(), old) };
            // SAFETY: zeroes are a valid sigaction, and so is what the kernel filled in.
            let mut ours = unsafe { ptr::read(old) };
            ours.sa_sigaction = report as *const () as usize;
            // The mask and what else the previous handler wished for its run stay; it may be the one to run.
            ours.sa_flags &= libc::SA_NODEFER | libc::SA_RESTART;
            ours.sa_flags |= libc::SA_SIGINFO | libc::SA_ONSTACK;
            // SAFETY: `report` has the signature that SA_SIGINFO asks for and is async-signal-safe. A
            // failure leaves the previous handler in place, which is all that can be done about it.
            unsafe { libc::sigaction(previous.signal, &ours, ptr::null_mut()) };
        }
    });
}

extern "C" fn report(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a valid siginfo to a handler with SA_SIGINFO.
    let code = unsafe { (*info).si_code };
    // Signals sent by a process (code <= 0) carry no address.
    if code > 0 {
        // SAFETY: for signals of a fault the address field is the one in use.
        let address = unsafe { (*info).si_addr() }.addr();
        if let Some((region, label)) = Region::guard_hit(address) {
            // SAFETY: slots whose guards stand are mapped for ever, and zeroes (untaken) are a valid label.
            let line = describe(region, unsafe { label.as_ref() }, address);
            // SAFETY: the line is live. Whether stderr takes it changes nothing.
            let _ = unsafe { libc::write(libc::STDERR_FILENO, line.text.as_ptr().cast(), line.len) };
            reset(signal); // the instruction runs again on return, and now it ends the process
            return;
        }
    }
    chain(signal, info, context, code);
}

/// Does what would have happened without us.
fn chain(signal: c_int, info: *mut siginfo_t, context: *mut c_void, code: c_int) {
    let Some(previous) = PREVIOUS.iter().find(|previous| previous.signal == signal) else { return };
    // SAFETY: written before this handler was installed, and never again.
    let action = unsafe { (*previous.action.get()).assume_init_ref() };
    let by_fault = code > 0;
    match action.sa_sigaction {
        // The kernel does not let a fault be ignored.
        libc::SIG_IGN if !by_fault => {}
        libc::SIG_IGN | libc::SIG_DFL => {
            reset(signal);
            if !by_fault {
                // A fault comes again by itself; a signal that was sent does not. It is blocked until we return.
                // SAFETY: `raise` has no preconditions.
                unsafe { libc::raise(signal) };
            }
        }
        handler => {
            if action.sa_flags & libc::SA_RESETHAND != 0 {
                reset(signal);
            }
            if action.sa_flags & libc::SA_SIGINFO != 0 {
                // SAFETY: whoever installed it with SA_SIGINFO promised this signature.
                let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) =
                    unsafe { mem::transmute(handler) };
                handler(signal, info, context);
            } else {
                // SAFETY: whoever installed it without SA_SIGINFO promised this signature.
                let handler: extern "C" fn(c_int) = unsafe { mem::transmute(handler) };
                handler(signal);
            }
        }
    }
}

fn reset(signal: c_int) {
    // SAFETY: zeroes are a valid sigaction: SIG_DFL, no flags, empty mask.
    let default: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: `default` is valid.
    unsafe { libc::sigaction(signal, &default, ptr::null_mut()) };
}

fn describe(region: &Region, label: &Label, address: usize) -> Line {
    let kib = region.stack_bytes() >> 10;
    let mut line = Line::new();
    let id = label.id.get();
    if id == 0 {
        line.text("a context stack of ").decimal(kib as u64).text(" KiB overflowed");
    } else {
        line.text("greenlet ").decimal(id);
        // SAFETY: the name of a label with an id is null or valid (see `Label`).
        if let Some(name) = unsafe { label.name.get().as_ref() } {
            line.text(" '").printable(name).text("'");
        }
        line.text(" overflowed its ").decimal(kib as u64).text(" KiB stack");
    }
    line.text(" (guard hit at 0x").hexadecimal(address as u64);
    if let Some(created) = label.created.get() {
        line.text(", created at ").text(created.file());
        line.text(":").decimal(created.line().into()).text(":").decimal(created.column().into());
    }
    line.text(")");
    if id == 0 {
        line.text("; ask for more in Stack::new");
    } else {
        line.text("; raise it with Builder::stack_size");
    }
    line.text("\n");
    line
}

/// A line of text in fixed memory. What does not fit is left out, except for the line's end.
struct Line {
    text: [u8; Line::BYTES],
    len: usize,
}

impl Line {
    const BYTES: usize = 1024;
    /// A long name leaves room for the rest.
    const NAME_BYTES: usize = 256;

    fn new() -> Line {
        Line { text: [0; Line::BYTES], len: 0 }
    }

    fn byte(&mut self, byte: u8) {
        let room = if byte == b'\n' { Line::BYTES } else { Line::BYTES - 1 };
        if self.len < room
            && let Some(place) = self.text.get_mut(self.len)
        {
            *place = byte;
            self.len += 1;
        }
    }

    fn text(&mut self, text: &str) -> &mut Line {
        text.bytes().for_each(|byte| self.byte(byte));
        self
    }

    /// Names are free text; one that holds line ends or escapes must not look like something else.
    fn printable(&mut self, text: &str) -> &mut Line {
        for byte in text.bytes().take(Line::NAME_BYTES) {
            self.byte(if byte.is_ascii_control() { b'?' } else { byte });
        }
        self
    }

    fn decimal(&mut self, number: u64) -> &mut Line {
        self.digits(number, 10)
    }

    fn hexadecimal(&mut self, number: u64) -> &mut Line {
        self.digits(number, 16)
    }

    fn digits(&mut self, number: u64, base: u64) -> &mut Line {
        let mut unit = 1;
        while number / unit >= base {
            unit *= base;
        }
        while unit > 0 {
            let digit = (number / unit % base) as u8;
            self.byte(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
            unit /= base;
        }
        self
    }
}
