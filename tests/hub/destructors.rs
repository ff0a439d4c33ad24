//! What destructors of thread-locals do with greenlets, and what is kept from them.

use crate::filter;
use crate::in_child::{Case, cases_in_children, in_child, tell, this_test};
use crate::log::OnDrop;
use crate::ms;
use crate::open_files::limit_open_files;
use crate::thread_end::thread;
use greenlet::net::{UdpSocket, UnixStream};
use greenlet::sync::queue::Queue;
use greenlet::sync::{RwLock, Semaphore};
use greenlet::{
    Greenlet, HubHandle, HubKind, RemoteJoinError, Timeout, config, run, shield, sleep, spawn,
    spawn_detached, stats, timeout, yield_now,
};
use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Calls what it holds when the thread's locals are destroyed.
pub(crate) struct AtExit(RefCell<Vec<Box<dyn FnOnce()>>>);

impl Drop for AtExit {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(|f| f());
    }
}

thread_local! {
    pub(crate) static FIRST: AtExit = const { AtExit(RefCell::new(Vec::new())) };
    pub(crate) static SECOND: AtExit = const { AtExit(RefCell::new(Vec::new())) };
}

pub(crate) fn at_exit(key: &'static std::thread::LocalKey<AtExit>, f: impl FnOnce() + 'static) {
    key.with(|it| it.0.borrow_mut().push(Box::new(f)));
}

/// Makes a thread whose locals are older (destroyed after the greenlets' own notice) or younger.
fn with_both(f: fn(&'static std::thread::LocalKey<AtExit>)) {
    thread(move || {
        FIRST.with(|_| ()); // older than the thread's first greenlet
        sleep(Duration::from_micros(10));
        f(&FIRST);
    });
    thread(move || {
        sleep(Duration::from_micros(10));
        SECOND.with(|_| ());
        f(&SECOND);
    });
}

/// A task is left that reads what never comes from the other end of this.
fn read_from_for_ever() -> UnixStream {
    let (mut near, far) = UnixStream::pair().unwrap();
    spawn_detached(move || drop(near.read(&mut [0])));
    sleep(ms(1)); // it reads now, and the kernel has been told
    far
}

/// For what comes, and for what does not come in time.
fn wait_for_the_kernel() {
    let (mut left, mut right) = UnixStream::pair().unwrap();
    right.write_all(b"x").unwrap();
    assert_eq!(left.read(&mut [0; 2]).unwrap(), 1);
    assert!(timeout(ms(1), || left.read(&mut [0])).is_err());
}

#[test]
fn destructors_of_thread_locals_drop_handles_and_limits() {
    let outcome = in_child(this_test!(), || {
        with_both(|key| {
            let finished = spawn(|| String::from("result"));
            finished.wait();
            let limit = Timeout::start(Duration::from_secs(60));
            let passed = Timeout::start(Duration::from_micros(1));
            let parked = spawn(|| sleep(Duration::MAX));
            shield(|| sleep(ms(1)));
            at_exit(key, move || drop((finished, limit, passed, parked)));
        });
    });
    outcome.exited_with(0).says("a thread ended with 1 unfinished greenlet");
}

#[test]
fn destructors_of_thread_locals_spawn_sleep_and_limit() {
    let outcome = in_child(this_test!(), || {
        with_both(|key| {
            at_exit(key, || {
                spawn_detached(|| tell("ran", &[]));
                sleep(ms(2));
                yield_now();
                greenlet::idle();
                assert!(timeout(ms(1), || sleep(Duration::from_secs(60))).is_err());
                run(|| sleep(ms(1)));
            });
        });
    });
    outcome.exited_with(0).says("a thread ended with 1 unfinished greenlet");
    assert!(!outcome.told("ran"), "nobody runs while thread-locals are destroyed\n{outcome}");
}

#[test]
fn a_parked_greenlet_whose_handle_goes_with_the_thread_is_leaked() {
    let outcome = in_child(this_test!(), || {
        with_both(|key| {
            let g = Greenlet::new(|()| {
                let _end = OnDrop(|| tell("unwound", &[]));
                sleep(Duration::MAX);
            });
            let shared = g.clone();
            spawn_detached(move || shared.switch(()));
            sleep(ms(1));
            at_exit(key, move || {
                let child = Greenlet::builder().parent(&g).create(|()| 1).unwrap();
                let late = Greenlet::builder().parent(&g).create(|()| 1).unwrap();
                let _ = catch_unwind(AssertUnwindSafe(|| late.throw::<()>(3_i32)));
                let _ = g.try_throw::<()>(5_i32);
                drop((child, g));
            });
        });
    });
    outcome.exited_with(0).says("a thread ended with 2 unfinished greenlets");
    assert!(!outcome.told("unwound"), "{outcome}");
}

/// A task borrows a thread-local and is parked; the thread-local is destroyed; then another one's
/// destructor waits. The task must not run any more.
#[test]
fn who_borrows_a_destroyed_thread_local_never_runs_again() {
    struct Watched(Cell<u32>);
    impl Drop for Watched {
        fn drop(&mut self) {
            self.0.set(0xdead);
        }
    }
    thread_local! {
        static BORROWED: Watched = const { Watched(Cell::new(1)) };
    }
    let outcome = in_child(this_test!(), || {
        thread(|| {
            FIRST.with(|_| ()); // older than the thread's greenlets
            sleep(Duration::from_micros(10));
            SECOND.with(|_| ()); // younger, but destroyed after what the tasks borrow
            for sleeper in [false, true] {
                spawn_detached(move || {
                    BORROWED.with(|it| {
                        if sleeper {
                            sleep(ms(3))
                        } else {
                            yield_now()
                        }
                        tell("saw", &[it.0.get() as usize]);
                    });
                });
            }
            at_exit(&FIRST, || {
                sleep(ms(10));
                yield_now();
            });
            // Also where it is not the root that waits first.
            at_exit(&SECOND, || Greenlet::new(|()| sleep(ms(10))).switch(()));
            // One turn for each: they are parked in their borrows now.
            yield_now();
        });
    });
    outcome.exited_with(0);
    assert!(!outcome.told("saw"), "{outcome}");
}

const BYTES: usize = 64;

/// A buffer of a thread-local. It is freed when that is destroyed, but for a look at it later.
struct Buffer(RefCell<Vec<u8>>);

impl Drop for Buffer {
    fn drop(&mut self) {
        let freed = std::mem::take(self.0.get_mut());
        FREED.with(|it| it.set(Box::leak(freed.into_boxed_slice()).as_mut_ptr()));
    }
}

thread_local! {
    static READ_INTO: Buffer = const { Buffer(RefCell::new(Vec::new())) };
    static FREED: Cell<*mut u8> = const { Cell::new(std::ptr::null_mut()) };
}

/// Reads from `near` into the buffer of a thread-local.
fn read_into_buffer(mut near: UnixStream) {
    READ_INTO.with(|buffer| {
        let mut buffer = buffer.0.borrow_mut();
        buffer.resize(BYTES, 0);
        let _ = near.read(&mut buffer);
    });
}

/// How many bytes have come into that buffer.
fn stray_bytes() -> usize {
    let freed = FREED.get();
    assert!(!freed.is_null(), "it is destroyed before this");
    // SAFETY: leaked.
    let bytes = unsafe { std::slice::from_raw_parts(freed, BYTES) };
    bytes.iter().filter(|byte| **byte != 0).count()
}

/// Is it a ring without DEFER_TASKRUN, as before Linux 6.1? It writes what it has read by itself.
fn ring_writes_by_itself() -> bool {
    let hub = config().to_string().lines().next().unwrap().to_owned();
    stats().hub == HubKind::Uring && !hub.contains("defer_taskrun")
}

/// Tasks read into thread-locals, which are destroyed; then a destructor waits for the kernel, which has
/// bytes for them.
#[test]
fn nothing_is_read_into_a_destroyed_thread_local() {
    if ring_writes_by_itself() {
        return println!("not run: nobody can keep this ring from it");
    }
    static STRAY: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    let outcome = in_child(this_test!(), || {
        with_both(|key| {
            let (near, mut far) = UnixStream::pair().unwrap();
            let reader = spawn(move || read_into_buffer(near));
            sleep(ms(1)); // it reads now, and the kernel has been told
            at_exit(key, move || {
                far.write_all(&[7; BYTES]).unwrap();
                wait_for_the_kernel();
                sleep(ms(1));
                STRAY.lock().unwrap().push(stray_bytes());
                drop(reader);
            });
        });
        tell("stray", &STRAY.lock().unwrap());
    });
    outcome.exited_with(0).says("a thread ended with 1 unfinished greenlet");
    assert_eq!(outcome.numbers("stray"), [0, 0]);
}

/// As above; but it is a task that ends the process, while the root greenlet is parked.
#[test]
fn nothing_is_read_into_a_destroyed_thread_local_after_exit_in_a_task() {
    if ring_writes_by_itself() {
        return println!("not run: nobody can keep this ring from it");
    }
    let outcome = in_child(this_test!(), || {
        thread(|| {
            FIRST.with(|_| ()); // older than the thread's greenlets
            sleep(Duration::from_micros(10));
            let (near, mut far) = UnixStream::pair().unwrap();
            spawn_detached(move || read_into_buffer(near));
            sleep(ms(1)); // it reads now, and the kernel has been told
            at_exit(&FIRST, move || {
                far.write_all(&[7; BYTES]).unwrap();
                wait_for_the_kernel();
                tell("stray", &[stray_bytes()]);
            });
            spawn_detached(|| std::process::exit(0));
            sleep(Duration::MAX);
        });
    });
    outcome.exited_with(0);
    assert_eq!(outcome.numbers("stray"), [0]);
}

/// A task reads from a socket of a thread-local, and the kernel has not been told when another task ends the
/// process. The socket is destroyed, and its number used again: what comes there is nobody else's.
#[test]
fn nothing_is_read_from_a_socket_with_the_number_of_a_destroyed_one() {
    thread_local! {
        static STREAM: RefCell<Option<UnixStream>> = const { RefCell::new(None) };
    }
    fn read_again() {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        far.write_all(b"x").unwrap();
        near.set_read_timeout(Some(ms(200))).unwrap();
        tell("read", &[near.read(&mut [0; 2]).unwrap_or(0)]);
    }
    fn exit_beside_a_reader(key: &'static std::thread::LocalKey<AtExit>) {
        let (near, far) = UnixStream::pair().unwrap();
        std::mem::forget(far);
        STREAM.set(Some(near)); // younger than `key`, so that it is destroyed before
        at_exit(key, read_again);
        let read = |stream: &RefCell<Option<UnixStream>>| {
            let stream = stream.borrow();
            let mut stream = stream.as_ref().unwrap();
            let _ = stream.read(&mut [0; 2]);
        };
        spawn_detached(move || STREAM.with(read));
        spawn_detached(|| std::process::exit(0));
        sleep(Duration::MAX);
    }
    let cases: [Case<'_>; 2] = [
        ("older than the greenlets", |_| {
            FIRST.with(|_| ());
            exit_beside_a_reader(&FIRST);
        }),
        ("younger", |_| {
            sleep(Duration::from_micros(10));
            SECOND.with(|_| ());
            exit_beside_a_reader(&SECOND);
        }),
    ];
    cases_in_children(this_test!(), &cases, |_, outcome| {
        assert_eq!(outcome.exited_with(0).numbers("read"), [1]);
    });
}

/// A getter, and one who wants a permit, wait for ever: what destructors give up is not theirs any more.
#[test]
fn what_destructors_give_up_goes_to_nobody_who_is_left() {
    let outcome = in_child(this_test!(), || {
        with_both(|key| {
            let (queue, permits) = (Queue::unbounded(), Rc::new(Semaphore::new(1)));
            let permit = permits.clone().acquire_owned();
            let lock: &RwLock<i32> = Box::leak(Box::default());
            let (writes, rendezvous) = (lock.write(), Queue::bounded(0));
            let gets = queue.clone();
            spawn_detached(move || assert!(gets.get().is_err()));
            let acquires = permits.clone();
            spawn_detached(move || drop(acquires.acquire()));
            spawn_detached(move || drop(lock.read()));
            let takes = rendezvous.clone();
            spawn_detached(move || assert!(takes.get().is_err()));
            yield_now();
            at_exit(key, move || {
                yield_now(); // this is where the end of the thread is noticed, if it was not before
                assert!(rendezvous.try_put(1).is_err());
                queue.put(1).unwrap();
                assert_eq!(queue.try_get(), Ok(1));
                drop(permit);
                assert!(permits.try_acquire().is_some());
                drop(writes);
                assert!(lock.try_write().is_some());
                tell("free", &[]);
            });
        });
    });
    outcome.exited_with(0).says("a thread ended with 4 unfinished greenlets");
    assert_eq!(outcome.stdout.matches("tell free").count(), 2, "{outcome}");
}

/// As above; the one who is left is the root greenlet.
#[test]
fn what_destructors_give_up_after_exit_in_a_task_does_not_go_to_the_root() {
    let outcome = in_child(this_test!(), || {
        thread(|| {
            FIRST.with(|_| ());
            let queue = Queue::unbounded();
            let puts = queue.clone();
            at_exit(&FIRST, move || {
                puts.put(7).unwrap();
                tell("got", &[puts.try_get().unwrap_or(0)]);
            });
            spawn_detached(|| std::process::exit(0));
            let _: Result<usize, _> = queue.get();
        });
    });
    assert_eq!(outcome.exited_with(0).numbers("got"), [7]);
}

/// Who slept, or was ready, when the thread ended does not keep a turn of the hub from waiting.
#[test]
fn a_turn_in_a_destructor_waits_for_nobody_who_is_left() {
    let outcome = in_child(this_test!(), || {
        with_both(|key| {
            spawn_detached(|| sleep(ms(2)));
            yield_now();
            spawn_detached(|| ());
            at_exit(key, || {
                let began = Instant::now();
                assert!(!greenlet::turn(ms(10)));
                assert!(began.elapsed() >= ms(10), "{:?}", began.elapsed());
                tell("waited", &[]);
            });
        });
    });
    outcome.exited_with(0).says("a thread ended with 2 unfinished greenlets");
    assert_eq!(outcome.stdout.matches("tell waited").count(), 2, "{outcome}");
}

/// An operation is under way at the thread's end, so that a destructor needs a hub of its own; but the
/// memory for another ring cannot be had.
#[test]
fn a_destructor_waits_where_a_second_ring_is_refused() {
    if filter::is_refused() {
        return;
    }
    let outcome = in_child(this_test!(), || {
        with_both(|key| {
            let far = read_from_for_ever();
            at_exit(key, move || {
                filter::forbid(libc::SYS_io_uring_setup, libc::EPERM, None);
                wait_for_the_kernel();
                assert_ne!(stats().hub, HubKind::Uring);
                tell("waited", &[]);
                drop(far);
            });
        });
    });
    outcome.exited_with(0).says("a thread ended with 1 unfinished greenlet");
    assert!(outcome.told("waited"), "{outcome}");
}

/// The first that the hub hears of the thread's end is that a socket is closed in which somebody waits.
#[test]
fn a_destructor_closes_a_socket_in_which_somebody_waits() {
    let outcome = in_child(this_test!(), || {
        with_both(|key| {
            let socket = Rc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
            let shared = socket.clone();
            spawn_detached(move || drop(shared.recv_from(&mut [0; 8])));
            sleep(ms(1));
            at_exit(key, move || {
                socket.close().unwrap();
                sleep(ms(1));
            });
        });
        tell("ended", &[]);
    });
    outcome.exited_with(0).says("a thread ended with 1 unfinished greenlet");
    assert!(outcome.told("ended"), "{outcome}");
}

/// A task reads, so that the destructor has a hub of its own; what it asks of the old one is answered.
#[test]
fn a_destructor_joins_what_the_hub_before_was_given() {
    let outcome = in_child(this_test!(), || {
        with_both(|key| {
            let (mut near, far) = UnixStream::pair().unwrap();
            spawn_detached(move || drop(near.read(&mut [0])));
            sleep(ms(1));
            let task = HubHandle::current().spawn(|| 1);
            at_exit(key, move || {
                assert!(matches!(task.join(), Err(RemoteJoinError::HubEnded)));
                drop(far);
            });
        });
        tell("ended", &[]);
    });
    outcome.exited_with(0).says("1 task of other threads never began");
    assert!(outcome.told("ended"), "{outcome}");
}

/// Nothing can be opened any more, so that there can be no other hub; what waits for nothing needs none.
#[test]
fn a_destructor_drops_a_socket_where_no_other_hub_can_be_made() {
    let outcome = in_child(this_test!(), || {
        with_both(|key| {
            let far = read_from_for_ever();
            at_exit(key, move || {
                let before = limit_open_files(1);
                drop(far);
                limit_open_files(before);
            });
        });
        tell("ended", &[]);
    });
    outcome.exited_with(0);
    assert!(outcome.told("ended"), "{outcome}");
}

/// As above: it tells a task to end, which waits for nothing, either.
#[test]
fn a_destructor_kills_a_task_where_no_other_hub_can_be_made() {
    let outcome = in_child(this_test!(), || {
        with_both(|key| {
            let far = read_from_for_ever();
            let task = spawn(|| sleep(Duration::MAX));
            yield_now();
            at_exit(key, move || {
                let before = limit_open_files(1);
                task.kill_soon();
                task.kill();
                limit_open_files(before);
                drop(far);
            });
        });
        tell("ended", &[]);
    });
    outcome.exited_with(0);
    assert!(outcome.told("ended"), "{outcome}");
}
