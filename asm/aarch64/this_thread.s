// Reads the word of the running thread.
//
//   fn this_thread() -> *const Thread
//
// Inlined at its one door in src/arch/aarch64.rs: no symbol.
//
//   register   in   out
//   {word}     -    the word
//   {base}     -    clobbered
//
//   no frame

    // 1. find the place: where the thread's own begin, so far off (linkers make a constant of it in programs)
    mrs     {base}, tpidr_el0
    adrp    {word}, :gottprel:greenlet_thread
    ldr     {word}, [{word}, :gottprel_lo12:greenlet_thread]
    // 2. read
    ldr     {word}, [{base}, {word}]
