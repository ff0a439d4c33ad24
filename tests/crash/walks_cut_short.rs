//! Code through which no unwinder finds its way, and code that runs before `main`: a thread that first used
//! greenlets there does not seem to end when it is left.
#![cfg(feature = "hub")]

use crate::in_child::{in_child_with, tell, this_test};
use crate::native::{CODE, Language, Library, compile};
use greenlet::{current, spawn, yield_now};
use std::sync::atomic::{AtomicBool, Ordering};

/// It has no unwind information: a walk ends in it.
const SOURCE: &str = "
void call_both(void (*first)(void), void (*second)(void)) {
    first();
    second();
}
";

const BLIND: [&str; 4] = [
    "-fno-exceptions",
    "-fno-asynchronous-unwind-tables",
    "-fno-unwind-tables",
    "-fomit-frame-pointer",
];

type CallBoth = extern "C" fn(extern "C" fn(), extern "C" fn());

extern "C" fn first_use() {
    drop(current());
}

/// On a thread that ends a join would panic, since nobody else runs.
extern "C" fn join_a_task() {
    let joined = std::panic::catch_unwind(|| {
        let task = spawn(|| {
            yield_now();
            7
        });
        task.join().unwrap()
    });
    tell("joined", &[joined.unwrap_or(0)]);
}

fn call_both() {
    let library = Library::load(&std::env::var(CODE).expect("the parent compiled something"));
    // SAFETY: the type is that of the function.
    let call_both: CallBoth = unsafe { library.function("call_both") };
    call_both(first_use, join_a_task);
}

#[test]
fn a_thread_may_first_use_greenlets_below_code_without_unwind_information() {
    let Some(code) = compile(Language::C, "blind", SOURCE, &BLIND) else { return };
    let outcome = in_child_with(this_test!(), &[(CODE, &code.path)], || {
        std::thread::spawn(call_both).join().unwrap();
    });
    assert_eq!(outcome.exited_with(0).numbers("joined"), [7], "{outcome}");
}

const EARLY: &str = "GREENLET_CRASH_EARLY";

#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = {
    extern "C" fn before_main() {
        if std::env::var_os(EARLY).is_some() {
            first_use();
        }
    }
    before_main
};

/// libtest runs tests on threads of their own, while the main thread waits: a signal takes us there.
#[test]
fn the_main_thread_may_first_use_greenlets_before_main() {
    static DONE: AtomicBool = AtomicBool::new(false);
    extern "C" fn on_main_thread(_: libc::c_int) {
        join_a_task();
        DONE.store(true, Ordering::Release);
    }
    let outcome = in_child_with(this_test!(), &[(EARLY, "1")], || {
        let handler: extern "C" fn(libc::c_int) = on_main_thread;
        // SAFETY: a getter.
        let main = unsafe { libc::getpid() };
        let status = format!("/proc/self/task/{main}/status");
        while !std::fs::read_to_string(&status).unwrap().contains("State:\tS") {
            std::thread::yield_now(); // it is about to wait for this thread
        }
        // SAFETY: the main thread waits for this one, and is in no call that the handler makes.
        unsafe {
            assert_ne!(main, libc::gettid());
            libc::signal(libc::SIGUSR1, handler as libc::sighandler_t);
            libc::syscall(libc::SYS_tgkill, main, main, libc::SIGUSR1);
        }
        while !DONE.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
    });
    assert_eq!(outcome.exited_with(0).numbers("joined"), [7], "{outcome}");
}
