//! Handlers that end the server.

use crate::{LONG, Trace, client};
use greenlet::net::TcpStream;
use greenlet::server::{Ending, StopServe, StreamServer};
use greenlet::spawn;
use std::cell::Cell;
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
