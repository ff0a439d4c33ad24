//! Threads that wait when their process forks: the child does not have them.

use crate::in_child::{in_child, this_test};
use greenlet::sync::thread::{Event, bounded};
use std::sync::mpsc::{TryRecvError, TrySendError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A thread without a hub, which sleeps in `f`.
fn asleep<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let (say, said) = channel();
    let thread = thread::spawn(move || {
        // SAFETY: it only asks.
        say.send(unsafe { libc::gettid() }).unwrap();
        f()
    });
    let path = format!("/proc/self/task/{}/stat", said.recv().unwrap());
    let sleeps = || std::fs::read_to_string(&path).unwrap().contains(") S ");
    while !sleeps() {
        thread::yield_now();
    }
    thread
}

/// Forks; `f` says whether all is well in the child.
fn in_fork(f: impl FnOnce() -> bool) {
    // SAFETY: the child uses nothing that another thread may have locked, and ends by `_exit`.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let code = if f() { 13 } else { 14 };
        // SAFETY: ends the child.
        unsafe { libc::_exit(code) }
    }
    let mut status = 0;
    // SAFETY: our own child.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!((libc::WIFEXITED(status), libc::WEXITSTATUS(status)), (true, 13), "{status:x}");
}

#[test]
fn nothing_is_handed_to_a_thread_that_the_child_does_not_have() {
    let outcome = in_child(this_test!(), || {
        let (sender, receiver) = bounded(1);
        let receives = asleep({
            let receiver = receiver.clone();
            move || receiver.recv()
        });
        in_fork(|| {
            let sent = [sender.try_send(1), sender.try_send(2)];
            sent == [Ok(()), Err(TrySendError::Full(2))] && receiver.try_recv() == Ok(1)
        });
        sender.send(3).unwrap();
        assert_eq!(receives.join().unwrap(), Ok(3));
        sender.send(4).unwrap();
        let sends = asleep(move || sender.send(5));
        in_fork(|| {
            let received = [receiver.try_recv(), receiver.try_recv()];
            received == [Ok(4), Err(TryRecvError::Empty)]
        });
        assert_eq!([receiver.recv(), receiver.recv()], [Ok(4), Ok(5)]);
        sends.join().unwrap().unwrap();
    });
    outcome.exited_with(0);
}

/// Where their stacks were, threads of the child have theirs.
#[test]
fn the_child_does_not_look_where_threads_have_slept() {
    let outcome = in_child(this_test!(), || {
        let event = std::sync::Arc::new(Event::new());
        let asleep = [(); 3].map(|()| {
            let event = event.clone();
            asleep(move || event.wait())
        });
        in_fork(|| {
            let overwrite = || std::hint::black_box([0xff_u8; 1 << 16])[1 << 15] == 0xff;
            let threads = [(); 3].map(|()| thread::spawn(overwrite));
            let done = threads.map(|thread| thread.join().unwrap());
            event.set();
            event.clear();
            drop(event.clone());
            done == [true; 3]
        });
        event.set();
        asleep.into_iter().for_each(|thread| thread.join().unwrap());
    });
    outcome.exited_with(0);
}

/// What a process does once, at its first greenlet and its first hub, another thread has just begun. In each round a
/// process that has not done so yet forks after a little more time.
#[test]
fn the_child_does_not_wait_for_what_another_thread_has_begun() {
    let outcome = in_child(this_test!(), || {
        for spins in 0..400 {
            in_fork(|| {
                let begins = thread::spawn(|| greenlet::sleep(Duration::from_micros(1)));
                (0..spins * 50).for_each(|_| std::hint::spin_loop());
                in_fork(|| {
                    // SAFETY: it has no preconditions; a child that hangs dies of `SIGALRM`.
                    unsafe { libc::alarm(5) };
                    greenlet::sleep(Duration::from_micros(1));
                    true
                });
                begins.join().is_ok()
            });
        }
    });
    outcome.exited_with(0);
}
