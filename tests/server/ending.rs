//! Handlers that end the server.

use crate::in_child::{in_child, this_test};
use crate::open_files::limit_open_files;
use crate::{LONG, SHORT, Trace, client, until};
use greenlet::net::{TcpListener, TcpStream};
use greenlet::server::{Ending, StopServe, StreamServer};
use greenlet::{sleep, spawn};
use std::cell::{Cell, RefCell};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;

fn ends_after_one<R: Ending>(handler: impl Fn(TcpStream, SocketAddr) -> R + 'static) {
    let server = Rc::new(StreamServer::bind("127.0.0.1:0", handler).unwrap());
    let serving = spawn({
        let server = server.clone();
        move || server.serve_forever()
    });
    assert_eq!(client(&server).read(&mut [0; 1]).unwrap(), 0);
    let Ok(ended) = serving.join_timeout(LONG) else { panic!("it serves on") };
    ended.unwrap().unwrap();
    assert!(server.is_closed());
}

#[test]
fn stop_is_returned_as_a_value() {
    ends_after_one(|_, _| StopServe);
}

#[test]
fn stop_is_returned_as_an_error() {
    ends_after_one(|_, _| Err::<(), _>(StopServe));
}

#[test]
fn stop_is_raised() {
    fn deep(_stream: TcpStream) {
        StopServe.raise()
    }
    ends_after_one(|stream, _| deep(stream));
}

/// The others have the grace of `serve_forever`.
#[test]
fn others_are_let_end() {
    let (trace, count) = (Trace::default(), Cell::new(0));
    let server = StreamServer::builder().stop_timeout(LONG).bind("127.0.0.1:0", {
        let trace = trace.clone();
        move |mut stream: TcpStream, _| {
            count.set(count.get() + 1);
            if count.get() == 3 {
                return Err(StopServe);
            }
            let mut byte = [0];
            let _ = stream.read(&mut byte);
            trace.note("ended");
            Ok(())
        }
    });
    let server = Rc::new(server.unwrap());
    let serving = spawn({
        let server = server.clone();
        move || server.serve_forever().unwrap()
    });
    let mut streams = [client(&server), client(&server), client(&server)];
    assert_eq!(streams[2].read(&mut [0]).unwrap(), 0);
    assert!(!serving.is_finished());
    for stream in &mut streams[..2] {
        stream.write_all(b"x").unwrap();
    }
    serving.join().unwrap();
    assert_eq!(trace.take(), ["ended", "ended"]);
}

/// A server in a thread-local. When that is destroyed nothing can be opened any more, so that there can be no
/// other hub; the socket is closed all the same.
#[test]
fn a_server_is_closed_at_the_end_of_a_thread_where_no_other_hub_can_be_made() {
    struct Held(RefCell<Option<StreamServer<TcpListener>>>);
    impl Drop for Held {
        fn drop(&mut self) {
            let before = limit_open_files(1);
            drop(self.0.take());
            limit_open_files(before);
        }
    }
    thread_local!(static HELD: Held = const { Held(RefCell::new(None)) });
    let outcome = in_child(this_test!(), || {
        for is_older in [false, true] {
            let served = std::thread::spawn(move || {
                if is_older {
                    HELD.with(|_| ());
                }
                sleep(SHORT); // the thread's first greenlet
                let server = StreamServer::bind("127.0.0.1:0", |_, _| ()).unwrap();
                server.start().unwrap();
                sleep(SHORT); // it accepts now, and the kernel has been told
                let address = server.local_addr();
                HELD.with(|held| held.0.replace(Some(server)));
                address
            });
            let address = served.join().unwrap();
            // A ring lets go of its files some time after it was closed.
            until(|| std::net::TcpStream::connect(address).is_err());
        }
    });
    outcome.exited_with(0);
}
