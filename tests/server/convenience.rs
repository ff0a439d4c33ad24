//! eventlet's functions.

use crate::in_child::{in_child, this_test};
use crate::{SHORT, asks, refused, settle, until};
use greenlet::net::TcpStream;
use greenlet::server::{StopServe, connect, listen, serve, serve_at_most};
use greenlet::spawn;
use std::cell::Cell;
use std::io::{ErrorKind, Read, Write};
use std::rc::Rc;

#[test]
fn serve_returns_when_a_handler_stops_it_and_others_go_on() {
    let listener = listen("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = spawn(move || {
        serve(listener, |mut stream: TcpStream, _| {
            let mut byte = [0];
            while let Ok(1) = stream.read(&mut byte) {
                if &byte == b"q" {
                    return Err(StopServe);
                }
                let _ = stream.write_all(&byte);
            }
            Ok(())
        })
    });
    let (one, mut two) = (connect(address).unwrap(), connect(address).unwrap());
    asks(&one, b"a");
    two.write_all(b"q").unwrap();
    assert_eq!(two.read(&mut [0]).unwrap(), 0);
    serving.join().unwrap().unwrap();
    refused(address);
    asks(&one, b"b");
}

#[test]
fn serve_has_as_many_handlers_as_it_is_given() {
    let listener = listen("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let now = Rc::new(Cell::new(0));
    let serving = spawn({
        let now = now.clone();
        move || {
            serve_at_most(1, listener, move |stream, _| {
                now.set(now.get() + 1);
                crate::echo(stream)
            })
        }
    });
    let (one, two) = (connect(address).unwrap(), connect(address).unwrap());
    asks(&one, b"a");
    settle();
    two.set_read_timeout(Some(SHORT)).unwrap();
    assert_eq!((&two).read(&mut [0]).unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(now.get(), 1);
    two.set_read_timeout(None).unwrap();
    drop(one);
    asks(&two, b"b");
    serving.kill();
    refused(address);
    asks(&two, b"still");
    drop(two);
    until(|| now.get() == 2);
}

#[test]
fn a_panic_does_not_end_serve() {
    let outcome = in_child(this_test!(), || {
        let listener = listen("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let count = Cell::new(0);
        let serving = spawn(move || {
            serve(listener, move |_, _| {
                count.set(count.get() + 1);
                assert!(count.get() > 1, "the first one");
                Err(StopServe)
            })
        });
        for _ in 0..2 {
            assert_eq!(connect(address).unwrap().read(&mut [0]).unwrap(), 0);
        }
        serving.join().unwrap().unwrap();
    });
    outcome.exited_with(0).says("the first one");
}
