//! Too few descriptors: accepting waits, says so, and goes on by itself.

use crate::in_child::{in_child, tell, this_test};
use crate::open_files::limit_open_files;
use crate::{pair, raw};
use greenlet::net::TcpStream;
use greenlet::{sleep, spawn};
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

#[test]
fn accepting_waits_for_descriptors_and_then_goes_on() {
    let child = in_child(this_test!(), || {
        let listener = pair::listen();
        let address = listener.local_addr().unwrap();
        // Threads have one table of descriptors, so the clients are in a process of their own: here
        // they are made first, and wait in the listener's queue.
        let clients: Vec<_> = (0..20).map(|_| TcpStream::connect(address).unwrap()).collect();
        limit_open_files(raw::next_number() as u64 + 5);
        let plain = {
            let taken: Vec<_> = std::iter::from_fn(|| listener.accept().ok()).collect();
            (taken.len(), listener.accept().unwrap_err().raw_os_error())
        };
        assert_eq!(plain, (5, Some(libc::EMFILE)), "a plain accept says so");
        let served = Rc::new(Cell::new(0));
        let count = served.clone();
        let held = Rc::new(Cell::new(Vec::new()));
        let holds = held.clone();
        let server = spawn(move || {
            for stream in listener.incoming() {
                let mut all = holds.take();
                all.push(stream.unwrap());
                holds.set(all);
                count.set(count.get() + 1);
            }
        });
        let (began, mut turns) = (Instant::now(), 0);
        while served.get() < 15 {
            sleep(Duration::from_millis(5));
            turns += 1;
            drop(held.take()); // whoever was accepted goes away
        }
        tell("turns", &[turns]);
        tell("seconds", &[began.elapsed().as_secs() as usize]);
        // A kill ends it while it waits for descriptors, and a close does.
        server.kill();
        drop(clients);
    });
    child.exited_with(0);
    let said = child.stderr.lines().filter(|line| line.contains("accepting connections waits"));
    // Once a second.
    let most = 1 + child.numbers("seconds")[0];
    assert!((1..=most).contains(&said.count()), "{child}");
    assert!(child.numbers("turns")[0] < 100, "{child}");
}

#[test]
fn a_kill_arrives_while_it_waits_for_descriptors() {
    in_child(this_test!(), || {
        let listener = pair::listen();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        limit_open_files(raw::next_number() as u64);
        let server = spawn(move || listener.incoming().next().map(drop));
        sleep(Duration::from_millis(25));
        assert!(!server.is_finished());
        server.kill();
        assert!(server.join().unwrap_err().is_killed());
    })
    .exited_with(0);
}
