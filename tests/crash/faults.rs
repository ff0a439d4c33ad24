//! What is not a greenlet's overflow goes where it would have gone without greenlets.

use crate::in_child::{Case, cases_in_children, faults_are_seen, in_child, this_test};
use crate::recursion::recurse;
use greenlet::{Greenlet, suspend};

fn touch(address: usize) {
    // SAFETY: none: it is there to fault, in a child process.
    unsafe { std::ptr::with_exposed_provenance_mut::<u8>(address).write_volatile(1) };
}

#[test]
fn null_dereference_in_a_greenlet_is_a_plain_segmentation_fault() {
    if !faults_are_seen(this_test!()) {
        return;
    }
    let cases: [Case<'_>; 3] = [
        ("in a greenlet", |_| _ = Greenlet::new(|()| touch(0)).switch_any(())),
        ("in a greenlet of a thread", |_| {
            let fault = || _ = Greenlet::new(|()| touch(8)).switch_any(());
            std::thread::spawn(fault).join().unwrap();
        }),
        ("in the root, with greenlets about", |_| {
            let g = Greenlet::new(|()| suspend::<(), ()>(()));
            let () = g.switch(());
            touch(0);
        }),
    ];
    cases_in_children(this_test!(), &cases, |_, outcome| {
        outcome.died_of(libc::SIGSEGV).says_only(&[]);
    });
}

/// One page of a file that is shorter than its mapping.
#[test]
fn bus_error_in_a_greenlet_is_a_plain_bus_error() {
    if !faults_are_seen(this_test!()) {
        return;
    }
    let outcome = in_child(this_test!(), || {
        let g = Greenlet::new(|()| {
            // SAFETY: a name and no flags.
            let file = unsafe { libc::memfd_create(c"empty".as_ptr(), 0) };
            // SAFETY: a new mapping.
            let page = unsafe {
                let access = libc::PROT_READ | libc::PROT_WRITE;
                libc::mmap(std::ptr::null_mut(), 4096, access, libc::MAP_SHARED, file, 0)
            };
            assert_ne!(page, libc::MAP_FAILED);
            touch(page.expose_provenance());
        });
        g.switch_any(());
    });
    outcome.died_of(libc::SIGBUS).says_only(&[]);
}

#[test]
fn overflow_of_a_thread_that_has_greenlets_is_still_reported_by_std() {
    if !faults_are_seen(this_test!()) {
        return;
    }
    let outcome = in_child(this_test!(), || {
        let thread = std::thread::Builder::new().name("worker-7".into());
        let overflow = || {
            let g = Greenlet::new(|()| suspend::<(), ()>(()));
            let () = g.switch(());
            recurse::<100>(0)
        };
        let _ = thread.spawn(overflow).unwrap().join();
    });
    outcome
        .died_of(libc::SIGABRT)
        .says("thread 'worker-7'")
        .says("has overflowed its stack")
        .does_not_say("raise it with");
}

/// A signal that somebody sends is not a fault, whatever its address field says.
#[test]
fn sent_segv_ends_the_process_without_a_word_of_ours() {
    if !faults_are_seen(this_test!()) {
        return;
    }
    let outcome = in_child(this_test!(), || {
        let g = Greenlet::new(|()| {
            // Twice: std's handler puts the default back at the first.
            // SAFETY: `raise` has no preconditions.
            unsafe { (libc::raise(libc::SIGSEGV), libc::raise(libc::SIGSEGV)) }
        });
        g.switch_any(());
    });
    outcome.died_of(libc::SIGSEGV).says_only(&[]);
}
