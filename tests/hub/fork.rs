//! A child of fork has no hub until it says that it wants a new one.

use crate::in_child::{cases_in_children, in_child, tell, this_test};
use crate::ms;
use greenlet::net::{TcpStream, UnixStream};
use greenlet::pool::ObjectPool;
use greenlet::server::{DatagramServer, StreamServer};
use greenlet::sync::Event;
use greenlet::{Greenlet, Timeout, reinit, sleep, spawn, spawn_detached};
use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::panic::catch_unwind;
use std::rc::Rc;
use std::time::Duration;

/// Forks; the child runs `f` and exits with what it returns. Returns its exit status.
pub(crate) fn forked(f: impl FnOnce() -> i32) -> i32 {
    // SAFETY: the process has one thread that matters, and the child ends by `_exit`.
    match unsafe { libc::fork() } {
        0 => {
            let code = catch_unwind(std::panic::AssertUnwindSafe(f)).unwrap_or(99);
            // SAFETY: ends the child.
            unsafe { libc::_exit(code) }
        }
        child => {
            let mut status = 0;
            // SAFETY: our own child.
            assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
            assert!(libc::WIFEXITED(status), "{status:x}");
            libc::WEXITSTATUS(status)
        }
    }
}

#[test]
fn the_hub_of_the_parent_is_refused_in_the_child() {
    let outcome = in_child(this_test!(), || {
        let task = spawn(|| sleep(ms(20)));
        sleep(ms(1));
        let code = forked(|| {
            let sleeps = catch_unwind(|| sleep(ms(1))).is_err();
            let spawns = catch_unwind(|| spawn(|| ())).is_err();
            // Greenlets alone need no hub.
            let five: i32 = Greenlet::new(|()| 5).switch(());
            // Another thread has a hub of its own.
            let thread = std::thread::spawn(|| spawn(|| 6).join().unwrap()).join().unwrap();
            i32::from(sleeps && spawns && five == 5 && thread == 6)
        });
        task.join().unwrap();
        sleep(ms(1));
        tell("code", &[code as usize]);
    });
    outcome.exited_with(0).says("this hub belongs to the process that called fork");
    assert_eq!(outcome.numbers("code"), [1]);
}

#[test]
fn the_child_may_have_a_new_hub() {
    let outcome = in_child(this_test!(), || {
        let drops = std::rc::Rc::new(std::cell::Cell::new(0));
        let held = drops.clone();
        let parked = spawn(move || {
            let _held = crate::log::OnDrop(move || held.set(1));
            sleep(ms(30));
        });
        let ready = spawn_detached as fn(_);
        ready(Box::new(|| tell("ready ran", &[])) as Box<dyn FnOnce()>);
        let g = Greenlet::new(|()| {
            let () = greenlet::suspend(());
            sleep(ms(1));
        });
        let () = g.switch(());
        let code = forked(|| {
            reinit();
            let sum: i32 = (0..10).map(|n| spawn(move || n)).map(|t| t.join().unwrap()).sum();
            sleep(ms(60)); // longer than the parent's task
            assert_eq!((sum, drops.get()), (45, 0));
            assert!(!parked.is_finished());
            parked.kill_soon(); // reaches nobody
            sleep(ms(1));
            assert!(!parked.is_finished());
            let () = g.switch(()); // suspended, not parked: as good as new
            assert!(catch_unwind(|| sleep(Duration::MAX)).is_err());
            7
        });
        assert_eq!(code, 7);
        parked.join().unwrap();
        assert_eq!(drops.get(), 1);
    });
    outcome.exited_with(0);
    // Once, in the parent.
    assert_eq!(outcome.stdout.matches("tell ready ran").count(), 1, "{outcome}");
}

#[test]
fn a_fork_in_a_task() {
    let outcome = in_child(this_test!(), || {
        let task = spawn(|| {
            forked(|| {
                reinit();
                spawn(|| sleep(ms(2))).join().unwrap();
                8
            })
        });
        assert_eq!(task.join().unwrap(), 8);
    });
    outcome.exited_with(0);
}

/// The root greenlet is parked there in a hub that is gone, and there is no other one yet.
#[test]
fn a_child_whose_first_act_is_to_wait_for_ever() {
    let outcome = in_child(this_test!(), || {
        let task = spawn(|| {
            let child = || {
                reinit();
                Event::new().wait();
                0
            };
            assert!(catch_unwind(|| forked(child)).is_err(), "it aborts");
        });
        task.join().unwrap();
    });
    outcome.exited_with(0).says("deadlock: every greenlet waits, and nothing can wake one");
}

#[test]
fn time_limits_of_the_parent_are_none_in_the_child() {
    let outcome = in_child(this_test!(), || {
        let limits = [1, 10, 60_000].map(|limit| Timeout::start(ms(limit)));
        let first = Timeout::start(ms(5));
        let code = forked(|| {
            drop(first); // needs no hub
            reinit();
            assert!(limits.iter().all(|limit| !limit.is_pending()));
            let sleeper = spawn(|| sleep(ms(20)));
            sleep(ms(2));
            drop(limits); // takes nothing out of the new hub's wheel
            sleeper.join().unwrap();
            9
        });
        assert_eq!(code, 9);
    });
    outcome.exited_with(0);
}

#[test]
fn guards_may_be_dropped_in_the_child() {
    let outcome = in_child(this_test!(), || {
        let pool = ObjectPool::builder(1).max_age(ms(60_000)).build(|| ());
        let (object, limit) = (pool.get(), Timeout::start(ms(60_000)));
        let server = StreamServer::bind("127.0.0.1:0", |_: TcpStream, _| ()).unwrap();
        server.start().unwrap();
        sleep(ms(1));
        let client = TcpStream::connect(server.local_addr()).unwrap();
        let code = forked(|| {
            drop((object, limit, server, client));
            pool.len() as i32
        });
        assert_eq!(code, 0);
    });
    outcome.exited_with(0);
}

/// The scheduler that has parked them is forgotten, and there is no other one yet.
#[test]
fn what_is_raised_in_the_parked_of_the_parent_is_dropped_in_the_child() {
    let outcome = in_child(this_test!(), || {
        let task = spawn(|| sleep(ms(50)));
        let raw = Greenlet::new(|()| sleep(ms(50)));
        let () = raw.switch(()); // it parks: the hub runs others, and comes back here
        let parked = task.greenlet().unwrap();
        let (held, dropped) = std::sync::mpsc::channel::<()>();
        let code = forked(|| {
            reinit();
            let () = parked.throw(held);
            drop(raw);
            i32::from(dropped.recv().is_err())
        });
        assert_eq!(code, 1);
        task.join().unwrap();
    });
    outcome.exited_with(0);
}

#[test]
fn the_end_of_a_greenlet_whose_parent_waits_in_another_process() {
    let outcome = in_child(this_test!(), || {
        let (handed, own) = (Rc::new(RefCell::new(None)), Rc::new(Event::new()));
        let (put, gate) = (handed.clone(), own.clone());
        let task = spawn(move || {
            let below = Greenlet::new(|()| greenlet::suspend::<(), ()>(()));
            let () = below.switch(());
            *put.borrow_mut() = Some(below);
            gate.wait();
        });
        greenlet::idle();
        let below: Greenlet = handed.take().unwrap();
        let child = || {
            reinit();
            let () = below.switch(());
            0
        };
        assert!(catch_unwind(std::panic::AssertUnwindSafe(|| forked(child))).is_err(), "it aborts");
        own.set();
        task.join().unwrap();
    });
    outcome.exited_with(0).says("whose parent waits for ever, in the process that has forked");
}

/// The port is free when the parent has closed its socket, although the child goes on.
#[test]
fn servers_that_the_child_drops_first_of_all_leave_their_ports() {
    let outcome = in_child(this_test!(), || {
        let streams = StreamServer::bind("127.0.0.1:0", |_: TcpStream, _| ()).unwrap();
        let datagrams = DatagramServer::bind("127.0.0.1:0", |_, _, _| ()).unwrap();
        let (port, other_port) = (streams.local_addr(), datagrams.local_addr());
        streams.start().unwrap();
        datagrams.start().unwrap();
        greenlet::idle();
        let servers = RefCell::new(Some((streams, datagrams)));
        let (mut here, mut there) = std::os::unix::net::UnixStream::pair().unwrap();
        // SAFETY: the child ends by `_exit`.
        let child = unsafe { libc::fork() };
        if child == 0 {
            reinit();
            drop(servers.take());
            there.write_all(b"x").unwrap();
            let _ = there.read(&mut [0]);
            // SAFETY: ends the child.
            unsafe { libc::_exit(0) };
        }
        here.read_exact(&mut [0]).unwrap();
        drop(servers.take());
        let again = StreamServer::bind(port, |_: TcpStream, _| ()).map(drop);
        let other_again = DatagramServer::bind(other_port, |_, _, _| ()).map(drop);
        here.write_all(b"y").unwrap();
        // SAFETY: our own child.
        assert_eq!(unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) }, child);
        again.unwrap();
        other_again.unwrap();
    });
    outcome.exited_with(0);
}

/// What waits at them waits in the parent: nobody here would ever leave them.
#[test]
fn sockets_and_servers_of_the_parent_may_be_closed_in_the_child() {
    let outcome = in_child(this_test!(), || {
        let folder = std::env::temp_dir().join(format!("greenlet-fork-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("socket");
        let echo = |mut stream: UnixStream, _| {
            let mut byte = [0];
            let _ = stream.read_exact(&mut byte).and_then(|()| stream.write_all(&byte));
        };
        let server = StreamServer::bind_unix(&path, echo).unwrap();
        server.start().unwrap();
        let server = RefCell::new(Some(server));
        let mut client = UnixStream::connect(&path).unwrap();
        let (reader, mut writer) = UnixStream::pair().unwrap();
        let reader = Rc::new(reader);
        let own = reader.clone();
        let waits = spawn(move || (&*own).read(&mut [0]));
        greenlet::idle();
        let code = forked(|| {
            reinit();
            let awake = spawn(|| sleep(ms(60_000))); // so that a wait for ever is no deadlock
            reader.close().unwrap();
            assert_eq!((&*reader).read(&mut [0]).unwrap_err().kind(), ErrorKind::NotConnected);
            assert_eq!(server.borrow().as_ref().unwrap().stop(ms(60_000)), 0);
            assert!(!server.borrow().as_ref().unwrap().is_accepting());
            drop(server.take());
            awake.kill();
            11
        });
        assert_eq!(code, 11);
        // All of it goes on here.
        client.write_all(b"x").unwrap();
        client.read_exact(&mut [0]).unwrap();
        UnixStream::connect(&path).unwrap();
        writer.write_all(b"y").unwrap();
        assert_eq!(waits.join().unwrap().unwrap(), 1);
        drop(server);
        assert!(!path.exists());
        std::fs::remove_dir(&folder).unwrap();
    });
    outcome.exited_with(0);
}

#[test]
fn reinit_changes_nothing_elsewhere() {
    reinit();
    let task = spawn(|| {
        sleep(ms(2));
        5
    });
    reinit();
    assert_eq!(task.join().unwrap(), 5);
}

/// The list of free buffers is the kernel's and the parent's; the child has what was in them.
#[test]
fn the_child_reads_and_drops_bytes_of_the_pool() {
    let outcome = in_child(this_test!(), || {
        let (a, mut b) = UnixStream::pair().unwrap();
        b.write_all(b"here").unwrap();
        let bytes = RefCell::new(Some(a.read_pooled().unwrap()));
        let code = forked(|| {
            reinit();
            let bytes = bytes.take().unwrap();
            i32::from(&*bytes == b"here")
        });
        drop(bytes.take());
        // The parent's list is whole.
        b.write_all(b"there").unwrap();
        assert_eq!(&*a.read_pooled().unwrap(), b"there");
        tell("code", &[code as usize]);
    });
    outcome.exited_with(0);
    assert_eq!(outcome.numbers("code"), [1]);
}

/// Who reads or writes there does so in the parent.
#[test]
fn a_stream_that_the_parent_uses_may_be_used_in_the_child() {
    let outcome = in_child(this_test!(), || {
        let (near, far) = UnixStream::pair().unwrap();
        let near = Rc::new(near);
        let own = near.clone();
        let reads = spawn(move || (&*own).read(&mut [0]));
        greenlet::idle();
        let code = forked(|| {
            reinit();
            near.set_read_timeout(Some(ms(1))).unwrap();
            let error = (&*near).read(&mut [0]).unwrap_err();
            i32::from(error.kind() == ErrorKind::TimedOut)
        });
        assert_eq!(code, 1);
        (&far).write_all(b"x").unwrap();
        assert_eq!(reads.join().unwrap().unwrap(), 1);
    });
    outcome.exited_with(0);
}

thread_local! {
    static STREAM: RefCell<Option<UnixStream>> = const { RefCell::new(None) };
}

fn reads_for_ever(is_older_than_the_hub: bool) {
    if is_older_than_the_hub {
        STREAM.with(|_| ());
    }
    let (near, far) = UnixStream::pair().unwrap();
    std::mem::forget(far);
    STREAM.set(Some(near));
    spawn_detached(|| {
        STREAM.with_borrow(|stream| drop(stream.as_ref().unwrap().read_pooled()));
    });
    greenlet::idle();
}

/// The destructor of the thread-local runs although a frame borrows what is in it; that frame never goes on.
#[test]
fn a_stream_in_a_thread_local_that_somebody_waits_for_is_dropped() {
    let outcome = in_child(this_test!(), || {
        for is_older in [false, true] {
            std::thread::spawn(move || reads_for_ever(is_older)).join().unwrap();
            let forks = move || {
                reads_for_ever(is_older);
                // SAFETY: the process has one other thread, which waits for this one.
                let child = unsafe { libc::fork() };
                if child == 0 {
                    return; // the end of the thread, and of the process
                }
                let mut status = 0;
                // SAFETY: our own child.
                unsafe { libc::waitpid(child, &raw mut status, 0) };
                assert_eq!(status, 0);
            };
            std::thread::spawn(forks).join().unwrap();
        }
    });
    outcome.exited_with(0);
}

/// As above; what `exit` interrupts is the thread itself, or a task.
#[test]
fn a_stream_in_a_thread_local_is_dropped_by_an_exit_in_the_middle() {
    let exits = |case: &str| {
        reads_for_ever(case.contains("older"));
        match case.contains("task") {
            false => std::process::exit(7),
            true => spawn_detached(|| std::process::exit(7)),
        }
        greenlet::idle();
    };
    let cases = ["older", "younger", "older, in a task", "younger, in a task"];
    let cases = cases.map(|name| (name, exits as fn(&str)));
    cases_in_children(this_test!(), &cases, |_, outcome| {
        outcome.exited_with(7);
    });
}
