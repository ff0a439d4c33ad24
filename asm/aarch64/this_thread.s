// Reads the word of the running thread.
//
//   fn this_thread() -> *const Thread
//
// Inlined at its one door in src/arch/aarch64.rs: no symbol. In a program, linkers make a constant of the first
// four instructions; in a shared library the call finds the place, also if that was loaded at run time. By the ABI of
// such calls it changes x0, x1, x30 and the flags alone.
//
//   register          in   out
//   x0                -    the word
//   x1, x30, flags    -    clobbered
//
//   no frame

    // 1. find the place: where the thread's own begin, so far off
    adrp    x0, :tlsdesc:greenlet_thread
    ldr     x1, [x0, :tlsdesc_lo12:greenlet_thread]
    add     x0, x0, :tlsdesc_lo12:greenlet_thread
    .tlsdesccall greenlet_thread
    blr     x1
    mrs     x1, tpidr_el0
    // 2. read
    ldr     x0, [x1, x0]
