//! For tests: system calls that a filter forbids, as those of containers do.
#![expect(unsafe_code, reason = "seccomp(2)")]

/// Can nothing be forbidden here? So it is where another program stands for the kernel: in an emulator.
pub(super) fn is_refused() -> bool {
    // SAFETY: only asks.
    let refused = unsafe { libc::prctl(libc::PR_GET_SECCOMP) } < 0;
    if refused {
        eprintln!("skipped: no filter can be set here");
    }
    refused
}

/// From now on a system call fails on this thread (a seccomp filter is the thread's): always, or
/// unless one of its arguments has one of the bits given.
pub(super) fn forbid(call: libc::c_long, errno: i32, unless: Option<(u32, u32)>) {
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let load = |offset| statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset);
    let test = |kind, k, jt, jf| libc::sock_filter {
        jt,
        jf,
        ..statement(libc::BPF_JMP | kind | libc::BPF_K, k)
    };
    let (argument, bits) = unless.unwrap_or((0, 0));
    let mut filter = [
        load(0),
        test(libc::BPF_JEQ, call as u32, 0, 2),
        // The low half of the argument, on the little-endian machines that this crate is for.
        load(16 + 8 * argument),
        test(libc::BPF_JSET, bits, 0, 1),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | errno as u32),
    ];
    // Another call jumps from 1 to 4; ours to 4 with the bit, to 5 without.
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the program is alive and as long as it says.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let mode = libc::SECCOMP_MODE_FILTER;
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program), 0);
    }
}
