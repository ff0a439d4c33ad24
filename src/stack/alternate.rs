//! Alternate stack: where a thread's signal handlers run when its current stack is full.

#![expect(unsafe_code, reason = "registers memory with the kernel")]

use std::io;
use std::marker::PhantomData;
use std::{mem, ptr};

use super::advise::page_bytes;

/// The auxiliary vector's entry for the size of one signal frame (Linux 5.14, x86_64; 4.17, aarch64).
const AT_MINSIGSTKSZ: libc::c_ulong = 51;

/// Room for handlers that print backtraces, above what the kernel needs for the frame.
const HANDLER_BYTES: usize = 64 << 10;

/// This thread's alternate stack, if the one it had was too small or missing.
pub(crate) struct AlternateStack {
    ours: Option<memmap2::MmapMut>,
    /// The registration belongs to one thread.
    _not_send: PhantomData<*mut ()>,
}

impl AlternateStack {
    /// Sees to it that handlers on this thread have room, until this is dropped.
    pub(crate) fn install() -> io::Result<AlternateStack> {
        let wanted = wanted_bytes();
        let current = current()?;
        if current.ss_flags & libc::SS_DISABLE == 0 && current.ss_size >= wanted {
            return Ok(AlternateStack { ours: None, _not_send: PhantomData });
        }
        let guard = page_bytes();
        let mut mapping = memmap2::MmapOptions::new().len(guard + wanted).stack().map_anon()?;
        let bottom = mapping.as_mut_ptr();
        // SAFETY: the first page is part of our new mapping and nothing is in it.
        if unsafe { libc::mprotect(bottom.cast(), guard, libc::PROT_NONE) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let stack = libc::stack_t {
            ss_sp: bottom.wrapping_add(guard).cast(),
            ss_flags: 0,
            ss_size: wanted,
        };
        // SAFETY: the memory is ours and stays mapped until `drop`, which takes the registration back first.
        if unsafe { libc::sigaltstack(&stack, ptr::null_mut()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(AlternateStack { ours: Some(mapping), _not_send: PhantomData })
    }
}

impl Drop for AlternateStack {
    fn drop(&mut self) {
        let Some(mapping) = self.ours.take() else { return };
        let ours = mapping.as_ptr_range();
        let registered = match current() {
            Ok(stack) if stack.ss_flags & libc::SS_DISABLE != 0 => false,
            Ok(stack) => ours.contains(&stack.ss_sp.cast_const().cast()),
            Err(_) => true,
        };
        if registered {
            let disabled =
                libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
            // The one before ours is not put back: std may have unmapped its own by now.
            // SAFETY: disabling needs no memory.
            if unsafe { libc::sigaltstack(&disabled, ptr::null_mut()) } != 0 {
                mem::forget(mapping); // a handler is running on it
            }
        }
    }
}

fn current() -> io::Result<libc::stack_t> {
    // SAFETY: zeroes are a valid stack_t.
    let mut stack: libc::stack_t = unsafe { mem::zeroed() };
    // SAFETY: a null new stack only asks; `stack` has room for the answer.
    if unsafe { libc::sigaltstack(ptr::null(), &mut stack) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(stack)
}

fn wanted_bytes() -> usize {
    // SAFETY: `getauxval` has no preconditions; an unknown entry is 0.
    let frame = unsafe { libc::getauxval(AT_MINSIGSTKSZ) } as usize;
    (frame.max(libc::SIGSTKSZ) + HANDLER_BYTES).next_multiple_of(page_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_large_enough_and_taken_back_on_drop() {
        std::thread::spawn(|| {
            let ours = AlternateStack::install().unwrap();
            let registered = current().unwrap();
            assert!(registered.ss_size >= HANDLER_BYTES + libc::SIGSTKSZ);
            let second = AlternateStack::install().unwrap();
            assert_eq!(
                current().unwrap().ss_sp,
                registered.ss_sp,
                "a sufficient one is left alone"
            );
            drop(second);
            assert_eq!(current().unwrap().ss_sp, registered.ss_sp);
            drop(ours);
            assert_ne!(current().unwrap().ss_flags & libc::SS_DISABLE, 0);
        })
        .join()
        .unwrap();
    }

    #[test]
    fn leaves_a_stranger_alone_on_drop() {
        std::thread::spawn(|| {
            let ours = AlternateStack::install().unwrap();
            let mut memory = vec![0u8; 256 << 10];
            let stranger = libc::stack_t {
                ss_sp: memory.as_mut_ptr().cast(),
                ss_flags: 0,
                ss_size: memory.len(),
            };
            // SAFETY: `memory` outlives the registration, which std's own end of thread takes back; no
            // handler runs on this thread until then.
            assert_eq!(unsafe { libc::sigaltstack(&stranger, ptr::null_mut()) }, 0);
            drop(ours);
            assert_eq!(current().unwrap().ss_sp, memory.as_mut_ptr().cast());
            std::mem::forget(memory);
        })
        .join()
        .unwrap();
    }
}
