// Reads the word of the running thread.
//
//   fn this_thread() -> *const Thread
//
// Inlined at its one door in src/arch/x86_64.rs: no symbol. In a program, linkers make a constant of the first
// two instructions; in a shared library the call finds the place, also if that was loaded at run time. By the ABI of
// such calls it changes rax and the flags alone (but the C library before 2.40 may change vector registers, too).
//
//   register          in   out
//   rax               -    the word
//   flags, vectors    -    clobbered
//
//   no frame: the call needs sp aligned to 16, and what is below it unused

    // 1. find the place: where the thread's own begin, so far off
    lea     rax, [rip + greenlet_thread@tlsdesc]
    call    [rax + greenlet_thread@tlscall]
    // 2. read
    mov     rax, fs:[rax]
