// First frame of every new stack, and the places from which suspended and interrupted stacks are walked.
//
//   greenlet_entry: to those who walk the stack, it has called the body
//   greenlet_entered: in it, reached only by switch.s; it leads into the body, which does not return
//   unsafe extern "C" fn greenlet_walk(frame: *const Frame, visit: extern "C" fn(*mut ()), data: *mut ())
//   greenlet_interrupted: never reached; a walk that comes here goes on in the registers of the signal
//   frame at sp, as behind a handler
//
//   register   greenlet_entered, the body   greenlet_walk
//   x0         in: payload                  in: frame; then data for visit
//   x1         in: tag                      in: visit
//   x2         in: who came                 in: data
//   x3         in: own header               clobbered
//   x17        in: the body                 clobbered
//   x19        in: own header, for walks    saved; holds frame during the call
//   x29        in: 0, ends x29 chains       untouched
//   x30        for the body: where it       saved
//              would return to
//   others     clobbered                    clobbered as by a C call
//
//   frame of a new stack (high address first)            frame of greenlet_walk
//   +32   sp at entry, 16-aligned: what lies above       +8    x30
//         belongs to the owner of the stack              +0    x19 of the caller  <- sp in the call
//   +24   the body
//   +0    a saved frame that resumes greenlet_entered
//
// Nothing is saved below a body: there is no caller on this stack to give anything back to.

    .equ HEADER_UP, 8
    .equ LINK_HEADER, 16
    .equ FRAME_SIZE, 32
    .equ FRAME_RESUME, 16
    .equ FRAME_X29, 8
    .equ FRAME_X19, 0
    .equ WALK_SIZE, 16
    .equ WALK_X30, 8
    .equ SYS_RT_SIGRETURN, 139

    .text
    .hidden greenlet_entry
    .globl  greenlet_entry
    .type   greenlet_entry, @function
    .p2align 4
greenlet_entry:
    .cfi_startproc
    // Marked as a signal frame: gdb accepts a caller's frame at any address, and unwinders look
    // the caller up at its exact address (the landing label of switch.s, or greenlet_entered).
    .cfi_signal_frame
    // The caller is the saved frame to which the link above leads: CFA = its sp + FRAME_SIZE. No
    // branch for links whose stack is gone: they lead to a frame of their own, which is walked
    // through (valgrind's reader refuses expressions with branches).
    .cfi_escape 0x0f, 9             // DW_CFA_def_cfa_expression, 9 bytes
    .cfi_escape 0x83, HEADER_UP     //     breg (x19) HEADER_UP
    .cfi_escape 0x06                //     deref                   link
    .cfi_escape 0x23, LINK_HEADER   //     plus_uconst LINK_HEADER
    .cfi_escape 0x06                //     deref                   header
    .cfi_escape 0x06                //     deref                   saved_sp
    .cfi_escape 0x23, FRAME_SIZE    //     plus_uconst FRAME_SIZE
    .cfi_offset x30, FRAME_RESUME - FRAME_SIZE
    .cfi_offset x19, FRAME_X19 - FRAME_SIZE
    .cfi_offset x29, FRAME_X29 - FRAME_SIZE
    nop                             // the names of frames are looked up one byte before their addresses
    .hidden greenlet_entered
    .globl  greenlet_entered
    .type   greenlet_entered, @function
greenlet_entered:
    // 1. enter
    // No call, whose return would never take its place in the return predictor: all returns of those that run later,
    // each wrong by one.
    hint    #34                     // bti c
    adr     x30, .Lnever
    br      x17
    // 2. never reached
.Lnever:
    brk     #1
    .cfi_endproc
    .size   greenlet_entry, . - greenlet_entry

    .hidden greenlet_walk
    .globl  greenlet_walk
    .type   greenlet_walk, @function
    .p2align 4
greenlet_walk:
    .cfi_startproc
    .cfi_signal_frame
    // 3. land
    hint    #34                     // bti c
    // 4. save
    stp     x19, x30, [sp, #-WALK_SIZE]!
    .cfi_adjust_cfa_offset WALK_SIZE
    .cfi_rel_offset x19, 0
    .cfi_rel_offset x30, WALK_X30
    // 5. take the frame
    mov     x19, x0
    mov     x0, x2
    .cfi_remember_state
    // Until the call is over, the caller is the suspended frame and not the real one.
    .cfi_def_cfa x19, FRAME_SIZE
    .cfi_offset x30, FRAME_RESUME - FRAME_SIZE
    .cfi_offset x19, FRAME_X19 - FRAME_SIZE
    .cfi_offset x29, FRAME_X29 - FRAME_SIZE
    // 6. visit
    blr     x1
    nop                             // the return address still belongs to the suspended view
    .cfi_restore_state
    // 7. restore
    ldp     x19, x30, [sp], #WALK_SIZE
    .cfi_adjust_cfa_offset -WALK_SIZE
    .cfi_restore x19
    .cfi_restore x30
    // 8. return
    ret
    .cfi_endproc
    .size   greenlet_walk, . - greenlet_walk

    .hidden greenlet_interrupted
    .globl  greenlet_interrupted
    .type   greenlet_interrupted, @function
    .p2align 4
greenlet_interrupted:
    nop                             // unwinders look up what lies one byte before the address
    // No unwind information: where there is none, unwinders know these two instructions for those
    // that the kernel returns to from a handler, and take all registers from the signal frame at
    // sp: a siginfo and a ucontext.
    // 9. leave the handler that there is not
    mov     x8, #SYS_RT_SIGRETURN
    svc     #0
    .size   greenlet_interrupted, . - greenlet_interrupted

    .section .note.GNU-stack, "", @progbits
    .text
