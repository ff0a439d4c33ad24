//! Threads: rules 137 to 139, 141, 142, 147. Most of it is that handles cannot leave their thread.

use greenlet::{Greenlet, current, root, suspend};
use std::sync::mpsc;

/// Does `T` implement `Send`? Decided by the compiler, asked at run time.
macro_rules! is_send {
    ($type:ty) => {{
        struct Probe<T: ?Sized>(std::marker::PhantomData<T>);
        #[allow(dead_code, reason = "unused when the answer is yes")]
        trait No {
            fn answer(&self) -> bool {
                false
            }
        }
        impl<T: ?Sized> No for Probe<T> {}
        #[allow(dead_code, reason = "unused when the answer is no")]
        impl<T: ?Sized + Send> Probe<T> {
            fn answer(&self) -> bool {
                true
            }
        }
        Probe::<$type>(std::marker::PhantomData).answer()
    }};
}

#[test]
fn nothing_of_a_thread_can_be_sent_to_another() {
    use greenlet::{Builder, Coroutine, Generator, Received, TraceEvent, WeakGreenlet, Yielder};
    assert!(is_send!(u8) && !is_send!(*mut ()), "the probe works");
    assert!(!is_send!(Greenlet) && !is_send!(&Greenlet));
    assert!(!is_send!(WeakGreenlet) && !is_send!(&WeakGreenlet));
    assert!(!is_send!(Received) && !is_send!(&Received));
    assert!(!is_send!(TraceEvent<'static>) && !is_send!(Builder));
    assert!(!is_send!(Coroutine<(), (), ()>) && !is_send!(Generator<u8>));
    assert!(is_send!(greenlet::GreenletId) && is_send!(greenlet::GreenletExit));
    assert!(is_send!(greenlet::ChildExit));
    // A yielder leads to whatever greenlet is current, and checks that it is its own.
    let _ = is_send!(Yielder<(), ()>);
}

#[test]
fn every_thread_has_a_root_of_its_own() {
    let mine = root().id();
    assert_eq!(current().id(), mine);
    let roots: Vec<_> = (0..8)
        .map(|_| std::thread::spawn(|| (root().id(), current() == root())))
        .map(|thread| thread.join().unwrap())
        .collect();
    assert!(roots.iter().all(|&(id, same)| same && id != mine));
    let distinct: std::collections::HashSet<_> = roots.iter().map(|(id, _)| id).collect();
    assert_eq!(distinct.len(), 8);
}

#[test]
fn threads_switch_without_disturbing_each_other() {
    let threads: Vec<_> = (0..16_u64)
        .map(|number| {
            std::thread::spawn(move || {
                let greenlets: Vec<_> = (0..16)
                    .map(|i| {
                        Greenlet::new(move |mut sum: u64| {
                            for _ in 0..100 {
                                sum += suspend::<u64, u64>(sum * 1_000 + number * 16 + i);
                            }
                            sum
                        })
                    })
                    .collect();
                for (i, g) in greenlets.iter().enumerate() {
                    let mut expected = 5;
                    assert_eq!(g.switch::<u64, u64>(5), 5_000 + number * 16 + i as u64);
                    for step in 0..99 {
                        expected += step;
                        let got: u64 = g.switch(step);
                        assert_eq!(got, expected * 1_000 + number * 16 + i as u64);
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_lock_guard_stays_with_its_greenlet() {
    let lock = std::sync::Arc::new(std::sync::Mutex::new(0));
    let g = Greenlet::new({
        let lock = lock.clone();
        move |()| {
            let mut guard = lock.lock().unwrap();
            suspend::<(), ()>(());
            *guard = 5;
        }
    });
    g.switch::<(), ()>(());
    assert!(lock.try_lock().is_err(), "held by the suspended greenlet");
    g.switch::<(), ()>(());
    assert_eq!(*lock.lock().unwrap(), 5);
}

#[test]
fn numbers_are_unique_in_the_process() {
    let (send, receive) = mpsc::channel();
    for _ in 0..8 {
        let send = send.clone();
        std::thread::spawn(move || {
            for _ in 0..3_000 {
                send.send(Greenlet::new(|()| ()).id()).unwrap();
            }
        });
    }
    drop(send);
    let all: Vec<_> = receive.iter().collect();
    let distinct: std::collections::HashSet<_> = all.iter().collect();
    assert_eq!((all.len(), distinct.len()), (24_000, 24_000));
}
