//! Overflow report: names the stack whose guard was hit, then lets the process die as it would have.
//!
//! A handler for `SIGSEGV` and `SIGBUS`, installed with the first region and never taken out. The handler that
//! was there before (that of std, or of the host) hears of every fault: unchanged of what is not a guard of
//! ours, after our report of what is, and then the process ends whatever that handler does. All here is
//! async-signal-safe: no allocation, no lock, no panic, one `write`.
//!
//! The handler needs somewhere to run, since the stack at hand is full: see `alternate.rs`.

#![expect(unsafe_code, reason = "a signal handler")]

use std::cell::UnsafeCell;
use std::mem::{self, MaybeUninit};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

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
    // Not a `Once`: in the child of a fork, one that another thread was in would never end.
    static BEGUN: AtomicBool = AtomicBool::new(false);
    if BEGUN.load(Ordering::Relaxed) || BEGUN.swap(true, Ordering::Relaxed) {
        return;
    }
    for previous in &PREVIOUS {
        // SAFETY: only who has set the flag writes the cell, and our handler, which reads it, is not there yet.
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
            let _ =
                unsafe { libc::write(libc::STDERR_FILENO, line.text.as_ptr().cast(), line.len) };
            // The instruction runs again on return, and now it ends the process; but first the handler
            // that was there before, perhaps a crash reporter, hears of it.
            reset(signal);
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

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::panic::Location;
    use std::process::Output;

    use super::super::{AlternateStack, Cache, Shape, Stack, StackReuse, child};
    use super::*;

    const HERE: &str = "stack::overflow::tests::";

    /// Runs `body` in a child that is expected to die; what it left behind.
    fn in_child(test: &str, guard: &str, body: impl FnOnce()) -> Option<Output> {
        let output = child::run(&format!("{HERE}{test}"), &[("GREENLET_GUARD", guard)]);
        if output.is_none() {
            body();
            unreachable!("the child lives on");
        }
        output
    }

    fn touch(address: usize) {
        // SAFETY: none: it is there to fault, in a child process.
        unsafe { ptr::with_exposed_provenance_mut::<u8>(address).write_volatile(1) };
    }

    /// What the report must say, with `0x..` for the address.
    fn assert_reported(output: &Output, line: &str) {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let reported = stderr.lines().any(|reported| {
            let Some((before, after)) = reported.split_once("0x") else { return false };
            let after = after.trim_start_matches(|c: char| c.is_ascii_hexdigit());
            format!("{before}0x..{after}") == line
        });
        assert!(reported, "{stderr}\nlacks: {line}");
        assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{stderr}");
    }

    fn overflow_of_a_named_one(test: &str, guard: &str) {
        let created = Location::caller();
        let output = in_child(test, guard, || {
            let _alternate = AlternateStack::install().unwrap();
            let label = Cache::new().take(Shape::DEFAULT).unwrap();
            let name: Box<str> = "conn 10.0.0.7:55012\n".into();
            // SAFETY: the slot was just taken.
            let in_slot = unsafe { label.as_ref() };
            in_slot.name.set(&name);
            in_slot.id.set(4711);
            in_slot.created.set(Some(created));
            // SAFETY: regions live for ever.
            touch(unsafe { &*in_slot.region.get() }.bounds(label.as_ptr()).start - 8);
        });
        let place = format!("{}:{}:{}", created.file(), created.line(), created.column());
        assert_reported(
            &output.unwrap(),
            &format!(
                "greenlet 4711 'conn 10.0.0.7:55012?' overflowed its 64 KiB stack (guard hit at 0x.., \
                 created at {place}); raise it with Builder::stack_size"
            ),
        );
    }

    #[test]
    fn overflow_is_named() {
        overflow_of_a_named_one("overflow_is_named", "");
    }

    #[test]
    fn overflow_into_mprotect_is_named() {
        overflow_of_a_named_one("overflow_into_mprotect_is_named", "mprotect");
    }

    #[test]
    fn overflow_of_an_unnamed_one_says_its_size() {
        let output = in_child("overflow_of_an_unnamed_one_says_its_size", "", || {
            let _alternate = AlternateStack::install().unwrap();
            let shape = Shape::new(1 << 20, 4096, StackReuse::Fast).unwrap();
            let label = Cache::new().take(shape).unwrap();
            // SAFETY: the slot was just taken.
            let in_slot = unsafe { label.as_ref() };
            in_slot.id.set(7);
            // SAFETY: regions live for ever.
            touch(unsafe { &*in_slot.region.get() }.bounds(label.as_ptr()).start - 1);
        });
        assert_reported(
            &output.unwrap(),
            "greenlet 7 overflowed its 1024 KiB stack (guard hit at 0x..); raise it with Builder::stack_size",
        );
    }

    #[test]
    fn overflow_of_a_context_stack_is_reported() {
        let output = in_child("overflow_of_a_context_stack_is_reported", "", || {
            let _alternate = AlternateStack::install().unwrap();
            let stack = Stack::new(64 << 10).unwrap();
            touch(stack.bounds().start - 1);
        })
        .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            stderr.contains("a context stack of 64 KiB overflowed (guard hit at 0x"),
            "{stderr}"
        );
        assert!(stderr.contains("overflow.rs:"), "{stderr}");
        assert_eq!(output.status.signal(), Some(libc::SIGSEGV));
    }

    #[test]
    fn null_dereference_is_not_ours() {
        let output = in_child("null_dereference_is_not_ours", "", || {
            install_overflow_handler();
            let _stack = Stack::new(64 << 10).unwrap();
            touch(8);
        })
        .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!stderr.contains("overflowed"), "{stderr}");
        assert_eq!(output.status.signal(), Some(libc::SIGSEGV), "{stderr}");
    }

    #[test]
    fn sent_signal_ends_the_process() {
        let output = in_child("sent_signal_ends_the_process", "", || {
            install_overflow_handler();
            // SAFETY: `raise` has no preconditions. Twice, since std's handler waits for a second one.
            unsafe {
                libc::raise(libc::SIGBUS);
                libc::raise(libc::SIGBUS);
            }
        });
        assert_eq!(output.unwrap().status.signal(), Some(libc::SIGBUS));
    }

    #[test]
    fn overflow_of_a_thread_is_still_reported_by_std() {
        #[expect(unconditional_recursion, reason = "it is to overflow")]
        fn deeper(depth: usize) -> usize {
            let frame = std::hint::black_box([depth; 64]);
            deeper(depth + 1) + frame[depth % 64]
        }
        let output = in_child("overflow_of_a_thread_is_still_reported_by_std", "", || {
            let thread = std::thread::Builder::new().name("worker-7".into());
            let run = || {
                let _alternate = AlternateStack::install().unwrap();
                let _stack = Stack::new(64 << 10).unwrap();
                std::hint::black_box(deeper(0));
            };
            let _ = thread.spawn(run).unwrap().join();
        })
        .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            stderr.contains("thread 'worker-7'") && stderr.contains("has overflowed"),
            "{stderr}"
        );
        assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{stderr}");
    }

    extern "C" fn with_info(signal: c_int, info: *mut siginfo_t, _: *mut c_void) {
        // SAFETY: called by `chain` with what the kernel passed.
        let address = unsafe { (*info).si_addr() }.addr();
        // SAFETY: `_exit` ends the process.
        unsafe { libc::_exit(if signal == libc::SIGSEGV && address == 16 { 40 } else { 1 }) }
    }

    extern "C" fn without_info(signal: c_int) {
        // SAFETY: `_exit` ends the process.
        unsafe { libc::_exit(if signal == libc::SIGSEGV { 41 } else { 1 }) }
    }

    fn previous_handler_is_called(test: &str, handler: usize, flags: c_int, code: i32) {
        let output = in_child(test, "", || {
            // SAFETY: zeroes are a valid sigaction.
            let mut action: libc::sigaction = unsafe { mem::zeroed() };
            action.sa_sigaction = handler;
            action.sa_flags = flags;
            // SAFETY: the action is valid, and its handler has the signature that its flags say.
            assert_eq!(unsafe { libc::sigaction(libc::SIGSEGV, &action, ptr::null_mut()) }, 0);
            install_overflow_handler();
            touch(16);
        });
        assert_eq!(output.unwrap().status.code(), Some(code));
    }

    #[test]
    fn previous_handler_with_info_is_called() {
        previous_handler_is_called(
            "previous_handler_with_info_is_called",
            with_info as *const () as usize,
            libc::SA_SIGINFO,
            40,
        );
    }

    #[test]
    fn previous_handler_without_info_is_called() {
        let handler = without_info as *const () as usize;
        previous_handler_is_called("previous_handler_without_info_is_called", handler, 0, 41);
    }

    #[test]
    fn ignored_fault_still_ends_the_process() {
        let output = in_child("ignored_fault_still_ends_the_process", "", || {
            // SAFETY: ignoring a signal has no preconditions.
            unsafe { libc::signal(libc::SIGSEGV, libc::SIG_IGN) };
            install_overflow_handler();
            // SAFETY: as above; a sent one is ignored still.
            unsafe { libc::raise(libc::SIGSEGV) };
            touch(16);
        });
        assert_eq!(output.unwrap().status.signal(), Some(libc::SIGSEGV));
    }

    #[test]
    fn lines_are_cut_but_end() {
        let mut line = Line::new();
        line.text(&"x".repeat(5000)).decimal(u64::MAX).hexadecimal(0).text("\n");
        assert_eq!((line.len, line.text[Line::BYTES - 1]), (Line::BYTES, b'\n'));
        let mut line = Line::new();
        line.decimal(0).text(" ").decimal(u64::MAX).text(" ").hexadecimal(0x000d_eadb_eef0);
        assert_eq!(&line.text[..line.len], b"0 18446744073709551615 deadbeef0");
    }
}
