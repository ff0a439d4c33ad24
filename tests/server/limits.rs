//! How many at once, and what happens when something runs out.

use crate::in_child::{in_child, this_test};
use crate::open_files::limit_open_files;
use crate::{Trace, asks, client, echo_server, settle, until};
use greenlet::net::TcpStream;
use greenlet::pool::Pool;
use greenlet::server::StreamServer;
use greenlet::sync::Event;
use std::cell::Cell;
use std::io::{Read, Write};
use std::mem::offset_of;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::Duration;

/// How many connections wait in the kernel to be accepted: `tcpi_unacked`, for a listener. `None` where an
/// emulator does not say.
fn in_backlog(server: &StreamServer, fd: i32) -> Option<u32> {
    // SAFETY: zeroes are such a value.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    let at = (&raw mut info).cast();
    // SAFETY: there is room for the answer.
    let result =
        unsafe { libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, at, &raw mut length) };
    assert_eq!(result, 0, "{server:?}");
    let needed = offset_of!(libc::tcp_info, tcpi_unacked) + size_of::<u32>();
    (length as usize >= needed).then_some(info.tcpi_unacked)
}

#[test]
fn no_more_are_accepted_than_there_are_places() {
    let (most, now) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let fd = Rc::new(Cell::new(-1));
    let server = StreamServer::builder()
        .concurrency(2)
        .pre_start({
            let fd = fd.clone();
            move |socket| {
                fd.set(socket.as_raw_fd());
                Ok(())
            }
        })
        .bind("127.0.0.1:0", {
            let (most, now) = (most.clone(), now.clone());
            move |stream, _| {
                now.set(now.get() + 1);
                most.set(most.get().max(now.get()));
                let _ = crate::echo(stream);
                now.set(now.get() - 1);
            }
        })
        .unwrap();
    server.start().unwrap();
    let mut clients: Vec<_> = (0..6).map(|_| client(&server)).collect();
    until(|| now.get() == 2);
    settle();
    assert_eq!(server.running(), 2);
    assert!(in_backlog(&server, fd.get()).is_none_or(|waiting| waiting == 4));
    for left in (0..6).rev() {
        let stream = clients.remove(0);
        asks(&stream, b"my turn");
        drop(stream);
        until(|| {
            now.get() == left.min(2)
                && in_backlog(&server, fd.get())
                    .is_none_or(|waiting| waiting == left as u32 - left.min(2) as u32)
        });
    }
    assert_eq!(most.get(), 2);
}

#[test]
fn a_pool_that_is_shared_counts_what_else_is_in_it() {
    let pool = Pool::new(2);
    let (free, trace) = (Rc::new(Event::new()), Trace::default());
    pool.spawn_detached({
        let free = free.clone();
        move || free.wait()
    });
    let server = StreamServer::builder()
        .pool(&pool)
        .bind("127.0.0.1:0", {
            let trace = trace.clone();
            move |mut stream: TcpStream, _| {
                let mut name = [0];
                stream.read_exact(&mut name).unwrap();
                trace.note(format!("{} of {}", name[0] as char, stream.read(&mut name).unwrap()));
            }
        })
        .unwrap();
    server.start().unwrap();
    let (mut one, mut two) = (client(&server), client(&server));
    one.write_all(b"a").unwrap();
    two.write_all(b"b").unwrap();
    until(|| server.running() == 1);
    settle();
    assert_eq!((server.running(), pool.running()), (1, 2));
    drop(one);
    until(|| trace.take() == ["a of 0"]);
    drop(two);
    until(|| trace.take() == ["b of 0"]);
    // What is not the server's is not ended by it.
    assert_eq!(server.stop(crate::SHORT), 0);
    assert_eq!(pool.running(), 1);
    free.set();
    pool.join();
}

/// A server in a pool with one place, which was taken while the server waited for a connection; the one who
/// has the place until the event is set; and a client whose connection was accepted all the same.
fn one_too_many(free: &Rc<Event>, trace: &Trace) -> (StreamServer, Pool, TcpStream) {
    let pool = Pool::new(1);
    let server = StreamServer::builder().pool(&pool).bind("127.0.0.1:0", {
        let trace = trace.clone();
        move |mut stream: TcpStream, _| {
            trace.note("begins");
            stream.write_all(b"h").unwrap();
            let _ = stream.read(&mut [0]);
        }
    });
    let server = server.unwrap();
    server.start().unwrap();
    settle(); // it waits for a connection
    pool.spawn_detached({
        let (free, trace) = (free.clone(), trace.clone());
        move || {
            free.wait();
            trace.note("leaves");
        }
    });
    let stream = client(&server);
    until(|| pool.waiting() == 1);
    settle();
    (server, pool, stream)
}

#[test]
fn a_pool_that_becomes_full_while_a_connection_is_awaited_has_no_more_members_than_places() {
    let (free, trace) = (Rc::new(Event::new()), Trace::default());
    let (server, pool, mut stream) = one_too_many(&free, &trace);
    let next = client(&server);
    assert_eq!((trace.take().is_empty(), pool.running(), pool.waiting()), (true, 1, 1));
    free.set();
    stream.read_exact(&mut [0]).unwrap();
    assert_eq!((trace.take().join(" ").as_str(), pool.running()), ("leaves begins", 1));
    drop(stream);
    (&next).read_exact(&mut [0]).unwrap();
    assert_eq!((trace.take().join(" ").as_str(), pool.running()), ("begins", 1));
}

/// What was accepted before its place was taken is not lost, whatever becomes of the server.
#[test]
fn who_waits_for_a_place_is_handled_also_when_nothing_more_is_accepted() {
    let ends: [fn(StreamServer) -> Option<StreamServer>; 3] = [
        |server| {
            server.stop_accepting();
            Some(server)
        },
        |server| {
            server.close();
            Some(server)
        },
        |_| None,
    ];
    for end in ends {
        let (free, trace) = (Rc::new(Event::new()), Trace::default());
        let (server, pool, mut stream) = one_too_many(&free, &trace);
        let _server = end(server);
        settle();
        assert_eq!((trace.take().is_empty(), pool.running()), (true, 1));
        free.set();
        stream.read_exact(&mut [0]).unwrap();
        assert_eq!((trace.take().join(" ").as_str(), pool.running()), ("leaves begins", 1));
        drop(stream);
        pool.join();
    }
}

#[test]
fn who_waits_for_a_place_has_the_grace_of_a_stop() {
    let (free, trace) = (Rc::new(Event::new()), Trace::default());
    let (server, pool, mut stream) = one_too_many(&free, &trace);
    assert_eq!((server.stop(crate::SHORT), server.running()), (1, 0));
    assert_eq!((pool.running(), pool.waiting()), (1, 0));
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    free.set();
    pool.join();
    assert_eq!(trace.take(), ["leaves"]);
}

/// Clients come while no descriptor is free: they wait, and the processor does not.
#[test]
fn it_waits_while_there_are_no_descriptors() {
    let outcome = in_child(this_test!(), || {
        let server = StreamServer::bind("127.0.0.1:0", |stream, _| crate::echo(stream)).unwrap();
        let clients: Vec<_> = (0..20).map(|_| client(&server)).collect();
        limit_open_files(64);
        let mut others = Vec::new();
        while let Ok(other) = clients[0].try_clone() {
            others.push(other);
        }
        server.start().unwrap();
        let rounds_before = greenlet::stats().enters;
        greenlet::sleep(Duration::from_millis(100));
        let rounds = greenlet::stats().enters - rounds_before;
        // Pauses of 10, 20 and 40 ms.
        assert!(rounds < 50, "{rounds} looks at the kernel: it is busy with waiting");
        assert_eq!(server.running(), 0);
        others.truncate(others.len() - 1);
        // One at a time can be served.
        for stream in clients {
            asks(&stream, b"at last");
        }
        assert!(server.is_accepting());
    });
    outcome.exited_with(0).says("accepting connections waits: Too many open files");
}

#[test]
fn with_no_place_at_all_nothing_is_accepted() {
    let server = StreamServer::builder().concurrency(0).bind("127.0.0.1:0", |_, _| ()).unwrap();
    server.start().unwrap();
    let mut stream = client(&server);
    settle();
    stream.set_read_timeout(Some(crate::SHORT)).unwrap();
    assert_eq!(stream.read(&mut [0; 1]).unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    server.close();
}

#[test]
fn many_come_and_go() {
    let server = echo_server();
    let address = server.local_addr();
    let clients = Pool::new(20);
    for number in 0..500_u32 {
        clients.spawn_detached(move || {
            asks(&TcpStream::connect(address).unwrap(), &number.to_be_bytes());
        });
    }
    clients.join();
    until(|| server.running() == 0);
}

#[test]
fn a_limit_replaces_the_pool_that_was_named_before() {
    let pool = Pool::new(10);
    let (now, open) = (Rc::new(Cell::new(0)), Rc::new(Event::new()));
    let handler = {
        let (now, open) = (now.clone(), open.clone());
        move |_, _| {
            now.set(now.get() + 1);
            open.wait();
        }
    };
    let builder = StreamServer::builder().pool(&pool).concurrency(1);
    let server = builder.bind("127.0.0.1:0", handler).unwrap();
    server.start().unwrap();
    let _clients = [client(&server), client(&server)];
    until(|| now.get() == 1);
    settle();
    assert_eq!((now.get(), server.running(), pool.running()), (1, 1, 0));
    open.set();
    server.stop(crate::LONG);
    assert_eq!(server.running(), 0);
}
