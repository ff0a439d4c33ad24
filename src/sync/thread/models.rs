//! Threads without hubs, in every order of their steps: `RUSTFLAGS="--cfg loom" cargo test --lib models`,
//! and by chance with `--cfg shuttle`. A wake that is lost is a deadlock, which both report.

use super::{Event, bounded, one_shot, unbounded};
use crate::list::parts::{Arc, model, spawn};
use std::sync::mpsc::{RecvError, SendError};

#[test]
fn model_items_arrive_in_order_through_little_room() {
    model(|| {
        let (sender, receiver) = bounded(1);
        let sending = spawn(move || (1..=3).try_for_each(|n| sender.send(n)));
        assert_eq!(receiver.iter().collect::<Vec<_>>(), [1, 2, 3]);
        sending.join().unwrap().unwrap();
    });
}

#[test]
fn model_a_rendezvous_hands_each_item_to_one() {
    model(|| {
        let (sender, receiver) = bounded(0);
        let other = receiver.clone();
        let receiving = spawn(move || other.recv());
        let sending = spawn(move || (1..=2).try_for_each(|n| sender.send(n)));
        let (mine, theirs) = (receiver.recv().unwrap(), receiving.join().unwrap().unwrap());
        assert_eq!(mine + theirs, 3);
        sending.join().unwrap().unwrap();
    });
}

#[test]
fn model_the_last_sender_wakes_who_receives() {
    model(|| {
        let (sender, receiver) = unbounded::<u32>();
        let dropping = spawn(move || drop(sender));
        assert_eq!(receiver.recv(), Err(RecvError));
        dropping.join().unwrap();
    });
}

#[test]
fn model_the_last_receiver_wakes_who_sends() {
    model(|| {
        let (sender, receiver) = bounded(0);
        let dropping = spawn(move || drop(receiver));
        assert_eq!(sender.send(7), Err(SendError(7)));
        dropping.join().unwrap();
    });
}

#[test]
fn model_one_shot_is_received_or_given_back() {
    model(|| {
        let (sender, receiver) = one_shot();
        let sending = spawn(move || sender.send(5));
        let received = receiver.try_recv();
        drop(receiver);
        let sent = sending.join().unwrap();
        assert!(received.is_ok() <= sent.is_ok());
    });
}

#[test]
fn model_an_event_wakes_all() {
    model(|| {
        let event = Arc::new(Event::new());
        let waiting = [(); 2].map(|()| {
            let event = event.clone();
            spawn(move || event.wait())
        });
        event.set();
        waiting.into_iter().for_each(|thread| thread.join().unwrap());
    });
}
