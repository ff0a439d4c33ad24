//! Greenlets and the threads that wake them, on every kind of hub and waker that this kernel has.

use super::RemoteWaker;
use crate::greenlet::current_block;
use crate::hub::{Config, Deadline, HubKind, config, hub};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Runs `test` on a thread for each way in which a hub can be woken here.
fn on_each(test: fn()) {
    let ways = [
        Config::new().hub(HubKind::Uring),
        Config::new().hub(HubKind::Uring).disable("sync_msg_ring"),
        Config::new().hub(HubKind::Epoll),
        Config::new().hub(HubKind::Poll),
        Config::new().hub(HubKind::Select),
    ];
    // Where another kind is named there is a reason: memcheck, say, does not know rings.
    let named = std::env::var("GREENLET_HUB").is_ok_and(|hub| hub != "uring");
    for way in ways.into_iter().filter(|way| !named || !config_is_of_uring(way)) {
        let run = move || match way.clone().apply() {
            Ok(()) => test(),
            Err(error) => assert!(config_is_of_uring(&way), "{error}"),
        };
        thread::spawn(run).join().unwrap();
    }
}

/// io_uring may be refused here, or left out.
fn config_is_of_uring(way: &Config) -> bool {
    format!("{way:?}").contains("Uring")
}

/// A thread that wakes whoever is sent to it.
fn waking_thread() -> (Sender<RemoteWaker>, thread::JoinHandle<()>) {
    let (sender, receiver) = channel::<RemoteWaker>();
    (sender, thread::spawn(move || receiver.iter().for_each(|waker| waker.wake())))
}

#[test]
fn a_thread_wakes_a_hub_that_sleeps() {
    on_each(|| {
        let (sender, thread) = waking_thread();
        for _ in 0..200 {
            let woken = Arc::new(AtomicUsize::new(0));
            let (passed_on, seen) = (woken.clone(), woken.clone());
            let register = |waker| {
                let (to, waker): (_, RemoteWaker) = (sender.clone(), waker);
                thread::spawn(move || {
                    passed_on.store(1, SeqCst);
                    to.send(waker).unwrap();
                });
            };
            hub().wait_for_remote(register, || seen.load(SeqCst) == 1).unwrap();
        }
        drop(sender);
        thread.join().unwrap();
        assert!(!hub().awaits_others());
    });
}

#[test]
fn no_wake_is_lost_where_two_threads_take_turns() {
    on_each(|| {
        // The peer answers each number with the next; each side waits for the other's.
        const ROUNDS: usize = 5_000;
        let turn = Arc::new(AtomicUsize::new(0));
        let waits: Arc<Mutex<Option<RemoteWaker>>> = Arc::default();
        let peer = {
            let (turn, waits) = (turn.clone(), waits.clone());
            thread::spawn(move || {
                for n in 0..ROUNDS {
                    while turn.load(SeqCst) != 2 * n + 1 {
                        std::hint::spin_loop();
                        thread::yield_now();
                    }
                    turn.store(2 * n + 2, SeqCst);
                    // Left there: when we are late, it is that of the next round, which will need it again.
                    let waker = waits.lock().unwrap().clone();
                    if let Some(waker) = waker {
                        waker.wake();
                    }
                }
            })
        };
        for n in 0..ROUNDS {
            turn.store(2 * n + 1, SeqCst);
            let register = |waker| *waits.lock().unwrap() = Some(waker);
            hub().wait_for_remote(register, || turn.load(SeqCst) == 2 * n + 2).unwrap();
        }
        peer.join().unwrap();
    });
}

#[test]
fn a_late_wake_reaches_nobody() {
    on_each(|| {
        let hub = hub();
        let (kept, kept_too) = (Mutex::new(None), Mutex::new(None));
        let mut looks = 0;
        hub.wait_for_remote(|waker| *kept.lock().unwrap() = Some(waker), || true).unwrap();
        let late = kept.into_inner().unwrap().unwrap();
        // The same place under a new key: this wait must not hear of the old one.
        let register = |waker| *kept_too.lock().unwrap() = Some(waker);
        let deadline = Deadline::new(current_block());
        // SAFETY: taken back below.
        unsafe { hub.set_deadline(&deadline, hub.moment(Duration::from_millis(5))) };
        let done = || {
            if looks == 0 {
                late.wake();
            }
            looks += 1;
            deadline.has_passed()
        };
        hub.wait_for_remote(register, done).unwrap();
        hub.take_back(&deadline);
        assert_eq!(looks, 2, "once before the wait, and once for its deadline");
        let new = kept_too.into_inner().unwrap().unwrap();
        assert_eq!((new.key.index, late.key.index), (0, 0));
        assert_ne!(new.key, late.key);
    });
}

#[test]
fn a_destructor_waits_while_its_thread_unwinds() {
    struct Waits(Arc<AtomicUsize>);

    impl Drop for Waits {
        fn drop(&mut self) {
            let done = self.0.clone();
            let register = |waker: RemoteWaker| {
                thread::spawn(move || {
                    done.store(1, SeqCst);
                    waker.wake();
                });
            };
            hub().wait_for_remote(register, || self.0.load(SeqCst) == 1).unwrap();
            self.0.store(2, SeqCst);
        }
    }

    on_each(|| {
        let state = Arc::new(AtomicUsize::new(0));
        let waits = Waits(state.clone());
        let unwound = catch_unwind(AssertUnwindSafe(move || {
            let _waits = waits;
            resume_unwind(Box::new("out"));
        }));
        assert!(unwound.is_err());
        assert_eq!(state.load(SeqCst), 2);
    });
}

#[test]
fn a_hub_that_has_ended_is_not_woken() {
    on_each(|| {
        let kept = thread::spawn(|| {
            let kept = Mutex::new(None);
            let register = |waker| *kept.lock().unwrap() = Some(waker);
            hub().wait_for_remote(register, || true).unwrap();
            kept.into_inner().unwrap().unwrap()
        });
        kept.join().unwrap().wake();
    });
}

#[test]
fn the_configuration_says_how_a_ring_is_woken() {
    if std::env::var("GREENLET_HUB").is_ok_and(|hub| hub != "uring") {
        return;
    }
    let text = |way: Config| {
        thread::spawn(move || way.apply().map(|()| config().to_string()).unwrap_or_default())
            .join()
            .unwrap()
    };
    let masked = text(Config::new().hub(HubKind::Uring).disable("sync_msg_ring"));
    assert!(!masked.lines().next().unwrap_or_default().contains("sync_msg_ring"), "{masked}");
}
