//! One hub per processor.

use crate::in_child::{in_child, this_test};
use crate::open_files::limit_open_files;
use crate::{LONG, ms};
use greenlet::net::{TcpListener, TcpStream};
use greenlet::sync::thread::{Sender, bounded, unbounded};
use greenlet::{RemoteJoinError, sleep, spawn, spawn_detached, workers};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::thread::current;

#[test]
fn each_runs_on_a_thread_of_its_own_and_stays_on_its_processor() {
    let crew = workers(3, |worker| {
        worker.wait_for_stop();
        assert!(worker.is_stopping());
        // SAFETY: takes nothing.
        let here = usize::try_from(unsafe { libc::sched_getcpu() }).unwrap();
        assert!(worker.cpu().is_none_or(|cpu| cpu == here));
        (worker.index(), current().id(), current().name().map(str::to_owned))
    })
    .unwrap();
    assert_eq!((crew.len(), crew.hubs().count()), (3, 3));
    assert_eq!(format!("{crew:?}"), "Workers { len: 3, .. }");
    crew.request_stop();
    let done: Vec<_> = crew.join().into_iter().map(Result::unwrap).collect();
    assert_eq!(done.iter().map(|done| done.0).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(done.iter().map(|done| done.1).collect::<std::collections::HashSet<_>>().len(), 3);
    assert_eq!(done[2].2.as_deref(), Some("worker 2"));
}

#[test]
fn they_take_tasks_until_they_end() {
    let crew = workers(2, |worker| worker.wait_for_stop()).unwrap();
    let hubs: Vec<_> = crew.hubs().cloned().collect();
    let sums: Vec<_> = (0..40).map(|n| hubs[n % 2].spawn(move || n)).collect();
    assert_eq!(sums.into_iter().map(|sum| sum.join().unwrap()).sum::<usize>(), 780);
    let held = Arc::new(());
    let paper = held.clone();
    let left = hubs[0].spawn(move || {
        sleep(LONG);
        drop(paper);
    });
    // Joined by a greenlet: others run meanwhile.
    let joining = spawn(move || crew.stop(LONG));
    assert!(joining.join().unwrap().into_iter().all(|done| done.is_ok()));
    assert!(matches!(left.join(), Err(RemoteJoinError::Killed)));
    assert_eq!(Arc::strong_count(&held), 1);
    assert!(hubs.iter().all(|hub| hub.has_ended()));
}

#[test]
fn one_that_does_not_stop_is_killed() {
    let crew = workers(2, |worker| {
        if worker.index() == 1 {
            sleep(LONG);
        }
        worker.wait_for_stop();
        "stopped"
    })
    .unwrap();
    crew.request_stop();
    // The short time is for the other one alone.
    while !crew.hubs().next().unwrap().has_ended() {
        std::thread::yield_now();
    }
    let done = crew.stop(ms(20));
    assert_eq!(*done[0].as_ref().unwrap(), "stopped");
    assert!(matches!(done[1], Err(RemoteJoinError::Killed)));
}

#[test]
fn one_that_panics_leaves_the_others_alone() {
    let crew = workers(2, |worker| {
        if worker.index() == 0 {
            std::panic::resume_unwind(Box::new("out of tea"));
        }
        worker.wait_for_stop();
    })
    .unwrap();
    crew.hubs().nth(1).unwrap().spawn(|| ()).join().unwrap();
    crew.request_stop();
    let done = crew.join();
    assert_eq!(done[0].as_ref().unwrap_err().payload_as_str(), Some("out of tea"));
    assert!(done[1].is_ok());
}

#[test]
fn they_share_a_port() {
    let first = TcpListener::builder().reuse_port(true).backlog(64).bind("127.0.0.1:0").unwrap();
    let address = first.local_addr().unwrap();
    assert!(TcpListener::bind(address).is_err(), "not without the option");
    drop(first);
    let is_steered = can_be_steered();
    let (served, by) = unbounded();
    let crew = workers(2, move |worker| {
        let mut builder = TcpListener::builder().reuse_port(true);
        let cpu = worker.cpu().filter(|_| is_steered);
        if let Some(cpu) = cpu {
            builder = builder.incoming_cpu(cpu);
        }
        let listener = builder.bind(address).unwrap();
        if let Some(cpu) = cpu {
            assert_eq!(incoming_cpu(&listener), cpu);
        }
        let (served, index) = (served.clone(), worker.index());
        served.send(None).unwrap();
        let accepting = spawn(move || {
            for stream in listener.incoming() {
                served.send(Some(index)).unwrap();
                spawn_detached(move || drop(stream.unwrap().write_all(b"hello")));
            }
        });
        worker.wait_for_stop();
        accepting.kill();
    })
    .unwrap();
    assert_eq!((by.recv(), by.recv()), (Ok(None), Ok(None)));
    for _ in 0..20 {
        let mut text = String::new();
        TcpStream::connect(address).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
    }
    let who: BTreeSet<_> = by.try_iter().flatten().collect();
    assert!(!who.is_empty() && who.iter().all(|&index| index < 2));
    assert!(crew.stop(LONG).into_iter().all(|done| done.is_ok()));
}

/// Can a processor be wished for here? Emulators do not know the option.
fn can_be_steered() -> bool {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (cpu, length) = (0i32, size_of::<i32>() as libc::socklen_t);
    let (level, name) = (libc::SOL_SOCKET, libc::SO_INCOMING_CPU);
    // SAFETY: a number of that length.
    unsafe {
        libc::setsockopt(listener.as_raw_fd(), level, name, (&raw const cpu).cast(), length) == 0
    }
}

/// What the kernel has noted.
fn incoming_cpu(listener: &TcpListener) -> usize {
    let (mut cpu, mut length) = (-1i32, size_of::<i32>() as libc::socklen_t);
    let (level, name) = (libc::SOL_SOCKET, libc::SO_INCOMING_CPU);
    // SAFETY: a number of that length.
    let answer = unsafe {
        libc::getsockopt(listener.as_raw_fd(), level, name, (&raw mut cpu).cast(), &mut length)
    };
    assert_eq!(answer, 0);
    usize::try_from(cpu).unwrap()
}

/// The first few get the descriptors that a hub needs, the others get none.
#[test]
fn when_not_all_can_begin_the_others_are_told_to_stop() {
    let outcome = in_child(this_test!(), || {
        limit_open_files(std::fs::read_dir("/proc/self/fd").unwrap().count() as u64 + 6);
        let (said, heard) = std::sync::mpsc::channel();
        let crew = workers(40, move |worker| {
            said.send(()).unwrap();
            worker.wait_for_stop();
        });
        let error = crew.unwrap_err();
        assert_eq!(error.to_string(), "the hub of a worker cannot be made");
        let _ = heard.iter().count(); // ends when all who have begun have ended
    });
    outcome.exited_with(0);
}

#[test]
#[should_panic(expected = "at least one")]
fn none_are_no_workers() {
    drop(workers(0, |_| ()));
}

/// Destructors of a worker's thread-locals may wait for a greenlet of the thread that joins it.
#[test]
fn a_join_keeps_no_greenlet_from_running() {
    struct Last(std::cell::RefCell<Option<Sender<u8>>>);
    impl Drop for Last {
        fn drop(&mut self) {
            if let Some(sender) = self.0.take() {
                (0..3).for_each(|item| sender.send(item).unwrap());
            }
        }
    }
    thread_local! {
        static LAST: Last = const { Last(std::cell::RefCell::new(None)) };
    }
    let (sender, receiver) = bounded(0);
    let reader = spawn(move || [(); 3].map(|()| receiver.recv().unwrap()));
    let crew = workers(1, move |_| LAST.with(|last| *last.0.borrow_mut() = Some(sender.clone())));
    assert!(crew.unwrap().join()[0].is_ok());
    assert_eq!(reader.join().unwrap(), [0, 1, 2]);
}
