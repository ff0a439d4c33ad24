//! Overflow in C: frames without stack probes are caught as long as they are not larger than the
//! guard; larger ones need `-fstack-clash-protection` or a larger guard (`Builder::guard_size`).

use crate::in_child::{
    Case, Outcome, cases_in_children_with, faults_are_seen, in_child_with, tell, this_test,
};
use crate::native::{CODE, Language, Library, compile};
use crate::recursion::{assert_overflow, tell_victim};
use greenlet::{Greenlet, current};

const SOURCE: &str = "
#define RECURSION(bytes) \\
    int recurse_##bytes(int depth) { \\
        volatile char frame[bytes]; \\
        frame[0] = depth; \\
        return recurse_##bytes(depth + 1) + frame[0]; \\
    }
RECURSION(1)
RECURSION(100)
RECURSION(4096)
RECURSION(61440)
RECURSION(204800)
/* Touches the lowest byte of a frame of this size, and nothing between it and the caller's. */
unsigned long leap(unsigned long bytes) {
    volatile char *frame = __builtin_alloca(bytes);
    frame[0] = 42;
    return (unsigned long)frame;
}
";

const WITHOUT_PROBES: &str = "-fno-stack-clash-protection";
const WITH_PROBES: &str = "-fstack-clash-protection";

type Recurse = extern "C" fn(i32) -> i32;
type Leap = extern "C" fn(usize) -> usize;

fn library() -> Library {
    Library::load(&std::env::var(CODE).expect("the parent compiled something"))
}

fn run_in_a_greenlet(guard_bytes: usize, body: impl FnOnce() + 'static) {
    let body = |(): ()| {
        tell_victim(&current());
        body();
    };
    let builder = Greenlet::builder().name("calls C").guard_size(guard_bytes);
    builder.create(body).unwrap().switch_any(());
}

fn recurse_in_c(bytes: &str) {
    // SAFETY: the type is that of the function.
    let recurse: Recurse = unsafe { library().function(&format!("recurse_{bytes}")) };
    run_in_a_greenlet(64 << 10, move || _ = recurse(0));
}

fn assert_named(outcome: &Outcome) {
    assert_overflow(outcome, Some("calls C"), 64, file!());
}

#[test]
fn c_frames_below_the_guards_size_are_stopped_without_probes() {
    if !faults_are_seen(this_test!()) {
        return;
    }
    let Some(code) = compile(Language::C, "unprobed", SOURCE, &[WITHOUT_PROBES]) else { return };
    let cases: [Case<'_>; 4] = [
        ("1", recurse_in_c),
        ("100", recurse_in_c),
        ("4096", recurse_in_c),
        ("61440", recurse_in_c),
    ];
    let code = [(CODE, code.path.as_str())];
    cases_in_children_with(this_test!(), &code, &cases, |_, outcome| assert_named(&outcome));
}

#[test]
fn c_frames_of_every_size_are_stopped_with_probes() {
    if !faults_are_seen(this_test!()) {
        return;
    }
    let Some(code) = compile(Language::C, "probed", SOURCE, &[WITH_PROBES]) else { return };
    let cases: [Case<'_>; 6] = [
        ("1", recurse_in_c),
        ("100", recurse_in_c),
        ("4096", recurse_in_c),
        ("61440", recurse_in_c),
        ("204800", recurse_in_c),
        ("leap", |_| leap_over_64_kib_of_guard()),
    ];
    let code = [(CODE, code.path.as_str())];
    cases_in_children_with(this_test!(), &code, &cases, |_, outcome| assert_named(&outcome));
}

/// A frame whose lowest byte lies in the next stack down: beyond the guard, where nothing faults.
fn leap_over_64_kib_of_guard() {
    // SAFETY: the type is that of the function.
    let leap: Leap = unsafe { library().function("leap") };
    let neighbours: Vec<_> = (0..16).map(|_| Greenlet::new(|()| ())).collect();
    run_in_a_greenlet(64 << 10, move || {
        // Unstarted, so that all of its stack but the top is unused: writing there harms nobody.
        let mine = current().stack_bounds().unwrap();
        let below = neighbours.iter().filter_map(|g| g.stack_bounds());
        let below = below.filter(|theirs| theirs.end < mine.start);
        let theirs = below.max_by_key(|theirs| theirs.end).expect("a stack below this one");
        let here = 0_u8;
        let frame_bytes = (&raw const here).addr() - (theirs.start + theirs.len() / 2);
        let touched = leap(frame_bytes);
        assert!(theirs.contains(&touched), "between the guards");
        // SAFETY: mapped, and nobody writes to it now.
        let byte = unsafe { std::ptr::with_exposed_provenance::<u8>(touched).read_volatile() };
        tell("leapt", &[byte.into()]);
    });
}

/// The documented limit, `Builder::guard_size`: nothing stops this write into another stack.
#[test]
fn unprobed_c_frame_larger_than_the_guard_steps_over_it() {
    if !faults_are_seen(this_test!()) {
        return;
    }
    let Some(code) = compile(Language::C, "leaping", SOURCE, &[WITHOUT_PROBES]) else { return };
    let code = [(CODE, code.path.as_str())];
    let outcome = in_child_with(this_test!(), &code, leap_over_64_kib_of_guard);
    outcome.exited_with(0).says_only(&[]);
    assert_eq!(outcome.numbers("leapt"), [42], "the neighbour's byte was changed");
}

/// And the documented remedy for code that cannot be compiled anew.
#[test]
fn larger_guard_stops_a_large_unprobed_c_frame() {
    if !faults_are_seen(this_test!()) {
        return;
    }
    let Some(code) = compile(Language::C, "large-guard", SOURCE, &[WITHOUT_PROBES]) else { return };
    let code = [(CODE, code.path.as_str())];
    let outcome = in_child_with(this_test!(), &code, || {
        // SAFETY: the type is that of the function.
        let leap: Leap = unsafe { library().function("leap") };
        run_in_a_greenlet(256 << 10, move || _ = leap(200 << 10));
    });
    outcome.died_of(libc::SIGSEGV).says("'calls C' overflowed its 64 KiB stack (guard hit at 0x");
}
