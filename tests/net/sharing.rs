//! One socket, several greenlets: who is refused, and who is served when.

use crate::pair;
use greenlet::net::{TcpStream, UdpSocket};
use greenlet::{JoinHandle, spawn, timeout};
use std::cell::RefCell;
use std::io::{ErrorKind, Read, Write};
use std::rc::Rc;
use std::time::Duration;

#[test]
fn a_second_reader_is_refused_and_the_first_goes_on() {
    let (a, mut b) = pair::tcp();
    let a = Rc::new(a);
    let same = a.clone();
    let first = spawn(move || {
        let mut buffer = [0; 9];
        (&*same).read(&mut buffer).map(|n| buffer[..n].to_vec())
    });
    pair::settle();
    assert_eq!((&*a).read(&mut [0; 9]).unwrap_err().kind(), ErrorKind::ResourceBusy);
    assert_eq!(a.read_pooled().unwrap_err().kind(), ErrorKind::ResourceBusy);
    let error = a.peek(&mut [0; 9]).unwrap_err();
    assert!(error.to_string().contains("another greenlet reads"), "{error}");
    (&*a).write_all(b"writing goes on").unwrap();
    b.write_all(b"bytes").unwrap();
    assert_eq!(first.join().unwrap().unwrap(), b"bytes");
}

#[test]
fn a_second_writer_is_refused_while_the_first_waits() {
    use pair::Filled;
    let (a, b) = pair::unix();
    let sent = a.fill(&b);
    let a = Rc::new(a);
    let same = a.clone();
    let first = spawn(move || (&*same).write(b"x"));
    pair::settle();
    assert_eq!((&*a).write(b"y").unwrap_err().kind(), ErrorKind::ResourceBusy);
    b.drain(sent);
    assert_eq!(first.join().unwrap().unwrap(), 1);
}

type Log = Rc<RefCell<Vec<(u8, u8)>>>;

/// Eight greenlets that each do `take` five times, and log what they got.
fn takers(log: &Log, take: impl Fn() -> u8 + Clone + 'static) -> Vec<JoinHandle<()>> {
    let taker = |index| {
        let (log, take) = (log.clone(), take.clone());
        spawn(move || {
            (0..5).for_each(|_| {
                let taken = take();
                log.borrow_mut().push((index, taken));
            })
        })
    };
    let takers = (0..8).map(taker).collect();
    pair::settle();
    takers
}

/// All was taken once; and `in_order`, if each was there before somebody could ask a second time.
fn check(log: &Log, takers: Vec<JoinHandle<()>>, in_order: bool) {
    takers.into_iter().for_each(|task| task.join().unwrap());
    let wanted: Vec<_> = (0..40).map(|turn| (turn % 8, turn)).collect();
    if in_order {
        return assert_eq!(*log.borrow(), wanted);
    }
    let mut taken: Vec<_> = log.borrow().iter().map(|(_, turn)| *turn).collect();
    taken.sort_unstable();
    assert_eq!(taken, (0..40).collect::<Vec<_>>());
}

#[test]
fn receivers_of_datagrams_are_served_in_order() {
    for one_by_one in [true, false] {
        let (a, b) =
            (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        a.connect(b.local_addr().unwrap()).unwrap();
        let log = Log::default();
        let b = Rc::new(b);
        let takers = takers(&log, move || {
            let mut byte = [0];
            b.recv_from(&mut byte).unwrap();
            byte[0]
        });
        for turn in 0..40 {
            a.send(&[turn]).unwrap();
            if one_by_one {
                pair::settle();
            }
        }
        check(&log, takers, one_by_one);
    }
}

#[test]
fn acceptors_are_served_in_order() {
    for one_by_one in [true, false] {
        let listener = Rc::new(pair::listen());
        let address = listener.local_addr().unwrap();
        let log = Log::default();
        let takers = takers(&log, move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut byte = [0];
            greenlet::shield(|| stream.read_exact(&mut byte)).unwrap();
            byte[0]
        });
        let mut clients = Vec::new();
        for turn in 0..40 {
            let mut client = TcpStream::connect(address).unwrap();
            client.write_all(&[turn]).unwrap();
            clients.push(client);
            if one_by_one {
                pair::settle();
            }
        }
        check(&log, takers, one_by_one);
    }
}

/// Whoever gives up in the line does not hold up those behind him.
#[test]
fn the_line_closes_up_behind_those_who_leave() {
    let (a, b) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    a.connect(b.local_addr().unwrap()).unwrap();
    let b = Rc::new(b);
    let wait = |b: &Rc<UdpSocket>| {
        let b = b.clone();
        let task = spawn(move || b.recv(&mut [0; 9]));
        pair::settle();
        task
    };
    let tasks = [wait(&b), wait(&b), wait(&b), wait(&b)];
    tasks[1].kill(); // in the line
    tasks[0].kill(); // at its head
    assert!(timeout(Duration::from_millis(1), || b.recv(&mut [0; 9])).is_err());
    b.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    assert_eq!(b.recv(&mut [0; 9]).unwrap_err().kind(), ErrorKind::TimedOut);
    b.set_read_timeout(None).unwrap();
    a.send(b"two").unwrap();
    pair::settle();
    assert!(tasks[2].is_finished() && !tasks[3].is_finished());
    // One is killed when its turn has come, but before it ran.
    let last = wait(&b);
    a.send(b"three").unwrap();
    tasks[3].kill_soon();
    a.send(b"four").unwrap();
    let [_, _, second, third] = tasks;
    assert_eq!(second.join().unwrap().unwrap(), 3);
    if third.join().is_err() {
        assert_eq!(last.join().unwrap().unwrap(), 5);
    } else {
        assert_eq!(last.join().unwrap().unwrap(), 4);
    }
    // All of them hear of the end.
    let b2 = Rc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
    let tasks = [wait(&b2), wait(&b2), wait(&b2)];
    b2.close().unwrap();
    for task in tasks {
        assert_eq!(task.join().unwrap().unwrap_err().kind(), ErrorKind::NotConnected);
    }
}

/// Readiness of a socket of ours may be waited for, too, while others use it.
#[test]
fn looking_disturbs_nobody() {
    let (a, mut b) = pair::tcp();
    let a = Rc::new(a);
    let lookers: Vec<_> = (0..3)
        .map(|_| {
            let a = a.clone();
            spawn(move || greenlet::net::readable(&*a))
        })
        .collect();
    pair::settle();
    greenlet::net::writable(&*a).unwrap();
    let same = a.clone();
    let reader = spawn(move || (&*same).read(&mut [0; 9]));
    pair::settle();
    assert!(lookers.iter().all(|looker| !looker.is_finished()));
    b.write_all(b"seen").unwrap();
    assert_eq!(reader.join().unwrap().unwrap(), 4);
    for looker in lookers {
        let _ = timeout(Duration::from_millis(1), || looker.join().unwrap().unwrap());
    }
    // Afterwards it reads as before.
    let reader = spawn(move || (&*a).read(&mut [0; 9]));
    pair::settle();
    b.write_all(b"again").unwrap();
    assert_eq!(reader.join().unwrap().unwrap(), 5);
}
