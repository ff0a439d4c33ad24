//! Sockets that change hands: other threads, destructors, hubs that are gone; numbers used again.

use crate::{pair, raw};
use greenlet::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use greenlet::{Config, HubKind, spawn};
use std::io::{ErrorKind, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;

#[test]
fn all_are_send() {
    fn is_send<T: Send + 'static>() {}
    is_send::<TcpStream>();
    is_send::<TcpListener>();
    is_send::<UdpSocket>();
    is_send::<UnixStream>();
    is_send::<UnixListener>();
    is_send::<UnixDatagram>();
}

fn on_a_thread_with<T: Send + 'static>(
    hub: Option<HubKind>,
    body: impl FnOnce() -> T + Send + 'static,
) -> T {
    let body = move || {
        if let Some(kind) = hub {
            Config::new().hub(kind).apply().unwrap();
        }
        body()
    };
    thread::spawn(body).join().unwrap()
}

/// Used here, there and here again; between the kinds of hub, too, which want different modes.
#[test]
fn a_socket_moves_to_other_threads_and_back() {
    for kind in [None, Some(HubKind::Epoll), Some(HubKind::Poll)] {
        let (a, mut b) = pair::tcp();
        let reader = spawn(move || (&a).read(&mut [0; 1]).map(|n| (a, n)).unwrap());
        pair::settle();
        b.write_all(b"x").unwrap();
        let (mut a, _) = reader.join().unwrap();
        let (mut a, mut b) = on_a_thread_with(kind, move || {
            let reader = spawn(move || {
                let mut buffer = [0; 5];
                a.read_exact(&mut buffer).unwrap();
                (a, buffer)
            });
            pair::settle();
            b.write_all(b"there").unwrap();
            let (a, bytes) = reader.join().unwrap();
            assert_eq!(&bytes, b"there");
            (a, b)
        });
        let reader = spawn(move || a.read(&mut [0; 9]).unwrap());
        pair::settle();
        b.write_all(b"back").unwrap();
        assert_eq!(reader.join().unwrap(), 4);
    }
}

#[test]
fn a_listener_moves_to_the_thread_of_another_hub() {
    for kind in [None, Some(HubKind::Epoll), Some(HubKind::Poll)] {
        let listener = pair::listen();
        let address = listener.local_addr().unwrap();
        on_a_thread_with(kind, move || {
            let turns = Rc::new(std::cell::Cell::new(0));
            let seen = turns.clone();
            // It must not hold up the others while it waits.
            let other = spawn(move || {
                while seen.get() < 1000 {
                    seen.set(seen.get() + 1);
                    greenlet::yield_now();
                }
                TcpStream::connect(address).unwrap()
            });
            let (_stream, _) = listener.accept().unwrap();
            assert_eq!(turns.get(), 1000);
            drop(other.join().unwrap());
        });
    }
}

/// As long as it need not wait, any descriptor will do.
#[test]
fn select_refuses_to_wait_for_a_descriptor_beyond_its_sets() {
    let (a, mut b) = pair::unix();
    let Some(high) = raw::copy_from(&a, 1024) else { return };
    on_a_thread_with(Some(HubKind::Select), move || {
        let mut high = UnixStream::from(high);
        b.write_all(b"x").unwrap();
        assert_eq!(high.read(&mut [0; 9]).unwrap(), 1);
        let error = high.read(&mut [0; 9]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("from 1024 (FD_SETSIZE) on"), "{error}");
        assert_eq!(high.write(b"y").unwrap(), 1);
        assert_eq!(b.read(&mut [0; 9]).unwrap(), 1);
    });
}

#[test]
fn clones_are_used_on_two_threads_at_once() {
    let (a, b) = pair::tcp();
    let clone = b.try_clone().unwrap();
    let writer = thread::spawn(move || (&clone).write_all(&[7; 100_000]).unwrap());
    let reader = thread::spawn(move || {
        let mut all = vec![0; 100_000];
        (&a).read_exact(&mut all).unwrap();
        all
    });
    assert_eq!(reader.join().unwrap(), vec![7; 100_000]);
    writer.join().unwrap();
    drop(b);
}

#[test]
fn a_socket_is_dropped_while_its_thread_unwinds() {
    let (a, mut b) = pair::tcp();
    let mut held = Some(a);
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _socket = held.take();
        panic!("on purpose");
    }));
    assert!(unwound.is_err());
    assert_eq!(b.read(&mut [0; 1]).unwrap(), 0, "the peer sees the end");
}

/// A destructor may close, and may read and write, while the thread unwinds: it waits in place.
#[test]
fn a_destructor_closes_what_others_wait_for() {
    struct Closes(Rc<TcpStream>);
    impl Drop for Closes {
        fn drop(&mut self) {
            self.0.close().unwrap();
        }
    }
    let (a, mut b) = pair::tcp();
    let a = Rc::new(a);
    let same = a.clone();
    let reader = spawn(move || (&*same).read(&mut [0; 9]).map_err(|error| error.kind()));
    pair::settle();
    let closes = Closes(a);
    let unwound = catch_unwind(AssertUnwindSafe(move || {
        let _closes = closes;
        panic!("on purpose");
    }));
    assert!(unwound.is_err());
    assert_eq!(reader.join().unwrap(), Err(ErrorKind::NotConnected));
    assert_eq!(b.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn a_destructor_says_good_bye_while_the_thread_unwinds() {
    struct Bye(TcpStream);
    impl Drop for Bye {
        fn drop(&mut self) {
            self.0.write_all(b"bye").unwrap();
            let mut answer = [0; 2];
            self.0.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"ok");
        }
    }
    let (a, b) = pair::tcp();
    let (mut peer, bye) = (std::net::TcpStream::from(b), Bye(a));
    let peer = thread::spawn(move || {
        let mut three = [0; 3];
        peer.read_exact(&mut three).unwrap();
        peer.write_all(b"ok").unwrap();
        three
    });
    let unwound = catch_unwind(AssertUnwindSafe(move || {
        let _bye = bye;
        panic!("on purpose");
    }));
    assert!(unwound.is_err());
    assert_eq!(&peer.join().unwrap(), b"bye");
}

#[test]
fn sockets_outlive_the_hub_of_their_thread() {
    let ends = thread::spawn(|| {
        let (a, b) = pair::tcp();
        let (c, d) = pair::unix();
        let reader = spawn(move || (&a).read(&mut [0; 1]).map(|_| a).unwrap());
        pair::settle();
        (&b).write_all(b"x").unwrap();
        (reader.join().unwrap(), b, c, d)
    });
    let (a, b, c, d) = ends.join().unwrap();
    drop(c);
    assert_eq!((&d).read(&mut [0; 1]).unwrap(), 0);
    (&b).write_all(b"alive").unwrap();
    assert_eq!((&a).read(&mut [0; 9]).unwrap(), 5);
    // And into a thread's locals, which are destroyed after its hub.
    thread_local! { static KEPT: std::cell::RefCell<Option<TcpStream>> = const { std::cell::RefCell::new(None) }; }
    thread::spawn(move || {
        KEPT.with(|kept| *kept.borrow_mut() = Some(a));
        greenlet::yield_now();
    })
    .join()
    .unwrap();
    assert_eq!((&b).read(&mut [0; 9]).unwrap(), 0);
}

#[test]
fn a_thread_ends_while_its_greenlets_wait() {
    let (a, mut b) = pair::tcp();
    thread::spawn(move || {
        let waiting = spawn(move || (&a).read(&mut [0; 1]));
        pair::settle();
        drop(waiting);
    })
    .join()
    .unwrap();
    // The greenlet is killed with its thread, or its stack is leaked: the bytes go nowhere.
    let _ = b.write_all(b"nobody");
}

/// Closing lets the kernel give out the number again at once: who waited under the old one must not
/// see what comes to the new.
#[test]
fn numbers_that_are_used_again_do_not_mix() {
    // Ten thousand streams; fewer where the storm is smaller, too.
    let rounds = crate::storm::operations() / 10;
    let listener = pair::listen();
    let address = listener.local_addr().unwrap();
    let server = spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            greenlet::spawn_detached(move || {
                let mut token = [0; 8];
                while (&stream).read_exact(&mut token).is_ok() {
                    let _ = (&stream).write_all(&token);
                }
            });
        }
    });
    let clients: Vec<_> = (0..4_u64)
        .map(|client| {
            spawn(move || {
                for round in 0..rounds / 4 {
                    let stream = Rc::new(TcpStream::connect(address).unwrap());
                    let token = (client << 32 | round).to_be_bytes();
                    (&*stream).write_all(&token).unwrap();
                    let mut answer = [0; 8];
                    (&*stream).read_exact(&mut answer).unwrap();
                    assert_eq!(answer, token, "a token of another stream");
                    if round % 2 == 0 {
                        // Closed under one who waits; then the number is free.
                        let same = stream.clone();
                        let reader = spawn(move || (&*same).read(&mut [0; 8]));
                        greenlet::yield_now();
                        stream.close().unwrap();
                        let error = reader.join().unwrap().unwrap_err();
                        assert_eq!(error.kind(), ErrorKind::NotConnected);
                    }
                }
            })
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
    server.kill();
}

#[test]
fn nothing_leaks() {
    crate::in_child::in_child(crate::in_child::this_test!(), || {
        drop(pair::tcp()); // the hub is made
        let before = raw::next_number();
        for _ in 0..50 {
            let listener = pair::listen();
            let address = listener.local_addr().unwrap();
            let kept: Vec<_> = (0..5).map(|_| TcpStream::connect(address).unwrap()).collect();
            let accepting = spawn(move || {
                for stream in listener.incoming() {
                    drop(stream);
                    greenlet::yield_now();
                }
            });
            greenlet::yield_now();
            greenlet::yield_now();
            accepting.kill();
            drop(kept);
        }
        pair::settle();
        assert_eq!(raw::next_number(), before);
    })
    .exited_with(0);
}

/// The mode is that of the socket, and so of all its clones; std takes its own blocking.
#[test]
fn a_clone_that_std_has_taken_makes_nobody_wait_for_ever() {
    for kind in [None, Some(HubKind::Epoll), Some(HubKind::Poll), Some(HubKind::Select)] {
        let accepted = on_a_thread_with(kind, || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let _clone: std::net::TcpListener = listener.try_clone().unwrap().into();
            // Connects only when the accept lets others run.
            let client = spawn(move || TcpStream::connect(address).map(drop));
            let accepted = listener.accept().is_ok();
            client.join().unwrap().unwrap();
            accepted
        });
        assert!(accepted, "{kind:?}");
    }
}
