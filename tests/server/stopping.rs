//! How servers end, and begin again.

use crate::in_child::while_no_child_begins;
use crate::{LONG, SHORT, Trace, asks, client, echo_server, refused, settle, until};
use greenlet::net::TcpStream;
use greenlet::server::StreamServer;
use greenlet::sync::Event;
use greenlet::{GreenletExit, JoinHandle, sleep, spawn};
use std::cell::{Cell, OnceCell};
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

/// Handlers that end as soon as the event is set, and say so, or say that they were killed.
fn patient_server(free: &Rc<Event>, trace: &Trace) -> Rc<StreamServer> {
    struct Note(Trace, Cell<&'static str>);
    impl Drop for Note {
        fn drop(&mut self) {
            self.0.note(self.1.get());
        }
    }
    let (free, trace) = (free.clone(), trace.clone());
    let builder = StreamServer::builder().stop_timeout(LONG);
    let server = builder.bind("127.0.0.1:0", move |mut stream: TcpStream, _| {
        let note = Note(trace.clone(), Cell::new("killed"));
        stream.write_all(b"h").unwrap();
        free.wait();
        note.1.set("ended");
        stream.write_all(b"i").unwrap();
    });
    let server = Rc::new(server.unwrap());
    server.start().unwrap();
    server
}

/// Where it was before.
#[track_caller]
fn start_again(server: &StreamServer) {
    while_no_child_begins(|| server.start()).unwrap();
}

#[test]
fn those_who_end_within_the_grace_are_let_end() {
    let (free, trace) = (Rc::new(Event::new()), Trace::default());
    let server = patient_server(&free, &trace);
    let mut stream = client(&server);
    stream.read_exact(&mut [0]).unwrap();
    let stopping = spawn({
        let server = server.clone();
        move || server.stop(LONG)
    });
    settle();
    refused(server.local_addr());
    assert!(!stopping.is_finished() && server.running() == 1 && !server.is_started());
    free.set();
    assert_eq!(stopping.join().unwrap(), 0);
    assert_eq!((trace.take(), server.running()), (vec!["ended".to_owned()], 0));
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"i");
    assert_eq!(server.stop(LONG), 0, "nothing is left to be done");
}

#[test]
fn those_who_do_not_are_killed() {
    let (free, trace) = (Rc::new(Event::new()), Trace::default());
    let server = patient_server(&free, &trace);
    let mut streams = [client(&server), client(&server)];
    for stream in &mut streams {
        stream.read_exact(&mut [0]).unwrap();
    }
    assert_eq!(server.stop(SHORT), 2);
    assert_eq!((trace.take(), server.running()), (vec!["killed".to_owned(); 2], 0));
    for stream in &mut streams {
        assert_eq!(stream.read(&mut [0; 9]).unwrap(), 0);
    }
}

/// It goes on cleaning up for longer than anybody waits.
#[test]
fn one_that_does_not_die_does_not_hold_up_the_others_for_ever() {
    let free = Rc::new(Event::new());
    let server = StreamServer::bind("127.0.0.1:0", {
        let free = free.clone();
        move |mut stream: TcpStream, _| {
            stream.write_all(b"h").unwrap();
            while let Err(payload) = catch_unwind(AssertUnwindSafe(|| free.wait())) {
                assert!(payload.is::<GreenletExit>());
            }
        }
    });
    let server = server.unwrap();
    server.start().unwrap();
    client(&server).read_exact(&mut [0]).unwrap();
    assert_eq!((server.stop(Duration::ZERO), server.running()), (1, 1));
    free.set();
    until(|| server.running() == 0);
}

#[test]
fn closing_ends_no_handler() {
    let server = echo_server();
    let stream = client(&server);
    asks(&stream, b"before");
    server.close();
    server.close();
    refused(server.local_addr());
    assert!(server.is_closed() && !server.is_started() && !server.is_accepting());
    asks(&stream, b"after");
    drop(stream);
    until(|| server.running() == 0);
}

#[test]
fn dropping_a_running_server_closes_it() {
    let server = echo_server();
    let (address, stream) = (server.local_addr(), client(&server));
    asks(&stream, b"before");
    drop(server);
    refused(address);
    asks(&stream, b"after");
}

#[test]
fn a_server_is_dropped_while_its_thread_unwinds() {
    let address = Cell::new(None);
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let server = echo_server();
        address.set(Some(server.local_addr()));
        asks(&client(&server), b"yes");
        std::panic::resume_unwind(Box::new("on purpose"));
    }));
    assert!(unwound.is_err());
    // Who accepts leaves as soon as others run again.
    settle();
    refused(address.take().unwrap());
}

#[test]
fn it_starts_again_at_the_same_address() {
    let server = echo_server();
    let address = server.local_addr();
    for round in 0..5 {
        asks(&client(&server), b"here");
        if round % 2 == 0 {
            server.close()
        } else {
            assert_eq!(server.stop(LONG), 0)
        }
        refused(server.local_addr());
        start_again(&server);
        assert_eq!(server.local_addr(), address);
        assert!(server.is_accepting());
    }
    asks(&client(&server), b"again");
}

#[test]
fn serving_for_ever_ends_when_it_is_stopped() {
    let (free, trace) = (Rc::new(Event::new()), Trace::default());
    let server = patient_server(&free, &trace);
    let serving = spawn({
        let (server, trace) = (server.clone(), trace.clone());
        move || {
            server.serve_forever().unwrap();
            trace.note("served");
        }
    });
    client(&server).read_exact(&mut [0]).unwrap();
    assert!(!serving.is_finished());
    // A longer grace than its own: that counts.
    let stopping = spawn({
        let server = server.clone();
        move || server.stop(LONG)
    });
    sleep(Duration::from_millis(1500));
    assert!(!serving.is_finished() && !stopping.is_finished());
    free.set();
    assert_eq!(stopping.join().unwrap(), 0);
    serving.join().unwrap();
    assert_eq!(trace.take(), ["ended", "served"]);
}

/// An echo server that another greenlet serves for ever.
fn served(reuse_port: bool) -> (Rc<StreamServer>, JoinHandle<()>) {
    let server = StreamServer::builder()
        .reuse_port(reuse_port)
        .bind("127.0.0.1:0", |stream: TcpStream, _| crate::echo(stream));
    let server = Rc::new(server.unwrap());
    let serving = spawn({
        let server = server.clone();
        move || server.serve_forever().unwrap()
    });
    until(|| server.is_accepting());
    settle();
    (server, serving)
}

#[test]
fn serving_for_ever_goes_on_when_the_server_is_started_again() {
    let (server, serving) = served(false);
    let ends: [fn(&StreamServer) -> usize; 3] = [
        |server| {
            server.close();
            0
        },
        |server| server.stop(LONG),
        |server| server.stop(SHORT) - 1,
    ];
    for (round, end) in ends.iter().enumerate() {
        let stays = (round == 2).then(|| client(&server));
        stays.iter().for_each(|stream| asks(stream, b"killed after the grace"));
        assert_eq!(end(&server), 0);
        start_again(&server);
        settle();
        asks(&client(&server), b"again");
        assert!(!serving.is_finished() && server.is_accepting());
    }
    server.stop(SHORT);
    serving.join().unwrap();
}

/// The grace of those who were served before is over when it has long been started again.
#[test]
fn the_grace_of_a_close_is_not_that_of_those_who_come_after_it() {
    let server = StreamServer::builder()
        .stop_timeout(10 * SHORT)
        .bind("127.0.0.1:0", |stream: TcpStream, _| crate::echo(stream));
    let server = Rc::new(server.unwrap());
    let serving = spawn({
        let server = server.clone();
        move || server.serve_forever()
    });
    until(|| server.is_accepting());
    settle();
    let old = client(&server);
    asks(&old, b"served until the grace is over");
    server.close();
    settle(); // the grace has begun
    start_again(&server);
    let new = client(&server);
    asks(&new, b"new");
    until(|| server.running() == 1);
    sleep(20 * SHORT);
    asks(&new, b"still here");
    server.stop(SHORT);
    serving.join().unwrap().unwrap();
}

/// It is started while who closes it waits for the one that accepts.
#[test]
fn a_server_that_is_started_while_it_is_being_closed_is_not_stopped() {
    let (server, serving) = served(true);
    let closed = spawn({
        let server = server.clone();
        move || server.close()
    });
    let started = spawn({
        let server = server.clone();
        move || start_again(&server)
    });
    server.close();
    closed.join().unwrap();
    started.join().unwrap();
    settle();
    asks(&client(&server), b"again");
    assert!(!serving.is_finished() && server.is_started());
    server.stop(SHORT);
    serving.join().unwrap();
}

#[test]
fn serving_for_ever_gives_handlers_its_own_grace_when_it_is_closed() {
    let trace = Trace::default();
    let server = StreamServer::builder().stop_timeout(SHORT).bind("127.0.0.1:0", {
        let trace = trace.clone();
        move |mut stream: TcpStream, _| {
            stream.write_all(b"h").unwrap();
            let end = catch_unwind(AssertUnwindSafe(|| sleep(LONG)));
            trace.note(if end.is_err() { "killed" } else { "ended" });
        }
    });
    let server = Rc::new(server.unwrap());
    let serving = spawn({
        let server = server.clone();
        move || server.serve_forever()
    });
    client(&server).read_exact(&mut [0]).unwrap();
    server.close();
    serving.join().unwrap().unwrap();
    assert_eq!(trace.take(), ["killed"]);
}

#[test]
fn a_kill_of_who_serves_for_ever_stops_the_server() {
    let (free, trace) = (Rc::new(Event::new()), Trace::default());
    let server = patient_server(&free, &trace);
    let serving = spawn({
        let server = server.clone();
        move || server.serve_forever()
    });
    client(&server).read_exact(&mut [0]).unwrap();
    serving.kill_soon();
    settle();
    refused(server.local_addr());
    free.set();
    assert!(serving.join().unwrap_err().is_killed());
    assert_eq!(trace.take(), ["ended"], "it was let end");
    start_again(&server);
    client(&server).read_exact(&mut [0]).unwrap();
}

#[test]
fn a_handler_stops_its_own_server() {
    let (own, killed) = (Rc::new(OnceCell::<Rc<StreamServer>>::new()), Rc::new(Cell::new(None)));
    let server = StreamServer::bind("127.0.0.1:0", {
        let (own, killed) = (own.clone(), killed.clone());
        move |mut stream: TcpStream, _| {
            let mut word = [0];
            stream.read_exact(&mut word).unwrap();
            if &word == b"s" {
                killed.set(Some(own.get().unwrap().stop(SHORT)));
            }
            stream.write_all(&word).unwrap();
        }
    });
    let server = Rc::new(server.unwrap());
    assert!(own.set(server.clone()).is_ok());
    server.start().unwrap();
    let idle = client(&server);
    asks(&client(&server), b"a");
    asks(&client(&server), b"s");
    assert_eq!(killed.get(), Some(1), "the idle one, not itself");
    assert_eq!((&idle).read(&mut [0; 1]).unwrap(), 0);
    until(|| server.running() == 0);
}

/// A connection that is accepted in the moment of the stop is handled, or refused: never lost.
#[test]
fn what_was_accepted_is_handled() {
    for round in 0..50 {
        let (free, trace) = (Rc::new(Event::new()), Trace::default());
        free.set();
        let server = patient_server(&free, &trace);
        let address = server.local_addr();
        let clients: Vec<_> = (0..4)
            .map(|_| {
                spawn(move || {
                    let mut text = String::new();
                    let mut stream = TcpStream::connect(address).ok()?;
                    stream.read_to_string(&mut text).ok().map(|_| text)
                })
            })
            .collect();
        for _ in 0..round % 7 {
            greenlet::yield_now();
        }
        assert_eq!(server.stop(LONG), 0);
        let answers: Vec<_> = clients.into_iter().filter_map(|task| task.join().unwrap()).collect();
        assert!(answers.iter().all(|answer| answer == "hi"), "{answers:?}");
        assert_eq!(trace.take().len(), answers.len());
    }
}
