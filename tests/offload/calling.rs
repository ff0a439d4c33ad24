//! Calls that come back: with a value or a panic, from wherever they are made.

use crate::in_child::{in_child, this_test};
use crate::ms;
use greenlet::{Greenlet, offload, sleep, spawn, try_offload};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::channel;
use std::thread;

#[test]
fn others_run_meanwhile() {
    let (send, receive) = channel();
    let waits = spawn(move || offload(move || receive.recv().unwrap()));
    spawn(move || {
        sleep(ms(1));
        send.send(7).unwrap(); // the hub is not blocked by who waits for it
    })
    .join()
    .unwrap();
    assert_eq!(waits.join().unwrap(), 7);
}

#[test]
fn the_first_call_of_a_thread_makes_its_hub() {
    // In a child: other tests may have all threads for a while.
    let outcome = in_child(this_test!(), || {
        assert_eq!(try_offload(|| 6 * 7).unwrap(), 42);
        assert_eq!(thread::spawn(|| offload(|| "too")).join().unwrap(), "too");
    });
    outcome.exited_with(0);
}

#[test]
fn the_closure_runs_on_a_thread_of_its_own_with_a_large_stack() {
    let (name, id) = offload(|| {
        let big = std::hint::black_box([1_u8; 256 << 10]);
        assert_eq!(big.iter().map(|b| usize::from(*b)).sum::<usize>(), 256 << 10);
        (thread::current().name().map(str::to_owned), thread::current().id())
    });
    assert_eq!(name.as_deref(), Some("greenlet-worker"));
    assert_ne!(id, thread::current().id());
}

#[test]
fn a_greenlet_that_is_no_task_may_call() {
    let g = Greenlet::new(|()| offload(|| 5));
    assert_eq!(g.switch::<(), i32>(()), 5);
}

#[test]
fn what_is_owned_goes_along_and_comes_back() {
    let buffer = vec![1, 2, 3];
    let address = buffer.as_ptr();
    let buffer = offload(move || {
        let mut buffer = buffer;
        buffer[0] = 9;
        buffer
    });
    assert_eq!((buffer[0], buffer.as_ptr()), (9, address));
}

#[test]
fn a_panic_is_raised_in_the_caller_with_its_payload() {
    let caught = spawn(|| offload(|| resume_unwind(Box::new(7_i32)))).join();
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&7));
    let caught = catch_unwind(|| offload(|| -> i32 { panic!("so it is") })).unwrap_err();
    assert_eq!(caught.downcast_ref(), Some(&"so it is"));
    assert_eq!(offload(|| 1), 1, "the thread is as good as before");
}

#[test]
fn a_call_on_a_worker_runs_in_place() {
    let (outer, inner, tried) = offload(|| {
        let id = || thread::current().id();
        (id(), offload(id), try_offload(id).unwrap())
    });
    assert_eq!((outer, outer), (inner, tried));
    let raised = catch_unwind(|| offload(|| offload(|| resume_unwind(Box::new(3_i32)))));
    assert_eq!(raised.unwrap_err().downcast_ref(), Some(&3));
}

#[test]
fn greenlets_of_the_closure_end_with_it() {
    struct Tell(std::sync::mpsc::Sender<&'static str>);
    impl Drop for Tell {
        fn drop(&mut self) {
            self.0.send("ended").unwrap();
        }
    }
    let (said, heard) = channel();
    let sum: i32 = offload(move || {
        let left = spawn(move || {
            let _tell = Tell(said);
            sleep(ms(100_000));
        });
        let sum = (0..10).map(|n| spawn(move || n)).map(|task| task.join().unwrap()).sum();
        sleep(ms(1));
        assert!(left.is_started() && !left.is_finished());
        sum
    });
    assert_eq!(sum, 45);
    assert_eq!(heard.try_recv(), Ok("ended"), "before the call came back");
}

#[test]
fn a_destructor_may_call_while_its_thread_unwinds() {
    struct Calls;
    impl Drop for Calls {
        fn drop(&mut self) {
            assert_eq!(offload(|| 2), 2); // waits in place: nobody else runs
        }
    }
    let other = spawn(|| sleep(ms(1)));
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _calls = Calls;
        resume_unwind(Box::new(4_i32))
    }));
    assert_eq!(caught.err().unwrap().downcast_ref(), Some(&4));
    other.join().unwrap();
}

#[test]
fn hubs_of_several_threads_share_the_workers() {
    let threads: Vec<_> = (0..4_u64)
        .map(|thread| {
            thread::spawn(move || {
                let tasks: Vec<_> =
                    (0..50).map(|n| spawn(move || offload(move || thread * 100 + n))).collect();
                tasks.into_iter().map(|task| task.join().unwrap()).sum::<u64>()
            })
        })
        .collect();
    let sum: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(sum, 4 * (49 * 50 / 2) + 50 * 100 * (1 + 2 + 3));
}
