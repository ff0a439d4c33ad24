//! What is given up in the child of a fork goes to those who wait there, and to nobody who waits in the parent.

use crate::fork::forked;
use crate::in_child::{in_child, this_test};
use crate::ms;
use greenlet::net::{TcpListener, TcpStream};
use greenlet::sync::queue::Queue;
use greenlet::sync::{
    CappedSemaphore, Condvar, Mutex, OnceCell, ReentrantMutex, RwLock, Semaphore,
};
use greenlet::{Greenlet, JoinHandle, reinit, spawn, suspend, yield_now};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

/// Forks; the child has a new hub, calls `f` and ends.
fn in_new_hub(f: impl FnOnce()) {
    let child = || {
        reinit();
        f();
        12
    };
    assert_eq!(forked(child), 12);
}

/// A task that has called `f`, and waits in it.
fn waits<T: 'static>(shared: &Rc<T>, f: fn(&T)) -> JoinHandle<()> {
    let shared = shared.clone();
    let task = spawn(move || f(&shared));
    yield_now();
    assert!(!task.is_finished());
    task
}

#[test]
fn a_mutex() {
    let outcome = in_child(this_test!(), || {
        let mutex = Rc::new(Mutex::new(0));
        let guard = mutex.lock();
        let there = [(); 3].map(|()| waits(&mutex, |mutex| *mutex.lock() += 1));
        in_new_hub(|| {
            let here = waits(&mutex, |mutex| *mutex.lock() += 10);
            drop(guard);
            here.join().unwrap();
            assert_eq!(mutex.lock_timeout(ms(1)).as_deref(), Some(&10));
        });
        there.into_iter().for_each(|task| task.join().unwrap());
        assert_eq!(*mutex.lock(), 3);
    });
    outcome.exited_with(0);
}

#[test]
fn a_reentrant_mutex() {
    let outcome = in_child(this_test!(), || {
        let mutex = Rc::new(ReentrantMutex::new(Cell::new(0)));
        let guard = mutex.lock();
        let there = waits(&mutex, |mutex| mutex.lock().set(1));
        in_new_hub(|| {
            let here = waits(&mutex, |mutex| mutex.lock().set(2));
            drop(guard);
            here.join().unwrap();
            assert_eq!(mutex.lock_timeout(ms(1)).map(|value| value.get()), Some(2));
        });
        there.join().unwrap();
    });
    outcome.exited_with(0);
}

#[test]
fn a_read_write_lock() {
    let outcome = in_child(this_test!(), || {
        let lock = Rc::new(RwLock::new(0));
        for reads in [false, true] {
            let (read, write) =
                if reads { (Some(lock.read()), None) } else { (None, Some(lock.write())) };
            let writes = waits(&lock, |lock| *lock.write() += 1);
            let also_reads = waits(&lock, |lock| drop(lock.read()));
            in_new_hub(|| {
                assert_eq!(lock.try_read().is_some(), reads, "nobody waits here");
                let here = waits(&lock, |lock| *lock.write() += 10);
                drop((read, write));
                here.join().unwrap();
                assert!(lock.read_timeout(ms(1)).is_some());
                assert!(lock.write_timeout(ms(1)).is_some());
            });
            writes.join().unwrap();
            also_reads.join().unwrap();
        }
    });
    outcome.exited_with(0);
}

#[test]
fn the_turn_to_make_a_value() {
    let outcome = in_child(this_test!(), || {
        let cell = Rc::new(OnceCell::new());
        let own = cell.clone();
        let fails = Greenlet::new(move |()| {
            let make = || {
                let () = suspend(());
                resume_unwind(Box::new("failed"))
            };
            assert!(catch_unwind(AssertUnwindSafe(|| own.get_or_init(make))).is_err());
        });
        let () = fails.switch(());
        let there = waits(&cell, |cell| assert_eq!(*cell.get_or_init(|| 1), 1));
        in_new_hub(|| {
            let here = waits(&cell, |cell| assert_eq!(*cell.get_or_init(|| 2), 2));
            let () = fails.switch(());
            here.join().unwrap();
        });
        let () = fails.switch(());
        there.join().unwrap();
    });
    outcome.exited_with(0);
}

#[test]
fn permits() {
    let outcome = in_child(this_test!(), || {
        let semaphore = Rc::new(Semaphore::new(0));
        let there = waits(&semaphore, |semaphore| semaphore.acquire().forget());
        in_new_hub(|| {
            assert_eq!(semaphore.waiting(), 0);
            semaphore.release();
            assert_eq!(semaphore.available(), 1);
            semaphore.acquire().forget();
            let here = waits(&semaphore, |semaphore| semaphore.acquire().forget());
            semaphore.release();
            here.join().unwrap();
        });
        semaphore.release();
        there.join().unwrap();
        // Those who release wait, too.
        let capped = Rc::new(CappedSemaphore::new(1, 1));
        let there = waits(&capped, |capped| capped.release());
        in_new_hub(|| {
            capped.acquire();
            assert_eq!(capped.available(), 0);
            assert!(capped.is_exhausted() && capped.release_timeout(ms(1)));
        });
        capped.acquire();
        there.join().unwrap();
    });
    outcome.exited_with(0);
}

#[test]
fn notifications() {
    let outcome = in_child(this_test!(), || {
        let shared = Rc::new((Mutex::new(()), Condvar::new()));
        let there = waits(&shared, |shared| shared.1.wait(&mut shared.0.lock()));
        in_new_hub(|| {
            assert!(!shared.1.notify_one());
            let here = waits(&shared, |shared| shared.1.wait(&mut shared.0.lock()));
            assert!(shared.1.notify_one());
            here.join().unwrap();
        });
        shared.1.notify_one();
        there.join().unwrap();
    });
    outcome.exited_with(0);
}

#[test]
fn items_and_room() {
    let outcome = in_child(this_test!(), || {
        let queue = Rc::new(Queue::bounded(1));
        let there = waits(&queue, |queue| assert_eq!(queue.get(), Ok(1)));
        in_new_hub(|| {
            queue.put(2).unwrap();
            assert_eq!(queue.get_timeout(ms(1)), Ok(2));
            let here = waits(&queue, |queue| assert_eq!(queue.get(), Ok(3)));
            queue.put(3).unwrap();
            here.join().unwrap();
        });
        queue.put(1).unwrap();
        there.join().unwrap();
        queue.put(4).unwrap();
        let there = waits(&queue, |queue| queue.put(5).unwrap());
        in_new_hub(|| {
            assert_eq!(queue.get_timeout(ms(1)), Ok(4));
            assert_eq!(queue.put_timeout(6, ms(1)), Ok(()));
            assert_eq!(queue.get_timeout(ms(1)), Ok(6));
        });
        assert_eq!(queue.get(), Ok(4));
        there.join().unwrap();
    });
    outcome.exited_with(0);
}

/// What a putter of the parent has brought is there, as what lies in a queue is.
#[test]
fn items_that_are_handed_over() {
    let outcome = in_child(this_test!(), || {
        let queue = Rc::new(Queue::rendezvous());
        let there = waits(&queue, |queue| assert_eq!(queue.get(), Ok(1)));
        in_new_hub(|| {
            assert!(queue.try_put(2).is_err(), "nobody gets it here");
            assert!(queue.put_timeout(3, ms(1)).is_err());
            let here = waits(&queue, |queue| assert_eq!(queue.get(), Ok(4)));
            queue.try_put(4).unwrap();
            here.join().unwrap();
        });
        queue.put(1).unwrap();
        there.join().unwrap();
        let there = waits(&queue, |queue| queue.put(5).unwrap());
        in_new_hub(|| {
            let here = waits(&queue, |queue| queue.put(6).unwrap());
            assert_eq!(queue.get_timeout(ms(1)), Ok(5));
            yield_now();
            assert!(!here.is_finished(), "its item was not taken");
            assert_eq!(queue.get_timeout(ms(1)), Ok(6));
            here.join().unwrap();
            assert!(queue.try_get().is_err());
        });
        assert_eq!(queue.get(), Ok(5));
        there.join().unwrap();
    });
    outcome.exited_with(0);
}

/// One of the parent is in the kernel, where it takes one connection, perhaps of the child's; another waits for
/// its turn.
#[test]
fn the_turn_at_a_listener() {
    let outcome = in_child(this_test!(), || {
        let listener = Rc::new(TcpListener::bind("127.0.0.1:0").unwrap());
        let accepts: fn(&TcpListener) = |listener| drop(listener.accept().unwrap());
        let connect = |()| TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let there = [(); 2].map(|()| waits(&listener, accepts));
        in_new_hub(|| {
            let here = [(); 2].map(|()| waits(&listener, accepts));
            let clients = [(); 3].map(connect);
            here.into_iter().for_each(|task| task.join().unwrap());
            drop(clients);
        });
        let clients = [(); 2].map(connect);
        there.into_iter().for_each(|task| task.join().unwrap());
        drop(clients);
    });
    outcome.exited_with(0);
}
