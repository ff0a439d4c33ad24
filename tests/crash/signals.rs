//! Signals that arrive while greenlets run and switch.

use crate::in_child::{faults_are_seen, in_child, tell, this_test};
use greenlet::{Greenlet, stack_remaining, suspend};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Not SIGALRM, which ends a child that hangs.
const TICK: i32 = libc::SIGUSR2;

static SIGNALS: AtomicUsize = AtomicUsize::new(0);
/// Signals whose handler ran outside of the alternate stack.
static ON_OTHER_STACKS: AtomicUsize = AtomicUsize::new(0);

/// Uses some stack, vector registers and all, as a profiler's handler would.
extern "C" fn tick(_: i32) {
    let mut scratch = [0_u64; 512];
    for (index, word) in std::hint::black_box(&mut scratch).iter_mut().enumerate() {
        *word = (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    std::hint::black_box(&scratch);
    // SAFETY: zeroes are a valid stack_t.
    let mut stack: libc::stack_t = unsafe { std::mem::zeroed() };
    // SAFETY: only asks.
    unsafe { libc::sigaltstack(std::ptr::null(), &mut stack) };
    if stack.ss_flags & libc::SS_ONSTACK == 0 {
        ON_OTHER_STACKS.fetch_add(1, Relaxed);
    }
    SIGNALS.fetch_add(1, Relaxed);
}

fn handle(signal: i32, flags: i32) {
    // SAFETY: zeroes are a valid sigaction.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = tick as *const () as usize;
    action.sa_flags = flags;
    // SAFETY: the handler only writes to its own stack and to atomics.
    assert_eq!(unsafe { libc::sigaction(signal, &action, std::ptr::null_mut()) }, 0);
}

/// A signal to this thread at each interval from now on; 0 stops it. To this thread: what the kernel
/// sends to the process arrives at its main thread, which only waits for the test.
fn tick_every(nanoseconds: libc::c_long) {
    thread_local! {
        static TIMER: Cell<libc::timer_t> = const { Cell::new(std::ptr::null_mut()) };
    }
    let mut timer = TIMER.get();
    if timer.is_null() {
        // SAFETY: zeroes are a valid sigevent.
        let mut event: libc::sigevent = unsafe { std::mem::zeroed() };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = TICK;
        // SAFETY: `gettid` has no preconditions; the event and the place for the timer are valid.
        let failed = unsafe {
            event.sigev_notify_thread_id = libc::gettid();
            libc::timer_create(libc::CLOCK_MONOTONIC, &mut event, &mut timer)
        };
        assert_eq!(failed, 0);
        TIMER.set(timer);
    }
    let each = libc::timespec { tv_sec: 0, tv_nsec: nanoseconds };
    let times = libc::itimerspec { it_interval: each, it_value: each };
    // SAFETY: the timer was made above, and the times are valid.
    assert_eq!(unsafe { libc::timer_settime(timer, 0, &times, std::ptr::null_mut()) }, 0);
}

/// Suspends from inside nested calls, with values that live in registers and on the stack.
fn sum(mut sum: u64) -> u64 {
    fn nested(depth: u32, value: u64) -> u64 {
        match depth {
            0 => suspend(value),
            _ => nested(depth - 1, value).wrapping_add(u64::from(depth)),
        }
    }
    let mut calls: u32 = 0;
    loop {
        calls = calls.wrapping_add(1);
        let depth = calls % 8;
        let added: u64 = u64::from(depth * (depth + 1) / 2);
        sum = sum.wrapping_add(nested(depth, sum) - added);
    }
}

/// At least a million switches and a hundred signals; every value is checked.
fn switch_under_signals(stack_bytes: usize) {
    tick_every(1_000_000);
    let make = || Greenlet::builder().stack_size(stack_bytes).create(sum).unwrap();
    let greenlets: Vec<_> = (0..8).map(|_| make()).collect();
    let mut expected = [1_u64; 8];
    for g in &greenlets {
        assert_eq!(g.switch::<u64, u64>(1), 1);
    }
    let mut switches = 0;
    while switches < 1_000_000 || SIGNALS.load(Relaxed) < 100 {
        for (g, expected) in greenlets.iter().zip(&mut expected) {
            *expected = expected.wrapping_add(switches);
            assert_eq!(g.switch::<u64, u64>(switches), *expected);
            switches += 2;
        }
    }
    tick_every(0);
    let others = ON_OTHER_STACKS.load(Relaxed);
    tell("signals", &[SIGNALS.load(Relaxed), others, switches as usize]);
}

#[test]
fn a_thousand_signals_a_second_on_the_alternate_stack_disturb_no_switch() {
    let outcome = in_child(this_test!(), || {
        handle(TICK, libc::SA_ONSTACK | libc::SA_RESTART);
        switch_under_signals(64 << 10);
    });
    outcome.exited_with(0).says_only(&[]);
    let signals = outcome.numbers("signals");
    assert!(signals[0] >= 100 && signals[2] >= 1_000_000, "{outcome}");
    assert_eq!(signals[1], 0, "all on the alternate stack\n{outcome}");
}

/// Frames of the kernel and the handler's own then lie on the greenlet's stack; the smallest size
/// that is offered has room for them.
#[test]
fn signals_without_an_alternate_stack_fit_the_smallest_stack() {
    let outcome = in_child(this_test!(), || {
        handle(TICK, libc::SA_RESTART);
        switch_under_signals(32 << 10);
    });
    outcome.exited_with(0).says_only(&[]);
    let signals = outcome.numbers("signals");
    assert_eq!(signals[0], signals[1], "none on the alternate stack\n{outcome}");
}

/// H11: where there is no room the process dies at the guard; nothing below it is written to.
#[test]
fn signal_on_a_stack_without_room_for_it_dies_and_does_not_corrupt() {
    fn with_little_room(depth: u32) {
        let page = std::hint::black_box([depth as u8; 512]);
        if stack_remaining().unwrap() > 2048 {
            with_little_room(depth + 1);
        } else {
            // SAFETY: `raise` has no preconditions. Twice: the kernel turns the signal that it
            // cannot deliver into a SIGSEGV, at which std's handler puts the default back.
            unsafe { (libc::raise(libc::SIGUSR1), libc::raise(libc::SIGUSR1)) };
        }
        std::hint::black_box(page);
    }
    if !faults_are_seen(this_test!()) {
        return;
    }
    let outcome = in_child(this_test!(), || {
        handle(libc::SIGUSR1, 0);
        let g = Greenlet::new(|()| with_little_room(0));
        tell("raises", &[]); // later there is no room for this
        g.switch_any(());
        tell("survived", &[SIGNALS.load(Relaxed), ON_OTHER_STACKS.load(Relaxed)]);
    });
    if cfg!(target_arch = "aarch64") && outcome.told("survived 0 0") {
        println!("skipped: this emulator drops a signal that it cannot deliver (qemu-user 7.2)");
        return;
    }
    assert!(outcome.told("raises") && !outcome.told("survived"), "{outcome}");
    outcome.died_of(libc::SIGSEGV);
}
