// Reads the word of the running thread.
//
//   fn this_thread() -> *const Thread
//
// Inlined at its one door in src/arch/x86_64.rs: no symbol.
//
//   register   in   out
//   {word}     -    the word
//
//   no frame

    // 1. find the place: where the thread's own begin, so far off (linkers make a constant of it in programs)
    mov     {word}, [rip + greenlet_thread@GOTTPOFF]
    // 2. read
    mov     {word}, fs:[{word}]
