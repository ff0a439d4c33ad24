//! Many threads and greenlets on few channels, with kills and limits at random: each item arrives once,
//! or is given back to who sent it.

use crate::hub_thread;
use crate::random::{Random, seeds};
use greenlet::sync::thread::{Receiver, Sender, bounded};
use greenlet::{sleep, spawn, timeout, yield_now};
use std::collections::BTreeSet;
use std::sync::mpsc::{RecvTimeoutError, TrySendError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What was sent, and what was received.
#[derive(Default)]
struct Books {
    sent: Mutex<BTreeSet<u64>>,
    received: Mutex<Vec<u64>>,
}

impl Books {
    fn send(&self, sender: &Sender<u64>, item: u64, random: &Random) {
        let within = Duration::from_micros(random.below(500));
        self.sent.lock().unwrap().insert(item);
        let sent = match random.below(3) {
            0 => sender.try_send(item).map_err(|_| ()),
            1 => match sender.send_timeout(item, within) {
                Err(TrySendError::Full(back) | TrySendError::Disconnected(back)) => {
                    assert_eq!(back, item);
                    Err(())
                }
                Ok(()) => Ok(()),
            },
            _ => sender.send(item).map_err(|_| ()),
        };
        if sent.is_err() {
            self.sent.lock().unwrap().remove(&item);
        }
    }

    /// False when no more will come.
    fn receive(&self, receiver: &Receiver<u64>, random: &Random) -> bool {
        let within = Duration::from_micros(random.below(500));
        let item = match random.below(2) {
            0 => receiver.recv_timeout(within),
            _ => receiver.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match item {
            Ok(item) => self.received.lock().unwrap().push(item),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        true
    }
}

#[test]
fn each_item_arrives_once() {
    seeds(15, |seed| {
        let random = Random::new(seed);
        let (sender, receiver) = bounded([0, 1, 3, usize::MAX][random.below(4) as usize]);
        let books = Arc::new(Books::default());
        let sending: Vec<_> = (0..3)
            .map(|who| {
                let (sender, books) = (sender.clone(), books.clone());
                let send = move || {
                    let random = Random::new(seed * 10 + who);
                    (0..200).for_each(|n| books.send(&sender, who << 32 | n, &random));
                };
                if who == 0 { thread::spawn(send) } else { hub_thread(send) }
            })
            .collect();
        drop(sender);
        let receiving: Vec<_> = (0..3)
            .map(|who| {
                let (receiver, books) = (receiver.clone(), books.clone());
                let receive = move |salt| {
                    let random = Random::new(seed * 100 + who * 10 + salt);
                    while books.receive(&receiver, &random) {}
                };
                if who == 0 {
                    return thread::spawn(move || receive(0));
                }
                // Greenlets that are killed and replaced, and others that yield and sleep.
                hub_thread(move || {
                    let random = Random::new(seed * 1_000 + who);
                    let steady = spawn({
                        let receive = receive.clone();
                        move || receive(1)
                    });
                    for salt in 2..6 {
                        let receive = receive.clone();
                        let task = spawn(move || {
                            let _ = timeout(Duration::from_micros(700), || receive(salt));
                        });
                        if random.one_in(2) {
                            yield_now()
                        } else {
                            sleep(Duration::from_micros(300))
                        }
                        task.kill();
                    }
                    steady.join().unwrap();
                })
            })
            .collect();
        drop(receiver);
        sending.into_iter().for_each(|thread| thread.join().unwrap());
        receiving.into_iter().for_each(|thread| thread.join().unwrap());
        let sent = books.sent.lock().unwrap().iter().copied().collect::<Vec<_>>();
        let mut received = std::mem::take(&mut *books.received.lock().unwrap());
        received.sort_unstable();
        assert_eq!(received, sent);
    });
}
