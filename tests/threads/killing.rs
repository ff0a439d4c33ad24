//! Tasks that one thread has given to the hub of another, and ends.

use crate::server::Server;
use crate::{LONG, ms};
use greenlet::sync::thread::{Event, OneSender, one_shot};
use greenlet::{HubHandle, RemoteJoinError, sleep, spawn, yield_now};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn a_task_is_killed_from_afar() {
    struct Ends(Option<OneSender<&'static str>>);
    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.take().unwrap().send("unwound").unwrap();
        }
    }
    let server = Server::new();
    for from_greenlet in [false, true] {
        let (began, begun) = one_shot();
        let (ends, ended) = one_shot();
        let task = server.hub.spawn(move || {
            let _ends = Ends(Some(ends));
            began.send(()).unwrap();
            sleep(LONG);
        });
        let kill = move || {
            begun.recv().unwrap();
            assert!(!task.is_finished());
            task.kill();
            assert!(task.is_finished());
            assert!(matches!(task.join(), Err(RemoteJoinError::Killed)));
        };
        if from_greenlet {
            spawn(kill).join().unwrap();
        } else {
            kill();
        }
        assert_eq!(ended.recv(), Ok("unwound"));
    }
}

#[test]
fn a_task_that_has_not_begun_never_will() {
    let server = Server::new();
    let (held, release) = (Event::new(), Event::new());
    let (held, release) = (Arc::new(held), Arc::new(release));
    let holding = server.hub.spawn({
        let (held, release) = (held.clone(), release.clone());
        move || {
            held.set();
            // Its hub reads no letters meanwhile.
            while !release.is_set() {
                std::hint::spin_loop();
            }
        }
    });
    held.wait();
    let dropped = Arc::new(());
    let paper = dropped.clone();
    let late = server.hub.spawn(move || drop(paper));
    late.kill_soon();
    release.set();
    assert!(matches!(late.join(), Err(RemoteJoinError::Killed)));
    holding.join().unwrap();
    server.hub.spawn(|| ()).join().unwrap();
    assert_eq!(Arc::strong_count(&dropped), 1);
}

/// It is read when its task has ended, and another one has begun in the same place.
#[test]
fn a_kill_that_comes_too_late_reaches_nobody() {
    let hub = HubHandle::current();
    let (tell, told) = one_shot();
    let (hand_over, handed_over) = one_shot();
    let first = hub.spawn(move || {
        let own: greenlet::RemoteJoin<()> = told.recv().unwrap();
        let second = HubHandle::current().spawn(|| {
            yield_now();
            7
        });
        own.kill_soon(); // behind the second, which is to begin
        hand_over.send(second).unwrap();
    });
    tell.send(first).unwrap();
    assert_eq!(handed_over.recv().unwrap().join().unwrap(), 7);
}

#[test]
fn run_ends_what_other_threads_have_spawned() {
    let mut server = Server::new();
    let (began, begun) = one_shot();
    let task = server.hub.spawn(move || {
        began.send(()).unwrap();
        sleep(LONG);
    });
    begun.recv().unwrap();
    server.end();
    assert!(matches!(task.join(), Err(RemoteJoinError::Killed)));
}

#[test]
fn a_kill_from_afar_may_have_a_reason() {
    let server = Server::new();
    let (began, begun) = one_shot();
    let task = server.hub.spawn(move || {
        began.send(greenlet::current().id()).unwrap();
        let first = catch_unwind(|| sleep(LONG)).unwrap_err();
        assert_eq!(first.downcast_ref(), Some(&"enough"));
        sleep(LONG);
    });
    let there = begun.recv().unwrap();
    assert_eq!(task.id(), Some(there));
    let task = task.try_join().unwrap_err();
    task.kill_soon_with("enough");
    task.kill_with(7_u8);
    let mut error = task.try_join().unwrap().unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&7_u8));
    assert!(!error.is_killed() && error.is::<u8>() && !error.is::<&str>());
    assert_eq!(error.payload_mut().unwrap().downcast_ref(), Some(&7_u8));
    assert_eq!(error.into_payload().unwrap().downcast_ref(), Some(&7_u8));
}

#[test]
fn a_reason_that_comes_before_the_task_begins_is_what_it_fails_with() {
    let hub = HubHandle::current();
    let task = hub.spawn(|| unreachable!());
    assert_eq!(task.id(), None);
    task.kill_soon_with("not needed");
    task.kill_soon();
    let error = task.join().unwrap_err();
    assert_eq!(error.payload_as_str(), Some("not needed"));
    let raised = catch_unwind(AssertUnwindSafe(|| error.resume())).unwrap_err();
    assert_eq!(raised.downcast_ref(), Some(&"not needed"));
}

#[test]
fn a_kill_waits_no_longer_than_it_is_told() {
    let server = Server::new();
    let (began, begun) = one_shot();
    let (release, released) = one_shot::<()>();
    let task = server.hub.spawn(move || {
        let _ = catch_unwind(|| {
            began.send(()).unwrap();
            sleep(LONG);
        });
        let _ = greenlet::shield(|| released.recv());
    });
    begun.recv().unwrap();
    assert!(!task.kill_timeout(ms(2)));
    release.send(()).unwrap();
    assert!(task.kill_timeout(LONG));
    // What comes after the end is dropped, here.
    let late = Arc::new(());
    task.kill_with(late.clone());
    assert_eq!(Arc::strong_count(&late), 1);
    assert!(task.join().is_ok());
}

#[test]
fn one_that_is_killed_before_it_begins_never_begins() {
    let begun = Arc::new(AtomicBool::new(false));
    let begins = begun.clone();
    let task = HubHandle::current().spawn(move || begins.store(true, Ordering::Relaxed));
    yield_now(); // its hub has read of it, and it is ready
    task.kill_soon_with("too late");
    let error = task.join().unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&"too late"));
    assert!(!begun.load(Ordering::Relaxed));
}
