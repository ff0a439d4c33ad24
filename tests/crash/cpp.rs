//! C++ exceptions and greenlets.
//!
//! What holds, with the C++ runtime of GCC (libstdc++):
//!
//! - An exception that nobody catches before the first frame of a greenlet ends the process: Rust's
//!   `catch_unwind` there lets no foreign exception pass.
//! - A kill or throw that unwinds C++ frames runs their destructors; `catch (...)` must rethrow it.
//! - **Catch blocks must nest.** The runtime keeps one list of caught exceptions per *thread*, last
//!   caught first, and leaving a catch block releases the first. Greenlets may switch inside catch
//!   blocks as long as those of the whole thread are left in the reverse of the order in which
//!   they were entered. Otherwise a block releases its neighbour's exception: the neighbour's
//!   reference dangles, and `throw;` rethrows the wrong one. Rule 55 (each greenlet gets its own
//!   back, in any order) is therefore promised only for nested ones: saving that list at each
//!   switch would cost every program for those that do this, and it belongs to the C++ runtime.

use crate::in_child::{in_child_with, tell, this_test};
use crate::native::{CODE, Compiled, Language, Library, compile};
use greenlet::{Greenlet, suspend};
use std::ffi::c_int;

const SOURCE: &str = r#"
#include <exception>
struct Number { int value; explicit Number(int value) : value(value) {} };
typedef void (*Callback)();
typedef void (*Told)(int);

extern "C" void throws(int value) { throw Number(value); }

// The value of its own exception, after the callback has run inside of the catch block.
extern "C" int catches(int value, Callback callback) {
    try { throw Number(value); }
    catch (const Number &number) { callback(); return number.value; }
}

// As above, but thrown on from inside and caught again outside.
extern "C" int rethrows(int value, Callback callback) {
    try {
        try { throw Number(value); }
        catch (const Number &) { callback(); throw; }
    } catch (const Number &number) { return number.value; }
}

struct Tells { Told told; int value; ~Tells() { told(value); } };
extern "C" void has_a_destructor(Told told, int value, Callback callback) {
    Tells tells{told, value};
    callback();
}

extern "C" void passes_on(Told told, int value, Callback callback) {
    try { callback(); } catch (...) { told(value); throw; }
}

extern "C" int uncaught() { return std::uncaught_exceptions(); }
"#;

type Callback = extern "C-unwind" fn();
type Told = extern "C-unwind" fn(c_int);
type Catches = extern "C-unwind" fn(c_int, Callback) -> c_int;
type Tells = extern "C-unwind" fn(Told, c_int, Callback);

fn compiled(name: &str) -> Option<Compiled> {
    compile(Language::Cpp, name, SOURCE, &[])
}

fn library() -> Library {
    Library::load(&std::env::var(CODE).expect("the parent compiled something"))
}

extern "C-unwind" fn suspends() {
    suspend::<(), ()>(());
}

extern "C-unwind" fn told(value: c_int) {
    tell(&format!("passed {value}"), &[]);
}

#[test]
fn exception_that_reaches_the_first_frame_of_a_greenlet_aborts() {
    let Some(code) = compiled("cpp-uncaught") else { return };
    let outcome = in_child_with(this_test!(), &[(CODE, &code.path)], || {
        // SAFETY: the type is that of the function.
        let throws: extern "C-unwind" fn(c_int) = unsafe { library().function("throws") };
        let g = Greenlet::new(move |()| throws(42));
        g.switch_any(());
        tell("survived", &[]);
    });
    outcome.died_of(libc::SIGABRT).says("Rust cannot catch foreign exceptions");
    assert!(!outcome.told("survived"));
}

#[test]
fn exceptions_caught_in_nested_order_belong_to_their_own_greenlets() {
    let Some(code) = compiled("cpp-nested") else { return };
    let outcome = in_child_with(this_test!(), &[(CODE, &code.path)], || {
        for name in ["catches", "rethrows"] {
            // SAFETY: both functions have this type.
            let catches: Catches = unsafe { library().function(name) };
            // SAFETY: the type is that of the function.
            let uncaught: extern "C" fn() -> c_int = unsafe { library().function("uncaught") };
            for _ in 0..100 {
                let make = |n| {
                    let g = Greenlet::new(move |()| catches(n, suspends));
                    let () = g.switch(()); // now it stands in its catch block
                    g
                };
                let greenlets: Vec<_> = (0..4).map(make).collect();
                assert_eq!(uncaught(), 0);
                // One more comes and goes while they wait, in its own greenlet and in the root.
                let short = Greenlet::new(move |()| {
                    extern "C-unwind" fn nothing() {}
                    catches(17, nothing) + catches(1, nothing)
                });
                assert_eq!(short.switch::<(), c_int>(()), 18);
                for (n, g) in greenlets.iter().enumerate().rev() {
                    assert_eq!(g.switch::<(), c_int>(()), n as c_int, "{name}");
                }
            }
        }
        tell("passed", &[]);
    });
    outcome.exited_with(0).says_only(&[]);
    assert!(outcome.told("passed"));
}

/// The kill unwinds them as any exception would.
#[test]
fn kill_runs_the_destructors_of_cpp_frames() {
    let Some(code) = compiled("cpp-kill") else { return };
    let outcome = in_child_with(this_test!(), &[(CODE, &code.path)], || {
        let make = |name: &str| {
            // SAFETY: both functions have this type.
            let call: Tells = unsafe { library().function(name) };
            move |value: c_int| {
                let g = Greenlet::new(move |()| call(told, value, suspends));
                let () = g.switch(());
                g
            }
        };
        let (guarded, passing) = (make("has_a_destructor"), make("passes_on"));
        drop(guarded(1));
        guarded(2).kill();
        drop(passing(3));
        passing(4).kill();
        let payload = guarded(5).try_throw::<()>("thrown").unwrap_err();
        assert!(matches!(payload, greenlet::SwitchError::Thrown(_)));
        tell("survived", &[]);
    });
    outcome.exited_with(0).says_only(&[]);
    for value in 1..=5 {
        assert!(outcome.told(&format!("passed {value}")), "{value}\n{outcome}");
    }
    assert!(outcome.told("survived"));
}
